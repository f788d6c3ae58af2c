"""Writes keys into index files, and takes back what a crash left half done. Run by any thread.

Entries are forced before a slot points at them. So however many slots a crash lets get to the disk, every entry that
they reach is whole, and leads back to what the slots were before: `roll_back` needs no journal.
"""

from array import array
from collections.abc import Iterator
from dataclasses import replace
from struct import Struct
from sys import byteorder
from typing import Final

from broker_py.seams import Clock, File, FileSystem
from broker_py.store.checkpoint import IndexMark
from broker_py.store.directories import make_durable_directory
from broker_py.store.index_file import (
    ENTRY,
    ENTRY_BYTES,
    HEADER_BYTES,
    PREVIOUS_AT,
    SLOT,
    SLOT_BYTES,
    IndexHeader,
    IndexLayout,
    index_name,
)

KEY: Final = Struct(">iqq")
"""A key on its way into a file: hash, log offset, store time. As long as an entry."""

_AT_ONCE: Final = 16_384
"""Keys for which one sort, and one sync before their slots are written, are made."""
_NUMBER_BITS: Final = 20
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1
_NEAR_SLOTS: Final = 1024
"""Slots this close are read and written in one go: the page between them would be written all the same."""
_RUN_SLOTS: Final = 16_384


class IndexDamaged(Exception):
    """An index file says what can't be; it is to be made anew from the log."""


class IndexWrite:
    """Puts a batch of keys into the newest file, or new ones. Made on the loop, `run` by any thread, then looked at.

    `files` are those it wrote to, `made` the new ones among them, `full_ms` the end of the newest that is full. After a
    failure `error` says why, and `lost` that pages which could not be forced may be gone: nothing on disk is sure then.
    """

    def __init__(
        self,
        files: FileSystem,
        clock: Clock,
        layout: IndexLayout,
        directory: str,
        newest: tuple[str, IndexHeader] | None,
        batch: bytes,
        log_offset: int,
        *,
        full_ms: int,
        roll_back: bool,
    ) -> None:
        self._files = files
        self._clock = clock
        self._layout = layout
        self._directory = directory
        self._roll_back = roll_back
        self._name, header = newest or ("", IndexHeader())
        self._header = replace(header)
        self._file: File | None = None
        self._forcing = False
        self._log_offset = log_offset
        self.batch = batch
        self.files: dict[str, IndexHeader] = {}
        self.made: list[str] = []
        self.full_ms = full_ms
        self.done = False
        self.error: OSError | IndexDamaged | None = None
        self.lost = False

    def run(self) -> None:
        """Write and force all. What goes wrong is kept: an index that can't be written keeps nothing else up."""
        try:
            for start in range(0, len(self.batch), _AT_ONCE * ENTRY_BYTES):
                self._put(self.batch[start : start + _AT_ONCE * ENTRY_BYTES])
            self._finish_file()
            self.done = True
        except (OSError, IndexDamaged) as error:
            self.error = error
            self.lost = self._forcing or isinstance(error, IndexDamaged)
        finally:
            if self._file is not None:
                self._file.close()

    @property
    def mark(self) -> IndexMark:
        """What is durable when it is done."""
        return IndexMark(self._log_offset, self._name, replace(self._header))

    def _put(self, keys: bytes) -> None:
        while keys:
            file = self._file_with_room()
            size = (self._layout.entries - self._header.count) * ENTRY_BYTES
            self._write(file, keys[:size])
            keys = keys[size:]

    def _file_with_room(self) -> File:
        if not self._name or self._header.count >= self._layout.entries:
            self._finish_file()
            self._file = self._begin_file()
        elif self._file is None:
            self._file = self._files.open(f"{self._directory}/{self._name}")
            if self._roll_back and roll_back(self._file, self._layout, self._header):
                self._force(self._file)  # before new entries take the place of those that led back
        return self._file

    def _begin_file(self) -> File:
        """Make the next file. It begins where the one before ends until its first entry comes, as in Java."""
        name = index_name(self._clock.now_ms())
        if name <= self._name:
            name = f"{int(self._name) + 1:017d}"
        make_durable_directory(self._files, self._directory)
        self.made.append(name)
        file = self._files.open(f"{self._directory}/{name}", create=True)
        file.truncate(0)  # were a file of a failed attempt still there
        file.truncate(self._layout.file_bytes)
        self._files.sync_dir(self._directory)
        end_ms, end_offset = self._header.end_ms, self._header.end_offset
        self._name = name
        self._header = IndexHeader(end_ms, end_ms, end_offset, end_offset)
        return file

    def _finish_file(self) -> None:
        if self._file is not None:
            self._force(self._file)
            self._file.close()
            self._file = None

    def _force(self, file: File) -> None:
        self._forcing = True
        file.fdatasync()
        self._forcing = False

    def _write(self, file: File, keys: bytes) -> None:
        """Write as many keys as have room: entries, then, when these are forced, slots and header."""
        layout, header = self._layout, self._header
        count = header.count
        entries, places = self._entries(keys)
        for start, end in _runs(places):
            self._link(file, entries, places[start:end])
        file.pwrite(entries, layout.entry_at(count))
        self._force(file)
        for start, end in _runs(places):
            self._point(file, count, places[start:end])
        _, header.end_offset, header.end_ms = KEY.unpack_from(keys, len(keys) - ENTRY_BYTES)
        header.count = count + len(places)
        file.pwrite(header.encode(), 0)
        self.files[self._name] = replace(header)
        if header.count >= layout.entries:
            self.full_ms = header.end_ms

    def _entries(self, keys: bytes) -> tuple[bytearray, list[int]]:
        """Return the entries, without what comes before each, and sorted numbers `slot | place in the batch`."""
        header, slots = self._header, self._layout.slots
        entries = bytearray(len(keys))
        places: list[int] = []
        previous_ms, seconds = -1, 0
        for number, (hashed, log_offset, stored_ms) in enumerate(KEY.iter_unpack(keys)):
            if stored_ms != previous_ms:
                seconds = header.seconds_after(stored_ms)
                previous_ms = stored_ms
            ENTRY.pack_into(entries, number * ENTRY_BYTES, hashed, log_offset, seconds, 0)
            if number == 0 and header.count == 1:
                header.begin_ms, header.begin_offset = stored_ms, log_offset
                previous_ms = -1
            places.append((hashed % slots << _NUMBER_BITS) + number)
        places.sort()
        return entries, places

    def _link(self, file: File, entries: bytearray, places: list[int]) -> None:
        """Let each entry of a run of slots point at the one before it."""
        header = self._header
        count = header.count
        first = places[0] >> _NUMBER_BITS
        data = _read_slots(file, self._layout, first, places[-1] >> _NUMBER_BITS)
        slot, newest = -1, 0
        for place in places:
            if place >> _NUMBER_BITS != slot:
                slot = place >> _NUMBER_BITS
                (newest,) = SLOT.unpack_from(data, (slot - first) * SLOT_BYTES)
                if not 0 < newest < count:
                    newest = 0
                    header.used_slots += 1
            number = place & _NUMBER_MASK
            SLOT.pack_into(entries, number * ENTRY_BYTES + PREVIOUS_AT, newest)
            newest = count + number

    def _point(self, file: File, count: int, places: list[int]) -> None:
        """Let the slots of a run point at their newest entries."""
        first = places[0] >> _NUMBER_BITS
        data = bytearray(_read_slots(file, self._layout, first, places[-1] >> _NUMBER_BITS))
        for place in places:
            SLOT.pack_into(data, ((place >> _NUMBER_BITS) - first) * SLOT_BYTES, count + (place & _NUMBER_MASK))
        file.pwrite(data, self._layout.slot_at(first))


def _runs(places: list[int]) -> Iterator[tuple[int, int]]:
    """Cut sorted places into runs of slots that lie close together."""
    near, long = _NEAR_SLOTS << _NUMBER_BITS, _RUN_SLOTS << _NUMBER_BITS
    start = 0
    for end in range(1, len(places)):
        if places[end] - places[end - 1] > near or places[end] - places[start] > long:
            yield start, end
            start = end
    yield start, len(places)


def _read_slots(file: File, layout: IndexLayout, first: int, last: int) -> bytes:
    size = (last + 1 - first) * SLOT_BYTES
    data = file.pread(size, layout.slot_at(first))
    if len(data) != size:
        raise IndexDamaged(f"it ends within its slots, before slot {last}")
    return data


def roll_back(file: File, layout: IndexLayout, header: IndexHeader) -> bool:
    """Make slots and header what they were when the file had this header; False when they are. IndexDamaged, OSError.

    All of it is read in pieces; the caller forces it.
    """
    changed = False
    for first in range(0, layout.slots, _RUN_SLOTS):
        data = _read_slots(file, layout, first, min(first + _RUN_SLOTS, layout.slots) - 1)
        if data.count(0) == len(data):
            continue
        values = array("i", data)
        if byteorder == "little":
            values.byteswap()
        if max(values) < header.count and min(values) >= 0:
            continue
        restored = bytearray(data)
        for place, value in enumerate(values):
            if not 0 <= value < header.count:
                older = _entry_before(file, layout, header.count, first + place, value)
                SLOT.pack_into(restored, place * SLOT_BYTES, older)
        file.pwrite(restored, layout.slot_at(first))
        changed = True
    encoded = header.encode()
    if file.pread(HEADER_BYTES, 0) != encoded:
        file.pwrite(encoded, 0)
        changed = True
    return changed


def _entry_before(file: File, layout: IndexLayout, count: int, slot: int, number: int) -> int:
    """Return the newest entry of a slot that comes before entry `count`."""
    while number >= count:
        entry = file.pread(ENTRY_BYTES, layout.entry_at(number)) if number < layout.entries else b""
        if len(entry) < ENTRY_BYTES:
            raise IndexDamaged(f"slot {slot} points at entry {number}, which the file doesn't have")
        hashed, _, _, previous = ENTRY.unpack(entry)
        if hashed % layout.slots != slot or previous >= number:
            raise IndexDamaged(f"slot {slot} points at entry {number}, which belongs elsewhere")
        number = previous
    if number < 0:
        raise IndexDamaged(f"slot {slot} points at entry {number}")
    return number
