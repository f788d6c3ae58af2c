"""How much goes through each topic and each group of it (common stats/StatsItem, store stats/BrokerStatsManager).

Counters only grow. They are remembered every 10 seconds, 10 minutes and hour, and the first and the last of what is
remembered make a figure of the last minute, hour and day. What stood still for a day is forgotten.
"""

from collections import deque
from typing import Any, Final

MAX_KEPT: Final = 20_000
"""Topics, and pairs of topic and group; beyond that those that have been known longest are forgotten."""
_WINDOWS: Final = (("statsMinute", 10, 7), ("statsHour", 600, 7), ("statsDay", 3600, 25))  # name, seconds, samples
_DAY: Final = 2

Key = str | tuple[str, str]
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
    """Counters by topic, and by (topic, group); made when something is counted first."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._counters: dict[Key, Counter] = {}

    def add(self, key: Key, messages: int, size: int) -> None:
        """Count messages that came to a topic, or that a group got of one, in one call."""
        counter = self._counters.get(key)
        if counter is None:
            if len(self._counters) >= MAX_KEPT:
                del self._counters[next(iter(self._counters))]
            counter = self._counters[key] = Counter(self._now_ms)
        counter.add(messages, size)

    def get(self, key: Key) -> Counter | None:
        """Return a counter, or None when nothing was counted."""
        return self._counters.get(key)

    def sample(self, now_ms: int) -> None:
        """Remember all counters that are due; called once a second."""
        if now_ms - self._now_ms < _WINDOWS[0][1] * 1000:
            return
        self._now_ms = now_ms
        for key, counter in list(self._counters.items()):
            counter.sample(now_ms)
            if counter.is_idle:
                del self._counters[key]
