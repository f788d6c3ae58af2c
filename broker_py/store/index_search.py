"""Finds messages by key: candidates of the index, each looked up in the log. Run by any thread, for it reads from disk.

Keys that hash alike are in one chain, so a candidate is only what the record at its offset says that it is: topic, key
and store time are compared, and nothing else is returned. A file that is deleted meanwhile has nothing to say.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from broker_py.message.properties import KEYS, UNIQ_KEY, decode_properties
from broker_py.message.record import check_record, decode_record
from broker_py.seams import File, FileSystem
from broker_py.store.index_file import ENTRY, ENTRY_BYTES, SLOT, SLOT_BYTES, IndexHeader, IndexLayout, key_hash
from broker_py.store.index_write import KEY

MAX_STEPS: Final = 1 << 20
"""Entries looked at in one search: a key of more messages than that is no key."""
MAX_FOUND_BYTES: Final = 12 << 20
"""More is not returned, but for the first message: a client takes no frame of more than 16 MiB."""
_PAGE_BYTES: Final = 4096
_MAX_PAGES: Final = 256
_HEAD_BYTES: Final = 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Messages of a topic that have `key` among their keys, or as unique id; `unique`: only the latter."""

    topic: str
    key: str
    unique: bool
    begin_ms: int
    end_ms: int
    max_count: int

    def fits(self, record: bytes) -> bool:
        """True for a record that is wanted."""
        try:
            message = decode_record(record)
        except UnicodeDecodeError:
            return False
        if message.topic != self.topic or not self.begin_ms <= message.stored_ms <= self.end_ms:
            return False
        properties = decode_properties(message.properties)
        if properties.get(UNIQ_KEY) == self.key:
            return True
        return not self.unique and self.key in properties.get(KEYS, "").split(" ")


@dataclass(frozen=True, slots=True)
class LogView:
    """The part of the log that may be read: its files are those of `directory`, named by their offset."""

    directory: str
    segment_size: int
    min_offset: int
    end: int


class _Pages:
    """One file, read in pages of which some are kept: chains of one key often lie close together."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._pages: dict[int, bytes] = {}

    def read(self, position: int, size: int) -> bytes:
        """Return `size` bytes, fewer at the end of the file. OSError."""
        start = position % _PAGE_BYTES
        data = self._page(position - start)[start : start + size]
        if start + size > _PAGE_BYTES:
            data += self._page(position - start + _PAGE_BYTES)[: start + size - _PAGE_BYTES]
        return data

    def _page(self, position: int) -> bytes:
        page = self._pages.get(position)
        if page is None:
            if len(self._pages) >= _MAX_PAGES:
                self._pages.clear()
            page = self._pages[position] = self._file.pread(_PAGE_BYTES, position)
        return page


class IndexSearch:
    """One search: made on the loop, `run` by any thread, which returns the newest messages, the oldest of them first.

    `index_files` and `batches` of keys that are not in files yet come with the newest first.
    """

    def __init__(
        self,
        files: FileSystem,
        layout: IndexLayout,
        index_files: list[tuple[str, IndexHeader]],
        batches: list[bytes],
        wanted: Wanted,
        log: LogView,
        *,
        max_steps: int = MAX_STEPS,
        max_bytes: int = MAX_FOUND_BYTES,
    ) -> None:
        self._max_steps = max_steps
        self._max_bytes = max_bytes
        self._files = files
        self._layout = layout
        self._index_files = index_files
        self._batches = batches
        self._wanted = wanted
        self._log = log
        self._hash = key_hash(wanted.topic, wanted.key.encode())
        self._steps = 0
        self._segment = ""
        self._segment_file: File | None = None

    def run(self) -> list[bytes]:
        """Return the stored messages, by log offset. OSError."""
        found: list[bytes] = []
        size = 0
        before = self._log.end
        try:
            for log_offset in self._candidates():
                if not self._log.min_offset <= log_offset < before:
                    continue  # twice the same key, or in memory and in a file already
                before = log_offset
                record = self._record(log_offset)
                if record is None or not self._wanted.fits(record):
                    continue
                size += len(record)
                if found and size > self._max_bytes:
                    break
                found.append(record)
                if len(found) >= self._wanted.max_count:
                    break
        finally:
            if self._segment_file is not None:
                self._segment_file.close()
        found.reverse()
        return found

    def _candidates(self) -> Iterator[int]:
        """Yield the log offsets of entries that may be meant, the newest first."""
        for batch in self._batches:
            yield from self._in_memory(batch)
        for path, header in self._index_files:
            if header.count > 1 and header.begin_ms <= self._wanted.end_ms and header.end_ms >= self._wanted.begin_ms:
                try:
                    file = self._files.open(path, write=False)
                except FileNotFoundError:
                    continue
                try:
                    yield from self._in_file(_Pages(file), header, path)
                finally:
                    file.close()
            if header.begin_ms < self._wanted.begin_ms:
                return

    def _in_memory(self, batch: bytes) -> Iterator[int]:
        start = SLOT.pack(self._hash)
        position = len(batch)
        while (position := batch.rfind(start, 0, position + len(start) - 1)) >= 0:
            if position % ENTRY_BYTES == 0:
                _, log_offset, stored_ms = KEY.unpack_from(batch, position)
                if self._wanted.begin_ms <= stored_ms <= self._wanted.end_ms:
                    yield log_offset

    def _in_file(self, pages: _Pages, header: IndexHeader, path: str) -> Iterator[int]:
        """Walk the slot's chain. What was written since the header was taken is seen too, whole."""
        layout, wanted = self._layout, self._wanted
        data = pages.read(layout.slot_at(self._hash % layout.slots), SLOT_BYTES)
        number = SLOT.unpack(data)[0] if len(data) == SLOT_BYTES else 0
        while 0 < number < layout.entries:
            self._steps += 1
            data = pages.read(layout.entry_at(number), ENTRY_BYTES)
            if self._steps > self._max_steps or len(data) < ENTRY_BYTES:
                _log.warning("the search for key %s of %s ends in %s", wanted.key, wanted.topic, path)
                return
            hashed, log_offset, seconds, previous = ENTRY.unpack(data)
            stored_ms = header.begin_ms + (seconds * 1000 if number > 1 else 0)
            # Whole seconds, rounded down. 0 is also that of messages from before the file's begin, where clocks jump.
            if stored_ms + 999 < wanted.begin_ms and seconds > 0:
                return
            if hashed == self._hash and (stored_ms <= wanted.end_ms or seconds == 0):
                yield log_offset
            if previous >= number:
                _log.error("index file %s: entry %d has %d before it, which is newer", path, number, previous)
                return
            number = previous

    def _record(self, log_offset: int) -> bytes | None:
        """Return the whole message at a log offset, None when there is none that is right."""
        position = log_offset % self._log.segment_size
        room = min(self._log.end - log_offset, self._log.segment_size - position)
        try:
            file = self._open_segment(log_offset - position)
        except FileNotFoundError:
            return None
        data = file.pread(min(_HEAD_BYTES, room), position)
        size = int.from_bytes(data[:4], "big", signed=True)
        if len(data) < size <= room:
            data += file.pread(size - len(data), position + len(data))
        return data[:size] if size > 0 and check_record(data[:size], 0, True) == size else None

    def _open_segment(self, start: int) -> File:
        path = f"{self._log.directory}/{start:020d}"
        if path != self._segment or self._segment_file is None:
            if self._segment_file is not None:
                self._segment_file.close()
                self._segment_file = None
            self._segment_file = self._files.open(path, write=False)
            self._segment = path
        return self._segment_file
