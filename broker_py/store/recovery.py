"""Finds the log's end after a start, and makes queues and index agree with it (`store/CommitLog.recoverAbnormally`).

One way for a clean stop and a crash: log and queues are right up to a durable point, queues are cut there, and every
record behind it is checked and dispatched again. So no message of the log can be missing from its queue. They differ in
what is trusted: only after a crash may files be short, missing at the end, or hold halves of records.

A queue that lacks what it had when the durable point was written is filled again from where it is right. A record that
is damaged is stepped over, if it lies below the durable point, or if there are sound ones behind it and no zeros in it
that a power cut would leave. Else the log ends there.
"""

import logging
from collections.abc import Callable
from typing import Final

from broker_py.errors import StoreError
from broker_py.message.record import (
    CLAIM_BYTES,
    MIN_RECORD_BYTES,
    check_record,
    claimed_size,
    has_lost_sector,
    record_fault,
    stored_ms_of,
)
from broker_py.store.checkpoint import Checkpoint
from broker_py.store.commit_log import CommitLog
from broker_py.store.consume_queue import ConsumeQueue
from broker_py.store.damage import Damage, DamageLog, damage_at, is_torn, next_record
from broker_py.store.dispatch import Dispatcher, QueueGap
from broker_py.store.index import MessageIndex
from broker_py.store.index_catch_up import first_keyed
from broker_py.store.queue_ends import QueueEnds
from broker_py.store.queue_table import ConsumeQueueTable

_WINDOW_BYTES: Final = 4 << 20
_WRITE_OUT_BYTES: Final = 64 << 20
"""After so much log the queues are written out, to bound their memory; less needs no room on a full disk."""
_UNIT_CHECK_BYTES: Final = 36
_HEAD_BYTES: Final = 76
_SEARCH_BYTES: Final = 8 << 20
"""How far behind the first bytes that are no record sound ones are looked for, where the log may end there."""
_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""(bytes done, bytes to do) of a recovery: called every few megabytes."""


def tell_nobody(_done_bytes: int, _total_bytes: int) -> None:
    """Nobody watches a recovery."""


class Recovery:
    """Brings a log, its queues, its index and a dispatcher from their files to a common end.

    The index may stay behind, and is completed later: see `index_catch_up`.

    Before queues are cut below what the checkpoint calls durable, `lower_durable_end` makes it take that back, durably:
    else a crash in between would leave queues that lack what they are trusted to have. `damage` hears of records that
    are not what was stored, `progress` how far it is.
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
        damage: DamageLog,
        progress: Progress = tell_nobody,
    ) -> None:
        self._log = log
        self._queues = queues
        self._dispatcher = dispatcher
        self._index = index
        self._after_crash = after_crash
        self._check_crc = check_crc
        self._lower_durable_end = lower_durable_end
        self._damage = damage
        self._progress = progress
        self._durable_end = 0

    def run(self, checkpoint: Checkpoint, ends: QueueEnds | None) -> None:
        """Load the files and recover; `ends` is what the queues had at the checkpoint's durable point, if known.

        The log is cut but not forced. StoreError, LogCorrupt, OSError.
        """
        durable = checkpoint.durable_offset
        self._log.load(after_crash=self._after_crash, durable_end=durable or 0)
        if self._log.empty:
            self._start_empty(durable or 0)
            return
        if ends is not None and ends.log_min_offset < self._log.min_offset:
            _log.warning(
                "the log begins at %d, but began at %d when the checkpoint was written: %s",
                self._log.min_offset,
                ends.log_min_offset,
                "files expired since, or are lost" if self._after_crash else "files are lost",
            )
        start = self._start(checkpoint)
        known = start if durable is None else durable  # the log is on disk up to here, whatever becomes of the queues
        if durable is not None and start < durable:
            self._lower_durable_end(start)
        damaged = self._load_queues(start, ends if start == durable else None)
        self._index.load(
            checkpoint.index_mark,
            checkpoint.index_ms,
            self._log.min_offset,
            lambda log_offset, skipped: first_keyed(self._log, log_offset, skipped),
            after_crash=self._after_crash,
        )
        if durable is None and not self._after_crash:
            start = max((queue.log_end for queue in self._queues), default=self._log.min_offset)
        self._durable_end = min(max(start, durable or 0), self._log.end)
        self._dispatcher.stored_ms = checkpoint.dispatched_ms if start == durable else 0
        if damaged:
            start = self._cut_damaged(damaged, start)
        try:
            end = self._replay(max(start, self._log.min_offset))
        except QueueGap as gap:
            _log.warning("%s: all consume queues are rebuilt from the log", gap)
            start = self._log.min_offset
            end = self._rebuild()
        if end < self._log.end:
            _log.info("the log ends at %d", end)
        if ends is not None:
            self._extend_queues(ends)
        self._log.cut(end)
        self._log.distrust(known)
        self._dispatcher.start_at(end)
        self._index.settle(self._log.min_offset, end)
        for queue in self._queues:
            queue.correct_min(self._log.min_offset)
        if self._dispatcher.last_record is None:
            self._dispatcher.last_record = self._newest_in_queues()

    def _extend_queues(self, ends: QueueEnds) -> None:
        """Give no queue offset again that was given: consumers are past it."""
        for (topic, queue_id), (_, end) in ends.queues.items():
            queue = self._queues.get(topic, queue_id)
            if queue is not None and queue.max_offset < end:
                queue.extend(end)
                self._queues.mark(queue)

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
        self._load_queues(0, None)
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

    def _load_queues(self, trusted_end: int, ends: QueueEnds | None) -> list[ConsumeQueue]:
        """Load the queues up to a log offset; return those that lack units that point before it."""
        self._durable_end = trusted_end
        return self._queues.load(
            after_crash=self._after_crash, holds=self._holds, ends=ends, log_min_offset=self._log.min_offset
        )

    def _holds(self, queue_id: int, queue_offset: int, log_offset: int, size: int) -> bool:
        """True for a unit that points below the trusted end, at the record that it should, or at a damaged one."""
        if log_offset < 0 or log_offset + size > self._durable_end:
            return False
        if log_offset < self._log.min_offset:
            return True  # the record is deleted, the unit will be
        head = self._log.read(log_offset, _UNIT_CHECK_BYTES)
        if (
            len(head) == _UNIT_CHECK_BYTES
            and int.from_bytes(head[0:4], "big") == size
            and int.from_bytes(head[12:16], "big") == queue_id
            and int.from_bytes(head[20:28], "big") == queue_offset
        ):
            return True
        found = damage_at(self._log, log_offset, True)
        if found is None or found.size:
            return False  # a record of its own is there
        behind = log_offset + size
        return behind == self._durable_end or damage_at(self._log, behind, False) is None

    def _cut_damaged(self, damaged: list[ConsumeQueue], start: int) -> int:
        """Cut queues where they are no longer right, and return from where in the log they are to be filled again."""
        for queue in damaged:
            start = min(start, max(queue.log_end, self._log.min_offset))
        self._lower_durable_end(start)
        for queue in damaged:
            _log.warning("%s has lost units from %d on: filled again from the log", queue.directory, queue.max_offset)
            queue.cut(queue.max_offset)
        return start

    def _rebuild(self) -> int:
        log_min_offset = self._log.min_offset
        self._lower_durable_end(log_min_offset)
        for queue in self._queues:
            queue.cut(queue.search(lambda log_offset, _: log_offset < log_min_offset))
        return self._replay(log_min_offset)

    def _replay(self, start: int) -> int:
        """Dispatch all sound records from `start` and return where they end."""
        self._dispatcher.start_at(start)
        self._index.follow(start)
        self._dispatcher.strict = start > self._log.min_offset
        self._dispatcher.lost = 0
        try:
            position = written_out = start
            while position < self._log.end:
                self._progress(position - start, self._log.end - start)
                used = self._replay_window(position) or self._step_over(position)
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
        """Dispatch the records of one read; return the bytes they take, 0 where there is no sound record."""
        log = self._log
        window = log.read(position, _WINDOW_BYTES)
        size = claimed_size(window[:CLAIM_BYTES])
        if len(window) < size <= log.segment_end(position) - position:
            window = log.read(position, size)
        in_segment = position - log.segment_start(position)
        start = 0
        while True:
            size = check_record(window, start, False)
            if size < 0 and -size == log.segment_end(position) - position - start:
                return start - size
            if size <= 0 or record_fault(window, start, position + start, self._check_crc) is not None:
                return start
            if self._after_crash and has_lost_sector(window, start, size, in_segment + start):
                return start
            self._dispatcher.put_record(window, start, position + start)
            start += size

    def _step_over(self, position: int) -> int:
        """Return the bytes to leave out where no sound record begins; 0 where the log ends."""
        found = damage_at(self._log, position, self._check_crc)
        assert found is not None, "the replay takes every sound record"
        trusted = position < self._durable_end
        search_end = self._log.end if trusted else min(position + found.size + _SEARCH_BYTES, self._log.end)
        behind = next_record(self._log, position + max(found.size, 1), search_end)
        if not trusted and (behind is None or self._ends_before(position, found, behind)):
            return 0
        if found.size:
            self._dispatch_damaged(position, found)
            self._damage.report(found)
            return found.size
        after = self._durable_end if behind is None else behind
        if trusted:
            after = min(after, self._durable_end)
        self._dispatcher.lost += (after - position) // MIN_RECORD_BYTES
        self._damage.report(Damage(position, after - position, found.fault))
        return after - position

    def _ends_before(self, position: int, found: Damage, behind: int) -> bool:
        """True when a crash ended the log at `position`, though there is a sound record behind it.

        It was not forced, as what lies before it wasn't; or it is a leftover: Java does not erase what it cuts.
        """
        segment_end = self._log.segment_end(position)
        lost_end = position + found.size if found.size else min(behind, segment_end)
        is_blank = found.size == segment_end - position
        torn = not is_blank and is_torn(
            self._log.read(position, lost_end - position),
            position - self._log.segment_start(position),
            whole=found.size > 0,
        )
        stale = stored_ms_of(self._log.read(behind, _HEAD_BYTES)) < self._dispatcher.stored_ms
        if torn or stale:
            _log.warning(
                "the log ends at %d (%s); a sound record at %d is cut off, since there are %s before it",
                position,
                found.fault,
                behind,
                "zeros, as a power cut leaves them," if torn else "newer ones",
            )
        return torn or stale

    def _dispatch_damaged(self, position: int, found: Damage) -> None:
        """Give the queue its unit all the same, where the record still says which: offsets behind it stay."""
        record = self._log.read(position, found.size)
        if found.topic is not None and record_fault(record, 0, position, False) is None:
            self._dispatcher.put_record(record, 0, position)
        else:
            self._dispatcher.lost += 1
