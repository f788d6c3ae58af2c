"""Delivers messages with a delay level when they are due (broker schedule/ScheduleMessageService).

Queue n of SCHEDULE_TOPIC_XXXX holds the messages of level n + 1 in the order in which they come due; a unit has the
time in place of a tag's code. A due message is stored anew where it was for. How far each level is, is kept in
delayOffset.json, and only what the moved messages' being on disk vouches for: after a crash some are delivered again,
none is lost.

    durable <= safe <= next <= max offset
       |         |       └ looked at next
       |         └ the moved messages are as safe as the profile asks
       └ they are on disk, as is to be said in the file
"""

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.broker.alarm import Alarm, CallLater
from broker_py.broker.deferral import (
    BATCH,
    BATCH_BYTES,
    MAX_IN_FLIGHT,
    PAUSE_SECONDS,
    SLICE_SECONDS,
    destination,
)
from broker_py.broker.metadata import MetadataFile
from broker_py.broker.own_messages import OwnMessages, moved
from broker_py.broker.patient_reads import Fetch, PatientReads
from broker_py.errors import StoreError
from broker_py.message.delay import DelayLevels
from broker_py.message.properties import DELAY, TIMER_DELAY_SEC, TIMER_DELIVER_MS, WAIT, decode_properties
from broker_py.message.record import Message, MessageIllegal, Record
from broker_py.model.data_version import DataVersion
from broker_py.model.fields import dict_of, int_of
from broker_py.model.topic import HALF_TOPIC, SCHEDULE_TOPIC
from broker_py.seams import Clock
from broker_py.store.consume_queue import UNIT
from broker_py.store.store import Store

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
"""While something waits, the clock is looked at so often: it may be set."""
_GROUP: Final = "SCHEDULE_CONSUMER"
"""As whom statistics know the one who takes messages from their levels (common MixAll)."""
_CLEARED: Final = (DELAY, TIMER_DELIVER_MS, TIMER_DELAY_SEC, WAIT)


@dataclass(slots=True)
class _Batch:
    """Messages that were stored anew together: `left` are not safe yet, `next` is the offset behind them."""

    next: int
    left: int = 0
    log_end: int = 0


@dataclass(slots=True)
class _Level:
    queue_id: int
    reads: PatientReads
    next: int = 0
    safe: int = 0
    durable: int = 0
    due_ms: int | None = None
    batches: deque[_Batch] = field(default_factory=deque)
    unforced: deque[tuple[int, int]] = field(default_factory=deque)
    paused_until: float = 0.0


class ScheduleService:
    """Delivers on a master. `start` after the store's; `arrived` is called for each message of SCHEDULE_TOPIC_XXXX."""

    def __init__(
        self,
        store: Store,
        own: OwnMessages,
        file: MetadataFile,
        clock: Clock,
        call_later: CallLater,
        fetch: Fetch,
    ) -> None:
        self._store = store
        self._own = own
        self._file = file
        self._clock = clock
        self._delays = DelayLevels(store.config.message_delay_level)
        self._alarm = Alarm(clock, call_later, self._work)
        self._fetch = fetch
        self._levels: list[_Level] = []
        self._in_flight = 0
        self._saved: dict[int, int] = {}
        self._version = DataVersion()
        self._running = False

    # Starting, stopping, and the file

    def start(self) -> None:
        """Read how far the levels are, and deliver. StoreError for a file that can't be read."""
        self._file.load(self._take)
        queue_ids = {*range(self._delays.highest), *self._store.queues_of(SCHEDULE_TOPIC)}
        for queue_id in sorted(queue_ids):
            offset = self._saved.get(queue_id + 1, 0)
            minimum, maximum = (
                self._store.min_offset(SCHEDULE_TOPIC, queue_id),
                self._store.max_offset(SCHEDULE_TOPIC, queue_id),
            )
            if not minimum <= offset <= maximum:
                log.warning(
                    "level %d is delivered up to %d by %s, but its queue is from %d to %d",
                    queue_id + 1,
                    offset,
                    self._file.path,
                    minimum,
                    maximum,
                )
                offset = min(max(minimum, offset), maximum)
            self._levels.append(_Level(queue_id, self._new_reads(), offset, offset, offset))
        self._running = True
        self._alarm.within(0)

    def _new_reads(self) -> PatientReads:
        return PatientReads(self._store, self._fetch, lambda: self._alarm.within(0))

    def stop(self) -> None:
        """Deliver no more; what is in flight may still become safe."""
        self._running = False
        self._alarm.stop()

    def save(self) -> None:
        """Make durable how far the levels are, if that changed. OSError: it is not, and a later call tries again."""
        flushed = self._store.flushed.value
        for level in self._levels:
            _forced(level, flushed)
        offsets = {**self._saved, **{level.queue_id + 1: level.durable for level in self._levels if level.durable}}
        if offsets != self._saved:
            version = self._version.next(self._clock.now_ms())
            self._file.save({"dataVersion": version.to_json(), "offsetTable": offsets})
            self._saved, self._version = offsets, version

    def _take(self, content: dict[Any, Any]) -> None:
        table = dict_of(content, "offsetTable")
        self._saved = {int_of({"level": level}, "level"): int_of(table, level) for level in table}
        self._version = DataVersion.from_json(dict_of(content, "dataVersion"))

    def figures(self) -> dict[str, str]:
        """Return what brokerStatus shows: for each level the next offset to deliver, and the queue's end."""
        return {
            f"scheduleMessageOffset_{level.queue_id + 1}": (
                f"{level.safe},{self._store.max_offset(SCHEDULE_TOPIC, level.queue_id)}"
            )
            for level in self._levels
        }

    # Delivering

    def arrived(self, queue_id: int, due_ms: int) -> None:
        """A message waits in a level's queue now."""
        if not self._running:
            return
        level = next((level for level in self._levels if level.queue_id == queue_id), None)
        if level is None:
            self._levels.append(_Level(queue_id, self._new_reads()))
            self._alarm.within(0)
        elif level.due_ms is None:
            level.due_ms = due_ms
            self._alarm.within(min(_LOOK_SECONDS, (due_ms - self._clock.now_ms()) / 1000))

    def _work(self) -> None:
        """Deliver what is due, for one slice of time."""
        if not self._running:
            return
        end = self._clock.monotonic() + SLICE_SECONDS
        more = True
        while more and self._in_flight < MAX_IN_FLIGHT:
            more = False
            for level in self._levels:
                try:
                    more = self._deliver(level) or more
                except (StoreError, OSError) as error:
                    self._failed(level, str(error))
            if self._clock.monotonic() >= end:
                break
        if more and self._in_flight < MAX_IN_FLIGHT:
            self._alarm.within(0)
        else:
            self._wait()

    def _wait(self) -> None:
        now_ms, now = self._clock.now_ms(), self._clock.monotonic()
        waits = [
            max((level.due_ms - now_ms) / 1000, level.paused_until - now)
            for level in self._levels
            if level.due_ms is not None and not level.reads.fetching
        ]
        if waits and self._in_flight < MAX_IN_FLIGHT:
            self._alarm.within(min(_LOOK_SECONDS, *waits))

    def _deliver(self, level: _Level) -> bool:
        """Store the next due messages of a level anew; False when there are none or they have to be fetched."""
        if level.paused_until > self._clock.monotonic():
            return False
        found = level.reads.read(self._due, level)
        if found is None:
            return False
        records, next_offset = found
        if next_offset == level.next:
            return False
        batch = _Batch(next_offset)
        level.batches.append(batch)
        level.next = next_offset
        for record in records:
            message = self._time_up(record)
            if message is not None:
                self._put(level, batch, message, record)
        self._settle(level)
        return True

    def _due(self, level: _Level) -> tuple[list[Record], int]:
        """Return messages that are due, and the offset behind them, which is where it was without any."""
        offset = max(level.next, self._store.min_offset(SCHEDULE_TOPIC, level.queue_id))
        units = self._store.units(SCHEDULE_TOPIC, level.queue_id, offset, BATCH)
        now_ms = self._clock.now_ms()
        latest_ms = now_ms + self._delays.wait_ms(level.queue_id + 1)
        count = 0
        level.due_ms = None
        for _, _, due_ms in UNIT.iter_unpack(units):
            # As in Java: a time that is further than a message can wait was of a clock or a configuration before.
            if now_ms < due_ms <= latest_ms:
                level.due_ms = due_ms
                break
            count += 1
        if count == 0:
            return [], level.next
        end = offset + count
        result = self._store.get(SCHEDULE_TOPIC, level.queue_id, offset, count, BATCH_BYTES)
        records = [record for record in result.records() if record.queue_offset < end]
        return records, max(offset + 1, min(end, result.next_offset))

    def _time_up(self, record: Record) -> Message | None:
        properties = decode_properties(record.properties)
        place = destination(properties)
        if place is None or place[0] == HALF_TOPIC:
            log.error("the delayed message at log offset %d is for %s and is left out", record.log_offset, place)
            return None
        for name in _CLEARED:
            properties.pop(name, None)
        return moved(record, *place, properties)

    def _put(self, level: _Level, batch: _Batch, message: Message, record: Record) -> None:
        try:
            placed = self._own.put(message, lambda error: self._done(level, batch, error))
        except MessageIllegal as error:
            log.error("the delayed message at log offset %d can't be delivered: %s", record.log_offset, error)
            return
        self._own.statistics.delivered(_GROUP, level.queue_id, placed.size)
        batch.left += 1
        batch.log_end = placed.end
        self._in_flight += 1

    def _done(self, level: _Level, batch: _Batch, error: StoreError | None) -> None:
        full = self._in_flight >= MAX_IN_FLIGHT
        self._in_flight -= 1
        batch.left -= 1
        if error is not None:
            if any(waiting is batch for waiting in level.batches):
                self._failed(level, str(error))
        else:
            self._settle(level)
        if full and self._running:
            self._alarm.within(0)

    def _settle(self, level: _Level) -> None:
        """Note that what is safe in a row from the start needs not be delivered again."""
        batches = level.batches
        while batches and batches[0].left == 0:
            batch = batches.popleft()
            level.safe = batch.next
            level.unforced.append((batch.log_end, batch.next))
        _forced(level, self._store.flushed.value)

    def _failed(self, level: _Level, why: str) -> None:
        """Begin again, a little later, behind what is safe."""
        log.warning("delayed messages of level %d are delivered later: %s", level.queue_id + 1, why)
        level.batches.clear()
        level.next = level.safe
        level.paused_until = self._clock.monotonic() + PAUSE_SECONDS
        level.due_ms = self._clock.now_ms()
        if self._running:
            self._alarm.within(PAUSE_SECONDS)


def _forced(level: _Level, flushed: int) -> None:
    """Take note of what the log has on disk."""
    while level.unforced and level.unforced[0][0] <= flushed:
        level.durable = level.unforced.popleft()[1]
