"""How long a slave waits before it dials its master again."""

from broker_py.replication.master_log import FollowRefused


class Backoff:
    """Delays between attempts, in seconds: doubling up to a limit, and long when only a person can help.

    Shorter than Java's 5 s, since a synchronous master that is back has no slave to wait for until then.
    """

    def __init__(self, first: float = 0.25, limit: float = 2.0, refused: float = 60.0) -> None:
        self._first = first
        self._limit = limit
        self._refused = refused
        self._next = first

    def reset(self) -> None:
        """An attempt succeeded."""
        self._next = self._first

    def after(self, error: Exception) -> float:
        """Return the delay after an attempt that ended by `error`."""
        if isinstance(error, FollowRefused):
            return self._refused
        delay = self._next
        self._next = min(self._limit, delay * 2)
        return delay
