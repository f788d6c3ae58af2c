"""Asks producers about half messages that nobody has decided.

    half queue   . . . d d d ? d ? ? n n n        d decided, ? not decided in time: put back at the end, and asked for
                       ^ CID_RMQ_SYS_TRANS        n too young: the check stops there

A half message is passed when it is decided, or when what it became (itself with one check more, or a message of
TRANS_CHECK_MAX_TIME_TOPIC) is safe. Where the check stands is written down when the log up to there is on the disk, and
on the slaves that are connected: after a crash it may ask again, and it misses nothing.

Source: broker transaction/queue/TransactionalMessageServiceImpl.check, TransactionalMessageCheckService,
transaction/AbstractTransactionalMessageCheckListener. Differs from Java, whose op messages are forgotten when they name
a half message that was put back meanwhile; and which drops one that can't be moved to TRANS_CHECK_MAX_TIME_TOPIC.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.broker.clients import ProducerTable
from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.decisions import Decisions
from broker_py.broker.half_messages import (
    check_times,
    decided_offsets,
    given_up,
    number_of,
    renewed,
    shown_to_producer,
    with_check_counted,
    with_first_offset,
)
from broker_py.broker.own_messages import OwnMessages
from broker_py.broker.topics import TopicTable
from broker_py.errors import BrokerPyError, ProtocolError, StoreError
from broker_py.message.ids import offset_message_id
from broker_py.message.properties import CHECK_IMMUNITY_TIME, PGROUP, UNIQ_KEY, decode_properties
from broker_py.message.record import Message, MessageIllegal, Record
from broker_py.model.topic import CHECK_MAX_TIME_TOPIC, HALF_TOPIC, OP_HALF_TOPIC
from broker_py.seams import Clock
from broker_py.store.dispatch import Placed
from broker_py.store.reading import GetResult, GetStatus
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.transactions import CheckTransactionRequest

log = logging.getLogger(__name__)

GROUP: Final = "CID_RMQ_SYS_TRANS"
_HOUR_MS: Final = 3_600_000
_SLICE: Final = 500
"""Half messages that are looked at before others have their turn."""
_MOVES: Final = 32
"""Half messages that are put back before it is waited until they are safe."""
_READ_BYTES: Final = 1 << 20
_AGAIN: Final = frozenset(
    {
        GetStatus.OFFSET_TOO_SMALL,
        GetStatus.MESSAGE_WAS_REMOVING,
        GetStatus.OFFSET_FOUND_NULL,
        GetStatus.NO_MATCHED_MESSAGE,
    }
)
Read = Callable[..., Awaitable[Any]]
"""`read(owner, work, *arguments)` returns what `work` does, and lets nobody else wait for the disk meanwhile."""


@dataclass
class _HalfQueue:
    """Where the check stands in a queue of half messages and in the op queue beside it.

    `ops` has (queue offset, highest half message) of the op messages that were read and are not passed yet. `mark` is
    (log offset, half, op): what may be written down when the log up to there is safe.
    """

    queue_id: int
    half: int
    op: int
    written: tuple[int, int]
    ops: deque[tuple[int, int]] = field(default_factory=deque)
    mark: tuple[int, int, int] | None = None


@dataclass
class _Move:
    """A half message on its way to where it is put; `safe` becomes None there, or the reason why it isn't."""

    half: Record
    message: Message
    asks: bool
    safe: "asyncio.Future[StoreError | None]"
    placed: Placed


class TransactionChecks:
    """Walks the half messages again and again. `read` is `ColdReads.read`."""

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        topics: TopicTable,
        offsets: ConsumerOffsetTable,
        producers: ProducerTable,
        own: OwnMessages,
        decisions: Decisions,
        read: Read,
        store_host: bytes,
        clock: Clock,
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._offsets = offsets
        self._producers = producers
        self._own = own
        self._decisions = decisions
        self._read = read
        self._store_host = store_host
        self._clock = clock
        self._queues: dict[int, _HalfQueue] = {}

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    # Where it stands

    def start(self) -> None:
        """Begin behind what is written down, which may be ahead of a log that lost its end in a power cut."""
        for topic in (HALF_TOPIC, OP_HALF_TOPIC):
            for queue_id in self._queue_ids():
                end = self._store.next_queue_offset(topic, queue_id)
                if self._offsets.offset(GROUP, topic, queue_id) > end:
                    self._offsets.commit(GROUP, topic, queue_id, end)

    def write_down(self) -> None:
        """Commit the offsets up to which all is safe."""
        copied = self._store.copied_end()
        safe = self._store.flushed.value if copied is None else min(self._store.flushed.value, copied)
        for queue in self._queues.values():
            while queue.mark is not None and queue.mark[0] <= safe:
                _, half, op = queue.mark
                queue.mark = None
                queue.written = half, op
                self._offsets.commit(GROUP, HALF_TOPIC, queue.queue_id, half)
                self._offsets.commit(GROUP, OP_HALF_TOPIC, queue.queue_id, op)
                self._mark(queue)

    def _mark(self, queue: _HalfQueue) -> None:
        """What was passed until now may be written down when the log is safe that says so."""
        ops = queue.ops
        while ops and ops[0][1] < queue.half:
            ops.popleft()
        op = ops[0][0] if ops else queue.op
        if queue.mark is None and queue.written != (queue.half, op):
            queue.mark = self._store.written.value, queue.half, op

    def _queue_ids(self) -> range:
        topic = self._topics.get(HALF_TOPIC)
        return range(topic.read_queue_nums if topic is not None else 0)

    def _queue(self, queue_id: int) -> _HalfQueue:
        """Return where the check stands: where it did, unless somebody else has set the offsets meanwhile."""
        written = self._begin(HALF_TOPIC, queue_id), self._begin(OP_HALF_TOPIC, queue_id)
        queue = self._queues.get(queue_id)
        if queue is None or queue.written != written:
            queue = self._queues[queue_id] = _HalfQueue(queue_id, *written, written)
            self._decisions.passed(queue_id, queue.half)
        return queue

    def _begin(self, topic: str, queue_id: int) -> int:
        offset = self._offsets.offset(GROUP, topic, queue_id)
        return offset if offset >= 0 else self._store.min_offset(topic, queue_id)

    # The walk

    async def run(self) -> None:
        """Look at the half messages once. StoreError: not at all of them."""
        if self._config.is_slave:
            return
        self.write_down()
        for queue_id in self._queue_ids():
            queue = self._queue(queue_id)
            began_ms = self._clock.now_ms()
            await self._read_ops(queue)
            while await self._walk(queue, began_ms):
                await asyncio.sleep(0)
        self.write_down()

    async def _read_ops(self, queue: _HalfQueue) -> None:
        while not self._decisions.many:
            result = await self._get(OP_HALF_TOPIC, queue.queue_id, queue.op, 32)
            if result.status is GetStatus.FOUND:
                for op in result.records():
                    offsets = decided_offsets(op)
                    for offset in offsets:
                        self._decisions.read(queue.queue_id, offset)
                    queue.ops.append((op.queue_offset, max(offsets, default=-1)))
            elif result.status not in _AGAIN or result.next_offset <= queue.op:
                return
            queue.op = result.next_offset
            await asyncio.sleep(0)

    async def _walk(self, queue: _HalfQueue, began_ms: int) -> bool:
        """Go on by some half messages; False at the end, or at one that is too young. StoreError."""
        moves: list[_Move] = []
        position, go_on = queue.half, True
        fault: BrokerPyError | None = None
        for _ in range(_SLICE):
            if self._decisions.is_decided(queue.queue_id, position):
                position += 1
                continue
            if len(moves) >= _MOVES:
                break
            result = await self._get(HALF_TOPIC, queue.queue_id, position, 1)
            if result.status is not GetStatus.FOUND:
                go_on = result.status in _AGAIN and result.next_offset > position
                if not go_on:
                    break
                position = result.next_offset
                continue
            half = next(result.records())
            position = half.queue_offset  # those before it are gone
            if self._decisions.is_decided(queue.queue_id, position):
                continue
            if self._decisions.is_open(queue.queue_id, position) or not self._is_due(half, began_ms):
                go_on = False
                break
            try:
                moves.append(self._move(half))
            except BrokerPyError as error:
                fault = error
                break
            position += 1
        await self._finish(queue, moves, position)
        if fault is not None:
            raise fault
        return go_on

    async def _finish(self, queue: _HalfQueue, moves: list[_Move], position: int) -> None:
        """Wait until what was moved is safe, pass it, and ask the producers. StoreError: only some of it is passed."""
        fault: StoreError | None = None
        for move in moves:
            error = await move.safe
            if error is not None and fault is None:
                position, fault = move.half.queue_offset, error
            elif error is None and move.asks:
                self._ask(move)
        queue.half = position
        self._decisions.passed(queue.queue_id, position)
        self._mark(queue)
        if fault is not None:
            raise fault

    async def _get(self, topic: str, queue_id: int, queue_offset: int, count: int) -> GetResult:
        result: GetResult = await self._read(self, self._store.get, topic, queue_id, queue_offset, count, _READ_BYTES)
        return result

    # One half message

    def _is_due(self, half: Record, began_ms: int) -> bool:
        """False for one that its producer has still time for: the check goes no further."""
        if half.stored_ms >= began_ms:
            return False
        properties = decode_properties(half.properties)
        if self._is_given_up(half, properties) or CHECK_IMMUNITY_TIME in properties:
            return True
        return not 0 <= self._clock.now_ms() - half.born_ms < self._config.transaction_time_out

    def _is_given_up(self, half: Record, properties: dict[str, str]) -> bool:
        kept_ms = self._store.config.file_reserved_time * _HOUR_MS
        return (
            check_times(properties) >= self._config.transaction_check_max
            or self._clock.now_ms() - half.born_ms > kept_ms
        )

    def _move(self, half: Record) -> _Move:
        """Put a half message where it goes next. BrokerPyError: it stays where it is."""
        properties = decode_properties(half.properties)
        if self._is_given_up(half, properties):
            return self._give_up(half, properties)
        try:
            if self._is_immune(half, properties):
                return self._put(half, renewed(half, with_first_offset(properties, half.queue_offset)), asks=False)
            return self._put(half, renewed(half, with_check_counted(properties)), asks=True)
        except MessageIllegal:  # its properties were so long that the broker's own find no room
            return self._give_up(half, properties)

    def _give_up(self, half: Record, properties: dict[str, str]) -> _Move:
        self._topics.create_if_missing(CHECK_MAX_TIME_TOPIC, 1)
        log.warning(
            "a half message of group %s is not checked any more, after %d times, it is in %s now: unique id %s",
            properties.get(PGROUP),
            check_times(properties),
            CHECK_MAX_TIME_TOPIC,
            properties.get(UNIQ_KEY),
        )
        return self._put(half, given_up(half), asks=False)

    def _is_immune(self, half: Record, properties: dict[str, str]) -> bool:
        """True while a producer that asked for more time has some left."""
        text = properties.get(CHECK_IMMUNITY_TIME)
        if text is None:
            return False
        seconds = number_of(text, -1)
        immune_ms = seconds * 1000 if seconds >= 0 else self._config.transaction_time_out
        return self._clock.now_ms() - half.born_ms < immune_ms

    def _put(self, half: Record, message: Message, *, asks: bool) -> _Move:
        safe: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()

        def done(error: StoreError | None) -> None:
            if error is None and message.topic == HALF_TOPIC:
                self._decisions.renewed(half.queue_id, half.queue_offset, placed.queue_offset)
            if not safe.done():
                safe.set_result(error)

        placed = self._own.put(message, done)
        return _Move(half, message, asks, safe, placed)

    def _ask(self, move: _Move) -> None:
        """Ask a producer of its group for the state of a transaction; without one, the next check does."""
        placed = move.placed
        if self._decisions.is_decided(move.half.queue_id, placed.queue_offset):
            return
        properties = decode_properties(move.message.properties)
        group = properties.get(PGROUP, "")
        producer = self._producers.one_of(group)
        if producer is None:
            log.info("nobody of the producer group %s is here to be asked about a half message", group)
            return
        unique_id = properties.get(UNIQ_KEY)
        request = CheckTransactionRequest(
            tran_state_table_offset=placed.queue_offset,
            commit_log_offset=placed.log_offset,
            offset_msg_id=offset_message_id(self._store_host, placed.log_offset),
            broker_name=self._config.broker_name,
            msg_id=unique_id,
            transaction_id=unique_id,
        )
        try:
            body = shown_to_producer(move.message, placed, move.half.body_crc, self._store_host)
        except ProtocolError as error:
            log.error("a half message can't be checked: %s", error)
            return
        producer.peer.send(Command(RequestCode.CHECK_TRANSACTION_STATE, encode_header(request), body))
