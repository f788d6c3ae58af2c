"""Headers of the requests that tools send to a broker (remoting protocol/header/*)."""

from dataclasses import dataclass

from broker_py.wire.header import Int32, Int64


@dataclass(kw_only=True)
class CreateTopicRequest:
    """Make or change a topic: request 17."""

    topic: str
    default_topic: str
    read_queue_nums: Int32
    write_queue_nums: Int32
    perm: Int32
    topic_filter_type: str
    topic_sys_flag: Int32 = 0
    order: bool = False
    attributes: str | None = None
    force: bool = False


@dataclass(kw_only=True)
class TopicRequest:
    """A topic: requests 202, 215, 300, 351 and others."""

    topic: str


@dataclass(kw_only=True)
class GroupRequest:
    """A consumer group by the name `group`: requests 343, 352."""

    group: str


@dataclass(kw_only=True)
class DeleteGroupRequest:
    """Remove a consumer group: request 207."""

    group_name: str
    clean_offset: bool = False


@dataclass(kw_only=True)
class ConsumeStatsRequest:
    """How far a group is, per queue: request 208."""

    consumer_group: str
    topic: str | None = None


@dataclass(kw_only=True)
class BrokerConsumeStatsRequest:
    """How far all groups are: request 317."""

    is_order: bool


@dataclass(kw_only=True)
class TopicGroupRequest:
    """A topic as a group sees it: requests 303 and 345."""

    group: str
    topic: str | None = None


@dataclass(kw_only=True)
class QueryConsumeQueueRequest:
    """Raw units of a consume queue: request 321."""

    topic: str
    queue_id: Int32
    index: Int64
    count: Int32
    consumer_group: str | None = None


@dataclass(kw_only=True)
class CloneGroupOffsetRequest:
    """Give a group the offsets of another one: request 314."""

    src_group: str
    dest_group: str
    topic: str | None = None
    offline: bool = False


@dataclass(kw_only=True)
class ForbiddenRequest:
    """May a group read a topic? Without `readable` nothing is changed: request 353."""

    group: str
    topic: str
    readable: bool | None = None


@dataclass(kw_only=True)
class CorrectionRequest:
    """How far all groups of a topic are but some, compared with one: request 308."""

    topic: str
    filter_groups: str | None = None
    compare_group: str | None = None


@dataclass(kw_only=True)
class StatsRequest:
    """One statistic by its name and key: request 315."""

    stats_name: str
    stats_key: str


@dataclass(kw_only=True)
class FlushOffsetRequest:
    """From where on a slave must have flushed: request 908."""

    master_flush_offset: Int64


@dataclass(kw_only=True)
class AccessAccountRequest:
    """Make or change an account: request 50. Lists of permissions are joined by commas."""

    access_key: str
    secret_key: str | None = None
    white_remote_address: str | None = None
    admin: bool = False
    default_topic_perm: str | None = None
    default_group_perm: str | None = None
    topic_perms: str | None = None
    group_perms: str | None = None


@dataclass(kw_only=True)
class DeleteAccountRequest:
    """Delete an account: request 51."""

    access_key: str


@dataclass(kw_only=True)
class GlobalWhiteAddressesRequest:
    """Replace the addresses that need no account: request 53."""

    global_white_addrs: str
    acl_file_full_path: str | None = None
