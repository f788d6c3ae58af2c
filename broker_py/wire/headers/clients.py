"""Headers of the requests about clients and groups (remoting protocol/header/*)."""

from dataclasses import dataclass, field

from broker_py.wire.header import Int32, Int64


@dataclass(kw_only=True)
class UnregisterClientRequest:
    """A client leaves its groups: request 35."""

    client_id: str = field(metadata={"wire": "clientID"})
    producer_group: str | None = None
    consumer_group: str | None = None


@dataclass(kw_only=True)
class ConsumerGroupRequest:
    """A consumer group by the name `consumerGroup`: requests 38, 203 and the push 40."""

    consumer_group: str


@dataclass(kw_only=True)
class ProducerGroupRequest:
    """A producer group: request 204."""

    producer_group: str


@dataclass(kw_only=True)
class ClientRequest:
    """One client of a group, for requests that are relayed to it: 307 and 309."""

    consumer_group: str
    client_id: str | None = None
    jstack_enable: bool = False
    msg_id: str | None = None
    broker_name: str | None = None
    topic: str | None = None


@dataclass(kw_only=True)
class SendBackRequest:
    """A message that a consumer could not consume: request 36."""

    offset: Int64
    group: str
    delay_level: Int32
    origin_msg_id: str | None = None
    origin_topic: str | None = None
    unit_mode: bool = False
    max_reconsume_times: Int32 | None = None


@dataclass(kw_only=True)
class MessageIdRequest:
    """A message by its offset id: request 323."""

    msg_id: str
    topic: str | None = None
