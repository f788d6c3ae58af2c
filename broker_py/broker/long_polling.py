"""Pulls that wait for the next message (broker longpolling/PullRequestHoldService).

They wake on the message itself: the dispatcher tells of every new unit, and a queue nobody waits for costs one
look-up. Deadlines are kept in a heap, so that no timer runs per request.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from broker_py.remoting.peer import Peer
from broker_py.wire.command import Command

_SWEEP_AT: Final = 256
MAX_PARKED_CHARS: Final = 16_384
"""Of the fields of a request that waits: so much memory it may take, beside some constant."""


def may_park(command: Command) -> bool:
    """True for a request that may wait: somebody waits for its answer, and it is not too large to be kept."""
    return not command.is_oneway and sum(map(len, command.ext.values())) <= MAX_PARKED_CHARS


@dataclass(slots=True, eq=False)
class ParkedPull:
    """One pull that waits. `resume(timed_out)` answers it, or returns False: it waits on (nothing matched yet)."""

    key: tuple[str, int]
    deadline: float
    wanted: Callable[[int], bool] | None
    peer: Peer
    resume: Callable[[bool], bool]
    done: bool = field(default=False)


class ParkedPulls:
    """(topic, queue id) → the pulls that wait at its end. Times are of the monotonic clock, in seconds."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self._limit = limit
        # Dicts as ordered sets: thousands may wait at one queue, or on one connection.
        self._by_queue: dict[tuple[str, int], dict[ParkedPull, None]] = {}
        self._by_peer: dict[Peer, dict[ParkedPull, None]] = {}
        self._deadlines: list[tuple[float, int, ParkedPull]] = []
        self._count = 0
        self._number = 0
        self._arrived: dict[tuple[str, int], set[int]] = {}

    @property
    def count(self) -> int:
        """How many wait."""
        return self._count

    @property
    def full(self) -> bool:
        """True when no more may wait: they are answered at once instead."""
        return self._count >= self._limit

    def park(self, pull: ParkedPull) -> None:
        """Have a pull wait until a message it may want arrives, or its deadline."""
        self._by_queue.setdefault(pull.key, {})[pull] = None
        self._by_peer.setdefault(pull.peer, {})[pull] = None
        self._number += 1
        heappush(self._deadlines, (pull.deadline, self._number, pull))
        self._count += 1

    def arrived(self, topic: str, queue_id: int, tags_code: int) -> None:
        """Note a new message; those who wait for it are woken by `wake`, once for all messages of a batch."""
        key = (topic, queue_id)
        if key in self._by_queue:
            self._arrived.setdefault(key, set()).add(tags_code)

    def wake(self) -> None:
        """Resume the pulls whose queues got messages that they may want."""
        while self._arrived:
            arrived, self._arrived = self._arrived, {}
            for key, codes in arrived.items():
                self._wake_queue(key, codes)

    def _wake_queue(self, key: tuple[str, int], codes: set[int]) -> None:
        for pull in list(self._by_queue.get(key, ())):
            wanted = pull.wanted
            hit = wanted is None or any(wanted(code) for code in codes)
            if hit and pull.peer.is_writable and pull.resume(False):
                self._finish(pull)

    def writable(self, peer: Peer) -> None:
        """Resume the pulls of a peer that reads again: what came meanwhile was kept from it."""
        for pull in list(self._by_peer.get(peer, ())):
            if peer.is_writable and pull.resume(False):
                self._finish(pull)

    def expire(self, now: float) -> None:
        """Answer the pulls whose time is up."""
        while self._deadlines and self._deadlines[0][0] <= now:
            pull = heappop(self._deadlines)[2]
            if not pull.done:
                pull.resume(True)
                self._finish(pull)

    def release_all(self) -> None:
        """Answer all of them: the broker stops."""
        self.expire(float("inf"))

    def drop(self, peer: Peer) -> None:
        """Forget the pulls of a peer that is gone."""
        for pull in list(self._by_peer.get(peer, ())):
            self._finish(pull)

    def _finish(self, pull: ParkedPull) -> None:
        pull.done = True
        self._count -= 1
        at_queue, of_peer = self._by_queue[pull.key], self._by_peer[pull.peer]
        del at_queue[pull], of_peer[pull]
        if not at_queue:
            del self._by_queue[pull.key]
        if not of_peer:
            del self._by_peer[pull.peer]
        # Woken pulls leave their deadlines behind; a busy queue must not collect them.
        if len(self._deadlines) > _SWEEP_AT and len(self._deadlines) > 2 * self._count:
            self._deadlines = [entry for entry in self._deadlines if not entry[2].done]
            heapify(self._deadlines)
