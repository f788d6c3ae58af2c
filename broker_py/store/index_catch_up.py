"""Completes an index that lags behind the log, a piece at a time, while the broker serves.

A piece is read by another thread, since what lies back in the log is on disk; its keys are taken on the loop, few at a
time, so that nobody waits for them. An index may lag as far as the log goes back: the store of a Java broker need not
have any.
"""

import logging
from typing import Final

from broker_py.message.record import BLANK, check_record, read_dispatch
from broker_py.seams import FileSystem
from broker_py.store.commit_log import CommitLog
from broker_py.store.dispatch import Dispatcher
from broker_py.store.index import MANY_KEYS, MessageIndex, keys_of

_PIECE_BYTES: Final = 64 * 1024
_MAX_LOOKED_AT: Final = 1000
_log = logging.getLogger(__name__)


def first_keyed(log: CommitLog, log_offset: int, skipped: int) -> int | None:
    """Return where the first message with keys begins from `log_offset` on, `skipped` messages left out.

    None when there is none near, or the log can't be read there. OSError.
    """
    for _ in range(_MAX_LOOKED_AT):
        record = log.record_at(log_offset)
        if record is None:
            blank = log.read(log_offset, BLANK.size)
            if check_record(blank, 0, False) >= 0:
                return None
            log_offset = log.segment_end(log_offset)
            continue
        if skipped > 0:
            skipped -= 1
        elif _has_keys(record):
            return log_offset
        log_offset += len(record)
    return None


def _has_keys(record: bytes) -> bool:
    try:
        view = read_dispatch(record)
    except UnicodeDecodeError:  # a damaged one, which is left out
        return False
    return bool(keys_of(view.properties, view.sys_flag))


class LogRead:
    """A piece of the log, or nothing: made on the loop, `run` by any thread."""

    __slots__ = ("_files", "_path", "_position", "_size", "data", "log_offset")

    def __init__(self, files: FileSystem, path: str, position: int, size: int, log_offset: int) -> None:
        self._files = files
        self._path = path
        self._position = position
        self._size = size
        self.log_offset = log_offset
        self.data = b""

    def run(self) -> None:
        """Read it. OSError."""
        if self._size > 0:
            file = self._files.open(self._path, write=False)
            try:
                self.data = file.pread(self._size, self._position)
            finally:
                file.close()


class IndexCatchUp:
    """Reads the log from where the index lags to where the consume queues are, `lagging_bytes` later."""

    def __init__(self, files: FileSystem, directory: str, log: CommitLog, dispatcher: Dispatcher, index: MessageIndex):
        self._files = files
        self._directory = directory
        self._log = log
        self._dispatcher = dispatcher
        self._index = index
        self._needed = _PIECE_BYTES

    @property
    def lagging_bytes(self) -> int:
        """How much log the index has still to be completed from."""
        if self._index.following or not self._index.enabled:
            return 0
        return max(1, self._dispatcher.dispatched.value - self._index.position)

    @property
    def due(self) -> bool:
        """True when there is something to read, and room for what it brings."""
        return self.lagging_bytes > 0 and self._index.waiting < MANY_KEYS

    def start(self) -> LogRead:
        """Return the work that reads the next piece."""
        log, index = self._log, self._index
        index.skip_to(log.min_offset)
        position = index.position
        start = log.segment_start(position)
        end = min(self._dispatcher.dispatched.value, position + self._needed, log.segment_end(position))
        size = end - position if self.due else 0
        return LogRead(self._files, f"{self._directory}/{start:020d}", position - start, size, position)

    def finish(self, read: LogRead, error: BaseException | None) -> None:
        """Take the keys of the piece."""
        if error is not None:
            if read.log_offset >= self._log.min_offset:  # else it was deleted meanwhile
                self._leave_out(read.log_offset, str(error))
            return
        if read.data and read.log_offset == self._index.position:
            self._take(read.data, read.log_offset)
            self._index.follow(self._dispatcher.dispatched.value)

    def _take(self, data: bytes, log_offset: int) -> None:
        index = self._index
        start = 0
        while True:
            size = check_record(data, start, False)
            if size <= 0:
                break
            position = log_offset + start
            try:
                view = read_dispatch(data, start)
                index.take(view.topic, view.properties, view.sys_flag, position, position + size, view.stored_ms)
            except UnicodeDecodeError:
                index.skip_to(position + size)
            start += size
        self._needed = _PIECE_BYTES
        if size < 0:
            index.skip_to(self._log.segment_end(log_offset))
        elif start == 0:
            self._go_on(data, log_offset)

    def _go_on(self, data: bytes, log_offset: int) -> None:
        """Read more when the piece holds the start of a record; leave the rest of the file out when it is none."""
        size = int.from_bytes(data[:4], "big", signed=True)
        room = min(self._log.segment_end(log_offset), self._dispatcher.dispatched.value) - log_offset
        if len(data) < size <= room:
            self._needed = size
            return
        self._leave_out(log_offset, "there is no record")

    def _leave_out(self, log_offset: int, why: str) -> None:
        """Go on with the next file of the log, where a record begins for certain."""
        after = min(self._log.segment_end(log_offset), self._dispatcher.dispatched.value)
        _log.error("messages at log offsets %d to %d are not found by key: %s", log_offset, after, why)
        self._index.skip_to(after)
