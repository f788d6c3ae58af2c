"""Bytes of the log that are not what was stored there: how they are told, what lies behind them, who hears of it.

A power cut takes pages that were not forced, which then are zeros; the log ends before them. All else that is no record
is damage: bytes that were forced once and have changed. Messages behind it are whole, and stay.
"""

import logging
from dataclasses import dataclass
from typing import Final, Protocol

from broker_py.message.record import (
    BLANK,
    CLAIM_BYTES,
    MAGIC_BLANK,
    MAGIC_V1,
    MAGIC_V2,
    check_record,
    claimed_size,
    has_lost_sector,
    read_dispatch,
    record_fault,
)
from broker_py.seams import Clock

BLANK_BYTES: Final = 8
_MAGIC_START: Final = b"\xda\xa3\x20"
_MAGIC_AT: Final = 4
_SEARCH_BYTES: Final = 1 << 20
_OVERLAP_BYTES: Final = 7
_SECTOR: Final = 512
_MIN_ZEROS: Final = 3
_PLACES: Final = 100_000
"""So many places are remembered as reported; what lies beyond is counted each time it is met."""
_LINES_A_SECOND: Final = 10
_log = logging.getLogger(__name__)


class LogBytes(Protocol):
    """The bytes of a log by offset."""

    def read(self, log_offset: int, size: int) -> bytes:
        """Return up to `size` bytes, never beyond the end of the file that `log_offset` lies in."""

    def segment_start(self, log_offset: int) -> int:
        """Start of the file that holds `log_offset`."""

    def segment_end(self, log_offset: int) -> int:
        """End of the file that holds `log_offset`."""


@dataclass(frozen=True, slots=True)
class Damage:
    """`size` bytes at `log_offset` that are not what was stored; `topic` is None where it is not known whose."""

    log_offset: int
    size: int
    fault: str
    topic: str | None = None
    queue_id: int = 0
    queue_offset: int = 0

    def __str__(self) -> str:
        whose = f", topic {self.topic} queue {self.queue_id} queue offset {self.queue_offset}" if self.topic else ""
        return f"log offset {self.log_offset}{whose}, {self.size} bytes: {self.fault}"


class DamageLog:
    """Hears of every damaged place, says each once, at most so many a second, and counts them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: set[tuple[int, str | None, int, int]] = set()
        self._second = 0.0
        self._lines = 0
        self._unsaid = 0
        self.count = 0
        self.last: Damage | None = None

    def report(self, damage: Damage) -> None:
        """Take note of a place; nothing happens when it is known."""
        place = (damage.log_offset, damage.topic, damage.queue_id, damage.queue_offset)
        if place in self._places:
            return
        if len(self._places) < _PLACES:
            self._places.add(place)
        self.count += 1
        self.last = damage
        now = self._clock.monotonic()
        if now - self._second >= 1.0:
            self._second, self._lines = now, 0
        self._lines += 1
        if self._lines > _LINES_A_SECOND:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more before it)" if self._unsaid else ""
        self._unsaid = 0
        _log.error("damaged, and not served: %s%s", damage, more)

    def summary(self) -> str:
        """Return what a broker says of itself: `none`, or how many places are known and which came last."""
        return "none" if self.last is None else f"{self.count} known damaged places, the last at {self.last}"


def damage_at(log: LogBytes, log_offset: int, check_crc: bool) -> Damage | None:
    """Return what is wrong with the record at `log_offset`; None when it is sound, or the blank one of its file.

    `size` is that of the record where its parts still fit, else 0: then nobody knows where the next one begins.
    """
    room = log.segment_end(log_offset) - log_offset
    head = log.read(log_offset, BLANK_BYTES)
    if len(head) < BLANK_BYTES:
        return Damage(log_offset, 0, "the log has no more bytes there")
    size, magic = BLANK.unpack(head)
    if magic == MAGIC_BLANK and size == room:
        return None
    if magic == MAGIC_BLANK or (size == room and magic not in (MAGIC_V1, MAGIC_V2)):
        return Damage(log_offset, room, "the blank record at the end of a file is damaged")
    size = claimed_size(log.read(log_offset, CLAIM_BYTES))
    data = log.read(log_offset, size) if 0 < size <= room - BLANK_BYTES else b""
    if not data or check_record(data, 0, False) != size:
        return Damage(log_offset, 0, "there is no record")
    fault = record_fault(data, 0, log_offset, check_crc)
    if fault is None:
        if not has_lost_sector(data, 0, size, log_offset - log.segment_start(log_offset)):
            return None
        fault = "a disk sector of its properties is zeros"
    try:
        view = read_dispatch(data)
    except UnicodeDecodeError:
        return Damage(log_offset, size, fault)
    return Damage(log_offset, size, fault, view.topic, view.queue_id, view.queue_offset)


def next_record(log: LogBytes, log_offset: int, end: int) -> int | None:
    """Return where the first sound record at or behind `log_offset` begins, looking for it up to `end`."""
    while log_offset < end:
        segment_end = log.segment_end(log_offset)
        stop = min(segment_end, end)
        window = log.read(log_offset, min(_SEARCH_BYTES, stop - log_offset))
        found = window.find(_MAGIC_START)
        while found >= 0:
            candidate = log_offset + found - _MAGIC_AT
            if found >= _MAGIC_AT and window[found + 3 : found + 4] in (b"\xa7", b"\xab"):
                size = int.from_bytes(window[found - _MAGIC_AT : found], "big", signed=True)
                if 0 < size <= segment_end - candidate - BLANK_BYTES and damage_at(log, candidate, True) is None:
                    return candidate
            found = window.find(_MAGIC_START, found + 1)
        if len(window) <= _OVERLAP_BYTES or log_offset + len(window) >= stop:
            log_offset = segment_end
        else:
            log_offset += len(window) - _OVERLAP_BYTES
    return None


def is_torn(data: bytes, position: int, *, whole: bool) -> bool:
    """True when a disk sector is zeros in the bytes up to the next sound record: a write that was lost.

    `position` is where in its file the data lies. `whole` says that the parts of the record fit its size. At the
    borders there are parts of sectors, of which the first has zeros of its own: the leading bytes of a size.
    """
    if whole and has_lost_sector(data, 0, len(data), position):
        return True
    first = min(len(data), _SECTOR - position % _SECTOR)
    if not any(data[:first]) and any(len(data).to_bytes(4, "big")[:first]):
        return True
    for start in range(first, len(data), _SECTOR):
        part = data[start : start + _SECTOR]
        if not any(part) and (len(part) == _SECTOR or (len(part) >= _MIN_ZEROS and not whole)):
            return True
    return False
