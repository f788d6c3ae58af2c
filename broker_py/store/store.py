"""The store of one broker: a log, its queues, and what keeps them on disk (`store/DefaultMessageStore`).

Everything runs on one thread and never waits, but for the work that `start_flush` and `start_checkpoint` hand out.

    append ─► staged ── commit ─► written ── flush ─► flushed
                                     └─────── dispatch(bound) ─► dispatched: consumers see it
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from broker_py.errors import StoreError
from broker_py.message.delay import DelayLevels
from broker_py.message.record import Message, MessageIllegal, body_crc, encode_record, record_size
from broker_py.model.topic import SCHEDULE_TOPIC
from broker_py.seams import Clock, FileSystem
from broker_py.store.admission import Admission, is_full
from broker_py.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from broker_py.store.checkpointing import CheckpointWork
from broker_py.store.commit_log import CommitLog, LogFlush
from broker_py.store.config import StoreConfig
from broker_py.store.damage import DamageLog
from broker_py.store.directories import make_durable_directory
from broker_py.store.dispatch import Dispatcher, OnArrival, Placed, is_consumable
from broker_py.store.handles import Handles, Patience
from broker_py.store.index import MANY_KEYS, MessageIndex
from broker_py.store.index_catch_up import IndexCatchUp, LogRead
from broker_py.store.index_search import IndexSearch, LogView
from broker_py.store.queue_ends import read_queue_ends
from broker_py.store.queue_table import ConsumeQueueTable
from broker_py.store.reading import GetResult, GetStatus, Reader, Selection
from broker_py.store.recovery import Progress, Recovery, tell_nobody
from broker_py.store.repair import LogRepair
from broker_py.store.retention import Retention
from broker_py.store.tenancy import Tenancy
from broker_py.store.timer_log import TimerLog
from broker_py.store.times import offset_by_time, stored_ms
from broker_py.store.verifying import Verifier
from broker_py.store.watermark import Watermark

_OPEN_FILES: Final = 256
_RESUME_BYTES: Final = 64 * 1024
# What a start after a crash has to read again at most; 32 MiB of small messages take a second.
_CHECKPOINT_BYTES: Final = 32 << 20
_logger = logging.getLogger(__name__)
_T = TypeVar("_T")


class Store:
    """Messages by log offset and by (topic, queue id, queue offset).

    `written`, `flushed` and `dispatched` are watermarks of the log; `damage` knows the damaged places that were met.
    `store_host` is this broker's packed address, `memory_bytes` the machine's memory, `process_id` goes into the abort
    file. `progress` hears how far `load` is. `admission` knows why messages are refused; `copied_end` tells up to where
    all connected slaves have the log, None without one.
    """

    def __init__(
        self,
        config: StoreConfig,
        files: FileSystem,
        clock: Clock,
        store_host: bytes,
        *,
        memory_bytes: int = 4 << 30,
        process_id: int = 0,
        progress: Progress = tell_nobody,
    ) -> None:
        self.config = config
        self._files = files
        self._clock = clock
        self._store_host = store_host
        self._tenancy = Tenancy(config, files, process_id)
        self._progress = progress
        self._handles = Handles(files, _OPEN_FILES)
        self.log = CommitLog(files, self._handles, config.commit_log_directory, config.mapped_file_size_commit_log)
        self._queues = ConsumeQueueTable(
            files, self._handles, config.consume_queue_directory, config.consume_queue_file_bytes
        )
        self._index = MessageIndex(config, files, clock)
        delays = DelayLevels(config.message_delay_level)
        self._dispatcher = Dispatcher(self.log, self._queues, self._index, delays)
        self._catch_up = IndexCatchUp(files, config.commit_log_directory, self.log, self._dispatcher, self._index)
        self._retention = Retention(config, files, self.log)
        self.admission = Admission(self._retention)
        self._repair = LogRepair(self.log, self._retention, self.admission, self.flush_log)
        self.damage = DamageLog(clock)
        self._verifier = Verifier(self.log, self._queues, self.damage)
        self._reader = Reader(config, self.log, memory_bytes, self._verifier)
        self._staged: list[Placed] = []
        self._written_ms = 0
        self._flushed_ms = 0
        self._checkpoint = Checkpoint()
        self._no_room_for_checkpoint = False
        self.copied_end: Callable[[], int | None] = lambda: None
        # Until when the last write to the log took that took osPageCacheBusyTimeOutMills or more; of the wall clock.
        self.busy_until_ms = 0
        self.written = Watermark()
        self.flushed = Watermark()

    # Opening and closing

    def load(self) -> None:
        """Take the lock, recover, and be ready. StoreError (another process, wrong files), LogCorrupt, OSError."""
        config = self.config
        own = {path.rpartition("/")[0] for path in (config.lock_path, config.abort_path, config.checkpoint_path)}
        for directory in sorted(own | {config.commit_log_directory, config.consume_queue_directory}):
            make_durable_directory(self._files, directory)
        after_crash = self._tenancy.begin()
        try:
            if not after_crash:
                self._tenancy.write_abort()
            self._recover(after_crash)
        except BaseException:
            self._handles.close()
            if not after_crash:
                self._tenancy.remove_abort()
            self._tenancy.end()
            raise

    def _recover(self, after_crash: bool) -> None:
        config = self.config
        self._checkpoint = read_checkpoint(self._files, config.checkpoint_path)
        recovery = Recovery(
            self.log,
            self._queues,
            self._dispatcher,
            self._index,
            after_crash=after_crash,
            check_crc=config.check_crc_on_recover,
            lower_durable_end=self._lower_durable_end,
            damage=self.damage,
            progress=self._progress,
        )
        ends = read_queue_ends(self._files, config.queue_ends_path, self._checkpoint.durable_offset)
        recovery.run(self._checkpoint, ends)
        self._verifier.sound_from = self.log.end
        self._written_ms = self._flushed_ms = max(self._dispatcher.stored_ms, self._checkpoint.flushed_ms)
        self.written.advance(self.log.written)
        self.flush_log()
        if config.message_index_safe:
            self.complete_index()
        self.admission.closed = None
        self._retention.check_disks()
        self.admission.judge()

    def _lower_durable_end(self, log_offset: int) -> None:
        self._checkpoint = replace(self._checkpoint, durable_offset=log_offset)
        write_checkpoint(self._files, self.config.checkpoint_path, self._checkpoint)

    def close(self) -> None:
        """Write and force everything, and let go. With a fault, the next start recovers as after a crash."""
        if not self._tenancy.held:
            return
        try:
            if self.admission.broken is None:
                self._settle()
        finally:
            self.admission.closed = "the store is closed"
            self.admission.judge()
            self._handles.close()
            self._tenancy.end()

    def _settle(self) -> None:
        self.commit()
        self.flush_log()
        self.dispatch(self.log.written)
        self.checkpoint()
        if self.admission.fault is None and self.dispatched.value == self.log.written:
            self._tenancy.remove_abort()

    # Writing

    def resume(self) -> None:
        """Take messages again if what kept them out is over: there is room, and what a failed write left is repaired.

        LogFull or StoreError says why not. Only a restart helps where the admission is `broken`.
        """
        if self._retention.disk_full is not None:
            self._repair.measure()
        if self.admission.queue_fault is not None:
            self.write_out()
        self._require_writable()

    def _require_writable(self) -> None:
        self._repair.require_log()
        self.admission.require()

    def append(self, message: Message) -> Placed:
        """Give a message its place; `commit` writes it. MessageIllegal, LogFull, StoreError."""
        if not self.admission.writable:
            self._require_writable()
        size = self._checked_size(message)
        return self._append(message, size)

    def append_batch(self, messages: list[Message]) -> list[Placed]:
        """Give messages their places, back to back in one file. MessageIllegal, LogFull, StoreError."""
        if not self.admission.writable:
            self._require_writable()
        sizes = [self._checked_size(message) for message in messages]
        total = sum(sizes)
        if total + 8 > self.log.segment_size:
            raise MessageIllegal(f"a batch of {total} bytes does not fit in a file of {self.log.segment_size}")
        start = self.log.whole_end
        if messages:
            self.log.place(total)
        placed = [self._append(message, size) for message, size in zip(messages, sizes, strict=True)]
        if placed:
            placed[0].start = start
        return placed

    def _checked_size(self, message: Message) -> int:
        body_size = len(message.body)
        if body_size > self.config.max_message_size:
            raise MessageIllegal(
                f"the body has {body_size} bytes, more than maxMessageSize {self.config.max_message_size}"
            )
        size = record_size(message, self._store_host)
        if size + 8 > self.log.segment_size:
            raise MessageIllegal(f"a message of {size} bytes does not fit in a file of {self.log.segment_size}")
        return size

    def _append(self, message: Message, size: int) -> Placed:
        log = self.log
        queue = None
        queue_offset = 0
        if is_consumable(message.sys_flag):
            queue = self._queues.make(message.topic, message.queue_id)
            queue_offset = queue.next_offset
            queue.next_offset = queue_offset + 1
        start = log.whole_end
        log_offset = log.place(size)
        stored_ms = self._clock.now_ms()
        log.stage(encode_record(message, body_crc(message.body), queue_offset, log_offset, stored_ms, self._store_host))
        placed = Placed(queue, start, log_offset, size, queue_offset, stored_ms, message)
        if message.topic == SCHEDULE_TOPIC:
            placed.tags_code = self._dispatcher.due_ms(message.properties, stored_ms, message.tags_code)
        self._staged.append(placed)
        return placed

    def append_raw(self, log_offset: int, data: bytes) -> None:
        """Take bytes of a master's log; `commit` writes the whole records among them.

        StoreError when they do not continue this log, LogCorrupt when they are no records.
        A replica goes on while its disk is getting full: it can't refuse what its master took.
        """
        if not self.admission.writable:
            self._repair.require_log()
        was_empty = self.log.empty
        self.log.stage_raw(log_offset, data)
        self._verifier.sound_from = self.log.end  # nobody has looked at what came from the master
        if was_empty:
            self._dispatcher.start_at(log_offset)

    def commit(self) -> None:
        """Write what is staged. LogFull or StoreError: nothing since the last commit was appended."""
        try:
            self.log.commit()
        except OSError as error:
            for placed in reversed(self._staged):
                if placed.queue is not None:
                    placed.queue.next_offset = placed.queue_offset
            self._staged.clear()
            self._repair.failed_write(error)
            raise self.admission.refusal() from error
        if self._staged:
            self._dispatcher.expect(self._staged)
            self._written_ms = self._staged[-1].stored_ms
            self._staged.clear()
            now_ms = self._clock.now_ms()
            if now_ms - self._written_ms >= self.config.os_page_cache_busy_time_out_mills:
                self.busy_until_ms = now_ms
        self.written.advance(self.log.written)

    # Forcing

    def start_flush(self) -> LogFlush:
        """Return the work that makes all that is written durable: `run` it anywhere, then `finish_flush`."""
        return self.log.start_flush(self._written_ms, self.admission.broken)

    def finish_flush(self, flush: LogFlush, error: BaseException | None) -> None:
        """Take the work back. A failure is final: pages that were not forced are lost, and no retry would say so."""
        self.log.finish_flush(flush, forced=error is None)
        if error is not None:
            self.admission.breaks(f"the log could not be forced to disk, restart the broker: {error}")
        elif self.admission.broken is None:
            self._flushed_ms = max(self._flushed_ms, flush.stored_ms)
            self.flushed.advance(flush.target)

    def flush_log(self) -> None:
        """Force the log here and now. StoreError."""
        flush = self.start_flush()
        try:
            flush.run()
        except OSError as error:
            self.finish_flush(flush, error)
            raise StoreError(self.admission.broken or "") from error
        self.finish_flush(flush, None)

    def write_out(self) -> None:
        """Write consume queues to their files; do it every second or so. A failure is kept as a fault and retried."""
        try:
            self._queues.write_out()
        except OSError as error:
            self.admission.queues_written(error)
        else:
            self.admission.queues_written(None)

    def start_checkpoint(self) -> CheckpointWork:
        """Return the work that makes log, queues and index durable and says so in the checkpoint. StoreError."""
        self.write_out()
        if self.admission.queue_fault is not None:
            self._no_room_for_checkpoint = self.admission.queues_full
            raise StoreError(self.admission.queue_fault)
        flush = self.start_flush()
        checkpoint = replace(
            self._checkpoint,
            flushed_ms=flush.stored_ms,
            dispatched_ms=self._dispatcher.stored_ms,
            durable_offset=self.dispatched.value,
        )
        sync = self._queues.start_sync()
        ends = self._queues.ends(self.dispatched.value, self.log.min_offset)
        index = self._index.start_write(self.dispatched.value) if self._index.enabled else None
        return CheckpointWork(self._files, self.config, flush, sync, ends, index, checkpoint)

    def finish_checkpoint(self, work: CheckpointWork, error: BaseException | None) -> None:
        """Take the work back. As with a flush, a failure is final, unless the checkpoint alone could not be written."""
        self.finish_flush(work.flush, None if work.vouched else error)
        if work.index is not None:
            self._index.finish_write(work.index)
        self._no_room_for_checkpoint = isinstance(error, OSError) and is_full(error)
        if error is None:
            self._checkpoint = work.checkpoint

    def checkpoint(self) -> None:
        """Make log and queues durable here and now. StoreError."""
        work = self.start_checkpoint()
        try:
            work.run()
        except OSError as error:
            self.finish_checkpoint(work, error)
            raise StoreError(f"the checkpoint failed: {error}") from error
        self.finish_checkpoint(work, None)

    @property
    def bytes_since_checkpoint(self) -> int:
        """How much log a start after a crash would have to go through."""
        return self.log.written - (self._checkpoint.durable_offset or self.log.min_offset)

    @property
    def checkpoint_due(self) -> bool:
        """True when the next checkpoint shouldn't wait for its hour: much would be read again, or something is held."""
        return self.bytes_since_checkpoint > _CHECKPOINT_BYTES or self._many_keys_wait or self._retention.held

    @property
    def _many_keys_wait(self) -> bool:
        return self._index.waiting >= MANY_KEYS

    # Finding by key

    def search(
        self, topic: str, key: str, begin_ms: int, end_ms: int, max_count: int, *, unique: bool = False
    ) -> IndexSearch:
        """Return the work that finds the newest messages of a topic that have a key: `run` it anywhere.

        `unique`: only those whose unique id it is. What consumers don't see yet is not found either.
        """
        log = LogView(
            self.config.commit_log_directory, self.log.segment_size, self.log.min_offset, self.dispatched.value
        )
        return self._index.search(topic, key, unique, begin_ms, end_ms, max_count, log)

    def newest_indexed(self) -> tuple[int, int]:
        """Return store time and log offset of the newest message that can be found by key, zeros without any."""
        return self._index.newest()

    @property
    def index_lag_bytes(self) -> int:
        """How much log the index has still to be completed from; its messages are not found by key yet."""
        return self._catch_up.lagging_bytes

    @property
    def index_read_due(self) -> bool:
        """True when the index lags and a piece of the log is to be read for it."""
        return self._catch_up.due

    def start_index_read(self) -> LogRead:
        """Return the work that reads the next piece of log for an index that lags."""
        return self._catch_up.start()

    def finish_index_read(self, read: LogRead, error: BaseException | None) -> None:
        """Take the piece."""
        self._catch_up.finish(read, error)

    def complete_index(self) -> None:
        """Let an index that lags catch up, here and now. StoreError, OSError."""
        while self.index_lag_bytes:
            if self.index_read_due:
                read = self.start_index_read()
                read.run()
                self.finish_index_read(read, None)
            else:
                self.checkpoint()
                if self._many_keys_wait:
                    raise StoreError("the index can't be written; its own error was logged")

    # Consuming

    @property
    def dispatched(self) -> Watermark:
        """How far consumers see."""
        return self._dispatcher.dispatched

    def on_arrival(self, callback: OnArrival | None) -> None:
        """Call `callback(topic, queue id, next queue offset, tags code, stored ms)` for each dispatched message."""
        self._dispatcher.on_arrival = callback

    def dispatch(self, bound: int) -> None:
        """Let consumers see every message that ends at or before log offset `bound`. LogCorrupt."""
        self._dispatcher.dispatch(min(bound, self.log.written))

    def get(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        max_count: int,
        max_bytes: int,
        wanted: Callable[[int], bool] | None = None,
        selection: Selection | None = None,
    ) -> GetResult:
        """Return messages from `queue_offset` on; see `Reader.get`. StoreError when they can't be read."""
        queue = self._queues.get(topic, queue_id)
        if queue is None:
            return GetResult(GetStatus.NO_MATCHED_LOGIC_QUEUE, 0)
        try:
            return self._reader.get(queue, queue_offset, max_count, max_bytes, wanted, selection)
        except OSError as error:
            raise StoreError(f"{topic} queue {queue_id} can't be read at {queue_offset}: {error}") from error

    def without_waiting(self, patience: Patience, work: Callable[..., _T], *arguments: Any) -> _T:
        """Return what `work` returns; meanwhile reads do as `patience` says, and are `NotCached` rather than wait."""
        self._handles.patience = patience
        try:
            return work(*arguments)
        finally:
            self._handles.patience = Patience.WAIT

    def record(self, log_offset: int) -> bytes | None:
        """Return the stored message at `log_offset`, or None when none begins there that is sound. OSError."""
        return self._verifier.record(log_offset)

    def next_queue_offset(self, topic: str, queue_id: int) -> int:
        """The queue offset that the next append gets."""
        queue = self._queues.get(topic, queue_id)
        return queue.next_offset if queue is not None else 0

    def max_offset(self, topic: str, queue_id: int) -> int:
        """One more than the last queue offset that consumers see."""
        queue = self._queues.get(topic, queue_id)
        return queue.max_offset if queue is not None else 0

    def min_offset(self, topic: str, queue_id: int) -> int:
        """The first queue offset that is still there."""
        queue = self._queues.get(topic, queue_id)
        return queue.min_offset if queue is not None else 0

    def offset_by_time(self, topic: str, queue_id: int, ms: int) -> int:
        """Return the queue offset of the message stored nearest to `ms`, the earlier one of two; 0 without any."""
        queue = self._queues.get(topic, queue_id)
        return offset_by_time(self.log, queue, ms) if queue is not None else 0

    def stored_ms(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """Return the store time of one message of a queue, 0 when it is not there."""
        queue = self._queues.get(topic, queue_id)
        return stored_ms(self.log, queue, queue_offset) if queue is not None else 0

    def earliest_stored_ms(self) -> int:
        """Return the store time of the oldest message, 0 without any."""
        return self.log.stored_ms_at(self.log.min_offset)

    # Keeping house

    def topics(self) -> list[str]:
        """Names of the topics that have queues here."""
        return self._queues.topics()

    def queues_of(self, topic: str) -> list[int]:
        """Ids of the queues that a topic has here."""
        return [queue.queue_id for queue in self._queues.queues_of(topic)]

    def delete_topic(self, topic: str) -> None:
        """Delete a topic's queues; its messages leave with their log files. StoreError."""
        try:
            if self._files.exists(self.config.queue_ends_path):
                self._files.remove(self.config.queue_ends_path)  # else a start after a crash would miss the queues
            self._queues.delete_topic(topic)
        except OSError as error:
            raise StoreError(f"the queues of {topic} can't be deleted: {error}") from error

    def clean(self, now_ms: int) -> int:
        """Delete a log file that is due, with the queue files that end before it; return ms until the next call."""
        log_min_offset = self.log.min_offset
        # Were a file gone whose units a crash then takes, an emptied queue would give its offsets a second time.
        safe_end = self.dispatched.value if self._no_room_for_checkpoint else self._checkpoint.durable_offset or 0
        try:
            copied_end = self.copied_end()
            delay = self._retention.step(now_ms, safe_end, self.log.written if copied_end is None else copied_end)
            if self.log.min_offset != log_min_offset:
                self.remove_expired_units()
        except OSError as error:
            raise StoreError(f"old files can't be deleted: {error}") from error
        finally:
            self.admission.judge()
        return delay

    def remove_expired_units(self) -> None:
        """Let the queues begin where the log does, and delete their files that end before it. OSError."""
        for queue in self._queues:
            queue.correct_min(self.log.min_offset)
            queue.remove_expired()
        self._index.remove_expired(self.log.min_offset)

    def delete_soon(self, runs: int = 20) -> None:
        """Have expired files deleted in the next runs of `clean`, whatever the hour."""
        self._retention.delete_soon(runs)

    @property
    def log_disk_percent(self) -> int:
        """How full the log's disk was when it was last measured."""
        return self._retention.log_disk_percent

    @property
    def queue_disk_percent(self) -> int:
        """How full the queues' disk was when it was last measured."""
        return self._retention.queue_disk_percent

    def resume_offset(self) -> int:
        """Return where the newest message begins if that is near the log's end, else the end: see replication."""
        last = self._dispatcher.last_record
        return last if last is not None and self.log.written - last <= _RESUME_BYTES else self.log.written

    def unit(self, topic: str, queue_id: int, queue_offset: int) -> tuple[int, int, int] | None:
        """Return (log offset, size, tags code) of a message, None when the queue doesn't have it."""
        queue = self._queues.get(topic, queue_id)
        return queue.unit(queue_offset) if queue is not None else None

    def units(self, topic: str, queue_id: int, queue_offset: int, count: int) -> bytes:
        """Return the bytes of up to `count` units from `queue_offset` on; see `consume_queue`. OSError."""
        queue = self._queues.get(topic, queue_id)
        return queue.units(queue_offset, count) if queue is not None else b""

    def is_near(self, log_offset: int) -> bool:
        """True when what lies at a log offset is likely in memory: no further from the end than memory reaches."""
        return self._reader.is_near(log_offset)

    def disk_usage(self) -> tuple[int, int]:
        """(used, free) bytes of the log's file system. OSError."""
        return self._files.usage(self.config.commit_log_directory)

    def configure(self, config: StoreConfig) -> None:
        """Follow changed properties from here on; those that need a restart are the caller's to refuse."""
        self.config = config
        self._retention.config = config
        self._reader.configure(config)

    def timer_log(self) -> TimerLog:
        """Return the timer log beside the log; its reads wait, or not, as all of the store's."""
        config = self.config
        directory = config.store_path_root_dir + "/timerlog"
        return TimerLog(self._files, self._handles, directory, config.mapped_file_size_timer_log)
