"""The texts that go with popped messages to the client and come back with its acks (protocol/header/ExtraInfoUtil).

extra info      start offset, pop time, invisible time, revive queue, 0|1, broker name, queue id[, queue offset]
start offsets   "0 3 100;1 0 7": from which queue offset on each queue was read; 1 is the retry topic
message offsets "0 3 100,102;1 0 7"
order counts    "0 qo3%100 2;0 3 0": how often a message, or the queue's youngest, was delivered before
"""

from dataclasses import dataclass
from typing import Final

from broker_py.errors import RequestRefused
from broker_py.message.record import RETRY_PREFIX
from broker_py.wire.codes import ResponseCode

NORMAL: Final = "0"
RETRY: Final = "1"
ORDER_REVIVE_QUEUE: Final = 999
"""Stands in place of a revive queue for messages that were popped in order: those have no check point."""
_FIELDS: Final = 6


def pop_retry_topic(topic: str, group: str) -> str:
    """Return where the messages of a topic go that a group popped and did not acknowledge (common KeyBuilder)."""
    return f"{RETRY_PREFIX}{group}_{topic}"


def normal_topic(topic: str, group: str) -> str:
    """Return the topic that a message was first sent to."""
    return topic[len(pop_retry_topic("", group)) :] if topic.startswith(RETRY_PREFIX) else topic


@dataclass(frozen=True, slots=True)
class ExtraInfo:
    """What identifies the check point of a popped message. Times in milliseconds."""

    start_offset: int
    pop_time: int
    invisible_time: int
    revive_queue: int
    broker_name: str

    @property
    def in_order(self) -> bool:
        """True for a message that was popped in order."""
        return self.revive_queue == ORDER_REVIVE_QUEUE


def parse_extra_info(text: str) -> ExtraInfo:
    """Return what a client sent back; RequestRefused when it is none."""
    fields = text.split(" ")
    try:
        if len(fields) < _FIELDS:
            raise ValueError
        start_offset, pop_time, invisible_time, revive_queue = (int(field) for field in fields[:4])
    except ValueError:
        raise RequestRefused(
            ResponseCode.SYSTEM_ERROR, f"the field extraInfo is '{text[:128]}', which is none"
        ) from None
    return ExtraInfo(start_offset, pop_time, invisible_time, revive_queue, fields[5])


def extra_info(info: ExtraInfo, topic: str, queue_id: int, queue_offset: int) -> str:
    """Return the text for one message of a queue of `topic`."""
    mark = RETRY if topic.startswith(RETRY_PREFIX) else NORMAL
    return (
        f"{info.start_offset} {info.pop_time} {info.invisible_time} {info.revive_queue} {mark} {info.broker_name} "
        f"{queue_id} {queue_offset}"
    )


def start_offset_info(retry: bool, queue_id: int, start_offset: int) -> str:
    """Return the part of one queue."""
    return f"{RETRY if retry else NORMAL} {queue_id} {start_offset}"


def message_offset_info(retry: bool, queue_id: int, queue_offsets: list[int]) -> str:
    """Return the part of one queue."""
    return f"{RETRY if retry else NORMAL} {queue_id} {','.join(map(str, queue_offsets))}"


def order_count_info(queue_id: int, counts: dict[int, int], least: int) -> str:
    """Return the part of one queue: of the messages that were delivered before, and the queue's least."""
    messages = [f"{NORMAL} qo{queue_id}%{queue_offset} {count}" for queue_offset, count in counts.items()]
    return ";".join([*messages, f"{NORMAL} {queue_id} {least}"])
