"""Which messages are due when: units behind each other, those of a tick a chain (store timer/TimerLog).

    timerlog/<offset>   units of 52 bytes, none across the border of two files
    unit                size i32 = 52 | previous unit of its slot i64, -1 without | magic i32 | enqueued ms i64 |
                        ms from then to the slot i32 | log offset i64 | record size i32 | hash of the topic i32 | 0 i64

A blank unit `bytes left i32 | 0 i64 | magic u32` closes a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from broker_py.seams import FileSystem
from broker_py.store.handles import Handles
from broker_py.store.segments import Segments

UNIT: Final = Struct(">iqiqiqiiq")
UNIT_BYTES: Final = 52
MAGIC: Final = 1
MAGIC_ROLL: Final = 2
MAGIC_DELETE: Final = 4
NONE: Final = -1
_BLANK: Final = Struct(">iqI")
_BLANK_MAGIC: Final = (0xBBCCDDEE ^ (1880681586 + 8)) & 0xFFFFFFFF
_MAGIC_MASK: Final = 0xF
_WINDOW_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class TimerUnit:
    """A message that is due at a tick; `previous` is the position of the one before it in its slot, or -1."""

    previous: int
    magic: int
    enqueued_ms: int
    delay_ms: int
    log_offset: int
    size: int
    topic_hash: int = 0

    def encode(self) -> bytes:
        """Return the 52 bytes."""
        return UNIT.pack(
            UNIT_BYTES,
            self.previous,
            self.magic,
            self.enqueued_ms,
            self.delay_ms,
            self.log_offset,
            self.size,
            self.topic_hash,
            0,
        )


def decode_unit(data: bytes, start: int = 0) -> TimerUnit | None:
    """Return the unit at `start`, None when there is none."""
    if len(data) - start < UNIT_BYTES:
        return None
    size, previous, magic, enqueued_ms, delay_ms, log_offset, record_size, topic_hash, _ = UNIT.unpack_from(data, start)
    if size != UNIT_BYTES or not 0 < magic <= _MAGIC_MASK:
        return None
    return TimerUnit(previous, magic, enqueued_ms, delay_ms, log_offset, record_size, topic_hash)


class TimerLog:
    """The units. `end` is where the next one goes; `written` what is in the files."""

    def __init__(self, files: FileSystem, handles: Handles, directory: str, file_bytes: int) -> None:
        self._handles = handles
        self._segments = Segments(files, handles, directory, file_bytes)
        self._buffer = bytearray()
        self._window = b""
        self._window_at = 0
        self.written = 0
        self.end = 0

    def load(self) -> None:
        """Look at the files. StoreError, OSError."""
        self._segments.load(after_crash=True)

    @property
    def first(self) -> int:
        """Where the oldest file begins."""
        return self._segments.first

    @property
    def limit(self) -> int:
        """Where the last file ends."""
        return self._segments.end

    def cut(self, end: int) -> None:
        """Go on at `end`; what lies behind it becomes zeros. OSError."""
        if self._segments.empty or end <= self._segments.first:
            self._segments.truncate(self._segments.first)
            self._segments.first = self._segments.end = self._segments.start_of(end)
            end = self._segments.start_of(end)
        else:
            self._segments.truncate(end)
        self._buffer.clear()
        self._window = b""
        self.written = self.end = end

    def append(self, unit: TimerUnit) -> int:
        """Put a unit behind the others; return its position."""
        size = self._segments.segment_size
        left = size - self.end % size
        if left < UNIT_BYTES + _BLANK.size:
            self._buffer += _BLANK.pack(left, 0, _BLANK_MAGIC).ljust(left, b"\0")[:left]
            self.end += left
        position = self.end
        self._buffer += unit.encode()
        self.end += UNIT_BYTES
        return position

    def write(self) -> None:
        """Write what was appended. On OSError it stays in memory, to be written again."""
        if self._buffer:
            self._segments.write(self.written, bytes(self._buffer))
            self._buffer.clear()
            self.written = self.end
            self._window = b""

    def unit(self, position: int) -> TimerUnit | None:
        """Return a unit, None where there is none. OSError, NotCached."""
        if position >= self.written:
            return decode_unit(bytes(self._buffer), position - self.written)
        start = position - self._window_at
        if not (self._window and 0 <= start <= len(self._window) - UNIT_BYTES):
            # Chains go backwards, so what lies before is read along.
            at = max(self._segments.start_of(position), position + UNIT_BYTES - _WINDOW_BYTES)
            self._window = self._segments.read(at, position + UNIT_BYTES - at)
            self._window_at, start = at, position - at
        return decode_unit(self._window, start)

    def next_position(self, position: int) -> int:
        """Return where the unit is that follows one."""
        size = self._segments.segment_size
        position += UNIT_BYTES
        left = size - position % size
        return position + left if left < UNIT_BYTES + _BLANK.size else position

    def remove_expired(self, log_min_offset: int) -> None:
        """Delete the first files whose messages the log has no more. OSError."""
        segments = self._segments
        size = segments.segment_size
        while segments.first + size < segments.end and segments.first + size <= self.written:
            last = segments.first + (size - _BLANK.size) // UNIT_BYTES * UNIT_BYTES - UNIT_BYTES
            unit = decode_unit(segments.read(last, UNIT_BYTES))
            if unit is not None and unit.log_offset >= log_min_offset:
                return
            segments.remove_first()
            self._window = b""

    def take_dirty(self) -> tuple[set[str], set[str]]:
        """Return the paths and directories to force, and forget them."""
        paths, self._segments.dirty = self._segments.dirty, set()
        directories, self._segments.dirty_directories = self._segments.dirty_directories, set()
        return paths, directories


def chain(log: TimerLog, last: int, stop: int = 0) -> Iterator[tuple[int, TimerUnit]]:
    """Yield (position, unit) of a slot from its last one back, to where there is none any more."""
    position = last
    while position >= max(stop, log.first):
        unit = log.unit(position)
        if unit is None:
            return
        yield position, unit
        if unit.previous >= position:
            return
        position = unit.previous
