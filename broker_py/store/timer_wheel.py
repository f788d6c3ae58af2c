"""Where the chain of units of each tick begins (store timer/TimerWheel, Slot).

    timerwheel   2 x 7 x 86,400 slots of 32 bytes; tick t has slot t % their count
    slot         tick i64 | first unit i64 | last unit i64 | how many i32 | 0 i32

A tick is a time divided by timerPrecisionMs. The slots that have units are in memory: with a window of two days at most
172,800. The file gets them at a checkpoint, after the units were forced: so a slot's units are always there.
"""

import sys
from array import array
from dataclasses import dataclass
from struct import Struct
from typing import Final

from broker_py.seams import FileSystem

SLOTS: Final = 2 * 7 * 86_400
_SLOT: Final = Struct(">qqqii")
_SLOT_BYTES: Final = 32
FILE_BYTES: Final = SLOTS * _SLOT_BYTES
_CHUNK_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Slot:
    """The units of a tick: positions of the first and last, and how many."""

    first: int
    last: int
    count: int


class TimerWheel:
    """The slots that have units, `waiting` in all; `dirty` are the ticks whose slots the file has not as they are."""

    def __init__(self, files: FileSystem, path: str) -> None:
        self._files = files
        self.path = path
        self.slots: dict[int, Slot] = {}
        self.dirty: set[int] = set()
        self.found = False
        self.waiting = 0

    def load(self, first_tick: int) -> None:
        """Read the slots from a tick on. OSError."""
        self.slots.clear()
        self.dirty.clear()
        try:
            file = self._files.open(self.path, write=False)
        except FileNotFoundError:
            return
        self.found = True
        try:
            for position in range(0, SLOTS * _SLOT_BYTES, _CHUNK_BYTES):
                data = file.pread(min(_CHUNK_BYTES, SLOTS * _SLOT_BYTES - position), position)
                self._take(data[: len(data) // _SLOT_BYTES * _SLOT_BYTES], position // _SLOT_BYTES, first_tick)
        finally:
            file.close()

    def _take(self, data: bytes, index: int, first_tick: int) -> None:
        words = array("q", data)
        if sys.byteorder == "little":
            words.byteswap()
        ticks = words[0::4]
        if not ticks or max(ticks) < first_tick:
            return
        for number, tick in enumerate(ticks):
            if tick >= first_tick and tick % SLOTS == index + number:
                _, first, last, count, _ = _SLOT.unpack_from(data, number * _SLOT_BYTES)
                if last >= 0:
                    self.slots[tick] = Slot(first, last, count)

    def add(self, tick: int, position: int, count: int) -> None:
        """Make the unit at a position the last one of a tick."""
        slot = self.slots.get(tick)
        if slot is None:
            self.slots[tick] = Slot(position, position, count)
        else:
            slot.last = position
            slot.count += count
        self.waiting += count
        self.dirty.add(tick)

    def take(self, tick: int) -> Slot | None:
        """Take a tick's slot out, None when it has no units; the file keeps it, but it is of the past."""
        slot = self.slots.pop(tick, None)
        if slot is not None:
            self.waiting -= slot.count
        return slot

    def recount(self) -> None:
        """Count the units anew, when the slots were changed one by one."""
        self.waiting = sum(slot.count for slot in self.slots.values())

    def empty(self, tick: int) -> None:
        """Forget a tick's units; the file will have none, too."""
        del self.slots[tick]
        self.dirty.add(tick)

    def remove(self) -> None:
        """Forget all, also on disk. OSError."""
        self.slots.clear()
        self.dirty.clear()
        self.waiting = 0
        if self.found:
            self._files.remove(self.path)
            self._files.sync_dir(self.path.rpartition("/")[0])
            self.found = False

    def encoded(self, dirty: set[int], others: dict[int, Slot]) -> list[tuple[int, bytes]]:
        """Return (position, bytes) of slots in the file: of the dirty ones, and of `others` that are taken out."""
        gone = Slot(-1, -1, 0)
        slots = {tick: self.slots.get(tick, gone) for tick in dirty} | others
        return [
            (tick % SLOTS * _SLOT_BYTES, _SLOT.pack(tick, slot.first, slot.last, slot.count, 0))
            for tick, slot in slots.items()
        ]
