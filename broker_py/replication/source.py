"""The master's side of replication: listens for slaves and sends each of them the commit log."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from broker_py.errors import ConfigError, Unreachable
from broker_py.replication.acks import AckTable
from broker_py.replication.attempts import Attempts
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.log import ReplicaLog
from broker_py.replication.progress import SlaveRefused
from broker_py.replication.secret import Secret
from broker_py.replication.slave_connection import Fetch, SlaveConnection
from broker_py.seams import Clock

_logger = logging.getLogger(__name__)

_STOP_SECONDS: Final = 2.0  # for the bytes under way to leave
_MAX_STRANGERS: Final = 8  # connections that have not proved the secret yet
_REFUSALS_KEPT: Final = 16
_REFUSAL_SECONDS: Final = 120.0  # how long one is told; a slave of ours dials again each minute, Java's each 5 s


@dataclass(frozen=True)
class SlaveStatus:
    """One slave, as `mqadmin haStatus` shows it (`HARuntimeInfo.HAConnectionRuntimeInfo`). Log offsets and bytes."""

    peer: str
    acked: int
    sent: int
    diff: int
    in_sync: bool
    bytes_per_second: int


@dataclass(frozen=True)
class Refusal:
    """A slave that was sent away, and why. `at` is in monotonic seconds."""

    peer: str
    reason: str
    at: float


class ReplicationSource:
    """Serves slaves, as `store/ha/DefaultHAService` does. Everything happens on the event loop that `start` ran on.

    `on_ack` is called when a slave has reported, which may have moved `acks.replicated_offset`. With a `secret`, slaves
    have to prove it. `fetch` brings old parts of the log into memory; without it, all wait for them.
    """

    def __init__(
        self,
        log: ReplicaLog,
        config: ReplicationConfig,
        acks: AckTable,
        on_ack: Callable[[], None],
        clock: Clock,
        max_connections: int = 64,
        secret: Secret | None = None,
        fetch: Fetch = lambda _owner, _miss, _done: False,
        secure: Callable[[SlaveConnection], asyncio.Protocol] = lambda slave: slave,
    ) -> None:
        self._secure = secure
        self._log = log
        self._config = config
        self._acks = acks
        self._on_ack = on_ack
        self._clock = clock
        self._fetch = fetch
        self._max_connections = max_connections
        self._secret = secret
        self._attempts = Attempts()
        self._refusals: deque[Refusal] = deque(maxlen=_REFUSALS_KEPT)
        self._server: asyncio.Server | None = None
        self._connections: dict[int, SlaveConnection] = {}
        self._numbers = 0
        self._pump_scheduled = False
        self._all_gone = asyncio.Event()

    async def start(self, bind_address: str, port: int) -> int:
        """Listen; return the port, which matters when `port` is 0. An empty address is every interface.

        ConfigError when that can't be listened on.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: self._secure(self._accept()), bind_address or None, port, reuse_address=True
            )
        except OSError as error:
            raise ConfigError(
                f"haListenPort: can't listen on {bind_address or '*'}:{port}: {error.strerror}"
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    def wake(self) -> None:
        """The log has grown. Cheap: what is appended in one turn of the loop leaves in one write per slave."""
        if self._connections and not self._pump_scheduled:
            self._pump_scheduled = True
            asyncio.get_running_loop().call_soon(self._pump)

    async def stop(self) -> None:
        """Close the port and all connections; what was written to them gets two seconds to leave."""
        if self._server is not None:
            self._server.close()
        if not self._connections:
            return
        for connection in list(self._connections.values()):
            connection.close("this broker stops")
        try:
            await asyncio.wait_for(self._all_gone.wait(), _STOP_SECONDS)
        except asyncio.TimeoutError:
            for connection in list(self._connections.values()):
                connection.abort(Unreachable("this broker stops"))
            await self._all_gone.wait()

    def copied_end(self) -> int | None:
        """Return the log offset up to which all slaves that have reported hold the log; None without one."""
        return min(
            (slave.progress.acked for slave in self._connections.values() if slave.progress.started), default=None
        )

    def connections(self) -> list[SlaveStatus]:
        """Return the slaves that have reported, in the order they came."""
        end = self._log.end
        now = self._clock.monotonic()
        return [self._status(slave, end, now) for slave in self._connections.values() if slave.progress.started]

    def refusals(self) -> list[Refusal]:
        """The slaves that were sent away in the last two minutes, the last time of each address."""
        now = self._clock.monotonic()
        recent = [refusal for refusal in self._refusals if now - refusal.at < _REFUSAL_SECONDS]
        return list({refusal.peer.rpartition(":")[0]: refusal for refusal in recent}.values())

    def _status(self, slave: SlaveConnection, end: int, now: float) -> SlaveStatus:
        diff = end - slave.progress.acked
        return SlaveStatus(
            peer=slave.peer,
            acked=slave.progress.acked,
            sent=slave.progress.sent,
            diff=diff,
            in_sync=diff < self._config.ha_max_gap_not_in_sync,
            bytes_per_second=slave.rate.per_second(now),
        )

    def _accept(self) -> SlaveConnection:
        self._numbers += 1
        slave = SlaveConnection(
            self._numbers,
            self._log,
            self._config,
            self._acks,
            self._clock,
            on_ack=self._on_ack,
            on_ready=self.wake,
            on_lost=self._forget,
            secret=self._secret,
            attempts=self._attempts,
            fetch=self._fetch,
        )
        if len(self._connections) >= self._max_connections:
            slave.ended = SlaveRefused(f"{self._max_connections} connections are open already")
        elif slave.stranger and sum(other.stranger for other in self._connections.values()) >= _MAX_STRANGERS:
            slave.ended = SlaveRefused(f"{_MAX_STRANGERS} connections have not proved the secret yet")
        self._connections[slave.number] = slave
        self._all_gone.clear()
        return slave

    def _forget(self, slave: SlaveConnection) -> None:
        del self._connections[slave.number]
        if isinstance(slave.ended, SlaveRefused):
            self._refusals.append(Refusal(slave.peer, str(slave.ended), self._clock.monotonic()))
        if not self._connections:
            self._all_gone.set()

    def _pump(self) -> None:
        self._pump_scheduled = False
        more = [slave.pump() for slave in self._connections.values()]
        if any(more):
            self.wake()
