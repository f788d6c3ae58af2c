"""Which messages of a queue are out with a group that pops in order (broker offset/ConsumerOrderInfoManager).

A queue gives nothing more until all that was popped is acknowledged, or its time is up; then it begins again with the
first message that isn't. Kept in consumerOrderInfo.json, written now and then as consumer offsets are: a crash makes a
group get again what it popped last.

Differs from Java where a crash made the broker forget what is out: there an ack moves the group behind its message, and
past those before it that nobody has acknowledged. Here it counts for nothing.
"""

from dataclasses import dataclass, field
from typing import Any

from broker_py.broker.metadata import MetadataFile
from broker_py.model.fields import dict_of, int_of
from broker_py.seams import Clock

_FORGET_MS = 24 * 3600 * 1000


@dataclass(slots=True)
class OrderInfo:
    """What was popped last of one queue. `next_visible` and `counts` are by queue offset; times in milliseconds."""

    pop_time: int
    invisible_time: int
    queue_offsets: list[int]
    used_ms: int
    acked: int = 0
    next_visible: dict[int, int] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def unacked(self) -> list[int]:
        """The queue offsets that are not acknowledged."""
        return [offset for index, offset in enumerate(self.queue_offsets) if not self.acked >> index & 1]

    def visible_ms(self, queue_offset: int) -> int:
        """When a message may be popped again."""
        return self.next_visible.get(queue_offset, self.pop_time + self.invisible_time)

    def free_ms(self) -> int:
        """When the queue gives messages again if no ack comes; 0 when it does now."""
        return max(map(self.visible_ms, self.unacked()), default=0)

    def next_offset(self) -> int:
        """Where the group goes on."""
        unacked = self.unacked()
        return unacked[0] if unacked else self.queue_offsets[-1] + 1

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; offsets but the first are distances from it."""
        first = self.queue_offsets[0]
        return {
            "cm": self.acked,
            "i": self.invisible_time,
            "l": self.used_ms,
            "o": [first, *(offset - first for offset in self.queue_offsets[1:])],
            "oc": {str(offset): count for offset, count in self.counts.items()},
            "ot": {str(offset): ms for offset, ms in self.next_visible.items()},
            "popTime": self.pop_time,
        }

    @classmethod
    def from_json(cls, fields: dict[Any, Any]) -> "OrderInfo | None":
        """Return the value of a JSON form, None for one without messages."""
        offsets = fields.get("o")
        if not isinstance(offsets, list) or not offsets or not all(isinstance(offset, int) for offset in offsets):
            return None
        return cls(
            int_of(fields, "popTime"),
            int_of(fields, "i"),
            [offsets[0], *(offsets[0] + distance for distance in offsets[1:])],
            int_of(fields, "l"),
            int_of(fields, "cm"),
            _numbers(dict_of(fields, "ot")),
            _numbers(dict_of(fields, "oc")),
        )


def _numbers(fields: dict[Any, Any]) -> dict[int, int]:
    return {int_of({"offset": key}, "offset"): int_of(fields, key) for key in fields}


class OrderTable:
    """(topic, group) → queue id → what is out."""

    def __init__(self, file: MetadataFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._table: dict[tuple[str, str], dict[int, OrderInfo]] = {}
        self._dirty = False

    def load(self) -> None:
        """Read the file."""
        self._file.load(self._take)

    def _take(self, content: dict[Any, Any]) -> None:
        table: dict[tuple[str, str], dict[int, OrderInfo]] = {}
        source = dict_of(content, "table")
        for key in source:
            topic, separator, group = str(key).partition("@")
            queues = dict_of(source, key)
            for queue_id in queues if separator else ():
                info = OrderInfo.from_json(dict_of(queues, queue_id))
                if info is not None:
                    table.setdefault((topic, group), {})[int_of({"id": queue_id}, "id")] = info
        self._table = table

    def save(self) -> None:
        """Make the table durable if it changed, without what nobody used for a day. OSError: a later call tries it."""
        if not self._dirty:
            return
        before_ms = self._clock.now_ms() - _FORGET_MS
        for key, queues in list(self._table.items()):
            for queue_id in [queue_id for queue_id, info in queues.items() if info.used_ms < before_ms]:
                del queues[queue_id]
            if not queues:
                del self._table[key]
        table = {
            f"{topic}@{group}": {str(queue_id): info.to_json() for queue_id, info in queues.items()}
            for (topic, group), queues in self._table.items()
        }
        self._file.save({"table": table})
        self._dirty = False

    def get(self, topic: str, group: str, queue_id: int) -> OrderInfo | None:
        """Return what is out of a queue, None without any."""
        return self._table.get((topic, group), {}).get(queue_id)

    def is_blocked(self, topic: str, group: str, queue_id: int) -> bool:
        """True while the queue must give nothing."""
        info = self.get(topic, group, queue_id)
        return info is not None and info.free_ms() > self._clock.now_ms()

    def popped(
        self, topic: str, group: str, queue_id: int, pop_time: int, invisible_time: int, queue_offsets: list[int]
    ) -> OrderInfo:
        """Note what a group gets now; the counts are those of earlier deliveries."""
        info = OrderInfo(pop_time, invisible_time, queue_offsets, self._clock.now_ms())
        before = self.get(topic, group, queue_id)
        if before is not None:
            again = set(before.queue_offsets)
            info.counts = {offset: before.counts.get(offset, 0) + 1 for offset in queue_offsets if offset in again}
        self._table.setdefault((topic, group), {})[queue_id] = info
        self._dirty = True
        return info

    def ack(self, topic: str, group: str, queue_id: int, queue_offset: int, pop_time: int) -> int | None:
        """Note an ack; return where the group goes on.

        None when it is of an earlier pop, or one that a crash made forgotten. ValueError: nobody has the message.
        """
        info = self.get(topic, group, queue_id)
        if info is None or pop_time != info.pop_time:
            return None
        info.acked |= 1 << info.queue_offsets.index(queue_offset)
        self._dirty = True
        return info.next_offset()

    def change(
        self, topic: str, group: str, queue_id: int, queue_offset: int, pop_time: int, visible_ms: int
    ) -> OrderInfo | None:
        """Have a message come back at another time; None when it is of an earlier pop."""
        info = self.get(topic, group, queue_id)
        if info is None or pop_time != info.pop_time:
            return None
        info.next_visible[queue_offset] = visible_ms
        self._dirty = True
        return info
