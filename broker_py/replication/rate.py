"""How fast bytes move."""


class RateMeter:
    """Counts bytes by whole seconds of the monotonic clock, as `store/ha/FlowMonitor` does."""

    __slots__ = ("_before", "_counted", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._counted = 0
        self._before = 0

    def add(self, size: int, now: float) -> None:
        """Count `size` bytes at `now`."""
        self._roll(int(now))
        self._counted += size

    def per_second(self, now: float) -> int:
        """Return the bytes of the last second that is over."""
        self._roll(int(now))
        return self._before

    def _roll(self, second: int) -> None:
        if second == self._second:
            return
        self._before = self._counted if second == self._second + 1 else 0
        self._counted = 0
        self._second = second
