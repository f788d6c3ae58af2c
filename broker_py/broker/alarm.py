"""Being called at a time: one timer for all that a service waits for."""

from collections.abc import Callable
from typing import Protocol

from broker_py.seams import Clock


class Timer(Protocol):
    """A call that is due."""

    def cancel(self) -> None:
        """Don't make it."""


CallLater = Callable[[float, Callable[[], None]], Timer]
"""`call_later(seconds, work)`: have the event loop call `work`."""


class Alarm:
    """Calls `work` once at the earliest of the times that were asked for since the last call."""

    def __init__(self, clock: Clock, call_later: CallLater, work: Callable[[], None]) -> None:
        self._clock = clock
        self._call_later = call_later
        self._work = work
        self._timer: Timer | None = None
        self._at = 0.0

    def within(self, seconds: float) -> None:
        """Call it so soon, at the latest."""
        at = self._clock.monotonic() + seconds
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = self._call_later(max(0.0, seconds), self._ring)

    def stop(self) -> None:
        """Don't call any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._work()
