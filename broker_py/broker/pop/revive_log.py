"""The revive log: where check points and acks are written, and what brings back what was not acknowledged.

Each queue of the log is read in order. A check point whose time is up, once all before the queue's end is read, gives
each message of it that has no ack to the group's retry topic, followed by an ack of its own: so a start that reads both
again knows that the message went on. Up to where nothing is pending is committed for CID_RMQ_SYS_REVIVE_GROUP.

Groups go on in a queue where the last check point says, once that is safe. consumerOffset.json is seconds old after a
crash; what it lacks is taken from the check points behind POSITION_GROUP's offset, which is written with it: nobody
gets again what was acknowledged. Nothing is popped before that is known.

Source: broker processor/PopReviveService. Nobody counts deliveries here: clients and proxies send to the dead letters.
"""

import logging
from collections.abc import Callable
from typing import Final

from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.deferral import Deferral
from broker_py.broker.groups import GroupTable
from broker_py.broker.own_messages import Done, OwnMessages, moved
from broker_py.broker.pop.checkpoints import REVIVE_GROUP, Ack, Checkpoint, read_entry
from broker_py.broker.pop.extra_info import normal_topic, pop_retry_topic
from broker_py.broker.pop.revive_queue import Pending, ReviveQueue
from broker_py.broker.topics import TopicTable
from broker_py.errors import ProtocolError, RequestRefused, StoreError
from broker_py.message.properties import decode_properties, encode_properties
from broker_py.message.record import RETRY_PREFIX, Message, MessageIllegal, Record
from broker_py.seams import Clock
from broker_py.store.handles import NotCached, Patience
from broker_py.store.reading import GetStatus
from broker_py.store.store import Store

POSITION_GROUP: Final = "CID_RMQ_SYS_POP_POSITION"
"""Its offset in a queue of the revive log: the offsets of consumerOffset.json are as new as what lies before."""
MAX_PENDING: Final = 500_000
"""Check points of a broker that wait: with more, nothing is popped."""
_FIRST_POP_TIME: Final = "1ST_POP_TIME"
_READ_COUNT: Final = 256
_READ_BYTES: Final = 256 * 1024
_REVIVE_MESSAGES: Final = 64  # of a queue, at a time
_RETRY_MS: Final = 1000
_RENEW_BEHIND: Final = 20_000  # messages of the revive log that one check point keeps others from passing
_TRIES: Final = 3
_CLOCK_SET_BACK_MS: Final = 60_000
_GONE: Final = (
    GetStatus.MESSAGE_WAS_REMOVING,
    GetStatus.OFFSET_TOO_SMALL,
    GetStatus.NO_MATCHED_LOGIC_QUEUE,
    GetStatus.NO_MESSAGE_IN_QUEUE,
    GetStatus.OFFSET_OVERFLOW_ONE,
    GetStatus.OFFSET_OVERFLOW_BADLY,
    GetStatus.OFFSET_FOUND_NULL,
)
_END: Final = (GetStatus.OFFSET_OVERFLOW_ONE, GetStatus.NO_MESSAGE_IN_QUEUE, GetStatus.NO_MATCHED_LOGIC_QUEUE)

log = logging.getLogger(__name__)

Fetch = Callable[[object, NotCached, Callable[[OSError | None], None]], bool]
"""Bring bytes into memory, and call; False: ask again later (`cold_reads`)."""


class ReviveLog:
    """The queues of `topic`. `step` is called again and again; `behind` says that there is more to do at once."""

    def __init__(
        self,
        topic: str,
        store: Store,
        topics: TopicTable,
        groups: GroupTable,
        offsets: ConsumerOffsetTable,
        own: OwnMessages,
        clock: Clock,
        host: bytes,
        fetch: Fetch,
        deferral: Deferral,
    ) -> None:
        self.topic = topic
        self._store = store
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._own = own
        self._clock = clock
        self._host = host
        self._fetch = fetch
        self._deferral = deferral
        self._started_ms = 0
        self._queues: list[ReviveQueue] = []
        self._fetching: dict[int, int] = {}  # queue id → tries; negative while one is under way
        self._ends: dict[int, int] = {}  # where the queues ended at the start, of those not read up to there
        self._moves: dict[tuple[str, str, int], tuple[int, int]] = {}  # → (log offset, next queue offset)
        self._faults: dict[int, str] = {}
        self.renew_behind = _RENEW_BEHIND
        self.behind = False

    def start(self, queues: int) -> None:
        """Begin to read where the last life of the broker had come to; the log has at least so many queues."""
        self._started_ms = self._clock.now_ms()
        for queue_id in range(max([queues, *(1 + number for number in self._store.queues_of(self.topic))])):
            passed = self._offsets.offset(REVIVE_GROUP, self.topic, queue_id)
            first = min(max(0, passed + 1), self._store.max_offset(self.topic, queue_id))
            self._queues.append(ReviveQueue(queue_id, first))
            self._ends[queue_id] = self._store.max_offset(self.topic, queue_id)
        self.behind = True

    @property
    def ready(self) -> bool:
        """True once it is known where the groups stand."""
        return bool(self._queues) and not self._ends

    @property
    def queues(self) -> int:
        """How many queues the log has."""
        return len(self._queues)

    @property
    def pending(self) -> int:
        """How many check points wait."""
        return sum(map(len, self._queues))

    # Writing

    def put(self, entry: Checkpoint | Ack, revive_queue: int, done: Done) -> None:
        """Append a check point or an ack; `done` is called when it is safe. StoreError, LogFull: it isn't there."""
        self._own.put(entry.message(self.topic, revive_queue, self._clock.now_ms(), self._host), done)

    def put_ack(self, ack: Ack, revive_queue: int, revive_ms: int, done: Done) -> None:
        """Append an ack of a check point whose time is up at `revive_ms`; as `put`.

        A Java broker has its timer bring check points here. An ack of one that is still to come goes there, too, to
        come behind it.
        """
        message = ack.message(self.topic, revive_queue, self._clock.now_ms(), self._host)
        if self.ready and ack.pop_time < self._started_ms and ack.key not in self._queues[revive_queue]:
            message = self._deferred(ack.message(self.topic, revive_queue, revive_ms, self._host)) or message
        self._own.put(message, done)

    def _deferred(self, message: Message) -> Message | None:
        """Return what a message is stored as to come at its time; None when that is over, or it can't wait."""
        properties = decode_properties(message.properties)
        try:
            place = self._deferral.place(message.topic, message.queue_id, properties)
        except RequestRefused:
            return None
        if place is None:
            return None
        message.topic, message.queue_id = place
        message.properties = encode_properties(properties)
        return message

    def note_position(self) -> None:
        """Say that the consumer offsets, which are about to be written, know all that the log shows."""
        if self.ready:
            for queue in self._queues:
                end = self._store.max_offset(self.topic, queue.queue_id)
                if end != max(0, self._offsets.offset(POSITION_GROUP, self.topic, queue.queue_id)):
                    self._offsets.commit(POSITION_GROUP, self.topic, queue.queue_id, end)

    # Reading

    def step(self) -> None:
        """Read some of each queue, and revive some of what is due."""
        self.behind = False
        for queue in self._queues:
            if self._fetching.get(queue.queue_id, 0) < 0:
                continue
            try:
                self._store.without_waiting(self._patience(queue), self._step_queue, queue)
            except NotCached as miss:
                self._warm(queue, miss)
            except StoreError as error:
                if self._faults.get(queue.queue_id) != str(error):
                    log.error("%s queue %d can't be read on: %s", self.topic, queue.queue_id, error)
                self._faults[queue.queue_id] = str(error)
            else:
                self._fetching.pop(queue.queue_id, None)
                self._faults.pop(queue.queue_id, None)

    def _patience(self, queue: ReviveQueue) -> Patience:
        return Patience.NONE if self._fetching.get(queue.queue_id, 0) < _TRIES else Patience.WAIT

    def _warm(self, queue: ReviveQueue, miss: NotCached) -> None:
        tries = self._fetching.get(queue.queue_id, 0) + 1

        def fetched(_error: OSError | None) -> None:
            self._fetching[queue.queue_id] = tries
            self.behind = True

        if self._fetch(self, miss, fetched):
            self._fetching[queue.queue_id] = -tries

    def _step_queue(self, queue: ReviveQueue) -> None:
        if self._read(queue):
            self._revive(queue)
            self._renew(queue)
        else:
            self.behind = True
        passed = queue.passed()
        if passed >= 0 and passed != self._offsets.offset(REVIVE_GROUP, self.topic, queue.queue_id):
            self._offsets.commit(REVIVE_GROUP, self.topic, queue.queue_id, passed)

    def _read(self, queue: ReviveQueue) -> bool:
        """Read on; True when nothing is left to be read."""
        result = self._store.get(self.topic, queue.queue_id, queue.next_offset, _READ_COUNT, _READ_BYTES)
        for record in result.records():
            self._apply(queue, record)
        queue.next_offset = result.next_offset
        at_end = result.status in _END or result.next_offset >= result.max_offset
        if self._ends and queue.next_offset >= self._ends.get(queue.queue_id, 0):
            self._ends.pop(queue.queue_id, None)
            if not self._ends:
                self._take_moves()
        return at_end

    def _apply(self, queue: ReviveQueue, record: Record) -> None:
        try:
            entry = read_entry(record)
        except ProtocolError as error:
            log.error(
                "%s queue %d has at %d what is no entry: %s", self.topic, queue.queue_id, record.queue_offset, error
            )
            return
        if entry is None:
            return
        if isinstance(entry, Checkpoint) and entry.next_offset is not None and queue.queue_id in self._ends:
            self._note_move(queue, record, entry, entry.next_offset)
        queue.apply(record.queue_offset, entry)

    def _note_move(self, queue: ReviveQueue, record: Record, entry: Checkpoint, next_offset: int) -> None:
        """Remember where a group went on; all queues of the log are read before the last one of them is known."""
        if record.queue_offset >= self._offsets.offset(POSITION_GROUP, self.topic, queue.queue_id):
            key = entry.group, entry.topic, entry.queue_id
            if self._moves.get(key, (-1, 0))[0] < record.log_offset:
                self._moves[key] = record.log_offset, next_offset

    def _take_moves(self) -> None:
        moves, self._moves = self._moves, {}
        for (group, topic, queue_id), (_, next_offset) in moves.items():
            if topic in self._topics and self._groups.get(group) is not None:
                self._offsets.commit(group, topic, queue_id, next_offset)

    # Reviving

    def _revive(self, queue: ReviveQueue) -> None:
        now_ms = self._clock.now_ms()
        budget = _REVIVE_MESSAGES
        while budget > 0:
            pending = queue.due(now_ms)
            if pending is None:
                return
            try:
                budget -= self._revive_one(queue, pending)
            except NotCached:
                queue.delay(pending, pending.due_ms)
                raise
            except (StoreError, RequestRefused) as error:
                log.error("messages of %s can't be revived, and will be tried again: %s", pending.checkpoint.key, error)
                queue.delay(pending, now_ms + _RETRY_MS)
        self.behind = True

    def _revive_one(self, queue: ReviveQueue, pending: Pending) -> int:
        """Give the messages of a check point to the retry topic; return how many."""
        checkpoint = pending.checkpoint
        if (
            normal_topic(checkpoint.topic, checkpoint.group) not in self._topics
            or self._groups.get(checkpoint.group) is None
        ):
            queue.settle(pending, drop=True)
            return 0
        records: list[tuple[int, Record]] = []
        for queue_offset in checkpoint.unacked():
            record = self._message(checkpoint, queue_offset)
            if record is None:
                checkpoint.ack(queue_offset)
            else:
                records.append((queue_offset, record))
        queue.settle(pending)
        if not records:
            return 0
        retry_topic = self._retry_topic(checkpoint)
        pending.busy = True  # until its acks are read, or it failed
        left = 2 * len(records)
        failed = False

        def done(error: StoreError | None) -> None:
            nonlocal left, failed
            left -= 1
            failed = failed or error is not None
            if left == 0 and failed and not pending.done:
                pending.busy = False
                queue.delay(pending, self._clock.now_ms() + _RETRY_MS)

        for queue_offset, record in records:
            self._move(queue, checkpoint, queue_offset, record, retry_topic, done)
        return len(records)

    def _message(self, checkpoint: Checkpoint, queue_offset: int) -> Record | None:
        """Return a message that was popped; None when it isn't there any more."""
        result = self._store.get(checkpoint.topic, checkpoint.queue_id, queue_offset, 1, 1)
        for record in result.records():
            # Java gives up a message stored behind its pop, of a queue made anew; a clock set back must not do that.
            is_popped = record.stored_ms <= checkpoint.pop_time + _CLOCK_SET_BACK_MS
            return record if is_popped and record.queue_offset == queue_offset else None
        if result.status not in _GONE:
            raise StoreError(f"{checkpoint.topic} queue {checkpoint.queue_id}: {result.status.name} at {queue_offset}")
        return None

    def _retry_topic(self, checkpoint: Checkpoint) -> str:
        topic, group = checkpoint.topic, checkpoint.group
        if not topic.startswith(RETRY_PREFIX):
            topic = pop_retry_topic(topic, group)
        if topic not in self._topics:
            self._topics.create_if_missing(topic, 1)
            if self._offsets.offset(group, topic, 0) < 0:
                self._offsets.commit(group, topic, 0, 0)
        return topic

    def _move(
        self,
        queue: ReviveQueue,
        checkpoint: Checkpoint,
        queue_offset: int,
        record: Record,
        retry_topic: str,
        done: Done,
    ) -> None:
        """Put a message into the retry topic, and its ack behind it; `done` is called twice."""
        properties = decode_properties(record.properties)
        properties.setdefault(_FIRST_POP_TIME, str(checkpoint.pop_time))
        message = moved(record, retry_topic, 0, properties)
        message.reconsume_times += 1
        try:
            self._own.put(message, done)
        except MessageIllegal as error:
            log.error("a message of %s can't be revived: %s", checkpoint.key, error)
            done(None)
        except StoreError as error:
            done(error)
            done(error)
            return
        try:
            self.put(Ack(checkpoint.key, queue_offset, checkpoint.broker_name), queue.queue_id, done)
        except StoreError as error:
            done(error)

    def _renew(self, queue: ReviveQueue) -> None:
        """Write a check point anew that keeps much of the log from being passed: a start would read all of it."""
        oldest = queue.oldest()
        if oldest is None or oldest.busy or queue.next_offset - oldest.pin < self.renew_behind:
            return
        checkpoint = oldest.checkpoint
        oldest.busy = True
        again = Checkpoint(
            checkpoint.topic,
            checkpoint.group,
            checkpoint.queue_id,
            checkpoint.start_offset,
            checkpoint.pop_time,
            checkpoint.invisible_time,
            list(checkpoint.queue_offsets),
            checkpoint.broker_name,
            checkpoint.acked,
        )

        def done(error: StoreError | None) -> None:
            if error is not None and not oldest.done:
                oldest.busy = False
                queue.delay(oldest, oldest.due_ms)

        try:
            self.put(again, queue.queue_id, done)
        except StoreError as error:
            done(error)
