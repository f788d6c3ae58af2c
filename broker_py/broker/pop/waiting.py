"""Pops and notifications that wait for a message (broker processor/PopMessageProcessor.PopLongPollingService)."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final

from broker_py.broker.pop.extra_info import pop_retry_topic
from broker_py.remoting.peer import Peer
from broker_py.seams import Clock
from broker_py.wire.headers.pop import ANY_QUEUE

POP: Final = "pop"
NOTIFICATION: Final = "notification"
_SWEEP_AT: Final = 256

WaitKey = tuple[str, str, int, str]
"""topic, group, queue id or ANY_QUEUE, POP or NOTIFICATION."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One request. `resume(timed_out)` answers it; without a time-out it may return False: there is nothing for it.

    It has to `park` itself again then. `deadline` is of the monotonic clock. `held`: its peer doesn't read.
    """

    key: WaitKey
    deadline: float
    peer: Peer
    resume: Callable[[bool], bool]
    done: bool = False
    held: bool = False


class WaitingPops:
    """Those that wait. `soon(work)` has `work` called at the end of the event loop's turn.

    One whose peer does not read what it was sent leaves the line when its turn comes: nothing is popped for it, and it
    costs those behind it nothing. When its peer reads again it stands in line anew.
    """

    def __init__(self, soon: Callable[[Callable[[], None]], object], clock: Clock) -> None:
        self._soon = soon
        self._clock = clock
        self._blocked: list[tuple[int, str, str, int]] = []
        self._by_key: dict[WaitKey, dict[Waiting, None]] = {}
        self._by_topic: dict[str, dict[WaitKey, None]] = {}  # of the retry topics too
        self._by_peer: dict[Peer, dict[Waiting, None]] = {}
        self._deadlines: list[tuple[float, int, Waiting]] = []
        self._number = 0
        self._count = 0
        self._touched: dict[WaitKey, None] = {}
        self._scheduled = False
        self.closed = False

    @property
    def count(self) -> int:
        """How many wait."""
        return self._count

    @property
    def keys(self) -> int:
        """How many different things are waited for."""
        return len(self._by_key)

    def count_of(self, key: WaitKey) -> int:
        """How many stand in line for the same."""
        return len(self._by_key.get(key, ()))

    def park(self, waiting: Waiting) -> None:
        """Have a request wait, behind the others that wait for the same."""
        self._line_up(waiting)
        self._by_peer.setdefault(waiting.peer, {})[waiting] = None
        self._number += 1
        heappush(self._deadlines, (waiting.deadline, self._number, waiting))
        self._count += 1

    def _line_up(self, waiting: Waiting) -> None:
        key = waiting.key
        if key not in self._by_key:
            self._by_key[key] = {}
            for topic in _topics(key):
                self._by_topic.setdefault(topic, {})[key] = None
        self._by_key[key][waiting] = None

    def arrived(self, topic: str, queue_id: int) -> None:
        """Note a new message; who waits for it is woken by `wake`."""
        keys = self._by_topic.get(topic)
        if keys is None:
            return
        for key in keys:
            if key[2] in (ANY_QUEUE, queue_id) or key[0] != topic:
                self._touched[key] = None

    def notify(self, topic: str, group: str, queue_id: int) -> None:
        """A queue that had nothing for a group has something now: wake who waits for it, soon."""
        keys = self._by_topic.get(topic)
        if keys is None:
            return
        for key in keys:
            if key[1] == group and (key[2] in (ANY_QUEUE, queue_id) or key[0] != topic):
                self._touched[key] = None
        if self._touched and not self._scheduled:
            self._scheduled = True
            self._soon(self._wake_soon)

    def notify_all(self) -> None:
        """All may find something now."""
        self._touched.update(dict.fromkeys(self._by_key))
        self.wake()

    def free_at(self, topic: str, group: str, queue_id: int, ms: int) -> None:
        """A queue gives nothing in order before a time of the clock: who waits for it is woken then, unless sooner."""
        heappush(self._blocked, (ms, topic, group, queue_id))

    def _wake_soon(self) -> None:
        self._scheduled = False
        self.wake()

    def wake(self) -> None:
        """Resume the requests that messages came for: of those that wait for the same, until one gets nothing."""
        touched, self._touched = self._touched, {}
        for key in touched:
            for waiting in list(self._by_key.get(key, ())):
                if waiting.done:
                    continue
                if not waiting.peer.is_writable:
                    waiting.held = True
                    self._leave_line(waiting)
                else:
                    self._finish(waiting)
                    if not waiting.resume(False):
                        break

    def writable(self, peer: Peer) -> None:
        """A peer reads again: what it waits for may have come meanwhile."""
        for waiting in self._by_peer.get(peer, ()):
            if waiting.held:
                waiting.held = False
                self._line_up(waiting)
                self._touched[waiting.key] = None
        if self._touched:
            self.wake()

    def expire(self, now: float) -> None:
        """Answer those whose time is up, and wake those whose queues are free again."""
        now_ms = self._clock.now_ms()
        while self._blocked and self._blocked[0][0] <= now_ms:
            _, topic, group, queue_id = heappop(self._blocked)
            self.notify(topic, group, queue_id)
        while self._deadlines and self._deadlines[0][0] <= now:
            waiting = heappop(self._deadlines)[2]
            if not waiting.done:
                self._finish(waiting)
                waiting.resume(True)

    def release_all(self) -> None:
        """Answer all of them, and none waits any more: the broker stops."""
        self.closed = True
        self.expire(float("inf"))

    def drop(self, peer: Peer) -> None:
        """Forget the requests of a peer that is gone."""
        for waiting in list(self._by_peer.get(peer, ())):
            self._finish(waiting)

    def _finish(self, waiting: Waiting) -> None:
        waiting.done = True
        self._count -= 1
        if not waiting.held:
            self._leave_line(waiting)
        del self._by_peer[waiting.peer][waiting]
        if not self._by_peer[waiting.peer]:
            del self._by_peer[waiting.peer]
        if len(self._deadlines) > _SWEEP_AT and len(self._deadlines) > 2 * self._count:
            self._deadlines = [entry for entry in self._deadlines if not entry[2].done]
            heapify(self._deadlines)

    def _leave_line(self, waiting: Waiting) -> None:
        key = waiting.key
        del self._by_key[key][waiting]
        if not self._by_key[key]:
            del self._by_key[key]
            for topic in _topics(key):
                del self._by_topic[topic][key]
                if not self._by_topic[topic]:
                    del self._by_topic[topic]


def _topics(key: WaitKey) -> tuple[str, str]:
    return key[0], pop_retry_topic(key[0], key[1])
