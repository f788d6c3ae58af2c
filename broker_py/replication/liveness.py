"""When to send a heartbeat and when a peer counts as dead."""


class Liveness:
    """The two time-outs of a connection, the same on both sides. Times are monotonic seconds unless named otherwise."""

    __slots__ = ("_heard_at", "_heartbeat_after", "_silence_limit", "_wrote_at")

    def __init__(self, now: float, heartbeat_ms: int, silence_ms: int) -> None:
        self._heard_at = now
        self._wrote_at = now
        self._heartbeat_after = heartbeat_ms / 1000
        self._silence_limit = silence_ms / 1000

    def heard(self, now: float) -> None:
        """Something was read from the peer."""
        self._heard_at = now

    def wrote(self, now: float) -> None:
        """Something was written to the peer."""
        self._wrote_at = now

    def heartbeat_due(self, now: float) -> bool:
        """True when nothing was written for the length of a heartbeat interval."""
        return now - self._wrote_at >= self._heartbeat_after

    def dead(self, now: float) -> bool:
        """True when nothing was read for too long."""
        return now - self._heard_at >= self._silence_limit

    def wait(self, now: float) -> float:
        """Return the seconds until one of the two comes true, if nothing is read or written."""
        return max(0.0, min(self._wrote_at + self._heartbeat_after, self._heard_at + self._silence_limit) - now)
