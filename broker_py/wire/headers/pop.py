"""Headers of POP consumption (remoting protocol/header/Pop..., Ack..., ChangeInvisibleTime..., Notification...)."""

from dataclasses import dataclass
from typing import Final

from broker_py.wire.header import Int32, Int64

INIT_MODE_MIN: Final = 0
INIT_MODE_MAX: Final = 1
ANY_QUEUE: Final = -1


@dataclass(kw_only=True)
class PopRequest:
    """Messages of any queue, or of one, that nobody else of the group gets for a while: request 200050."""

    consumer_group: str
    topic: str
    queue_id: Int32
    max_msg_nums: Int32
    invisible_time: Int64
    poll_time: Int64
    born_time: Int64
    init_mode: Int32
    exp_type: str | None = None
    exp: str | None = None
    order: bool = False


@dataclass(kw_only=True)
class PopReply:
    """What a client needs to acknowledge what it got; the three infos are texts of `broker.pop.extra_info`."""

    pop_time: Int64
    invisible_time: Int64
    revive_qid: Int32
    rest_num: Int64
    start_offset_info: str | None = None
    msg_offset_info: str | None = None
    order_count_info: str | None = None


@dataclass(kw_only=True)
class PeekRequest:
    """Messages that a pop would get next, without taking them: request 200052."""

    consumer_group: str
    topic: str
    queue_id: Int32
    max_msg_nums: Int32


@dataclass(kw_only=True)
class AckRequest:
    """A popped message is consumed: request 200051."""

    consumer_group: str
    topic: str
    queue_id: Int32
    extra_info: str
    offset: Int64


@dataclass(kw_only=True)
class ChangeInvisibleTimeRequest:
    """A popped message shall come back in so many milliseconds from now: request 200053."""

    consumer_group: str
    topic: str
    queue_id: Int32
    extra_info: str
    offset: Int64
    invisible_time: Int64


@dataclass(kw_only=True)
class ChangeInvisibleTimeReply:
    """The parts of a message's extra info that are others now."""

    pop_time: Int64
    invisible_time: Int64
    revive_qid: Int32


@dataclass(kw_only=True)
class NotificationRequest:
    """Tell whether there is something to pop, now or within a time: request 200054."""

    consumer_group: str
    topic: str
    queue_id: Int32
    poll_time: Int64
    born_time: Int64


@dataclass(kw_only=True)
class PollingInfoRequest:
    """How many pops wait: request 200055."""

    consumer_group: str
    topic: str
    queue_id: Int32
