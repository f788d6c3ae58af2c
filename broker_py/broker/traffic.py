"""How much goes through each topic, each group of it and the broker (common stats/StatsItem, StatsItemSet).

Counters only grow. They are remembered every 10 seconds, 10 minutes and hour, and the first and the last of what is
remembered make a figure of the last minute, hour and day. What stood still for a day is forgotten.
"""

from collections import deque
from typing import Any, Final

from broker_py.model.topic import is_system_topic

MAX_KEPT: Final = 20_000
"""Counters of one kind of traffic; beyond that those that have been known longest are forgotten."""
_WINDOWS: Final = (("statsMinute", 10, 7), ("statsHour", 600, 7), ("statsDay", 3600, 25))  # name, seconds, samples
_DAY: Final = 2
_SAMPLED_AT_ONCE: Final = 2000  # takes 3 ms; so many a second are all within ten

Key = str | tuple[str, ...]
"""A topic for what came to it, (topic, group) for what a group got of it; any other is (item, ...)."""
Sample = tuple[int, int, int, int]
"""Milliseconds, messages, bytes, calls."""


class Counter:
    """The messages and bytes of one key, and in how many calls they came."""

    __slots__ = ("calls", "messages", "samples", "size")

    def __init__(self, now_ms: int) -> None:
        self.messages = 0
        self.size = 0
        self.calls = 0
        self.samples: tuple[deque[Sample], ...] = tuple(
            deque([(now_ms, 0, 0, 0)], maxlen=count) for _, _, count in _WINDOWS
        )

    def add(self, messages: int, size: int) -> None:
        """Count one call."""
        self.messages += messages
        self.size += size
        self.calls += 1

    def sample(self, now_ms: int) -> None:
        """Remember the counters in the windows where it is time to."""
        now = (now_ms, self.messages, self.size, self.calls)
        for samples, (_, seconds, _) in zip(self.samples, _WINDOWS, strict=True):
            if now_ms - samples[-1][0] >= seconds * 1000:
                samples.append(now)

    @property
    def is_idle(self) -> bool:
        """True when nothing was counted for a day."""
        day = self.samples[_DAY]
        return len(day) == day.maxlen and day[0][3] == self.calls

    def figures(self, column: int) -> dict[str, Any]:
        """Return the body of request 315 (remoting protocol/body/BrokerStatsData): 1 for messages, 2 for bytes."""
        figures: dict[str, Any] = {}
        for samples, (name, _, _) in zip(self.samples, _WINDOWS, strict=True):
            first, last = samples[0], samples[-1]
            total, calls = last[column] - first[column], last[3] - first[3]
            figures[name] = {
                "sum": total,
                "tps": total * 1000 / max(1, last[0] - first[0]),
                "avgpt": total / calls if calls else 0.0,
            }
        return figures


class Traffic:
    """Counters by topic, by (topic, group) and by other items; made when something is counted first."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._counters: dict[Key, Counter] = {}
        self._due: list[Key] = []  # counters to be sampled, the next one last
        # What came to system topics, and what was got of them: counters there are, and messages of forgotten ones.
        self._of_system: tuple[dict[Key, Counter], dict[Key, Counter]] = ({}, {})
        self._forgotten = [0, 0]

    def add(self, key: Key, messages: int, size: int) -> None:
        """Count messages that came to a topic, or that a group got of one, in one call."""
        self.counter(key).add(messages, size)

    def counter(self, key: Key) -> Counter:
        """Return a counter, made where there is none."""
        counter = self._counters.get(key)
        return self._make(key) if counter is None else counter

    def _make(self, key: Key) -> Counter:
        if len(self._counters) >= MAX_KEPT:
            self._forget(next(iter(self._counters)))
        counter = self._counters[key] = Counter(self._now_ms)
        topic = key if isinstance(key, str) else key[0]
        if is_system_topic(topic):
            self._of_system[not isinstance(key, str)][key] = counter
        return counter

    def _forget(self, key: Key) -> None:
        del self._counters[key]
        for kind, counters in enumerate(self._of_system):
            counter = counters.pop(key, None)
            if counter is not None:
                self._forgotten[kind] += counter.messages

    def get(self, key: Key) -> Counter | None:
        """Return a counter, or None when nothing was counted."""
        return self._counters.get(key)

    def tps(self, key: Key) -> float:
        """Return how many messages a second were counted in the last minute."""
        counter = self._counters.get(key)
        return 0.0 if counter is None else float(counter.figures(1)["statsMinute"]["tps"])

    def of_system_topics(self) -> tuple[int, int]:
        """Return how many messages came to system topics since the start, and how many were got of them."""
        put, got = (
            forgotten + sum(counter.messages for counter in counters.values())
            for forgotten, counters in zip(self._forgotten, self._of_system, strict=True)
        )
        return put, got

    def sample(self, now_ms: int) -> None:
        """Remember all counters that are due, some thousand at once; called once a second."""
        if not self._due and now_ms - self._now_ms >= _WINDOWS[0][1] * 1000:
            self._now_ms = now_ms
            self._due = list(reversed(self._counters))
        for key in reversed(self._due[-_SAMPLED_AT_ONCE:]):
            counter = self._counters.get(key)
            if counter is not None:
                counter.sample(now_ms)
                if counter.is_idle:
                    self._forget(key)
        del self._due[-_SAMPLED_AT_ONCE:]
