"""How long puts take: from the request to its answer, flush and replicas included (store StoreStatsService)."""

from bisect import bisect_right
from typing import Final

_STEPS: Final = (1, 10, 50, 100, 200, 500, 1000, 2000, 3000, 4000, 5000, 10_000)  # below so many milliseconds
_NAMES: Final = (
    *("[<=0ms]", "[0~10ms]", "[10~50ms]", "[50~100ms]", "[100~200ms]", "[200~500ms]", "[500ms~1s]"),
    *("[1~2s]", "[2~3s]", "[3~4s]", "[4~5s]", "[5~10s]", "[10s~]"),
)
_SECONDS: Final = 60  # Java shows the last full minute too


class PutTimes:
    """A distribution of times, shown for the last full minute, and the longest time since the start."""

    def __init__(self) -> None:
        self.longest_ms = 0
        self._counts = [0] * len(_NAMES)
        self._shown = list(self._counts)
        self._seconds = 0

    def add(self, milliseconds: int, puts: int) -> None:
        """Count puts that took so long, all of them."""
        self._counts[bisect_right(_STEPS, milliseconds)] += puts
        self.longest_ms = max(self.longest_ms, milliseconds)

    def second(self) -> None:
        """A second passed; at the end of a minute its distribution is what is shown."""
        self._seconds += 1
        if self._seconds >= _SECONDS:
            self._seconds = 0
            self._shown = self._counts
            self._counts = [0] * len(_NAMES)

    def figures(self) -> dict[str, str]:
        """Return what request 28 says of it."""
        shown = " ".join(f"{name}:{count}" for name, count in zip(_NAMES, self._shown, strict=True))
        return {
            "putMessageEntireTimeMax": str(self.longest_ms),
            "putMessageDistributeTime": shown + " ",
            "putLatency99": f"{self._percentile(0.99):.2f}",
            "putLatency999": f"{self._percentile(0.999):.2f}",
        }

    def _percentile(self, share: float) -> float:
        """Return below how many milliseconds this share of the puts stayed, as far as the steps tell."""
        wanted, passed, low = int(sum(self._shown) * share), 0, 0.0
        for count, high in zip(self._shown, (0, *_STEPS[1:], _STEPS[-1]), strict=True):
            if wanted <= passed + count:
                return low + (high - low) * (wanted - passed) / count if count else low
            passed += count
            low = float(high)
        return low
