"""Reads of the store for services of the broker: what is not in memory is fetched elsewhere, and read later."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from broker_py.store.handles import NotCached, Patience
from broker_py.store.store import Store
from broker_py.store.warmer import Done

Fetch = Callable[[object, NotCached, Done], bool]
"""See `ColdReads.fetch`."""

_TRIES: Final = 3
_T = TypeVar("_T")


class PatientReads:
    """Does one read after the other; `again` is called when it is worth asking for the same once more.

    Each that goes its own way through the store needs its own.
    """

    def __init__(self, store: Store, fetch: Fetch, again: Callable[[], None]) -> None:
        self._store = store
        self._fetch = fetch
        self._again = again
        self._last = ("", -1)
        self._tries = 0
        self.fetching = False

    def read(self, work: Callable[..., _T], *arguments: Any) -> _T | None:
        """Return what `work` returns, None while its bytes are being fetched. StoreError, OSError."""
        if self.fetching:
            return None
        patience = Patience.LITTLE if self._tries else Patience.NONE
        if self._tries >= _TRIES:
            patience = Patience.WAIT  # memory is so short that the bytes are gone before they are used
        try:
            result = self._store.without_waiting(patience, work, *arguments)
        except NotCached as miss:
            place = (miss.path, miss.position)
            self._tries = self._tries + 1 if place == self._last else 1
            self._last = place
            self.fetching = True
            if not self._fetch(self, miss, self._fetched):
                self.fetching = False
                self._tries = _TRIES
                return self.read(work, *arguments)
            return None
        self._tries = 0
        return result

    def _fetched(self, _: OSError | None) -> None:
        """If it failed, so will the read, which tells."""
        self.fetching = False
        self._again()
