"""Headers of the requests that fetch messages (remoting protocol/header/PullMessage..., ViewMessage...)."""

from dataclasses import dataclass, field
from typing import Final

from broker_py.wire.header import Int32, Int64

# common sysflag/PullSysFlag
PULL_COMMIT_OFFSET: Final = 1
PULL_SUSPEND: Final = 2
PULL_SUBSCRIPTION: Final = 4
PULL_CLASS_FILTER: Final = 8


@dataclass(kw_only=True)
class PullRequest:
    """Messages of one queue from an offset on: requests 11 and 361."""

    consumer_group: str
    topic: str
    queue_id: Int32
    queue_offset: Int64
    max_msg_nums: Int32
    sys_flag: Int32 = 0
    commit_offset: Int64 = 0
    suspend_timeout_millis: Int64 = 0
    subscription: str | None = None
    sub_version: Int64 = 0
    expression_type: str | None = None
    max_msg_bytes: Int32 | None = None


@dataclass(kw_only=True)
class PullReply:
    """The four offsets that a client needs with every answer to a pull, found or not."""

    suggest_which_broker_id: Int64
    next_begin_offset: Int64
    min_offset: Int64
    max_offset: Int64


@dataclass(kw_only=True)
class ViewMessageRequest:
    """One message by its byte position in the commit log: request 33."""

    offset: Int64


@dataclass(kw_only=True)
class QueryMessageRequest:
    """Messages by key and span of store time: request 12. `unique`: the key is the client's unique id."""

    topic: str
    key: str
    max_num: Int32
    begin_timestamp: Int64
    end_timestamp: Int64
    unique: bool = field(default=False, metadata={"wire": "_UNIQUE_KEY_QUERY"})
