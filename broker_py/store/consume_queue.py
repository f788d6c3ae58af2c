"""A queue of one topic: where in the log its messages lie (`store/ConsumeQueue`).

    unit, 20 bytes   log offset i64 | record size i32 | tags code i64

Unit n lies at byte 20 n of the queue's files. A queue whose first message has n != 0 (its predecessors were deleted, or
never came to this replica) has blank units `0 | 0x7FFFFFFF | 0` before it.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from broker_py.store.segments import Segments

UNIT: Final = Struct(">qiq")
UNIT_BYTES: Final = 20
BLANK_SIZE: Final = 0x7FFFFFFF
BLANK_UNIT: Final = UNIT.pack(0, BLANK_SIZE, 0)
TAIL_BYTES: Final = 16 * 1024
"""How much of a queue's end stays in memory once it is written: what readers at the tail ask for."""

_TAIL_UNITS: Final = TAIL_BYTES // UNIT_BYTES
_BLANKS_AT_ONCE: Final = 4096
_LOST_UNITS: Final = 2 * 4096 // UNIT_BYTES
"""Behind the last unit to keep so many are looked at: more than a page holds, which is what a disk loses."""


class ConsumeQueue:
    """Units `min_offset` to `max_offset`, the last ones in memory; `next_offset` is the one the next append gets.

    `next_offset` runs ahead of `max_offset` by the messages that are in the log but not dispatched yet.
    """

    __slots__ = (
        "_segments",
        "_tail",
        "_tail_start",
        "_written",
        "dead",
        "dirty",
        "log_end",
        "max_offset",
        "min_offset",
        "next_offset",
        "queue_id",
        "topic",
    )

    def __init__(self, topic: str, queue_id: int, segments: Segments) -> None:
        self.topic = topic
        self.queue_id = queue_id
        self._segments = segments
        self._tail = bytearray()
        self._tail_start = 0
        self._written = 0
        self.min_offset = 0
        self.max_offset = 0
        self.next_offset = 0
        self.log_end = 0
        self.dirty = False
        self.dead = False

    def put(self, queue_offset: int, log_offset: int, size: int, tags_code: int) -> bool:
        """Add the unit of a message; False when the queue has it already.

        A message that skips offsets gets blank units before it. One that comes again at offset 0, but further on in the
        log, belongs to a topic that was deleted and made anew: the queue starts over. No other takes a message's place.
        """
        if queue_offset != self.max_offset and not self._make_room(queue_offset, log_offset):
            return False
        self._tail += UNIT.pack(log_offset, size, tags_code)
        self.max_offset = queue_offset + 1
        self.log_end = log_offset + size
        if self.next_offset < self.max_offset:  # noqa: PLR1730 -- a call of max() costs more than the rest
            self.next_offset = self.max_offset
        return True

    def _make_room(self, queue_offset: int, log_offset: int) -> bool:
        if queue_offset > self.max_offset:
            if self.max_offset == self.min_offset:
                self._start_at(queue_offset)
            else:
                self._tail += BLANK_UNIT * (queue_offset - self.max_offset)
                self.max_offset = queue_offset
        elif log_offset < self.log_end:
            return False
        elif queue_offset == 0 or self._is_free(queue_offset):
            self.cut(queue_offset)
        else:
            return False
        return True

    def _is_free(self, queue_offset: int) -> bool:
        """True when there is no message at an offset: what came behind it came too early, by a damaged record."""
        unit = self.unit(queue_offset)
        return unit is None or _is_blank(unit)

    def _start_at(self, queue_offset: int) -> None:
        """Make an empty queue begin at an offset; the blank units before it are written with the first real one."""
        next_offset = max(self.next_offset, queue_offset)
        self.cut(0)
        self._tail_start = self._written = queue_offset
        self.min_offset = self.max_offset = queue_offset
        self.next_offset = next_offset

    def units(self, queue_offset: int, count: int) -> bytes:
        """Return the bytes of up to `count` units from `queue_offset`, fewer at the end. OSError."""
        count = min(count, self.max_offset - queue_offset)
        if count <= 0:
            return b""
        start = (queue_offset - self._tail_start) * UNIT_BYTES
        if start >= 0:
            return bytes(memoryview(self._tail)[start : start + count * UNIT_BYTES])
        count = min(count, self._tail_start - queue_offset)
        return self._segments.read(queue_offset * UNIT_BYTES, count * UNIT_BYTES)

    def unit(self, queue_offset: int) -> tuple[int, int, int] | None:
        """Return (log offset, size, tags code) of one unit, or None when there is none."""
        data = self.units(queue_offset, 1)
        return UNIT.unpack(data) if len(data) == UNIT_BYTES else None

    def write_out(self) -> None:
        """Write the units that only memory has. On OSError they stay there, to be written again."""
        if self._written < self.max_offset:
            self._write_blanks()
            start = (self._written - self._tail_start) * UNIT_BYTES
            # A copy, as a view that an exception keeps alive would not let the tail grow any more.
            self._segments.write(self._written * UNIT_BYTES, bytes(self._tail[start:]))
            self._written = self.max_offset
        excess = self._written - self._tail_start - _TAIL_UNITS
        if excess > 0:
            del self._tail[: excess * UNIT_BYTES]
            self._tail_start += excess

    def _write_blanks(self) -> None:
        """Fill the first file up to the first unit: a reader of the file alone stops at a unit of zeros."""
        if not self._segments.empty:
            return
        position = self._segments.start_of(self._written * UNIT_BYTES)
        missing = self._written - position // UNIT_BYTES
        while missing > 0:
            count = min(missing, _BLANKS_AT_ONCE)
            self._segments.write(position, BLANK_UNIT * count)
            position += count * UNIT_BYTES
            missing -= count

    def drop_tail(self) -> None:
        """Give the memory of written units back; the queue is idle."""
        excess = self._written - self._tail_start
        del self._tail[: excess * UNIT_BYTES]
        self._tail_start += excess

    def cut(self, queue_offset: int) -> None:
        """Make `queue_offset` the end; what lies behind in the files becomes zeros. OSError."""
        self._segments.truncate(queue_offset * UNIT_BYTES)
        if queue_offset <= self._tail_start:
            self._tail.clear()
            self._tail_start = queue_offset
        else:
            del self._tail[(queue_offset - self._tail_start) * UNIT_BYTES :]
        self._written = min(self._written, queue_offset)
        self.max_offset = queue_offset
        self.next_offset = queue_offset
        self.min_offset = min(self.min_offset, queue_offset)
        self._find_log_end()

    def _find_log_end(self) -> None:
        last = self.unit(self.max_offset - 1) if self.max_offset > self._segments.first // UNIT_BYTES else None
        self.log_end = last[0] + last[1] if last is not None and not _is_blank(last) else 0

    def load(
        self,
        *,
        after_crash: bool,
        holds: Callable[[int, int, int], bool],
        span: tuple[int, int] | None = None,
        mendable: bool = False,
    ) -> bool:
        """Find the end of what the files hold and cut there.

        `holds(queue_offset, log_offset, size)` says whether a unit is one to keep. It is true for a run of units from
        the start, and false for what may lie behind that. `span` is what is to be there, if known: the first offset,
        at most, and the end. False when the queue lacks units that it should have: then nothing is cut, and the caller
        must cut at `max_offset` and fill it from there. `mendable`: files may be short or missing without a crash.
        """
        segments = self._segments
        segments.load(after_crash=after_crash or mendable)
        if span is not None and segments.empty and span[0] == span[1]:
            self._start_at(span[1])
            return True
        first = segments.first // UNIT_BYTES
        self._tail_start = self._written = self.max_offset = segments.end // UNIT_BYTES
        if span is not None and self._keeps(span[1], holds, first):
            low = span[1]
            whole = first <= span[0]
        else:
            low = self._end_of_run(first, self.max_offset, holds)
            whole = span is None and not segments.has_gap and not self._goes_on(low, holds)
        if not whole and span is not None and first > span[0]:
            low = 0
        if whole and (after_crash or any(self.unit(low) or ())):
            self.cut(low)
        self._tail_start = self._written = self.max_offset = self.next_offset = low
        self.min_offset = min(first, low)
        self._find_log_end()
        return whole

    def _keeps(self, end: int, holds: Callable[[int, int, int], bool], first: int) -> bool:
        """True when the last unit before `end` is one to keep."""
        if not first < end <= self.max_offset:
            return False
        unit = self.unit(end - 1)
        return unit is not None and (_is_blank(unit) or (unit[1] > 0 and holds(end - 1, unit[0], unit[1])))

    def _end_of_run(self, low: int, high: int, holds: Callable[[int, int, int], bool]) -> int:
        first = low
        while low < high:
            middle = (low + high) // 2
            if self._keeps(middle + 1, holds, first):
                low = middle + 1
            else:
                high = middle
        return low

    def _goes_on(self, end: int, holds: Callable[[int, int, int], bool]) -> bool:
        """True when there are units to keep behind `end`, as when a page before them was lost."""
        units = self.units(end, _LOST_UNITS)
        return any(
            size > 0 and size != BLANK_SIZE and holds(end + n, log_offset, size)
            for n, (log_offset, size, _) in enumerate(UNIT.iter_unpack(units))
        )

    def extend(self, queue_offset: int) -> None:
        """Have no message before `queue_offset` any more: what is missing is blank, and the next one gets it."""
        if queue_offset > self.max_offset:
            self._make_room(queue_offset, self.log_end)
            self.next_offset = max(self.next_offset, self.max_offset)

    def replace(self, queue_offset: int, log_offset: int, size: int, tags_code: int) -> None:
        """Put another unit in the place of one that is wrong. OSError."""
        unit = UNIT.pack(log_offset, size, tags_code)
        position = (queue_offset - self._tail_start) * UNIT_BYTES
        if position >= 0:
            self._tail[position : position + UNIT_BYTES] = unit
        if queue_offset < self._written:
            self._segments.write(queue_offset * UNIT_BYTES, unit)

    def search(self, is_before: Callable[[int, int], bool]) -> int:
        """Return the first queue offset whose unit is not before something: `is_before(log_offset, size)`."""
        low, high = self.min_offset, self.max_offset
        while low < high:
            middle = (low + high) // 2
            unit = self.unit(middle)
            if unit is not None and (_is_blank(unit) or is_before(unit[0], unit[1])):
                low = middle + 1
            else:
                high = middle
        return low

    def correct_min(self, log_min_offset: int) -> None:
        """Let the queue begin at its first unit that the log still has."""
        first = self.unit(self.min_offset)
        if first is None or (first[0] >= log_min_offset and not _is_blank(first)):
            return
        self.min_offset = self.search(lambda log_offset, _: log_offset < log_min_offset)

    def remove_expired(self) -> int:
        """Delete the files that end before `min_offset`, but the last; return how many."""
        removed = 0
        segments = self._segments
        while (
            segments.first + segments.segment_size < segments.end
            and segments.first + segments.segment_size <= self.min_offset * UNIT_BYTES
        ):
            segments.remove_first()
            removed += 1
        return removed

    def next_file_start(self, queue_offset: int) -> int:
        """First queue offset of the file behind the one that holds `queue_offset`."""
        segments = self._segments
        return (segments.start_of(queue_offset * UNIT_BYTES) + segments.segment_size) // UNIT_BYTES

    def take_dirty(self) -> tuple[set[str], set[str]]:
        """Return the paths and directories to force, and forget them."""
        paths, self._segments.dirty = self._segments.dirty, set()
        directories, self._segments.dirty_directories = self._segments.dirty_directories, set()
        return paths, directories

    @property
    def directory(self) -> str:
        """Where the files lie."""
        return self._segments.directory


def _is_blank(unit: tuple[int, int, int]) -> bool:
    return unit[1] == BLANK_SIZE and unit[0] == 0
