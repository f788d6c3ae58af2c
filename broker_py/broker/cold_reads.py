"""Requests that read old messages: their pages are fetched by other threads, so that nobody else waits for a disk.

A handler is called with reads that do not wait. If one would have to, its bytes are brought into memory elsewhere and
the handler is called again, from the start: it must do nothing before its last read that it may not do twice.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from broker_py.errors import RequestRefused, StoreError
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Handle, Result, Router
from broker_py.store.handles import NotCached, Patience
from broker_py.store.store import Store
from broker_py.store.warmer import Done, Warmer
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command

_T = TypeVar("_T")

READING: Final = (
    RequestCode.PULL_MESSAGE,
    RequestCode.LITE_PULL_MESSAGE,
    RequestCode.VIEW_MESSAGE_BY_ID,
    RequestCode.END_TRANSACTION,
    RequestCode.RESUME_CHECK_HALF_MESSAGE,
    RequestCode.CONSUME_MESSAGE_DIRECTLY,
    RequestCode.CONSUMER_SEND_MSG_BACK,
    RequestCode.QUERY_CONSUMER_OFFSET,
    RequestCode.SEARCH_OFFSET_BY_TIMESTAMP,
    RequestCode.GET_EARLIEST_MSG_STORETIME,
    RequestCode.GET_BROKER_RUNTIME_INFO,
    RequestCode.GET_TOPIC_STATS_INFO,
    RequestCode.GET_CONSUME_STATS,
    RequestCode.GET_BROKER_CONSUME_STATS,
    RequestCode.QUERY_CONSUME_TIME_SPAN,
    RequestCode.QUERY_CONSUME_QUEUE,
    RequestCode.INVOKE_BROKER_TO_RESET_OFFSET,
)
MAX_FETCHES: Final = 200
"""Of one request: more are read as they come. A search by time needs 60 of a queue with a billion messages."""
MAX_FETCHES_OF_ONE: Final = 3
"""Of the same bytes: memory is so short that they are gone before they are used."""


class _Tries:
    """What was fetched for one request."""

    __slots__ = ("_count", "_of_one", "_of_place", "last")

    def __init__(self) -> None:
        self._count = 0
        self._of_place: dict[tuple[str, int], int] = {}
        self._of_one = 0
        self.last = ("", 0)

    def add(self, miss: NotCached) -> None:
        """Count a fetch."""
        self.last = (miss.path, miss.position)
        of_this = self._of_place[self.last] = self._of_place.get(self.last, 0) + 1
        self._of_one = max(self._of_one, of_this)
        self._count += 1

    @property
    def patience(self) -> Patience:
        """How the next try reads."""
        if self._count >= MAX_FETCHES or self._of_one >= MAX_FETCHES_OF_ONE:
            return Patience.WAIT
        return Patience.LITTLE if self._count else Patience.NONE


def _set(fetched: "asyncio.Future[OSError | None]", error: OSError | None) -> None:
    if not fetched.done():
        fetched.set_result(error)


class ColdReads:
    """Serves requests that read the store. `warmer` is there once the broker has started; without it, reads wait."""

    def __init__(self, store: Store, router: Router) -> None:
        self._store = store
        self._router = router
        self._held: dict[Peer, deque[Callable[[], None]]] = {}
        self.warmer: Warmer | None = None

    def register(self) -> None:
        """Take over the requests that may read old messages or units; their handlers are registered already."""
        for code in READING:
            self._router.wrap(code, self.wrap)

    def wrap(self, handle: Handle) -> Handle:
        """Return a handler that does what `handle` does, and lets nobody else wait for its reads."""
        return lambda command, peer: self._try(handle, command, peer, None)

    def fetch(self, owner: object, miss: NotCached, done: Done) -> bool:
        """Bring bytes into memory and call `done`; False when too many reads wait already."""
        return self.warmer is not None and self.warmer.request(owner, miss, done)

    async def read(self, owner: object, work: Callable[..., _T], *arguments: Any) -> _T:
        """Return what `work` returns, which reads the store for a service of the broker. StoreError when it can't."""
        tries = _Tries()
        while self.warmer is not None:
            try:
                return self._store.without_waiting(tries.patience, work, *arguments)
            except NotCached as miss:
                tries.add(miss)
                fetched: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
                if not self.fetch(owner, miss, lambda error, fetched=fetched: _set(fetched, error)):  # type: ignore[misc]
                    raise StoreError("too many reads of old messages wait") from None
            error = await fetched
            if error is not None:
                raise StoreError(f"{tries.last[0]} can't be read at {tries.last[1]}: {error}")
        return work(*arguments)

    def _try(self, handle: Handle, command: Command, peer: Peer, tries: _Tries | None) -> Result:
        if self.warmer is None:
            return handle(command, peer)
        patience = Patience.NONE if tries is None else tries.patience
        try:
            return self._store.without_waiting(patience, handle, command, peer)
        except NotCached as miss:
            tries = tries or _Tries()
            tries.add(miss)
            if not self.fetch(peer, miss, self._then(handle, command, peer, tries)):
                raise RequestRefused(
                    ResponseCode.SYSTEM_BUSY,
                    "[OVERLOAD]system busy, start flow control for a while: too many reads of old messages wait",
                ) from None
            return None

    def _then(self, handle: Handle, command: Command, peer: Peer, tries: _Tries) -> Done:
        def again(error: OSError | None) -> None:
            def serve(command: Command, peer: Peer) -> Result:
                if error is not None:
                    raise StoreError(f"{tries.last[0]} can't be read at {tries.last[1]}: {error}")
                return self._try(handle, command, peer, tries)

            if not peer.is_open:
                return
            if peer.is_writable:
                self._router.serve(serve, command, peer)
            else:
                self._held.setdefault(peer, deque()).append(lambda: self._router.serve(serve, command, peer))

        return again

    def writable(self, peer: Peer) -> None:
        """Serve what was read for a peer while it did not read itself."""
        held = self._held.get(peer)
        while held and peer.is_writable:
            held.popleft()()
        if not held:
            self._held.pop(peer, None)

    def drop(self, peer: Peer) -> None:
        """Forget what was read for a peer that is gone."""
        self._held.pop(peer, None)
