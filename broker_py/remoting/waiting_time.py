"""How long requests have waited in their sockets for the event loop, and what becomes of those that waited too long.

There is no queue between the sockets and the loop, so this is what Java calls the period in queue: the time between
the arrival of a request's bytes and its turn. A beat of the loop bounds it for all connections; only where that bound
is too long the kernel is asked when the bytes of one came.
"""

import asyncio
import socket
from struct import Struct
from typing import Final, Protocol

from broker_py.wire.command import Command, Reply

BEAT_SECONDS: Final = 0.1
_LAST_DATA_RECEIVED: Final = Struct("=52xI")  # struct tcp_info of Linux: tcpi_last_data_recv, in milliseconds


class Patience(Protocol):
    """What a daemon says of requests that wait. Of less than `seconds` it has nothing to say; inf is no limit."""

    @property
    def seconds(self) -> float:
        """The shortest wait that matters."""

    def refusal(self, command: Command, waited_ms: int, behind: int) -> Reply | None:
        """Return the answer to a request that waited too long, None when it is to be served.

        `behind` are the requests that came with it and are not served yet.
        """


class WaitingTime:
    """Bounds how long what is handled now may have waited.

    All that has arrived is handled between two beats, unless the loop is late. So what a beat finds was there for no
    longer than since the beat before was due, however late that one was itself.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.since = float("inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to beat."""
        self._loop = loop
        self._next = self._loop.time()
        self._beat()

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.since = float("inf")

    def _beat(self) -> None:
        assert self._loop is not None
        self.since = self._next
        self._next = self._loop.time() + BEAT_SECONDS
        self._timer = self._loop.call_at(self._next, self._beat)

    def of(self, transport: asyncio.BaseTransport, now: float) -> int:
        """Return for how many milliseconds at least all has waited that a connection received just now."""
        return min(int((now - self.since) * 1000), _since_last_data_ms(transport.get_extra_info("socket")))


def _since_last_data_ms(connected: "socket.socket | None") -> int:
    """Return how long ago the newest bytes of a socket came; 0 where the system can't tell."""
    if connected is None:
        return 0
    try:
        info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED.size)
        milliseconds: int = _LAST_DATA_RECEIVED.unpack(info)[0]
    except (OSError, AttributeError, ValueError):
        return 0
    return milliseconds
