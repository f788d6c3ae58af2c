"""What consumers and their listeners agree on (client consumer/DefaultMQPushConsumer, consumer/listener)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from broker_py.client.allocation import Allocate, allocate_averagely
from broker_py.client.messages import ReceivedMessage
from broker_py.model.message_queue import MessageQueue


class ConsumeStatus(Enum):
    """What a listener says of the messages it got.

    LATER: in a group that shares its queues they come again after a while, in a topic of the group's own, or, where
    the listener is orderly, after a pause and before all others of their queue.
    """

    SUCCESS = "CONSUME_SUCCESS"
    LATER = "RECONSUME_LATER"


class ConsumeFromWhere(str, Enum):
    """Where a group begins in a queue that it never was in. Names are as clients tell them to brokers."""

    LAST_OFFSET = "CONSUME_FROM_LAST_OFFSET"
    FIRST_OFFSET = "CONSUME_FROM_FIRST_OFFSET"
    TIMESTAMP = "CONSUME_FROM_TIMESTAMP"


@dataclass(slots=True)
class ConsumeContext:
    """Where messages come from, and what a listener may say besides its status.

    `delay_level`: when they come again; 0: by how often they came, -1: never, they are put aside in `%DLQ%<group>`.
    `ack_index`: with SUCCESS, the index of the last message that is consumed, the others come again.
    `suspend_ms`: the pause of an orderly listener's queue, 10 to 30,000; 0: as the options have it.
    """

    queue: MessageQueue
    ack_index: int
    delay_level: int = 0
    suspend_ms: int = 0


# Gets one message, or up to `consume_message_batch_max_size` of one queue. An exception is the same as LATER.
Listener = Callable[[list[ReceivedMessage], ConsumeContext], Awaitable[ConsumeStatus]]


@dataclass(frozen=True, kw_only=True)
class FlowLimits:
    """How many messages of a queue are held here: messages, bytes, and between the first and the last offset."""

    messages: int = 1000
    bytes: int = 100 << 20
    span: int = 2000


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """How a push consumer consumes; defaults are the Java client's.

    `orderly`: each queue's messages one after the other, on one member at a time. `broadcasting`: each member gets
    all messages, and keeps its own offsets in `offset_directory`. `consume_timestamp_ms` belongs to
    `ConsumeFromWhere.TIMESTAMP`. `concurrency` is how many calls of the listener are under way at most.
    `max_reconsume_times` -1 is 16, orderly: no limit. After `consume_timeout_seconds` a message that is still under
    way comes again. `shutdown_seconds`: how long leaving waits for the listener.
    """

    orderly: bool = False
    broadcasting: bool = False
    offset_directory: str = ""
    consume_from_where: ConsumeFromWhere = ConsumeFromWhere.LAST_OFFSET
    consume_timestamp_ms: int = 0
    concurrency: int = 20
    consume_message_batch_max_size: int = 1
    pull_batch_size: int = 32
    limits: FlowLimits = field(default_factory=FlowLimits)
    max_reconsume_times: int = -1
    consume_timeout_seconds: float = 900.0
    suspend_ms: int = 1000
    shutdown_seconds: float = 10.0
    allocate: Allocate = allocate_averagely
