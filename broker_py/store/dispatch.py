"""From the log into the consume queues and the index (`store/DefaultMessageStore.ReputMessageService`).

Messages that this process appended are known already and are not read again. Bytes that came otherwise (from an
earlier life of the store, from a master) are decoded. Both end in one place, so that a queue never tells the two apart.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from broker_py.errors import LogCorrupt
from broker_py.message.delay import DelayLevels
from broker_py.message.properties import decode_properties
from broker_py.message.record import Message, check_record, read_dispatch
from broker_py.message.sysflags import TRANSACTION_MASK, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from broker_py.model.topic import SCHEDULE_TOPIC
from broker_py.store.commit_log import CommitLog
from broker_py.store.consume_queue import ConsumeQueue
from broker_py.store.index import MessageIndex
from broker_py.store.queue_table import ConsumeQueueTable
from broker_py.store.watermark import Watermark

OnArrival = Callable[[str, int, int, int, int], None]
"""topic, queue id, next queue offset, tags code, stored ms: a message can be consumed."""

_WINDOW_BYTES: Final = 1 << 20
_SIZE_BYTES: Final = 8


class Placed:
    """Where an appended message lies; `queue` is None for one that no consumer sees (a prepared or rolled back one).

    `start` is the end of the log before the append, which a blank record may separate from `log_offset`.
    """

    __slots__ = (
        "end",
        "log_offset",
        "properties",
        "queue",
        "queue_offset",
        "size",
        "start",
        "stored_ms",
        "sys_flag",
        "tags_code",
        "topic",
    )

    def __init__(
        self,
        queue: ConsumeQueue | None,
        start: int,
        log_offset: int,
        size: int,
        queue_offset: int,
        stored_ms: int,
        message: Message,
    ) -> None:
        self.queue = queue
        self.start = start
        self.log_offset = log_offset
        self.size = size
        self.end = log_offset + size
        self.queue_offset = queue_offset
        self.stored_ms = stored_ms
        self.topic = message.topic
        self.properties = message.properties
        self.sys_flag = message.sys_flag
        self.tags_code = message.tags_code


class QueueGap(Exception):
    """A message skips offsets of its queue: units before it are missing that the log may still have."""


def is_consumable(sys_flag: int) -> bool:
    """True for messages that get a unit: all but prepared and rolled back ones."""
    state = sys_flag & TRANSACTION_MASK
    return state not in (TRANSACTION_PREPARED, TRANSACTION_ROLLBACK)


class Dispatcher:
    """Moves messages from the log into queues and index; `dispatched` says how far, `stored_ms` how old the newest is.

    `last_record` is the log offset of the newest message, None while it is not known. With `strict`, a message that
    skips more offsets of its queue than messages were `lost` is a `QueueGap`, and not given blank predecessors.
    """

    def __init__(self, log: CommitLog, queues: ConsumeQueueTable, index: MessageIndex, delays: DelayLevels) -> None:
        self._log = log
        self._queues = queues
        self._index = index
        self._delays = delays
        self._placed: deque[Placed] = deque()
        self.dispatched = Watermark()
        self.stored_ms = 0
        self.last_record: int | None = None
        self.on_arrival: OnArrival | None = None
        self.strict = False
        self.lost = 0

    def start_at(self, log_offset: int) -> None:
        """Begin at an offset: all before it is in the queues, or gone."""
        self._placed.clear()
        self.dispatched.value = log_offset

    def expect(self, placed: list[Placed]) -> None:
        """Take messages that were written, in their order."""
        self._placed.extend(placed)

    def dispatch(self, bound: int) -> None:
        """Move everything that ends at or before `bound`; a record that is not whole yet waits."""
        position = self.dispatched.value
        waiting = self._placed
        index = self._index
        arrived: list[Placed] = []
        while waiting and waiting[0].end <= bound:
            placed = waiting[0]
            if placed.start != position:
                self._decode(placed.start)
                if self.dispatched.value != placed.start:
                    raise LogCorrupt(f"the log can't be read from {self.dispatched.value} to {placed.start}")
            waiting.popleft()
            position = placed.end
            queue = placed.queue
            if queue is not None:
                queue.put(placed.queue_offset, placed.log_offset, placed.size, placed.tags_code)
                self._queues.mark(queue)
                arrived.append(placed)
            if index.following:
                index.take(
                    placed.topic, placed.properties, placed.sys_flag, placed.log_offset, position, placed.stored_ms
                )
            self.stored_ms = placed.stored_ms
            self.last_record = placed.log_offset
        self.dispatched.advance(position)
        self._tell(arrived)
        if position < bound:
            self._decode(min(bound, waiting[0].start) if waiting else bound)

    def _tell(self, arrived: list[Placed]) -> None:
        on_arrival = self.on_arrival
        if on_arrival is not None:
            for placed in arrived:
                queue = placed.queue
                if queue is not None and not queue.dead:
                    on_arrival(queue.topic, queue.queue_id, placed.queue_offset + 1, placed.tags_code, placed.stored_ms)

    def _decode(self, bound: int) -> None:
        """Move the whole records between here and `bound` that only the log knows of."""
        position = self.dispatched.value
        while position < bound:
            window = self._log.read(position, min(_WINDOW_BYTES, bound - position))
            used = self._decode_window(window, position, bound)
            if used == 0:
                needed = int.from_bytes(window[:4], "big", signed=True) if len(window) >= _SIZE_BYTES else 0
                if not len(window) < needed <= bound - position:
                    return
                used = self._decode_window(self._log.read(position, needed), position, bound)
                if used == 0:
                    return
            position += used
            self.dispatched.advance(position)

    def _decode_window(self, window: bytes, position: int, bound: int) -> int:
        """Move the records that are whole in the window; return the bytes they take, blanks to their end."""
        start = 0
        while True:
            size = check_record(window, start, False)
            if size > 0:
                self.put_record(window, start, position + start)
                start += size
            elif size < 0:
                next_segment = self._log.segment_end(position + start)
                return next_segment - position if next_segment <= bound else start
            else:
                if len(window) - start >= _SIZE_BYTES:
                    self._refuse_garbage(window, start, position + start)
                return start

    def _refuse_garbage(self, window: bytes, start: int, log_offset: int) -> None:
        """LogCorrupt unless what lies there can be the head of a record that is not whole."""
        size = int.from_bytes(window[start : start + 4], "big", signed=True)
        if not len(window) - start < size <= self._log.segment_end(log_offset) - log_offset:
            raise LogCorrupt(f"there is no record at log offset {log_offset}, where one should begin")

    def put_record(self, data: bytes | memoryview, start: int, log_offset: int) -> None:
        """Put the valid record at `start` of `data` into its queue, and its keys into the index."""
        view = read_dispatch(data, start)
        self.stored_ms = view.stored_ms
        self.last_record = log_offset
        if self._index.following:
            self._index.take(
                view.topic, view.properties, view.sys_flag, log_offset, log_offset + view.size, view.stored_ms
            )
        if not is_consumable(view.sys_flag):
            return
        queue = self._queues.make(view.topic, view.queue_id)
        if self.strict and view.queue_offset > queue.max_offset + self.lost:
            raise QueueGap(
                f"message {view.queue_offset} of {view.topic} queue {view.queue_id} comes after {queue.max_offset - 1}"
            )
        tags_code = view.tags_code
        if view.topic == SCHEDULE_TOPIC:
            tags_code = self.due_ms(view.properties, view.stored_ms, tags_code)
        if queue.put(view.queue_offset, log_offset, view.size, tags_code):
            self._queues.mark(queue)
            if self.on_arrival is not None:
                self.on_arrival(view.topic, view.queue_id, view.queue_offset + 1, tags_code, view.stored_ms)

    def due_ms(self, properties: bytes, stored_ms: int, tags_code: int) -> int:
        """Return what the unit of a delayed message holds: when it is due, or its tag's code if it has no level.

        A Java broker delivers it by that.
        """
        due_ms = self._delays.due_ms(decode_properties(properties), stored_ms)
        return tags_code if due_ms is None else due_ms
