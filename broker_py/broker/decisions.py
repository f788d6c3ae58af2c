"""Which half messages are decided: known at once, written down in batches.

The op message of a decision is appended behind the final message, so no crash leaves the one without the other: what
it may leave is a decided half message without its op, and that one is checked again.

Source: broker transaction/queue/TransactionalMessageServiceImpl.deletePrepareMessage, TransactionalOpBatchService.
"""

import logging
from typing import Final

from broker_py.broker.config import BrokerConfig
from broker_py.broker.half_messages import op_message
from broker_py.broker.own_messages import OwnMessages
from broker_py.errors import StoreError
from broker_py.message.record import MessageIllegal
from broker_py.seams import Clock

log = logging.getLogger(__name__)

MAX_UNWRITTEN: Final = 100_000
"""Decisions that wait for their op message; only a store that takes no messages lets so many gather."""
MAX_KNOWN: Final = 1_000_000
"""Decided half messages that the check has not passed yet. Of more, it learns when these are passed."""
MAX_RENEWED: Final = 100_000

Half = tuple[int, int]
"""Queue id and queue offset of a half message."""


class Decisions:
    """What producers said of half messages, until the check has passed these."""

    def __init__(self, config: BrokerConfig, own: OwnMessages, store_host: bytes, clock: Clock) -> None:
        self._config = config
        self._own = own
        self._store_host = store_host
        self._clock = clock
        self._known: dict[Half, bool] = {}  # whether it was committed, as far as that is known
        self._position: dict[int, int] = {}  # up to which half message the check has come, by queue
        self._open: set[Half] = set()
        self._later: dict[Half, int] = {}  # where a half message went that was put back
        self._unwritten: dict[int, list[int]] = {}
        self._count = 0

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    # Asking

    def is_decided(self, queue_id: int, queue_offset: int) -> bool:
        """True when it is safe that a half message is decided."""
        return (queue_id, queue_offset) in self._known

    def is_committed(self, queue_id: int, queue_offset: int) -> bool:
        """True when its final message is stored, by this process."""
        return self._known.get((queue_id, queue_offset), False)

    def is_open(self, queue_id: int, queue_offset: int) -> bool:
        """True while its final message is being stored."""
        return (queue_id, queue_offset) in self._open

    @property
    def full(self) -> bool:
        """True when too many decisions wait to be written down."""
        return self._count >= MAX_UNWRITTEN

    @property
    def many(self) -> bool:
        """True when the check has to go on before more can be known."""
        return len(self._known) >= MAX_KNOWN

    # Deciding

    def begin(self, queue_id: int, queue_offset: int) -> None:
        """The final message of a half one is on its way."""
        self._open.add((queue_id, queue_offset))

    def give_up(self, queue_id: int, queue_offset: int) -> None:
        """The final message is not stored: nothing is decided."""
        self._open.discard((queue_id, queue_offset))

    def decide(self, queue_id: int, queue_offset: int, *, committed: bool) -> None:
        """A half message is committed, its final message being safe, or rolled back; so is what it was renewed as."""
        half: Half | None = (queue_id, queue_offset)
        while half is not None:
            self._open.discard(half)
            self._note(half, committed)
            self._unwritten.setdefault(queue_id, []).append(half[1])
            self._count += 1
            later = self._later.pop(half, None)
            half = None if later is None else (queue_id, later)
        # Each offset with its separator; the queue offsets of a broker have about as many digits.
        if len(self._unwritten[queue_id]) * (len(str(queue_offset)) + 1) >= self._config.transaction_op_msg_max_size:
            try:
                self.write()
            except StoreError as error:
                log.warning("decisions about half messages can't be written down yet: %s", error)

    def _note(self, half: Half, committed: bool) -> None:
        if half in self._known or (not self.many and half[1] >= self._position.get(half[0], 0)):
            self._known[half] = committed

    def renewed(self, queue_id: int, old_offset: int, new_offset: int) -> None:
        """A half message is at the end of its queue again, and that is safe.

        A producer that has not heard of it still names the old one.
        """
        old = (queue_id, old_offset)
        if old in self._known:
            self.decide(queue_id, new_offset, committed=self._known[old])
            return
        if len(self._later) >= MAX_RENEWED:
            del self._later[next(iter(self._later))]
        self._later[old] = new_offset

    def read(self, queue_id: int, queue_offset: int) -> None:
        """An op message was read."""
        if queue_offset >= self._position.get(queue_id, 0):
            self._known.setdefault((queue_id, queue_offset), False)

    def passed(self, queue_id: int, position: int) -> None:
        """The check won't ask for half messages before `position` again."""
        before = self._position.get(queue_id, 0)
        self._position[queue_id] = position
        if position - before <= len(self._known):
            for queue_offset in range(before, position):
                self._known.pop((queue_id, queue_offset), None)
        else:
            known = self._known.items()
            self._known = {half: how for half, how in known if half[0] != queue_id or half[1] >= position}

    # Writing

    def write(self) -> None:
        """Write down what was decided. StoreError: it can't be now, and will be tried again."""
        unwritten, self._unwritten = self._unwritten, {}
        self._count = 0
        limit = self._config.transaction_op_msg_max_size
        while unwritten:
            queue_id, offsets = unwritten.popitem()
            width = max(len(str(offset)) for offset in offsets) + 1
            size = max(1, limit // width)
            for start in range(0, len(offsets), size):
                try:
                    self._write(queue_id, offsets[start : start + size])
                except (StoreError, MessageIllegal):
                    self._keep(queue_id, offsets[start:])
                    for other, kept in unwritten.items():
                        self._keep(other, kept)
                    raise

    def _write(self, queue_id: int, offsets: list[int]) -> None:
        message = op_message(queue_id, offsets, self._clock.now_ms(), self._store_host)

        def done(error: StoreError | None) -> None:
            if error is not None:
                self._keep(queue_id, offsets)

        self._own.put(message, done)

    def _keep(self, queue_id: int, offsets: list[int]) -> None:
        self._unwritten.setdefault(queue_id, []).extend(offsets)
        self._count += len(offsets)
