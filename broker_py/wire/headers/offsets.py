"""Headers of the requests about positions in queues (remoting protocol/header/*Offset*)."""

from dataclasses import dataclass

from broker_py.wire.header import Int32, Int64


@dataclass(kw_only=True)
class QueryOffsetRequest:
    """Where a group stands in a queue: request 14."""

    consumer_group: str
    topic: str
    queue_id: Int32
    set_zero_if_not_found: bool | None = None


@dataclass(kw_only=True)
class UpdateOffsetRequest:
    """Where a group stands from now on: request 15."""

    consumer_group: str
    topic: str
    queue_id: Int32
    commit_offset: Int64


@dataclass(kw_only=True)
class SearchOffsetRequest:
    """The first message stored at or after a time: request 29."""

    topic: str
    queue_id: Int32
    timestamp: Int64


@dataclass(kw_only=True)
class QueueRequest:
    """A queue: requests 30 (max offset), 31 (min offset) and 32 (time of the first message)."""

    topic: str
    queue_id: Int32


@dataclass(kw_only=True)
class OffsetReply:
    """One queue offset."""

    offset: Int64


@dataclass(kw_only=True)
class ResetOffsetRequest:
    """Set a group back to a time (-1: to the end): request 222; pushed to its clients as 220."""

    topic: str
    group: str
    timestamp: Int64
    is_force: bool = False
    queue_id: Int32 = -1
    offset: Int64 | None = None


@dataclass(kw_only=True)
class ConsumerStatusRequest:
    """The offsets that a group's clients have in memory: request 223; asked of them as 221."""

    topic: str
    group: str
    client_addr: str | None = None
