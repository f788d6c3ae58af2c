"""The messages of one queue that are pulled and not yet consumed (client impl/consumer/ProcessQueue)."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from broker_py.client.consuming import FlowLimits
from broker_py.client.messages import ReceivedMessage
from broker_py.model.message_queue import MessageQueue


@dataclass(frozen=True, slots=True)
class Lease:
    """The lock of a queue, as a broker gave it.

    `losses`: how often its connection had been lost before, `until`: when it is surely ours no more, by the monotonic
    clock; `since_ms`: when it was asked for.
    """

    address: str
    losses: int
    until: float
    since_ms: int


class ProcessQueue:
    """Keeps messages in the order of their offsets, however they are consumed.

    `next_offset` is where the next pull begins, None before the first. `dropped` says that the queue is another
    member's now: nothing that is still done with its messages counts.
    """

    def __init__(self, queue: MessageQueue, limits: FlowLimits) -> None:
        self.queue = queue
        self.dropped = False
        self.next_offset: int | None = None
        self.lease: Lease | None = None
        self.pulled_ms = 0
        self.consumed_ms = 0
        self._limits = limits
        self._messages: OrderedDict[int, ReceivedMessage] = OrderedDict()
        self._came: OrderedDict[int, float] = OrderedDict()
        self._bytes = 0
        self._on_room: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def bytes(self) -> int:
        """Sum of the bodies."""
        return self._bytes

    @property
    def bounds(self) -> tuple[int, int]:
        """(first, last) offset held; (0, 0) when there is none."""
        if not self._messages:
            return 0, 0
        return next(iter(self._messages)), next(reversed(self._messages))

    @property
    def commit_offset(self) -> int | None:
        """The first offset that is not consumed: of what is held, else where the next pull begins."""
        return next(iter(self._messages)) if self._messages else self.next_offset

    @property
    def is_full(self) -> bool:
        """True while no more may be pulled."""
        if not self._messages:
            return False
        first, last = self.bounds
        limits = self._limits
        return len(self._messages) >= limits.messages or self._bytes >= limits.bytes or last - first >= limits.span

    def when_room(self, call: Callable[[], None]) -> None:
        """Have `call` called once when the queue is full no more, or dropped."""
        self._on_room = call

    def put(self, messages: Iterable[ReceivedMessage]) -> None:
        """Hold messages that were pulled."""
        for message in messages:
            self._messages[message.queue_offset] = message
            self._bytes += len(message.body)

    def first(self, count: int) -> list[ReceivedMessage]:
        """Return the first messages, which stay."""
        return list(islice(self._messages.values(), count))

    def replace(self, message: ReceivedMessage) -> None:
        """Hold another form of a message that is held."""
        if message.queue_offset in self._messages:
            self._messages[message.queue_offset] = message

    def started(self, message: ReceivedMessage, now: float) -> None:
        """Note when a listener got a message."""
        self._came[message.queue_offset] = now
        self._came.move_to_end(message.queue_offset)

    def overdue(self, before: float) -> ReceivedMessage | None:
        """Return a message that a listener got before a time and has not given back."""
        for offset, came in self._came.items():
            return self._messages.get(offset) if came < before else None
        return None

    def remove(self, messages: Iterable[ReceivedMessage]) -> None:
        """Forget messages that need nothing more."""
        for message in messages:
            self._came.pop(message.queue_offset, None)
            if self._messages.pop(message.queue_offset, None) is not None:
                self._bytes -= len(message.body)
        if self._on_room is not None and not self.is_full:
            self._call()

    def begin_anew(self) -> None:
        """Forget all that is held: where the queue begins is to be asked again."""
        self._messages.clear()
        self._came.clear()
        self._bytes = 0
        self.next_offset = None
        if self._on_room is not None:
            self._call()

    def drop(self) -> None:
        """Take it that the queue is another member's."""
        self.dropped = True
        if self._on_room is not None:
            self._call()

    def _call(self) -> None:
        call, self._on_room = self._on_room, None
        if call is not None:
            call()
