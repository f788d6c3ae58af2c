"""Delivers messages that have a time (store timer/TimerMessageStore).

    rmq_sys_wheel_timer ── enqueue ─► timer log and wheel ── their tick is over ─► their topic
      queue_offset                       read_tick

They wait in queue 0 of rmq_sys_wheel_timer, from where each gets a unit in the timer log, in the chain of its tick. A
tick's messages are stored anew when the next one begins. The checkpoint says up to where both is done, durably: after a
crash some messages are delivered again, none is lost and none comes early. A broker whose timer files are not there, as
one that was a slave, makes them anew from the queue, without what is delivered already.
"""

import logging
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from broker_py.broker.alarm import Alarm, CallLater
from broker_py.broker.deferral import (
    BATCH,
    BATCH_BYTES,
    MAX_IN_FLIGHT,
    PAUSE_SECONDS,
    SLICE_SECONDS,
    destination,
)
from broker_py.broker.own_messages import OwnMessages, moved
from broker_py.broker.patient_reads import Fetch, PatientReads
from broker_py.errors import StoreError
from broker_py.message.java_hash import java_hash
from broker_py.message.properties import (
    REAL_QID,
    REAL_TOPIC,
    TIMER_DEL_UNIQKEY,
    TIMER_DEQUEUE_MS,
    TIMER_ENQUEUE_MS,
    TIMER_OUT_MS,
    TIMER_ROLL_TIMES,
    UNIQ_KEY,
    WAIT,
    decode_properties,
)
from broker_py.message.record import Message, MessageIllegal, Record, decode_record
from broker_py.model.topic import TIMER_TOPIC
from broker_py.seams import Clock, FileSystem
from broker_py.store.store import Store
from broker_py.store.timer_checkpoint import TimerWork
from broker_py.store.timer_files import TimerFiles
from broker_py.store.timer_log import MAGIC, MAGIC_DELETE, MAGIC_ROLL, NONE, TimerUnit, chain
from broker_py.store.timer_wheel import Slot

log = logging.getLogger(__name__)

_CHAIN_UNITS: Final = 500
"""Units of a chain that are looked at in one go."""
_FAR_TICKS: Final = 1000
"""So many ticks in which nothing is due are passed one by one, more by a search for the next slot."""


@dataclass(slots=True)
class _Enqueued:
    """Messages from `start` to `next` of the queue, of which `left` went straight to their topics and are not safe."""

    start: int
    next: int
    left: int = 0


@dataclass(slots=True, eq=False)
class _Tick:
    """A tick that is being delivered: `places` are its messages with their magic, `times` when they were enqueued."""

    tick: int
    slot: Slot
    position: int
    places: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[int]" = field(default_factory=lambda: array("q"))
    takers: list[int] = field(default_factory=list)
    taken_back: set[str] = field(default_factory=set)
    left: int = 0
    put: bool = False
    failed: bool = False


class TimerService:
    """Delivers on a master. `arrived` is called when a message waits in rmq_sys_wheel_timer."""

    def __init__(
        self,
        store: Store,
        own: OwnMessages,
        files: FileSystem,
        clock: Clock,
        call_later: CallLater,
        fetch: Fetch,
    ) -> None:
        config = store.config
        self._store = store
        self._own = own
        self._clock = clock
        self._precision = config.timer_precision_ms
        self._window_ms = config.timer_roll_window_slot * self._precision
        root = config.store_path_root_dir
        self._timer_files = TimerFiles(files, root, store.timer_log(), self._precision, store.record)
        self._wheel = self._timer_files.wheel
        self._log = self._timer_files.log
        self._alarm = Alarm(clock, call_later, self._work)
        self._queue_reads = PatientReads(store, fetch, lambda: self._alarm.within(0))
        self._reads = PatientReads(store, fetch, lambda: self._alarm.within(0))
        self._next = 0
        self._known_end = 0  # what the queue has before this, and was due before that tick, is delivered already
        self._known_tick = 0
        self._read_tick = 0
        self._enqueued: deque[_Enqueued] = deque()
        self._ticks: deque[_Tick] = deque()
        self._in_flight = 0
        self._paused_until = 0.0
        self._running = False
        self._started = False

    # Starting and stopping

    def start(self) -> None:
        """Go on where the checkpoint says. StoreError, OSError."""
        minimum, maximum = self._store.min_offset(TIMER_TOPIC, 0), self._store.max_offset(TIMER_TOPIC, 0)
        queue_offset = self._timer_files.open(maximum)
        self._read_tick = self._timer_files.checkpoint.read_ms // self._precision
        known = self._timer_files.checkpoint.master_queue_offset
        if queue_offset < known:
            self._known_end, self._known_tick = known, self._read_tick
        self._next = min(max(queue_offset, minimum), maximum)
        self._running = self._started = True
        self._alarm.within(0)

    def stop(self) -> None:
        """Deliver no more; what is in flight may still become safe."""
        self._running = False
        self._alarm.stop()

    def congested(self, ms: int) -> bool:
        """True when too many messages wait for that time already."""
        slot = self._wheel.slots.get(ms // self._precision)
        return slot is not None and slot.count > self._store.config.timer_congest_num_each_slot

    def figures(self) -> dict[str, str]:
        """Return what brokerStatus shows of it, under Java's names; what counts by the second is not counted."""
        ticks = self._clock.now_ms() // self._precision - self._read_tick if self._wheel.slots else 0
        return {
            "timerReadBehind": str(max(0, ticks) * self._precision // 1000),
            "timerOffsetBehind": str(max(0, self._store.max_offset(TIMER_TOPIC, 0) - self._next)),
            "timerCongestNum": str(self._wheel.waiting),
        }

    # The checkpoint

    def start_checkpoint(self) -> TimerWork:
        """Return the work that makes durable how far all is. StoreError when there is nothing to say yet."""
        return self._timer_files.start_checkpoint(self._store.flushed.value)

    def checkpoint_due(self) -> bool:
        """True when there is something that a checkpoint may say; look at intervals of timerFlushIntervalMs."""
        if self._started and not self._timer_files.snapshot_waits:
            delivering = {tick.tick: tick.slot for tick in self._ticks}
            queue_offset = self._enqueued[0].start if self._enqueued else self._next
            read_tick = min(delivering, default=self._read_tick)
            if queue_offset < self._known_end:
                read_tick = min(read_tick, self._known_tick)  # what is not enqueued yet must not count as delivered
            self._timer_files.take_snapshot(
                read_tick * self._precision,
                queue_offset,
                max(queue_offset, self._known_end),
                delivering,
                self._store.written.value,
                self._clock.now_ms(),
            )
        return self._timer_files.is_due(self._store.flushed.value)

    def finish_checkpoint(self, work: TimerWork, error: BaseException | None) -> None:
        """Take the work back; one that failed is done again."""
        self._timer_files.finish_checkpoint(work, error)

    def checkpoint(self) -> None:
        """Make durable how far all is, here and now: at the end, when the log was forced. StoreError, OSError."""
        while self.checkpoint_due():
            work = self.start_checkpoint()
            work.run()
            self.finish_checkpoint(work, None)

    def clean(self) -> None:
        """Delete what only tells of messages that are gone. OSError."""
        if self._running:
            self._log.remove_expired(self._store.log.min_offset)

    # Work

    def arrived(self) -> None:
        """A message waits in the queue."""
        if self._running:
            self._alarm.within(0)

    def _work(self) -> None:
        if not self._running:
            return
        now = self._clock.monotonic()
        more = False
        if now >= self._paused_until:
            try:
                more = self._slice(now + SLICE_SECONDS)
            except (StoreError, OSError) as error:
                log.warning("timed messages are delivered later: %s", error)
                self._paused_until = now + PAUSE_SECONDS
        if more:
            self._alarm.within(0)
        else:
            self._wait()

    def _slice(self, end: float) -> bool:
        """Enqueue and deliver for one slice of time; True when there is more to do at once."""
        while self._in_flight < MAX_IN_FLIGHT:
            busy = self._enqueue()
            busy = self._deliver() or busy
            if not busy:
                return False
            if self._clock.monotonic() >= end:
                return True
        return False

    def _wait(self) -> None:
        if self._clock.monotonic() < self._paused_until:
            self._alarm.within(self._paused_until - self._clock.monotonic())
        elif self._wheel.slots or self._ticks:
            now_ms = self._clock.now_ms()
            self._alarm.within((self._precision - now_ms % self._precision) / 1000)

    # Into the wheel

    def _enqueue(self) -> bool:
        found = self._queue_reads.read(self._read_queue)
        if found is None or found[1] == self._next:
            return False
        records, next_offset = found
        batch = _Enqueued(self._next, next_offset)
        self._enqueued.append(batch)
        self._next = next_offset
        now_ms = self._clock.now_ms() // self._precision * self._precision
        for record in records:
            self._take(record, batch, now_ms)
        self._log.write()
        self._settle_queue()
        return True

    def _read_queue(self) -> tuple[list[Record], int]:
        offset = max(self._next, self._store.min_offset(TIMER_TOPIC, 0))
        if offset >= self._store.max_offset(TIMER_TOPIC, 0):
            return [], self._next
        result = self._store.get(TIMER_TOPIC, 0, offset, BATCH, BATCH_BYTES)
        return list(result.records()), max(offset + 1, result.next_offset)

    def _take(self, record: Record, batch: _Enqueued, now_ms: int) -> None:
        properties = decode_properties(record.properties)
        text = properties.get(TIMER_OUT_MS, "")
        if not (text.isascii() and text.isdecimal() and len(text) < 19) or destination(properties) is None:
            log.error(
                "the timed message at log offset %d does not say when or where to, and is left out", record.log_offset
            )
            return
        out_ms = int(text)
        tick = out_ms // self._precision
        if record.queue_offset < self._known_end and tick < self._known_tick:
            return
        if out_ms < now_ms:
            message = self._message(record, properties, MAGIC, self._clock.now_ms())
            if message is not None:
                self._put_at_once(record, message, batch)
            return
        magic = MAGIC
        slot_ms = tick * self._precision
        if out_ms - now_ms >= self._window_ms:
            magic |= MAGIC_ROLL
            # Enough time is left for the next turn of the wheel.
            near = out_ms - now_ms - self._window_ms < self._window_ms // 3
            slot_ms = now_ms + (self._window_ms // 2 // self._precision * self._precision if near else self._window_ms)
        deletes = TIMER_DEL_UNIQKEY in properties
        if deletes:
            magic |= MAGIC_DELETE
        tick = slot_ms // self._precision
        slot = self._wheel.slots.get(tick)
        unit = TimerUnit(
            NONE if slot is None else slot.last,
            magic,
            now_ms,
            slot_ms - now_ms,
            record.log_offset,
            record.size,
            java_hash(properties[REAL_TOPIC]),
        )
        self._wheel.add(tick, self._log.append(unit), -1 if deletes else 1)
        self._read_tick = min(self._read_tick, tick)

    def _put_at_once(self, record: Record, message: Message, batch: _Enqueued) -> None:
        def done(error: StoreError | None) -> None:
            self._in_flight -= 1
            batch.left -= 1
            if error is not None and any(waiting is batch for waiting in self._enqueued):
                self._enqueue_again(batch, str(error))
            self._settle_queue()
            self._go_on()

        try:
            self._own.put(message, done)
        except MessageIllegal as error:
            log.error("the timed message at log offset %d can't be delivered: %s", record.log_offset, error)
            return
        except StoreError as error:
            self._enqueue_again(batch, str(error))
            raise
        batch.left += 1
        self._in_flight += 1

    def _enqueue_again(self, batch: _Enqueued, why: str) -> None:
        log.warning("timed messages from queue offset %d on are delivered later: %s", batch.start, why)
        while self._enqueued and self._enqueued[-1].start >= batch.start:
            self._enqueued.pop()
        self._next = batch.start
        self._paused_until = self._clock.monotonic() + PAUSE_SECONDS

    def _settle_queue(self) -> None:
        while self._enqueued and self._enqueued[0].left == 0:
            self._enqueued.popleft()

    def _go_on(self) -> None:
        if self._running:
            self._alarm.within(max(0.0, self._paused_until - self._clock.monotonic()))

    # Out of the wheel

    def _deliver(self) -> bool:
        """Deliver a part of a tick that is over; False when there is none, or it has to be fetched."""
        current = next((tick for tick in self._ticks if not tick.put), None) or self._next_tick()
        if current is None:
            return False
        if current.position >= 0:
            return self._reads.read(self._follow, current) is not None
        if current.takers:
            return self._reads.read(self._read_taker, current) is not None
        if current.places:
            return self._put_some(current)
        current.put = True
        self._settle_ticks()
        return True

    def _next_tick(self) -> _Tick | None:
        now_tick = self._clock.now_ms() // self._precision
        slots = self._wheel.slots
        if not slots:
            if not self._ticks:
                self._read_tick = max(self._read_tick, now_tick)
            return None
        if now_tick - self._read_tick > _FAR_TICKS:
            self._read_tick = max(self._read_tick, min(now_tick, *slots))
        while self._read_tick < now_tick:
            tick = self._read_tick
            slot = self._wheel.take(tick)
            self._read_tick += 1
            if slot is not None:
                found = _Tick(tick, slot, slot.last)
                self._ticks.append(found)
                return found
        return None

    def _follow(self, current: _Tick) -> bool:
        """Note more of a tick's messages, the last ones first."""
        places, times = array("q"), array("q")
        takers: list[int] = []
        position = current.position
        for at, unit in chain(self._log, position):
            if len(places) + len(takers) >= _CHAIN_UNITS:
                position = at
                break
            if unit.magic & MAGIC_DELETE and not unit.magic & MAGIC_ROLL:
                takers.append(unit.log_offset)
            else:
                places.append(unit.log_offset << 4 | unit.magic)
                times.append(unit.enqueued_ms)
            position = unit.previous
        else:
            if position >= self._log.first:
                log.error("the timer log has no unit at %d, where a chain goes on", position)
            position = NONE
        current.places += places
        current.times += times
        current.takers += takers
        current.position = position
        return True

    def _read_taker(self, current: _Tick) -> bool:
        data = self._store.record(current.takers[-1])
        current.takers.pop()
        if data is not None:
            current.taken_back.add(decode_properties(decode_record(data).properties).get(TIMER_DEL_UNIQKEY, ""))
        return True

    def _put_some(self, current: _Tick) -> bool:
        """Store the next messages of a tick anew: the first enqueued is the last of the list."""
        for _ in range(BATCH):
            if not current.places:
                break
            place = current.places[-1]
            found = self._reads.read(self._read_record, place >> 4)
            if found is None:
                return False
            record = found[0]
            if record is not None and not self._put(current, record, place & 0xF, current.times[-1]):
                return False
            current.places.pop()
            current.times.pop()
        return True

    def _read_record(self, log_offset: int) -> tuple[Record | None]:
        data = self._store.record(log_offset)
        return (None if data is None else decode_record(data),)

    def _put(self, current: _Tick, record: Record, magic: int, enqueued_ms: int) -> bool:
        properties = decode_properties(record.properties)
        if record.topic != TIMER_TOPIC:
            log.error("the message at log offset %d is no timed one, and is left out", record.log_offset)
            return True
        if current.taken_back and properties.get(UNIQ_KEY) in current.taken_back:
            return True
        message = self._message(record, properties, magic, enqueued_ms)
        if message is None:
            return True

        def done(error: StoreError | None) -> None:
            self._in_flight -= 1
            current.left -= 1
            if error is not None:
                current.failed = True
                self._paused_until = self._clock.monotonic() + PAUSE_SECONDS
                log.warning("messages of %d ms are delivered later: %s", current.tick * self._precision, error)
            self._settle_ticks()
            self._go_on()

        try:
            self._own.put(message, done)
        except MessageIllegal as error:
            log.error("the timed message at log offset %d can't be delivered: %s", record.log_offset, error)
            return True
        current.left += 1
        self._in_flight += 1
        return True

    def _message(self, record: Record, properties: dict[str, str], magic: int, enqueued_ms: int) -> Message | None:
        """Return what a message is stored anew as; None for one that only takes another back."""
        roll = magic & MAGIC_ROLL != 0
        place = (TIMER_TOPIC, 0) if roll else destination(properties)
        if place is None or (TIMER_DEL_UNIQKEY in properties and not roll):
            return None
        properties[TIMER_ENQUEUE_MS] = str(enqueued_ms)
        properties[TIMER_DEQUEUE_MS] = str(self._clock.now_ms())
        properties.pop(WAIT, None)
        if roll:
            times = properties.get(TIMER_ROLL_TIMES, "0")
            properties[TIMER_ROLL_TIMES] = str(int(times) + 1 if times.isascii() and times.isdecimal() else 1)
        else:
            properties.pop(REAL_TOPIC)
            properties.pop(REAL_QID)
        return moved(record, *place, properties)

    def _settle_ticks(self) -> None:
        """Forget the ticks whose messages are safe; one that failed is delivered once more, all of it."""
        for current in self._ticks:
            if current.failed and current.left == 0:
                again = _Tick(current.tick, current.slot, current.slot.last)
                self._ticks[self._ticks.index(current)] = again
                break
        while self._ticks and self._ticks[0].put and self._ticks[0].left == 0 and not self._ticks[0].failed:
            self._ticks.popleft()
