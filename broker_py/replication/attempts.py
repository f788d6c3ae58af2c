"""Who failed to prove the secret, and how often: whoever guesses is not heard for a while."""

from collections import OrderedDict
from typing import Final

MAX_FAILURES: Final = 5
WINDOW_SECONDS: Final = 60.0
_MAX_PEERS: Final = 1024  # the ones that failed longest ago are forgotten first


class Attempts:
    """Failures by IP address. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failed_at: OrderedDict[str, list[float]] = OrderedDict()

    def failed(self, ip: str, now: float) -> None:
        """Note a failure."""
        times = [*self._recent(ip, now), now][-MAX_FAILURES:]
        self._failed_at[ip] = times
        self._failed_at.move_to_end(ip)
        while len(self._failed_at) > _MAX_PEERS:
            self._failed_at.popitem(last=False)

    def succeeded(self, ip: str) -> None:
        """Forget an address's failures."""
        self._failed_at.pop(ip, None)

    def blocked(self, ip: str, now: float) -> bool:
        """True while an address has failed so often within a minute that it is not to be heard."""
        return len(self._recent(ip, now)) >= MAX_FAILURES

    def _recent(self, ip: str, now: float) -> list[float]:
        return [at for at in self._failed_at.get(ip, []) if now - at < WINDOW_SECONDS]
