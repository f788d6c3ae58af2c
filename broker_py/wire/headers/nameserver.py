"""Headers of the requests that a name server serves or sends (remoting protocol/header/namesrv/*)."""

from dataclasses import dataclass, field

from broker_py.wire.header import Int32, Int64

# Clients and brokers of several zones say in these which one is theirs (common MixAll, route/ZoneRouteRPCHook).
ZONE_NAME = "__ZONE_NAME"
ZONE_MODE = "__ZONE_MODE"


@dataclass(kw_only=True)
class RouteRequest:
    """Which brokers have a topic: request 105."""

    topic: str
    accept_standard_json_only: bool = False
    zone_mode: bool = field(default=False, metadata={"wire": ZONE_MODE})
    zone_name: str | None = field(default=None, metadata={"wire": ZONE_NAME})


@dataclass(kw_only=True)
class RegisterBrokerRequest:
    """A broker says who it is, its topics are in the body: request 103.

    Brokers before 5.0 send no `enable_acting_master`, which is not the same as false.
    """

    broker_name: str
    broker_addr: str
    cluster_name: str
    ha_server_addr: str
    broker_id: Int64
    heartbeat_timeout_millis: Int64 | None = None
    enable_acting_master: bool | None = None
    compressed: bool = False
    body_crc32: Int32 = 0
    zone_name: str | None = field(default=None, metadata={"wire": ZONE_NAME})


@dataclass(kw_only=True)
class RegisterBrokerReply:
    """What a slave has to know of its master; a master gets nothing."""

    ha_server_addr: str | None = None
    master_addr: str | None = None


@dataclass(kw_only=True)
class BrokerRequest:
    """One broker: requests 104 (it leaves) and 322 (has its data version, in the body, changed?)."""

    broker_name: str
    broker_addr: str
    cluster_name: str
    broker_id: Int64


@dataclass(kw_only=True)
class QueryDataVersionReply:
    """Whether the name server has another data version than the broker: reply to 322."""

    changed: bool


@dataclass(kw_only=True)
class BrokerHeartbeatRequest:
    """A broker lives: request 904. The fields for a controller are left out."""

    cluster_name: str
    broker_addr: str
    broker_name: str


@dataclass(kw_only=True)
class MemberGroupRequest:
    """The brokers of one name: request 901."""

    cluster_name: str
    broker_name: str


@dataclass(kw_only=True)
class NotifyMinBrokerIdRequest:
    """The lowest id of a broker name is another one now: request 905, from name server to broker."""

    min_broker_id: Int64 | None = None
    broker_name: str | None = None
    min_broker_addr: str | None = None
    offline_broker_addr: str | None = None
    ha_broker_addr: str | None = None


@dataclass(kw_only=True)
class PutKvRequest:
    """Keep a value: request 100."""

    namespace: str
    key: str
    value: str


@dataclass(kw_only=True)
class KvRequest:
    """A kept value: requests 101 (get) and 102 (delete)."""

    namespace: str
    key: str


@dataclass(kw_only=True)
class KvReply:
    """The value: reply to 101."""

    value: str | None = None


@dataclass(kw_only=True)
class KvNamespaceRequest:
    """All values of a namespace: request 219."""

    namespace: str


@dataclass(kw_only=True)
class BrokerNameRequest:
    """The topics of a broker name: requests 205 (wipe write permission) and 327 (give it back)."""

    broker_name: str


@dataclass(kw_only=True)
class WipeWritePermReply:
    """How many topics were changed: reply to 205."""

    wipe_topic_count: Int32


@dataclass(kw_only=True)
class AddWritePermReply:
    """How many topics were changed: reply to 327."""

    add_topic_count: Int32


@dataclass(kw_only=True)
class ClusterRequest:
    """A cluster: request 224."""

    cluster: str


@dataclass(kw_only=True)
class DeleteTopicRequest:
    """Forget a topic's routes, those in one cluster or all: request 216."""

    topic: str
    cluster_name: str | None = None


@dataclass(kw_only=True)
class RegisterTopicRequest:
    """Make a route, which is in the body: request 217."""

    topic: str
