"""What both ends of a replication connection share: time-outs, back-pressure and one reason for its end."""

import asyncio
from typing import Final, cast

from broker_py.errors import BrokerPyError, StoreError, Unreachable
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.liveness import Liveness
from broker_py.replication.rate import RateMeter
from broker_py.seams import Clock

_WRITE_BUFFER_BYTES: Final = 1024 * 1024  # above it the transport asks to pause
_SHORTEST_TIMER: Final = 0.001  # seconds; a timer that fires a little early must not spin


class PeerConnection(asyncio.Protocol):
    """A TCP connection to the other side. Subclasses fill in `opened`, `receive`, `heartbeat`, `writable` and `lost`.

    A BrokerPyError, or an OSError of the log, raised in `opened` or `receive` ends the connection and is its reason.
    """

    def __init__(self, config: ReplicationConfig, clock: Clock) -> None:
        self.peer = "a peer"
        self.peer_ip = ""
        self.local_ip = ""
        self.ended: BrokerPyError | None = None
        self.paused = False
        self.rate = RateMeter()  # of bytes of log, in the direction they travel
        self._config = config
        self._clock = clock
        self._liveness = Liveness(clock.monotonic(), config.ha_send_heartbeat_interval, config.ha_housekeeping_interval)
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def name(self) -> str:
        """Who is at the other end, for the log."""
        return self.peer

    def opened(self) -> None:
        """The connection is there."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""

    def heartbeat(self) -> None:
        """Nothing was written for a heartbeat interval, and the peer takes bytes."""

    def writable(self) -> None:
        """The peer takes bytes again after a pause."""

    def lost(self, error: BrokerPyError) -> None:
        """The connection is gone, because of `error`."""

    def write(self, chunks: list[bytes]) -> None:
        """Send `chunks` in one write."""
        assert self._transport is not None
        self._liveness.wrote(self._clock.monotonic())
        self._transport.writelines(chunks)

    def close(self, reason: str) -> None:
        """End the connection once the bytes written so far have left."""
        if self.ended is None:
            self.ended = Unreachable(reason)
            if self._transport is not None:
                self._transport.close()

    def abort(self, error: BrokerPyError | OSError) -> None:
        """End the connection now. An OSError is one of the log's: those of the socket go to `connection_lost`."""
        if self.ended is None:
            self.ended = StoreError(f"the log can't be used: {error}") if isinstance(error, OSError) else error
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.Transport, transport)
        if self.ended is not None:  # closed before it was there
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        peer_name = transport.get_extra_info("peername")
        local_name = transport.get_extra_info("sockname")
        if peer_name and local_name:  # both are missing when the peer is gone already
            self.peer_ip, self.local_ip = peer_name[0], local_name[0]
            self.peer = f"{peer_name[0]}:{peer_name[1]}"
        now = self._clock.monotonic()
        self._liveness.heard(now)
        self._liveness.wrote(now)
        self._arm(now)
        try:
            self.opened()
        except (BrokerPyError, OSError) as error:
            self.abort(error)

    def go_on_over(self, transport: asyncio.Transport) -> None:
        """Use a layer above the socket from now on; nothing was written yet."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self.ended is not None:
            return
        self._liveness.heard(self._clock.monotonic())
        try:
            self.receive(data)
        except (BrokerPyError, OSError) as error:
            self.abort(error)

    def pause_writing(self) -> None:
        """Called by asyncio."""
        self.paused = True

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self.paused = False
        if self.ended is None:
            self.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self._timer is not None:
            self._timer.cancel()
        if self.ended is None:
            self.ended = Unreachable(f"the connection broke: {exc}" if exc else "the other side closed the connection")
        self.lost(self.ended)

    def _arm(self, now: float) -> None:
        delay = max(_SHORTEST_TIMER, self._liveness.wait(now))
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        now = self._clock.monotonic()
        if self._liveness.dead(now):
            self.abort(Unreachable(f"nothing was heard for {self._config.ha_housekeeping_interval} ms"))
            return
        if self._liveness.heartbeat_due(now):
            self._liveness.wrote(now)  # also when paused: bytes that wait in the buffer do a heartbeat's work
            if not self.paused and self.ended is None:
                self.heartbeat()
        self._arm(now)
