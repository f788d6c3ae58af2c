"""Finds the log's end after a start, and makes queues and index agree with it (`store/CommitLog.recoverAbnormally`).

One way for a clean stop and a crash: log and queues are right up to a durable point, queues are cut there, and every
record behind it is checked and dispatched again. So no message of the log can be missing from its queue. They differ in
what is trusted: only after a crash may files be short, missing at the end, or hold halves of records.
"""

import logging
from collections.abc import Callable
from typing import Final

from broker_py.errors import StoreError
from broker_py.message.record import check_record, has_lost_sector
from broker_py.store.checkpoint import Checkpoint
from broker_py.store.commit_log import CommitLog
from broker_py.store.dispatch import Dispatcher, QueueGap
from broker_py.store.index import MessageIndex
from broker_py.store.index_catch_up import first_keyed
from broker_py.store.queue_table import ConsumeQueueTable

_WINDOW_BYTES: Final = 4 << 20
_WRITE_OUT_BYTES: Final = 64 << 20
"""After so much log the queues are written out, to bound their memory; less needs no room on a full disk."""
_UNIT_CHECK_BYTES: Final = 36
_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""(bytes done, bytes to do) of a recovery: called every few megabytes."""


def tell_nobody(_done_bytes: int, _total_bytes: int) -> None:
    """Nobody watches a recovery."""


class Recovery:
    """Brings a log, its queues, its index and a dispatcher from their files to a common end.

    The index may stay behind, and is completed later: see `index_catch_up`.

    Before queues are cut below what the checkpoint calls durable, `lower_durable_end` makes it take that back, durably:
    else a crash in between would leave queues that lack what they are trusted to have. `progress` hears how far it is.
    """

    def __init__(
        self,
        log: CommitLog,
        queues: ConsumeQueueTable,
        dispatcher: Dispatcher,
        index: MessageIndex,
        *,
        after_crash: bool,
        check_crc: bool,
        lower_durable_end: Callable[[int], None],
        progress: Progress = tell_nobody,
    ) -> None:
        self._log = log
        self._queues = queues
        self._dispatcher = dispatcher
        self._index = index
        self._after_crash = after_crash
        self._check_crc = check_crc
        self._lower_durable_end = lower_durable_end
        self._progress = progress
        self._durable_end = 0

    def run(self, checkpoint: Checkpoint) -> None:
        """Load the files and recover. The log is cut but not forced. StoreError, LogCorrupt, OSError."""
        durable = checkpoint.durable_offset
        self._log.load(after_crash=self._after_crash, durable_end=durable or 0)
        if self._log.empty:
            self._start_empty(durable or 0)
            return
        start = self._start(checkpoint)
        known = start if durable is None else durable  # the log is on disk up to here, whatever becomes of the queues
        if durable is not None and start < durable:
            self._lower_durable_end(start)
        self._load_queues(start)
        self._index.load(
            checkpoint.index_mark,
            checkpoint.index_ms,
            self._log.min_offset,
            lambda log_offset, skipped: first_keyed(self._log, log_offset, skipped),
            after_crash=self._after_crash,
        )
        if durable is None and not self._after_crash:
            start = max((queue.log_end for queue in self._queues), default=self._log.min_offset)
        try:
            end = self._replay(max(start, self._log.min_offset))
        except QueueGap as gap:
            _log.warning("%s: all consume queues are rebuilt from the log", gap)
            start = self._log.min_offset
            end = self._rebuild()
        if end < self._log.end:
            _log.info("the log ends at %d", end)
        self._log.cut(end)
        self._log.distrust(known)
        self._dispatcher.start_at(end)
        self._index.settle(self._log.min_offset, end)
        for queue in self._queues:
            queue.correct_min(self._log.min_offset)
        if self._dispatcher.last_record is None:
            self._dispatcher.last_record = self._newest_in_queues()

    def _newest_in_queues(self) -> int | None:
        newest = max(self._queues, key=lambda queue: queue.log_end, default=None)
        unit = newest.unit(newest.max_offset - 1) if newest is not None and newest.log_end > 0 else None
        return unit[0] if unit is not None else None

    def _start_empty(self, durable_end: int) -> None:
        if durable_end > 0:
            raise StoreError(
                f"the commit log has no files, but the checkpoint says that it had {durable_end} bytes: "
                "give it its directory back, or remove the checkpoint to begin anew"
            )
        self._load_queues(0)
        self._queues.clear()
        self._index.clear()
        self._dispatcher.start_at(0)

    def _start(self, checkpoint: Checkpoint) -> int:
        """Return the offset up to which log and queues are trusted."""
        durable = checkpoint.durable_offset
        if durable is not None:
            if durable > self._log.end:
                _log.error("the log's files end at %d, but %d bytes were durable", self._log.end, durable)
                return self._log.min_offset
            return self._log.min_offset if self._queues.has_no_files() else durable
        if not self._after_crash:
            return self._log.end
        return self._trusted_file(checkpoint.min_ms)

    def _trusted_file(self, min_ms: int) -> int:
        """Return the start of the newest file whose first message is old enough to be durable (Java's rule)."""
        start = self._log.end - self._log.segment_size
        while start > self._log.min_offset:
            head = self._log.record_at(start)
            if head is not None and 0 < self._log.stored_ms_at(start) <= min_ms:
                return start
            start -= self._log.segment_size
        return self._log.min_offset

    def _load_queues(self, trusted_end: int) -> None:
        self._durable_end = trusted_end
        self._queues.load(after_crash=self._after_crash, holds=self._holds)

    def _holds(self, queue_id: int, queue_offset: int, log_offset: int, size: int) -> bool:
        """True for a unit that points below the trusted end, at the record that it should."""
        if log_offset < 0 or log_offset + size > self._durable_end:
            return False
        if log_offset < self._log.min_offset:
            return True  # the record is deleted, the unit will be
        head = self._log.read(log_offset, _UNIT_CHECK_BYTES)
        return (
            len(head) == _UNIT_CHECK_BYTES
            and int.from_bytes(head[0:4], "big") == size
            and int.from_bytes(head[12:16], "big") == queue_id
            and int.from_bytes(head[20:28], "big") == queue_offset
        )

    def _rebuild(self) -> int:
        log_min_offset = self._log.min_offset
        self._lower_durable_end(log_min_offset)
        for queue in self._queues:
            queue.cut(queue.search(lambda log_offset, _: log_offset < log_min_offset))
        return self._replay(log_min_offset)

    def _replay(self, start: int) -> int:
        """Dispatch all valid records from `start` and return where they end."""
        self._dispatcher.start_at(start)
        self._index.follow(start)
        self._dispatcher.strict = start > self._log.min_offset
        try:
            position = written_out = start
            while position < self._log.end:
                self._progress(position - start, self._log.end - start)
                used = self._replay_window(position)
                if used == 0:
                    break
                position += used
                if position - written_out >= _WRITE_OUT_BYTES:
                    self._queues.write_out()
                    written_out = position
        finally:
            self._dispatcher.strict = False
        return position

    def _replay_window(self, position: int) -> int:
        """Dispatch the records of one read; return the bytes they take, 0 at the end of the log."""
        log = self._log
        window = log.read(position, _WINDOW_BYTES)
        size = int.from_bytes(window[:4], "big", signed=True)
        if len(window) < size <= log.segment_end(position) - position:
            window = log.read(position, size)
        in_segment = position - log.segment_start(position)
        start = 0
        while True:
            size = check_record(window, start, self._check_crc)
            if size < 0 and -size == log.segment_end(position) - position - start:
                return start - size
            if size <= 0:
                return start
            if self._after_crash and has_lost_sector(window, start, size, in_segment + start):
                return start
            self._dispatcher.put_record(window, start, position + start)
            start += size
