"""The timer's three files together: the log of units, the wheel, and the checkpoint that vouches for both.

Units are written at once, slots at a checkpoint only. So after a crash the files hold what the checkpoint says and
maybe more; what is more is cut, and made anew from the queue of timed messages, behind the queue offset that it says.
Source: store timer/TimerMessageStore.recover, prepareTimerCheckPoint.
"""

import logging
from collections.abc import Callable
from typing import Final

from broker_py.errors import StoreError
from broker_py.message.record import decode_record
from broker_py.model.topic import TIMER_TOPIC
from broker_py.seams import FileSystem
from broker_py.store.timer_checkpoint import TimerCheckpoint, TimerWork, read_timer_checkpoint
from broker_py.store.timer_log import UNIT_BYTES, TimerLog, TimerUnit
from broker_py.store.timer_wheel import Slot, TimerWheel

CHECKPOINT_NAME: Final = "timercheck"
_logger = logging.getLogger(__name__)


class TimerFiles:
    """Those of the store in `root`. `record(log_offset)` returns a stored message."""

    def __init__(
        self, files: FileSystem, root: str, log: TimerLog, precision_ms: int, record: Callable[[int], bytes | None]
    ) -> None:
        self._files = files
        self._precision = precision_ms
        self._record = record
        self._path = f"{root}/config/{CHECKPOINT_NAME}"
        self._snapshot: tuple[int, TimerWork] | None = None
        self._idle = False
        self.log = log
        self.wheel = TimerWheel(files, root + "/timerwheel")
        self.checkpoint = TimerCheckpoint()

    def open(self, queue_end: int) -> int:
        """Read them, and return the queue offset behind what is enqueued: 0 when they are no good. StoreError, OSError.

        `queue_end` is where the queue of timed messages ends.
        """
        self.checkpoint = checkpoint = read_timer_checkpoint(self._files, self._path) or TimerCheckpoint()
        read_tick = checkpoint.read_ms // self._precision
        self.log.load()
        self.wheel.load(read_tick)
        queue_offset = min(checkpoint.queue_offset, checkpoint.master_queue_offset)
        if queue_offset <= queue_end and self._recover(checkpoint.log_end, queue_offset, read_tick):
            return queue_offset
        _logger.warning("the timer's files are not what %s says: they are made anew", self._path)
        self.wheel.remove()
        self.log.cut(0)
        return 0

    def _recover(self, end: int, queue_offset: int, read_tick: int) -> bool:
        """Have the log end behind what was enqueued before the checkpoint; False when units before it are missing."""
        timers = self.log
        if not timers.first <= end <= timers.limit or (end > 0 and not self.wheel.found):
            return False
        timers.written = timers.end = timers.limit
        end, added = self._follow(end, queue_offset)
        if not self._walk_back(end):
            return False
        slots = self.wheel.slots
        last = timers.unit(end - UNIT_BYTES) if end > timers.first and not added else None
        if last is not None and self._tick_of(last) >= read_tick and self._tick_of(last) not in slots:
            return False  # the slots are of another timerPrecisionMs
        for tick in [tick for tick, slot in slots.items() if slot.last < timers.first]:
            self.wheel.empty(tick)
        timers.cut(end)
        self.wheel.recount()
        for tick, position in added:
            if tick >= read_tick and (tick not in slots or slots[tick].last < position):
                self.wheel.add(tick, position, 1)
        return True

    def _follow(self, end: int, queue_offset: int) -> tuple[int, list[tuple[int, int]]]:
        """Return where the units end that a Java broker forced after it noted the end, and (tick, position) of each."""
        timers = self.log
        added: list[tuple[int, int]] = []
        while end < timers.limit:
            unit = timers.unit(end)
            data = self._record(unit.log_offset) if unit is not None else None
            if unit is None or data is None:
                break
            record = decode_record(data)
            if record.topic != TIMER_TOPIC or record.size != unit.size or record.queue_offset >= queue_offset:
                break
            added.append((self._tick_of(unit), end))
            end = timers.next_position(end)
        return end, added

    def _walk_back(self, end: int) -> bool:
        """Have each slot's chain begin before `end`; False when one can't be followed."""
        for tick, slot in self.wheel.slots.items():
            while slot.last >= end:
                unit = self.log.unit(slot.last)
                if unit is None or unit.previous >= slot.last or self._tick_of(unit) != tick:
                    return False
                slot.last, slot.count = unit.previous, slot.count - 1
                self.wheel.dirty.add(tick)
        return True

    def _tick_of(self, unit: TimerUnit) -> int:
        return (unit.enqueued_ms + unit.delay_ms) // self._precision

    # The checkpoint

    @property
    def snapshot_waits(self) -> bool:
        """True while there is a snapshot that is not durable."""
        return self._snapshot is not None

    def take_snapshot(
        self,
        read_ms: int,
        queue_offset: int,
        known_end: int,
        delivering: dict[int, Slot],
        log_end: int,
        now_ms: int,
    ) -> None:
        """Note what a checkpoint is to say when the store's log is forced up to `log_end`, if it is news.

        `delivering` are the slots that were taken out of the wheel and are not delivered safely, `known_end` is what
        the master had enqueued.
        """
        slots = self.wheel.slots
        if self.log.written != self.log.end or any(tick in slots for tick in delivering):
            return
        before = self.checkpoint
        place = (self.log.end, queue_offset, known_end)
        same_place = place == (before.log_end, before.queue_offset, before.master_queue_offset)
        idle = not slots and not delivering
        if same_place and (read_ms == before.read_ms or (idle and self._idle)):
            return  # an empty wheel that turns is no news: there is nothing that could be delivered twice
        self._idle = idle
        checkpoint = TimerCheckpoint(
            read_ms, *place, before.state_version, before.version_ms, before.version_counter
        ).changed(now_ms)
        dirty, self.wheel.dirty = self.wheel.dirty, set()
        encoded = self.wheel.encoded(dirty, delivering)
        work = TimerWork(self._files, self.log.take_dirty(), self.wheel.path, encoded, self._path, checkpoint)
        self._snapshot = (log_end, work)

    def is_due(self, flushed: int) -> bool:
        """True when there is a snapshot that the store's log vouches for."""
        end = self._snapshot[0] if self._snapshot is not None else flushed + 1
        return flushed >= end

    def start_checkpoint(self, flushed: int) -> TimerWork:
        """Return the work that makes the snapshot durable. StoreError when there is none, or not yet."""
        if self._snapshot is None or not self.is_due(flushed):
            raise StoreError("there is nothing to say yet of timed messages that is on disk")
        return self._snapshot[1]

    def finish_checkpoint(self, work: TimerWork, error: BaseException | None) -> None:
        """Take the work back; one that failed is done again."""
        if error is None:
            self.checkpoint = work.checkpoint
            self._snapshot = None
