"""Which brokers are avoided for a while, after a failure or a slow answer (client latency/MQFaultStrategy)."""

from typing import Final

from broker_py.seams import Clock

# An answer that took longer than so many seconds has its broker avoided for so many.
_PAUSES: Final = ((15.0, 600.0), (3.0, 180.0), (2.0, 120.0), (1.0, 60.0), (0.55, 30.0))
# A broker that failed is taken for one that needed 30 s.
_FAILED_SECONDS: Final = 30.0


class FaultAvoidance:
    """Broker name → until when another one is preferred. Without `by_latency` there is none, as in Java."""

    def __init__(self, clock: Clock, *, by_latency: bool = False) -> None:
        self._clock = clock
        self._by_latency = by_latency
        self._until: dict[str, float] = {}

    def answered(self, broker_name: str, seconds: float) -> None:
        """Note how long a broker took."""
        if self._by_latency:
            self._pause(broker_name, seconds)

    def failed(self, broker_name: str) -> None:
        """Note that a broker did not store a message."""
        if self._by_latency:
            self._pause(broker_name, _FAILED_SECONDS)

    def _pause(self, broker_name: str, seconds: float) -> None:
        pause = next((pause for slow, pause in _PAUSES if seconds >= slow), 0.0)
        if pause:
            self._until[broker_name] = self._clock.monotonic() + pause
        elif self._until:
            self._until.pop(broker_name, None)

    def avoids(self, broker_name: str) -> bool:
        """True while another broker is the better choice."""
        return bool(self._until) and self._clock.monotonic() < self._until.get(broker_name, 0.0)
