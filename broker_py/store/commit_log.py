"""The log of all messages (`store/CommitLog`): records back to back in files of one size.

A record never crosses a file: what is left is closed by a blank record, so at least 8 bytes remain behind every
record. Appends are staged in memory and written together by `commit`; offsets count staged bytes.
"""

import errno
from typing import Final

from broker_py.errors import LogCorrupt, StoreError
from broker_py.message.record import (
    BLANK,
    CLAIM_BYTES,
    MAGIC_BLANK,
    MAGIC_V1,
    MAGIC_V2,
    check_record,
    claimed_size,
    encode_blank,
    stored_ms_of,
)
from broker_py.seams import File, FileSystem
from broker_py.store.flusher import Forcing
from broker_py.store.handles import Handles
from broker_py.store.segments import Segments

_BLANK_BYTES: Final = 8
_HEAD_BYTES: Final = 76
_PROBE_BYTES: Final = 64 * 1024
# What this process wrote last is taken to be in the page cache without asking, which costs what reading it does.
_IN_MEMORY_BYTES: Final = 32 << 20
_REWRITE_BYTES: Final = 1 << 20


class LogFlush:
    """One forcing of the log: made on the loop, `run` by any thread, finished on the loop.

    `target` is what will be durable; `stored_ms` the store time of the newest message in it, for the checkpoint.
    """

    __slots__ = ("_fault", "_forcing", "_handles", "stored_ms", "target")

    def __init__(self, forcing: Forcing, handles: list[File], target: int, stored_ms: int, fault: str | None) -> None:
        self._forcing = forcing
        self._handles = handles
        self._fault = fault
        self.target = target
        self.stored_ms = stored_ms

    def run(self) -> None:
        """Force every file that holds something not yet known to be durable. OSError, also when it failed before."""
        if self._fault is not None:
            raise OSError(errno.EIO, self._fault)
        self._forcing.force(self._handles)


class CommitLog:
    """The log's bytes by offset: staged up to `end`, written up to `written`.

    Files that hold something not forced stay open until it is.
    """

    def __init__(self, files: FileSystem, handles: Handles, directory: str, segment_size: int) -> None:
        self._files = files
        self._handles = handles
        self._segments = Segments(files, handles, directory, segment_size)
        self._staged: list[bytes] = []
        self._runs: list[tuple[int, list[bytes]]] = []
        self._partial = bytearray()
        self._forcing = Forcing()
        self._blank_start = 0
        self._blank_end = 0
        self._unforced: list[int] = []
        self._flushes = 0
        self._forced = 0
        self._unclean = False
        self._own_start = 0
        self.segment_size = segment_size
        self.written = 0
        self.end = 0

    def load(self, *, after_crash: bool, durable_end: int) -> None:
        """Look at the files. All their bytes count as written until `cut` says where the records end."""
        self._segments.load(after_crash=after_crash, durable_end=durable_end)
        self.written = self.end = self._own_start = self._segments.end

    def distrust(self, log_offset: int) -> None:
        """Write everything from `log_offset` once more and have it forced by the next flush. OSError.

        What was read may be in memory only. To force it is not enough: pages that an earlier process failed to force
        are read like any others, but the system counts them as clean.
        """
        position = max(log_offset, self.min_offset)
        while position < self.written:
            data = self.read(position, _REWRITE_BYTES)
            self._segments.write(position, data)
            self._hold(self.segment_start(position))
            position += len(data)

    @property
    def min_offset(self) -> int:
        """Offset of the first byte there is."""
        return self._segments.first

    @property
    def empty(self) -> bool:
        """True when there is no file and nothing is staged."""
        return self._segments.empty and not self._runs and not self._partial

    @property
    def whole_end(self) -> int:
        """End of what is staged, without the start of a record whose rest a master has still to send."""
        return self.end - len(self._partial)

    def segment_start(self, log_offset: int) -> int:
        """Start of the file that holds `log_offset`."""
        return log_offset - log_offset % self.segment_size

    def segment_end(self, log_offset: int) -> int:
        """End of the file that holds `log_offset`."""
        return log_offset - log_offset % self.segment_size + self.segment_size

    def place(self, size: int) -> int:
        """Return the offset of the next record of `size` bytes, behind a blank record when the file has no room.

        The caller must `stage` it there. A size that no file can hold is the caller's to refuse.
        """
        assert size + _BLANK_BYTES <= self.segment_size
        if self._partial:
            self._forget(self.whole_end)  # no master will complete it
        remaining = self.segment_size - self.end % self.segment_size
        if size + _BLANK_BYTES > remaining:
            self.stage(encode_blank(remaining))
            self.end += remaining - _BLANK_BYTES
            self._runs.append((self.end, []))
        return self.end

    def stage(self, data: bytes) -> None:
        """Take the bytes that come next; `commit` writes them."""
        if not self._runs:
            self._runs.append((self.end, []))
        self._runs[-1][1].append(data)
        self.end += len(data)

    def stage_raw(self, log_offset: int, data: bytes) -> None:
        """Take bytes of the master's log. An empty log may begin at any file boundary.

        The start of a record waits in memory for the rest: were it written before, a power cut could leave it without
        its middle, and no check would tell. StoreError when the bytes do not continue this log, LogCorrupt when they
        are no records. Bytes that begin at `whole_end` replace that start: another connection sends it again.
        """
        if self._partial and log_offset == self.whole_end:
            self._forget(log_offset)
        if self.empty and log_offset % self.segment_size == 0:
            self._segments.first = self._segments.end = log_offset
            self.written = self.end = log_offset
        elif log_offset != self.end:
            raise StoreError(f"bytes for log offset {log_offset} do not continue a log that ends at {self.end}")
        start = self.whole_end
        self._partial += data
        try:
            whole = self._whole_bytes(self._partial, start)
        except LogCorrupt:
            del self._partial[len(self._partial) - len(data) :]
            raise
        self.end += len(data)
        if whole:
            if not self._runs:
                self._runs.append((start, []))
            self._runs[-1][1].append(bytes(self._partial[:whole]))
            del self._partial[:whole]

    def _whole_bytes(self, data: bytearray, log_offset: int) -> int:
        """Return how many of the bytes from `log_offset` belong to whole records, or to what follows a blank one."""
        position = self._blank_end - log_offset if self._blank_end > log_offset else 0
        while len(data) - position >= _BLANK_BYTES:
            size, magic = BLANK.unpack_from(data, position)
            room = self.segment_end(log_offset + position) - log_offset - position
            if magic == MAGIC_BLANK and size == room:
                self._blank_start, self._blank_end = log_offset + position, log_offset + position + size
            elif magic not in (MAGIC_V1, MAGIC_V2) or not 0 < size <= room - _BLANK_BYTES:
                raise LogCorrupt(f"there is no record at log offset {log_offset + position}, where one should begin")
            elif size > len(data) - position:
                break
            position += size
        return min(position, len(data))

    def commit(self) -> None:
        """Write what is staged. On OSError nothing of it counts, and nothing more is written before `cut`."""
        if not self._runs:
            return
        assert not self._unclean, "what a failed write left must be cut off first"
        try:
            for start, pieces in self._runs:
                self._write(start, pieces[0] if len(pieces) == 1 else b"".join(pieces))
        except OSError:
            self._unclean = True
            self._forget(self.written)
            raise
        finally:
            self._runs.clear()
        self.written = self.whole_end

    def _forget(self, end: int) -> None:
        """Have nothing staged behind `end`."""
        self._partial.clear()
        if self._blank_start >= end:
            self._blank_end = 0
        self.end = end

    def _write(self, start: int, data: bytes) -> None:
        """Write one run. New names are forced at once, so that no file is missing before one that is there."""
        self._segments.write(start, data)
        if not self._unforced or self._unforced[-1] + self.segment_size < start + len(data):
            for segment in range(self.segment_start(start), start + len(data), self.segment_size):
                self._hold(segment)
            self._force_names()

    def _hold(self, start: int) -> None:
        if start not in self._unforced:
            self._handles.hold(self._segments.path(start))
            self._unforced.append(start)
            self._unforced.sort()

    def _force_names(self) -> None:
        for directory in sorted(self._segments.dirty_directories):
            self._files.sync_dir(directory)
        self._segments.dirty_directories.clear()

    @property
    def unclean(self) -> bool:
        """True while bytes of a failed write may lie behind `written`: `cut` there, and force it, before the next."""
        return self._unclean

    def probe_room(self) -> None:
        """Write some of the zeros where the next records will lie; OSError when the disk has no room for them."""
        size = min(_PROBE_BYTES, self.segment_end(self.written) - self.written)
        if self._segments.first <= self.written < self._segments.end:
            self._hold(self.segment_start(self.written))
            self._segments.write(self.written, bytes(size))

    def cut(self, log_offset: int) -> None:
        """Make `log_offset` the end of the log; what lies behind becomes zeros. OSError.

        It must be forced before the next record is written: a crash could mix old bytes with new ones.
        """
        self._segments.truncate(log_offset)
        self._unforced = [start for start in self._unforced if start < self._segments.end]
        if self._segments.first < log_offset < self._segments.end:
            self._hold(self.segment_start(log_offset))
        self._force_names()
        self._forget(log_offset)
        self.written = log_offset
        self._own_start = min(self._own_start, log_offset)
        self._unclean = False

    def start_flush(self, stored_ms: int, fault: str | None = None) -> LogFlush:
        """Return the work that makes everything written so far durable, or fails with the `fault` of an earlier one.

        It forces all that is not known to be durable, also what an unfinished earlier flush forces: this one may end
        first.
        """
        self._flushes += 1
        handles = [self._handles.hold(self._segments.path(start)) for start in self._unforced]
        return LogFlush(self._forcing, handles, self.written, stored_ms, fault)

    def finish_flush(self, flush: LogFlush, *, forced: bool) -> None:
        """Let go of the files that are full and durable, but not while another thread may still force them."""
        self._flushes -= 1
        if forced:
            self._forced = max(self._forced, flush.target)
        while self._flushes == 0 and self._unforced and self._unforced[0] + self.segment_size <= self._forced:
            self._handles.release(self._segments.path(self._unforced.pop(0)))

    @property
    def settled_end(self) -> int:
        """Everything before this is durable, and in files that nobody is about to force."""
        return self._unforced[0] if self._unforced else self.written

    def read(self, log_offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `log_offset`: never what is not written, nor beyond the end of its file."""
        end = min(log_offset + size, self.written, self.segment_end(log_offset))
        if end <= log_offset:
            return b""
        in_memory = log_offset >= self._own_start and log_offset >= self.written - _IN_MEMORY_BYTES
        return self._segments.read(log_offset, end - log_offset, in_memory=in_memory)

    def record_at(self, log_offset: int) -> bytes | None:
        """Return the whole message record at `log_offset`, or None when there is none."""
        if not self.min_offset <= log_offset < self.written:
            return None
        size = claimed_size(self.read(log_offset, CLAIM_BYTES))
        if not 0 < size <= self.segment_size:
            return None
        data = self.read(log_offset, size)
        return data if check_record(data, 0, False) == size else None

    def stored_ms_at(self, log_offset: int) -> int:
        """Return the store time of the message at `log_offset`, 0 when it can't be read."""
        head = self.read(log_offset, _HEAD_BYTES)
        return stored_ms_of(head) if len(head) == _HEAD_BYTES else 0

    def remove_first(self) -> None:
        """Delete the oldest file. The last one can't be deleted."""
        if self._segments.first + self.segment_size >= self._segments.end:
            raise LogCorrupt("the last file of the log is not to be deleted")
        self._segments.remove_first()

    def modified_ms(self, start: int) -> int:
        """Time of the last change of the file that starts at `start`."""
        return self._files.modified_ms(self._segments.path(start))
