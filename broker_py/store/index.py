"""The key index: where in the log the messages with a key lie (`store/index/IndexService`).

<directory>/<yyyyMMddHHmmssSSS>, see `index_file`

    dispatched messages ─► keys in memory ── checkpoint ─► newest file ─► full ones
                                └──────────── searched ───────┴─────────────┘

Keys reach the files with the checkpoint, which says how far they are there. After a crash the newest file is taken back
to that, and what comes after is dispatched again, as for consume queues. An index that misses more (files are gone, or
damaged; nobody kept it) *lags*: `index_catch_up` reads the log behind the others' back.
"""

import logging
from collections.abc import Callable
from itertools import takewhile
from typing import Final

from broker_py.message.properties import KEYS, UNIQ_KEY, property_value
from broker_py.message.sysflags import TRANSACTION_MASK, TRANSACTION_ROLLBACK
from broker_py.seams import Clock, FileSystem
from broker_py.store.checkpoint import IndexMark
from broker_py.store.config import StoreConfig
from broker_py.store.index_file import (
    ENTRY,
    ENTRY_BYTES,
    HEADER_BYTES,
    IndexHeader,
    IndexLayout,
    decode_header,
    is_index_name,
    key_hash,
)
from broker_py.store.index_search import IndexSearch, LogView, Wanted
from broker_py.store.index_write import KEY, IndexDamaged, IndexWrite, roll_back

MANY_KEYS: Final = 1 << 17
"""With so many keys in memory a checkpoint is due, and an index that lags waits for it."""
MAX_KEYS: Final = 1 << 20
"""With so many, 20 MiB, the index stops following and reads the log later."""
KeyedFrom = Callable[[int, int], "int | None"]
"""log offset, messages to leave out → where the first message with keys lies from there on; None: not known."""
_UNIQ_KEY: Final = UNIQ_KEY.encode()
_KEYS: Final = KEYS.encode()
_log = logging.getLogger(__name__)


def keys_of(properties: bytes, sys_flag: int) -> list[bytes]:
    """Return what a message can be found by: its unique id and its keys, in the order of their entries."""
    if sys_flag & TRANSACTION_MASK == TRANSACTION_ROLLBACK:
        return []
    unique = property_value(properties, _UNIQ_KEY)
    keys = [unique] if unique is not None else []
    if _KEYS in properties:
        found = property_value(properties, _KEYS)
        if found is not None:
            keys += filter(None, found.split(b" "))
    return keys


class MessageIndex:
    """The keys of all messages that begin before `position` in the log.

    While it is `following`, the dispatcher gives it each message; else it lags, or is not enabled.
    """

    def __init__(self, config: StoreConfig, files: FileSystem, clock: Clock, *, max_keys: int = MAX_KEYS) -> None:
        self.enabled = config.message_index_enable
        self.layout = IndexLayout(config.max_hash_slot_num, config.max_index_num)
        self.directory = config.index_directory
        self._disk = files
        self._clock = clock
        self._max_key_bytes = max_keys * ENTRY_BYTES
        self._files: dict[str, IndexHeader] = {}
        self._keys = bytearray()
        self._writing: IndexWrite | None = None
        self._half_written = False
        self._already = 0
        self.position = 0
        self.following = False

    # Messages come

    def take(self, topic: str, properties: bytes, sys_flag: int, log_offset: int, end: int, stored_ms: int) -> None:
        """Add a message by its encoded properties, unless it is there already or was rolled back."""
        if log_offset < self.position:
            return
        self.position = end
        keys = keys_of(properties, sys_flag)
        if self._already:
            keys, self._already = keys[self._already :], 0
        for key in keys:
            self._keys += KEY.pack(key_hash(topic, key), log_offset, stored_ms)
        if len(self._keys) >= self._max_key_bytes and self.following:
            _log.warning("%d keys wait to be written; the index will be completed from the log", self.waiting)
            self.following = False

    @property
    def waiting(self) -> int:
        """How many keys are in memory only."""
        return len(self._keys) // ENTRY_BYTES

    def follow(self, log_offset: int) -> None:
        """Begin to take messages as they are dispatched, if everything before `log_offset` is here."""
        self.following = self.enabled and self.position >= log_offset

    # Writing

    def start_write(self, dispatched: int) -> IndexWrite:
        """Return the work that makes all keys durable in files: `run` it anywhere, then `finish_write`.

        Everything before log offset `dispatched` has been given to an index that follows.
        """
        if self._writing is not None:
            self.finish_write(self._writing)  # its thread has ended, and nobody was left to say so
        if self.following:
            self.position = max(self.position, dispatched)
        batch, self._keys = bytes(self._keys), bytearray()
        newest = next(reversed(self._files.items()), None)
        self._writing = IndexWrite(
            self._disk,
            self._clock,
            self.layout,
            self.directory,
            newest,
            batch,
            self.position,
            full_ms=self._full_ms(),
            roll_back=self._half_written,
        )
        return self._writing

    def finish_write(self, write: IndexWrite) -> None:
        """Take the work back. What was not written waits for the next; what was lost is read from the log again."""
        if write is not self._writing:
            return
        self._writing = None
        if write.done:
            self._files.update(write.files)
            self._half_written = self._half_written and not write.batch
            return
        _log.error("the index can't be written: %s", write.error or "the work did not run")
        self._half_written = True
        if not write.lost:
            self._keys[:0] = write.batch
        try:
            self._remove(write.made)
            if write.lost:
                self._drop_unfinished()
        except OSError as error:
            _log.error("index files that are no good can't be removed: %s", error)

    def _full_ms(self) -> int:
        full = [header.end_ms for header in self._files.values() if header.count >= self.layout.entries]
        return full[-1] if full else 0

    # Starting

    def load(
        self,
        mark: IndexMark | None,
        full_ms: int,
        log_min_offset: int,
        keyed_from: KeyedFrom,
        *,
        after_crash: bool,
    ) -> None:
        """Look at the files and find out how far they go. OSError.

        With a mark of ours, the newest file is taken back to it. Without, the files are Java's: after a crash it trusts
        those that were full at its last checkpoint. What can't be right is removed, with all that is newer.
        """
        if not self.enabled:
            return
        names = [name for name in self._disk.list_dir(self.directory) if is_index_name(name)]
        kept = self._valid(names, log_min_offset, keyed_from)
        if mark is not None:
            kept = {name: header for name, header in kept.items() if name <= mark.name}
            if mark.name in kept and self._restored(mark, kept[mark.name], after_crash):
                kept[mark.name] = mark.header
            else:
                kept.pop(mark.name, None)
        elif after_crash:
            kept = dict(takewhile(lambda item: item[1].end_ms <= full_ms, kept.items()))
        self._files = kept
        self._remove([name for name in names if name not in kept])
        if mark is not None and mark.name == next(reversed(kept), ""):
            self.position = mark.log_offset
        else:
            self._resume()
        self._begin_at(log_min_offset)

    def _valid(self, names: list[str], log_min_offset: int, keyed_from: KeyedFrom) -> dict[str, IndexHeader]:
        """Return the files from the oldest on, up to the first that can't be right or has one missing before it."""
        found: dict[str, IndexHeader] = {}
        end_offset = -1
        for name in names:
            try:
                header = self._checked(name)
                begin = header.begin_offset
                if header.count > 1 and begin != end_offset:
                    if begin < end_offset:
                        raise IndexDamaged(f"it begins at {begin}, and the one before ends at {end_offset}")
                    kept = end_offset >= log_min_offset
                    expected = keyed_from(end_offset, 1) if kept else keyed_from(log_min_offset, 0)
                    if expected is not None and begin > expected:
                        raise IndexDamaged(f"it begins at {begin}, but a message with keys lies at {expected}")
            except IndexDamaged as fault:
                _log.warning("index file %s is not taken, nor are newer ones: %s", name, fault)
                break
            found[name] = header
            end_offset = max(end_offset, header.end_offset)
        return found

    def _checked(self, name: str) -> IndexHeader:
        layout = self.layout
        file = self._disk.open(f"{self.directory}/{name}")
        try:
            size = file.size()
            if size != layout.file_bytes:
                raise IndexDamaged(
                    f"it has {size} bytes, not the {layout.file_bytes} that maxHashSlotNum and maxIndexNum ask for"
                )
            header = decode_header(file.pread(HEADER_BYTES, 0))
            if not 0 <= header.used_slots < header.count <= layout.entries:
                raise IndexDamaged(f"it says that {header.used_slots} slots are used, and {header.count - 1} entries")
            if header.count > 1:
                _, first, _, _ = ENTRY.unpack(file.pread(ENTRY_BYTES, layout.entry_at(1)))
                _, last, _, _ = ENTRY.unpack(file.pread(ENTRY_BYTES, layout.entry_at(header.count - 1)))
                if not (0 <= first == header.begin_offset <= header.end_offset == last):
                    raise IndexDamaged(f"its entries go from {first} to {last}, which is not what its header says")
            return header
        finally:
            file.close()

    def _restored(self, mark: IndexMark, header: IndexHeader, after_crash: bool) -> bool:
        """Take the newest file back to the mark, durably; False when that can't be done."""
        if not after_crash and header == mark.header:
            return True
        file = self._disk.open(f"{self.directory}/{mark.name}")
        try:
            if roll_back(file, self.layout, mark.header):
                file.fdatasync()  # before new entries take the place of those that led back
        except IndexDamaged as fault:
            _log.warning("index file %s is made anew: %s", mark.name, fault)
            return False
        finally:
            file.close()
        return True

    def _resume(self) -> None:
        """Go on at the newest entry's message, of whose keys some may be in the next file that is not here."""
        self.position = self._already = 0
        newest: int | None = None
        for name, header in reversed(self._files.items()):
            file = self._disk.open(f"{self.directory}/{name}")
            try:
                for number in range(header.count - 1, 0, -1):
                    _, log_offset, _, _ = ENTRY.unpack(file.pread(ENTRY_BYTES, self.layout.entry_at(number)))
                    if newest is not None and log_offset != newest:
                        return
                    self.position = newest = log_offset
                    self._already += 1
            finally:
                file.close()

    def _begin_at(self, log_min_offset: int) -> None:
        if self.position < log_min_offset:
            self.position = log_min_offset
            self._already = 0

    def settle(self, log_min_offset: int, log_end: int) -> None:
        """Take the log's final end: where it lost what the index has, the files that have it are removed. OSError."""
        if not self.enabled:
            return
        newest = next(reversed(self._files.values()), IndexHeader())
        if self.position > log_end or (newest.count > 1 and newest.end_offset >= log_end):
            _log.warning("the index goes to %d, but the log ends at %d", max(self.position, newest.end_offset), log_end)
            self._keys.clear()
            for name in [name for name, header in self._files.items() if header.end_offset >= log_end]:
                self._remove([name])
                del self._files[name]
            self._resume()
            self._begin_at(log_min_offset)
        self.follow(log_end)

    def clear(self) -> None:
        """Remove all files: there is no log they could point into. OSError."""
        if self.enabled:
            names = self._disk.list_dir(self.directory)
            self._remove([name for name in names if is_index_name(name)])
            self._files.clear()
            self._keys.clear()
            self.position = self._already = 0
            self.follow(0)

    # Files go

    def skip_to(self, log_offset: int) -> None:
        """Let an index that lags go on further behind: the log has nothing before `log_offset` that can be read."""
        self._begin_at(log_offset)

    def remove_expired(self, log_min_offset: int) -> None:
        """Delete the files whose messages the log has no more, but the newest. OSError."""
        while len(self._files) > 1:
            name, header = next(iter(self._files.items()))
            if header.end_offset >= log_min_offset:
                return
            self._remove([name])
            del self._files[name]

    def _drop_unfinished(self) -> None:
        """Have the file that is not full made anew from the log: what is on disk of it is not known. OSError."""
        self.following = False
        self._half_written = False
        self._keys.clear()
        newest = next(reversed(self._files), "")
        unfinished = bool(newest) and self._files[newest].count < self.layout.entries
        if unfinished:
            del self._files[newest]
        self._resume()
        if unfinished:
            self._remove([newest])

    def search(
        self, topic: str, key: str, unique: bool, begin_ms: int, end_ms: int, max_count: int, log: LogView
    ) -> IndexSearch:
        """Return the work that finds the newest messages with a key; see `IndexSearch`."""
        in_memory = [self._writing.batch] if self._writing is not None else []
        return IndexSearch(
            self._disk,
            self.layout,
            [(f"{self.directory}/{name}", header) for name, header in reversed(self._files.items())],
            [bytes(self._keys), *in_memory],
            Wanted(topic, key, unique, begin_ms, end_ms, max_count),
            log,
        )

    def newest(self) -> tuple[int, int]:
        """Return store time and log offset of the newest message that has a key, zeros without any."""
        for keys in (self._keys, self._writing.batch if self._writing is not None else b""):
            if keys:
                _, log_offset, stored_ms = KEY.unpack_from(keys, len(keys) - ENTRY_BYTES)
                return stored_ms, log_offset
        header = next(reversed(self._files.values()), IndexHeader())
        return header.end_ms, header.end_offset

    def _remove(self, names: list[str]) -> None:
        for name in reversed(names):
            self._disk.remove(f"{self.directory}/{name}")
        if names:
            self._disk.sync_dir(self.directory)
