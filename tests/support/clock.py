"""A clock that stands still until a test moves it."""


class ManualClock:
    """`seams.Clock` by hand; starts at 1,700,000,000,000 ms and 0 seconds."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic = 0.0

    def now_ms(self) -> int:
        """Wall clock in milliseconds."""
        return self._now_ms

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._monotonic

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self._now_ms += ms
        self._monotonic += ms / 1000

    def set_ms(self, now_ms: int) -> None:
        """Jump to a wall clock time, as operators and time servers do; the other clock goes on."""
        self._now_ms = now_ms
