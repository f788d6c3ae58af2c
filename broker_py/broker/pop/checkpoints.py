"""What the revive log keeps: check points of popped messages, and acks (store pop/PopCheckPoint, AckMsg).

Both are messages of the topic `rmq_sys_REVIVE_LOG_<cluster>` with a JSON body, told apart by their tag. A Java broker
has its timer bring them there when they are due. Ours puts them there at once: so an ack lies behind its check point,
and the log alone says what is not acknowledged. Java reads them as well: it waits for the revive time of the first.
"""

from dataclasses import dataclass
from typing import Any, Final

from broker_py.errors import ProtocolError
from broker_py.message.properties import TAGS, decode_properties, encode_properties
from broker_py.message.record import Message, Record
from broker_py.message.tags import tags_code
from broker_py.model.fields import int_of, text_of
from broker_py.wire.fastjson import dumps, loads_object

REVIVE_GROUP: Final = "CID_RMQ_SYS_REVIVE_GROUP"
_REVIVE_TOPIC: Final = "rmq_sys_REVIVE_LOG_"
_CHECKPOINT: Final = "ck"
_ACK: Final = "ack"
_NEXT: Final = "POP_NEXT"
_DELIVER_MS: Final = "TIMER_DELIVER_MS"  # Java reads it of every such message: up to when the revive log was filled
_DEQUEUED_MS: Final = "TIMER_DEQUEUE_MS"  # a timer brought it
_BITS: Final = 32

Key = tuple[str, str, int, int, int]
"""topic, group, queue id, start offset, pop time: what an ack says of its check point."""


def revive_topic(cluster: str) -> str:
    """Return the name of a cluster's revive log (common PopAckConstants)."""
    return _REVIVE_TOPIC + cluster


@dataclass(slots=True)
class Checkpoint:
    """Messages of a queue that a group popped; bit i of `acked` stands for the i-th of `queue_offsets`.

    `next_offset` is where the group goes on in the queue, None where the check point is not of a pop: of a changed
    invisible time, of one written anew, of a Java broker. `timed`: a timer brought it here, shortly before its time.
    """

    topic: str
    group: str
    queue_id: int
    start_offset: int
    pop_time: int
    invisible_time: int
    queue_offsets: list[int]
    broker_name: str
    acked: int = 0
    next_offset: int | None = None
    timed: bool = False

    @property
    def key(self) -> Key:
        """What its acks refer to it by."""
        return self.topic, self.group, self.queue_id, self.start_offset, self.pop_time

    @property
    def revive_time(self) -> int:
        """When what is not acknowledged comes back, in milliseconds of the clock."""
        return self.pop_time + self.invisible_time

    def unacked(self) -> list[int]:
        """The queue offsets that are not acknowledged."""
        return [offset for index, offset in enumerate(self.queue_offsets) if not self.acked >> index & 1]

    def ack(self, queue_offset: int) -> None:
        """Note an ack; one of another message changes nothing."""
        if queue_offset in self.queue_offsets:
            self.acked |= 1 << self.queue_offsets.index(queue_offset)

    def message(self, topic: str, revive_queue: int, now_ms: int, host: bytes) -> Message:
        """Return the record of it."""
        bits = self.acked - (1 << _BITS) if self.acked >> (_BITS - 1) else self.acked
        body = {
            "bm": bits,
            "bn": self.broker_name,
            "c": self.group,
            "d": [offset - self.start_offset for offset in self.queue_offsets],
            "it": self.invisible_time,
            "n": len(self.queue_offsets),
            "pt": self.pop_time,
            "q": self.queue_id,
            "ro": 0,
            "so": self.start_offset,
            "t": self.topic,
        }
        next_offset = {} if self.next_offset is None else {_NEXT: str(self.next_offset)}
        return _message(topic, revive_queue, _CHECKPOINT, body, next_offset, now_ms, host)


@dataclass(slots=True)
class Ack:
    """One acknowledged message of a check point."""

    key: Key
    queue_offset: int
    broker_name: str

    @property
    def pop_time(self) -> int:
        """When the message was popped."""
        return self.key[4]

    def message(self, topic: str, revive_queue: int, deliver_ms: int, host: bytes) -> Message:
        """Return the record of it."""
        of_topic, group, queue_id, start_offset, pop_time = self.key
        body = {
            "ao": self.queue_offset,
            "bn": self.broker_name,
            "c": group,
            "pt": pop_time,
            "q": queue_id,
            "so": start_offset,
            "t": of_topic,
        }
        return _message(topic, revive_queue, _ACK, body, {}, deliver_ms, host)


def _message(
    topic: str, queue_id: int, tag: str, body: dict[str, Any], more: dict[str, str], now_ms: int, host: bytes
) -> Message:
    properties = encode_properties({TAGS: tag, _DELIVER_MS: str(now_ms), **more})
    return Message(topic, queue_id, 0, 0, now_ms, host, dumps(body), properties, tags_code(tag))


def read_entry(record: Record) -> Checkpoint | Ack | None:
    """Return what a message of the revive log says; None for one that says nothing. ProtocolError."""
    properties = decode_properties(record.properties)
    tag = properties.get(TAGS)
    if tag not in (_CHECKPOINT, _ACK):
        return None
    fields = loads_object(bytes(record.body))
    topic, group = text_of(fields, "t"), text_of(fields, "c")
    if not topic or not group:
        return None
    queue_id, start_offset, pop_time = int_of(fields, "q"), int_of(fields, "so"), int_of(fields, "pt")
    broker_name = text_of(fields, "bn")
    if tag == _ACK:
        return Ack((topic, group, queue_id, start_offset, pop_time), int_of(fields, "ao"), broker_name)
    count = int_of(fields, "n")
    diffs = fields.get("d") or list(range(count))
    if not isinstance(diffs, list) or not all(isinstance(diff, int) for diff in diffs):
        raise ProtocolError("the offsets of a check point are none")
    next_offset = properties.get(_NEXT, "")
    return Checkpoint(
        topic,
        group,
        queue_id,
        start_offset,
        pop_time,
        int_of(fields, "it"),
        [start_offset + diff for diff in diffs],
        broker_name,
        int_of(fields, "bm") & ((1 << _BITS) - 1),
        int(next_offset) if next_offset.isdecimal() else None,
        _DEQUEUED_MS in properties,
    )
