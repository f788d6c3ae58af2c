"""Messages that the broker stores by itself: delayed ones come due, half ones made whole, bookkeeping in system topics.

They go the way of a producer's: staged, written with everything else of the loop's turn, and done when they are as safe
as the profile asks (`ack_policy`). So what was moved on may be forgotten at its old place only then.
"""

from collections.abc import Callable
from typing import Final

from broker_py.broker.ack_policy import AckPolicy
from broker_py.errors import StoreError
from broker_py.message.properties import TAGS, encode_properties
from broker_py.message.record import Message, Record
from broker_py.message.sysflags import BORN_HOST_V6, STORE_HOST_V6
from broker_py.message.tags import tags_code
from broker_py.store.dispatch import Placed
from broker_py.store.store import Store
from broker_py.wire.codes import ResponseCode
from broker_py.wire.command import Command, Reply

Done = Callable[[StoreError | None], None]
"""Called once: None when the message is safe, else why it isn't, and then it may be there or not."""

_STORED: Final = frozenset(
    {
        ResponseCode.SUCCESS,
        ResponseCode.FLUSH_DISK_TIMEOUT,
        ResponseCode.FLUSH_SLAVE_TIMEOUT,
        ResponseCode.SLAVE_NOT_AVAILABLE,
    }
)
_OWN: Final = Command(0)
_WHERE: Final = BORN_HOST_V6 | STORE_HOST_V6  # said anew by whoever encodes it


class _Waiting:
    """Who waits for a message of the broker's own, in the place of a connection."""

    __slots__ = ("_done",)

    def __init__(self, done: Done) -> None:
        self._done = done

    def reply(self, _: Command, reply: Reply) -> None:
        self._done(None if reply.code in _STORED else StoreError(reply.remark or f"code {reply.code}"))


class OwnMessages:
    """Stores them. `soon(work)` has `work` called at the end of the event loop's turn."""

    def __init__(self, store: Store, acks: AckPolicy, soon: Callable[[Callable[[], None]], object]) -> None:
        self._store = store
        self._acks = acks
        self.statistics = acks.statistics
        self._soon = soon
        self._scheduled = False

    def put(self, message: Message, done: Done) -> Placed:
        """Append a message; `done` is called when it is safe. MessageIllegal, LogFull, StoreError: it isn't there."""
        placed = self._store.append(message)
        self.statistics.put(message.topic, 1, placed.size, message.queue_id)
        self._acks.expect(placed.end, _OWN, _Waiting(done), Reply(), wait=True)
        if not self._scheduled:
            self._scheduled = True
            self._soon(self._commit)
        return placed

    def _commit(self) -> None:
        self._scheduled = False
        self._acks.commit()


def moved(record: Record, topic: str, queue_id: int, properties: dict[str, str]) -> Message:
    """Return what a stored message becomes in another place; its body, times and origin stay.

    The code of its tag is the one that `properties` say.
    """
    return Message(
        topic,
        queue_id,
        record.flag,
        record.sys_flag & ~_WHERE,
        record.born_ms,
        record.born_host,
        record.body,
        encode_properties(properties),
        tags_code(properties.get(TAGS)),
        record.reconsume_times,
        record.prepared_offset,
    )
