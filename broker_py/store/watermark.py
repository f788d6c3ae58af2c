"""An offset that only grows, and those who wait for it."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

_SWEEP_AT: Final = 64


class Wait:
    """One callback that waits for a watermark; `cancel` makes it never run."""

    __slots__ = ("_callback", "_watermark")

    def __init__(self, watermark: "Watermark", callback: Callable[[], None]) -> None:
        self._watermark = watermark
        self._callback: Callable[[], None] | None = callback

    @property
    def pending(self) -> bool:
        """True while the callback neither ran nor was cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget the callback; nothing happens when it ran already."""
        if self._callback is not None:
            self._callback = None
            self._watermark._cancelled_one()

    def _run(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Watermark:
    """A log offset up to which something is true: written, flushed, replicated, dispatched."""

    __slots__ = ("_cancelled", "_count", "_waits", "value")

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self._waits: list[tuple[int, int, Wait]] = []
        self._count = 0
        self._cancelled = 0

    def advance(self, to: int) -> None:
        """Raise the value to `to`, never back, and run the callbacks it covers in the order of their offsets."""
        if to <= self.value:
            return
        self.value = to
        waits = self._waits
        while waits and waits[0][0] <= self.value:
            wait = heappop(waits)[2]
            if wait.pending:
                wait._run()
            else:
                self._cancelled -= 1

    def when(self, offset: int, callback: Callable[[], None]) -> Wait:
        """Run `callback` once the value is `offset` or more: at once if it is already."""
        wait = Wait(self, callback)
        if offset <= self.value:
            wait._run()
        else:
            self._count += 1
            heappush(self._waits, (offset, self._count, wait))
        return wait

    @property
    def waiting(self) -> int:
        """Number of callbacks that wait."""
        return len(self._waits) - self._cancelled

    def _cancelled_one(self) -> None:
        self._cancelled += 1
        # A watermark that stands still (a slave that is gone) must not collect the waits that ran out of time.
        if self._cancelled >= _SWEEP_AT and self._cancelled * 2 > len(self._waits):
            self._waits[:] = [entry for entry in self._waits if entry[2].pending]
            heapify(self._waits)
            self._cancelled = 0
