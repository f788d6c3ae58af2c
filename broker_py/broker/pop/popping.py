"""Taking messages for a group, from any queue of a topic (broker processor/PopMessageProcessor).

First all queues are read, then their check points are appended and the queues held until those are safe: only then the
group's offsets move and the messages are handed out. So what a client has always comes back if it stays silent, and
what could not be noted is given to the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.message_filter import MessageFilter
from broker_py.broker.own_messages import Done
from broker_py.broker.pop.checkpoints import Checkpoint
from broker_py.broker.pop.extra_info import (
    ORDER_REVIVE_QUEUE,
    ExtraInfo,
    extra_info,
    message_offset_info,
    order_count_info,
    pop_retry_topic,
    start_offset_info,
)
from broker_py.broker.pop.order import OrderTable
from broker_py.broker.pop.revive_log import MAX_PENDING, ReviveLog
from broker_py.broker.pop.waiting import WaitingPops
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused, StoreError
from broker_py.message.properties import decode_properties, encode_properties
from broker_py.message.record import Message, encode_record
from broker_py.message.sysflags import BORN_HOST_V6, STORE_HOST_V6
from broker_py.seams import Clock
from broker_py.store.reading import GetResult, GetStatus
from broker_py.store.store import Store
from broker_py.wire.codes import ResponseCode
from broker_py.wire.command import Chunk
from broker_py.wire.headers.pop import INIT_MODE_MIN, PopRequest

_MAX_BYTES: Final = 256 * 1024
_READS: Final = 16  # of one queue, while no message of it is wanted
_RETRY_FIRST: Final = 5  # of so many pops one looks into the retry topic first
_POP_CK: Final = "POP_CK"
_SIZE: Final = Struct(">i")
_QUEUE_OFFSET: Final = Struct(">q")
_MOVED: Final = (GetStatus.OFFSET_TOO_SMALL, GetStatus.OFFSET_OVERFLOW_BADLY, GetStatus.OFFSET_FOUND_NULL)

QueueKey = tuple[str, str, int]
"""topic, group, queue id"""


@dataclass(slots=True, eq=False)
class Taken:
    """What was taken from one queue, read from `start_offset` on; `committed` is where the group stood."""

    topic: str
    retry: bool
    queue_id: int
    start_offset: int
    next_offset: int
    committed: int
    queue_offsets: list[int]
    chunks: list[Chunk]
    size: int
    counts: str = ""


@dataclass(slots=True)
class Popped:
    """What a pop got, as soon as it is safe; `rest` is how much more the queues have.

    `found`: it got something. `unread`: a queue may have something that is wanted further on. `fault` says why what was
    found may not be handed out, or part of it.
    """

    pop_time: int
    invisible_time: int
    revive_queue: int
    rest: int = 0
    found: bool = False
    unread: bool = False
    taken: list[Taken] = field(default_factory=list)
    fault: StoreError | None = None

    @property
    def count(self) -> int:
        """How many messages."""
        return sum(len(taken.queue_offsets) for taken in self.taken)

    @property
    def chunks(self) -> list[Chunk]:
        """The messages, as clients read them."""
        return [chunk for taken in self.taken for chunk in taken.chunks]

    @property
    def start_offsets(self) -> str:
        """The text that tells clients from where each queue was read."""
        return ";".join(start_offset_info(taken.retry, taken.queue_id, taken.start_offset) for taken in self.taken)

    @property
    def message_offsets(self) -> str:
        """The text with the queue offsets of the messages."""
        return ";".join(message_offset_info(taken.retry, taken.queue_id, taken.queue_offsets) for taken in self.taken)

    @property
    def order_counts(self) -> str:
        """The text that tells how often messages popped in order were delivered before."""
        return ";".join(taken.counts for taken in self.taken if taken.counts)


class Popper:
    """Pops of this broker. `random(n)` returns a number below n."""

    def __init__(
        self,
        broker_name: str,
        store: Store,
        topics: TopicTable,
        offsets: ConsumerOffsetTable,
        order: OrderTable,
        revive_log: ReviveLog,
        waiting: WaitingPops,
        clock: Clock,
        random: Callable[[int], int],
    ) -> None:
        self._broker_name = broker_name
        self._store = store
        self._topics = topics
        self._offsets = offsets
        self._order = order
        self._log = revive_log
        self._waiting = waiting
        self._clock = clock
        self._random = random
        self._held: set[QueueKey] = set()
        self._pops = 0

    def pop(self, request: PopRequest, wanted: MessageFilter, then: Callable[[Popped], None]) -> Popped:
        """Take up to `max_msg_nums` messages, of those that are `wanted`.

        `then` is called with what is safe to be handed out, unless nothing is `found`. RequestRefused, StoreError,
        NotCached: nothing was taken.
        """
        popped = Popped(self._clock.now_ms(), request.invisible_time, self._revive_queue(request.order))
        if not self._log.ready:
            return popped
        if self._log.pending >= MAX_PENDING:
            raise RequestRefused(
                ResponseCode.SYSTEM_BUSY, f"{MAX_PENDING} check points wait for acks: more is popped when some are done"
            )
        for topic, retry, queue_id in self._queues(request):
            left = request.max_msg_nums - popped.count
            if left <= 0 or sum(taken.size for taken in popped.taken) >= _MAX_BYTES:
                offset = self._offsets.offset(request.consumer_group, topic, queue_id)
                popped.rest += max(0, self._store.max_offset(topic, queue_id) - max(0, offset))
            elif retry or not _confuses(popped, queue_id):
                self._take(request, topic, retry, queue_id, left, wanted, popped)
        popped.found = bool(popped.taken)
        if request.order:
            if popped.found:
                self._hand_out_in_order(request, popped)
                then(popped)
        else:
            self._append(request.consumer_group, popped, then)
        return popped

    def _revive_queue(self, order: bool) -> int:
        if order:
            return ORDER_REVIVE_QUEUE
        self._pops += 1
        return self._pops % max(1, self._log.queues)

    def _queues(self, request: PopRequest) -> list[tuple[str, bool, int]]:
        """The queues to look into, in this order."""
        first = self._random(100)
        topic = request.topic
        count = self._topics.require(topic).read_queue_nums
        if request.queue_id >= 0:
            queues = [(topic, False, request.queue_id)]
        else:
            queues = [(topic, False, (first + i) % count) for i in range(count)]
        retry_topic = pop_retry_topic(topic, request.consumer_group)
        retry = None if request.order else self._topics.get(retry_topic)
        if retry is None:
            return queues
        count = retry.read_queue_nums
        again = [(retry_topic, True, (first + i) % count) for i in range(count)]
        return again + queues if first % _RETRY_FIRST == 0 else queues + again

    # Reading

    def start_offset(self, group: str, topic: str, queue_id: int, init_mode: int) -> int:
        """Return where a group goes on; a new one at the first message, or by `init_mode` at the last."""
        offset = self._offsets.offset(group, topic, queue_id)
        if offset >= 0:
            return offset
        # What was revived is for this group alone: a crash before its offset was written must not skip any of it.
        if init_mode == INIT_MODE_MIN or topic.startswith(pop_retry_topic("", group)):
            return self._store.min_offset(topic, queue_id)
        return max(0, self._store.max_offset(topic, queue_id) - 1)

    def _take(
        self,
        request: PopRequest,
        topic: str,
        retry: bool,
        queue_id: int,
        left: int,
        wanted: MessageFilter,
        popped: Popped,
    ) -> None:
        group = request.consumer_group
        offset = self.start_offset(group, topic, queue_id, request.init_mode)
        rest = max(0, self._store.max_offset(topic, queue_id) - offset)
        if (topic, group, queue_id) in self._held:
            popped.rest += rest
            return
        if request.order and self._order.is_blocked(topic, group, queue_id):
            popped.rest += rest
            return
        if self._offsets.offset(group, topic, queue_id) < 0 and request.init_mode != INIT_MODE_MIN:
            self._offsets.commit(group, topic, queue_id, offset)
        result, offset = self._read(group, topic, queue_id, offset, left, wanted)
        if result.status in (GetStatus.NO_MATCHED_LOGIC_QUEUE, GetStatus.NO_MESSAGE_IN_QUEUE):
            return
        popped.rest += max(0, result.max_offset - result.next_offset)
        if result.status is not GetStatus.FOUND:
            popped.unread = popped.unread or result.next_offset < result.max_offset
            return
        popped.taken.append(
            Taken(
                topic,
                retry,
                queue_id,
                offset,
                result.next_offset,
                self._offsets.offset(group, topic, queue_id),
                _queue_offsets(result),
                self._for_retry(request, popped, offset, result) if retry else list(result.chunks),
                result.size,
            )
        )

    def _read(
        self, group: str, topic: str, queue_id: int, offset: int, left: int, wanted: MessageFilter
    ) -> tuple[GetResult, int]:
        """Return what the queue has, and from which offset on it was read; what nobody wants is passed for good."""
        for _ in range(_READS):
            result = self._store.get(topic, queue_id, offset, left, _MAX_BYTES, *wanted)
            passed = result.status in (*_MOVED, GetStatus.NO_MATCHED_MESSAGE, GetStatus.MESSAGE_WAS_REMOVING)
            if not passed or result.next_offset == offset:
                break
            offset = result.next_offset
            self._offsets.commit(group, topic, queue_id, offset)
        return result, offset

    def _for_retry(self, request: PopRequest, popped: Popped, start_offset: int, result: GetResult) -> list[Chunk]:
        """Return revived messages as those of the topic that they were popped of, each with its extra info."""
        info = ExtraInfo(start_offset, popped.pop_time, popped.invisible_time, popped.revive_queue, self._broker_name)
        chunks: list[Chunk] = []
        for record in result.records():
            properties = decode_properties(record.properties)
            properties[_POP_CK] = extra_info(info, record.topic, record.queue_id, record.queue_offset)
            message = Message(
                request.topic,
                record.queue_id,
                record.flag,
                record.sys_flag & ~(BORN_HOST_V6 | STORE_HOST_V6),
                record.born_ms,
                record.born_host,
                record.body,
                encode_properties(properties),
                0,
                record.reconsume_times,
                record.prepared_offset,
            )
            chunks.append(
                encode_record(
                    message,
                    record.body_crc,
                    record.queue_offset,
                    record.log_offset,
                    record.stored_ms,
                    record.store_host,
                )
            )
        return chunks

    # Noting what is out

    def _hand_out_in_order(self, request: PopRequest, popped: Popped) -> None:
        group = request.consumer_group
        for taken in popped.taken:
            info = self._order.popped(
                taken.topic, group, taken.queue_id, popped.pop_time, popped.invisible_time, taken.queue_offsets
            )
            least = min((info.counts.get(offset, 0) for offset in taken.queue_offsets), default=0)
            taken.counts = order_count_info(taken.queue_id, info.counts, least)
            self._offsets.commit(group, taken.topic, taken.queue_id, taken.start_offset)
            self._waiting.free_at(taken.topic, group, taken.queue_id, info.free_ms())

    def _append(self, group: str, popped: Popped, then: Callable[[Popped], None]) -> None:
        """Append the check points; each queue is held until its own is safe."""
        found = popped.taken
        if not found:
            return
        popped.taken = []
        left = len(found)

        def noted(taken: Taken) -> Done:
            def done(error: StoreError | None) -> None:
                nonlocal left
                left -= 1
                key = taken.topic, group, taken.queue_id
                self._held.discard(key)
                if error is None:
                    popped.taken.append(taken)
                    # Unless a tool has set the offset meanwhile.
                    if self._offsets.offset(group, taken.topic, taken.queue_id) == taken.committed:
                        self._offsets.commit(group, taken.topic, taken.queue_id, taken.next_offset)
                else:
                    popped.fault = error
                if self._store.max_offset(taken.topic, taken.queue_id) > taken.next_offset or error is not None:
                    self._waiting.notify(taken.topic, group, taken.queue_id)
                if left == 0:
                    popped.taken = [each for each in found if each in popped.taken]
                    then(popped)

            return done

        for taken in found:
            self._held.add((taken.topic, group, taken.queue_id))
        for taken in list(found):
            done = noted(taken)
            checkpoint = Checkpoint(
                taken.topic,
                group,
                taken.queue_id,
                taken.start_offset,
                popped.pop_time,
                popped.invisible_time,
                taken.queue_offsets,
                self._broker_name,
                next_offset=taken.next_offset,
            )
            try:
                self._log.put(checkpoint, popped.revive_queue, done)
            except StoreError as error:
                done(error)

    # Looking

    def peek(self, group: str, topic: str, queue_id: int, max_count: int) -> GetResult:
        """Return what a pop would get of a queue, and leave it there."""
        offset = self.start_offset(group, topic, queue_id, INIT_MODE_MIN)
        result = self._store.get(topic, queue_id, offset, max_count, _MAX_BYTES)
        if result.status in _MOVED:
            result = self._store.get(topic, queue_id, result.next_offset, max_count, _MAX_BYTES)
        return result

    def rest(self, group: str, topic: str, queue_id: int) -> int:
        """Return how many messages of a queue a group has not popped."""
        offset = self.start_offset(group, topic, queue_id, INIT_MODE_MIN)
        return max(0, self._store.max_offset(topic, queue_id) - offset)

    def has_message(self, group: str, topic: str, queue_id: int) -> bool:
        """True when a pop would find something in a queue."""
        return not self._order.is_blocked(topic, group, queue_id) and self.rest(group, topic, queue_id) > 0


def _confuses(popped: Popped, queue_id: int) -> bool:
    """True when messages of this queue must not follow those of the retry topic's queue of the same number.

    The Java client of 5.1.0 counts both as one queue's, in the order they come, and looks up the wrong offset.
    """
    return any(taken.retry and taken.queue_id == queue_id for taken in popped.taken)


def _queue_offsets(result: GetResult) -> list[int]:
    queue_offsets: list[int] = []
    for chunk in result.chunks:
        position = 0
        while position < len(chunk):
            queue_offsets.append(int(_QUEUE_OFFSET.unpack_from(chunk, position + 20)[0]))
            position += int(_SIZE.unpack_from(chunk, position)[0])
    return queue_offsets
