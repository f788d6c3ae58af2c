"""An event loop's timers, by hand."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.clock import ManualClock


@dataclass(eq=False)
class ManualTimer:
    """A call that is due; `cancel` takes it back."""

    at: float
    work: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Don't make it."""
        self.cancelled = True


class ManualTimers:
    """`call_later` of an event loop whose time is a clock that tests move."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.waiting: list[ManualTimer] = []

    def call_later(self, seconds: float, work: Callable[[], None]) -> ManualTimer:
        """Have `work` called when so much time has passed and `ring` is called."""
        timer = ManualTimer(self._clock.monotonic() + seconds, work)
        self.waiting.append(timer)
        return timer

    def ring(self) -> bool:
        """Make the calls that are due; False when there are none."""
        now = self._clock.monotonic() + 1e-9
        due = [timer for timer in self.waiting if timer.at <= now and not timer.cancelled]
        self.waiting = [timer for timer in self.waiting if timer.at > now and not timer.cancelled]
        for timer in due:
            timer.work()
        return bool(due)

    def settle(self, end_turn: Callable[[], None]) -> None:
        """Make the calls that are due, and end the loop's turn behind them, until nothing more is due."""
        for _ in range(10_000):
            rung = self.ring()
            end_turn()
            if not rung:
                return
        raise AssertionError("the loop is never done")

    @property
    def next_seconds(self) -> float | None:
        """How long until the next call, None without any."""
        times = [timer.at for timer in self.waiting if not timer.cancelled]
        return min(times) - self._clock.monotonic() if times else None
