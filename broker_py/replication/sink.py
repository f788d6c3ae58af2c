"""The slave's side of replication: keeps a connection to the master and appends what it sends."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from broker_py.errors import BrokerPyError, Unreachable
from broker_py.model.address import split_address
from broker_py.replication.backoff import Backoff
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.log import ReplicaLog
from broker_py.replication.master_connection import MasterConnection
from broker_py.replication.master_log import FollowRefused, MasterLog, check_fit
from broker_py.replication.secret import Secret
from broker_py.seams import Clock

_logger = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 5.0


class SinkState(Enum):
    """What a slave is doing."""

    IDLE = "no master known"
    CONNECTING = "dialling"
    COMPARING = "comparing the end of its log with the master's"
    FOLLOWING = "copying"
    WAITING = "waiting to dial again"
    REFUSED = "stopped: its log can't go on with its master's"


@dataclass(frozen=True)
class SinkStatus:
    """A slave, as `mqadmin haStatus` shows it (`HARuntimeInfo.HAClientRuntimeInfo`)."""

    state: SinkState
    master: str | None
    end: int  # log offset
    caught_up: bool  # since the connection was made, the master has had nothing more to send at least once
    bytes_per_second: int
    last_error: str | None  # why the last connection ended or couldn't be made
    fault: str | None  # why nothing is copied, None while all is well


async def unknown_master() -> MasterLog | None:
    """Nothing is known of the master's log before it is followed."""
    return None


class ReplicationSink:
    """Follows one master, as `store/ha/DefaultHAClient` does. `on_append` is called after the log has grown.

    `describe` asks the master for its log before each connection; None when it doesn't say.
    """

    def __init__(
        self,
        log: ReplicaLog,
        config: ReplicationConfig,
        on_append: Callable[[], None],
        clock: Clock,
        backoff: Backoff | None = None,
        describe: Callable[[], Awaitable[MasterLog | None]] = unknown_master,
        secret: Secret | None = None,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        self._tls = tls
        self._log = log
        self._config = config
        self._on_append = on_append
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._describe = describe
        self._secret = secret
        self._compared_with: str | None = None  # the master that more than the last record was compared with
        self._master: str | None = config.ha_master_address or None
        self._changed = asyncio.Event()
        self._stopping = False
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._state = SinkState.IDLE
        self._connection: MasterConnection | None = None
        self._last_error: str | None = None
        self._told: str | None = None  # the last reason that was logged

    @property
    def status(self) -> SinkStatus:
        """The state of this moment."""
        state, caught_up, rate, fault = self._state, False, 0, self._last_error
        if self._connection is not None:
            state = SinkState.COMPARING if self._connection.comparing else SinkState.FOLLOWING
            caught_up = self._connection.caught_up
            rate = self._connection.rate.per_second(self._clock.monotonic())
            fault = None
        return SinkStatus(state, self._master, self._log.end, caught_up, rate, self._last_error, fault)

    def set_master(self, address: str | None) -> None:
        """Follow the master at `host:port` from now on, or none. The same address again changes nothing."""
        address = address or None
        if address != self._master:
            self._master = address
            self._changed.set()

    async def run(self) -> None:
        """Follow the master, whichever it is, until `stop`."""
        self._stopped.clear()
        try:
            while not self._stopping:
                self._changed.clear()
                await self._until_changed(self._master)
        finally:
            self._state = SinkState.IDLE
            self._stopped.set()

    async def stop(self) -> None:
        """End `run`, and return when it has ended: nothing is appended afterwards."""
        self._stopping = True
        self._changed.set()
        await self._stopped.wait()

    async def _until_changed(self, master: str | None) -> None:
        following = asyncio.ensure_future(self._follow(master))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((following, changed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            following.cancel()
            await asyncio.wait((following, changed))
        if not following.cancelled():
            following.result()  # it never returns, so this raises what went wrong

    async def _follow(self, master: str | None) -> None:
        """Dial `master` again and again; only cancelling ends it."""
        self._backoff.reset()
        self._last_error = self._told = None
        while master is not None:
            self._state = SinkState.CONNECTING
            error = await self._attempt(master)
            delay = self._backoff.after(error)
            self._complain(master, error, delay)
            self._state = SinkState.REFUSED if isinstance(error, FollowRefused) else SinkState.WAITING
            await asyncio.sleep(delay)
        self._state = SinkState.IDLE
        await asyncio.Event().wait()

    async def _attempt(self, master: str) -> BrokerPyError:
        """Follow over one connection; return what ended it."""
        own_end = self._log.end  # before the master is asked, as its log grows
        described = await self._describe()
        connection = MasterConnection(
            self._log,
            self._config,
            self._on_append,
            self._clock,
            0 if master == self._compared_with else self._config.ha_compare_bytes,
            0 if described is None else described.min_offset,
            self._secret,
        )
        try:
            if described is not None:
                check_fit(own_end, self._log.segment_end(0), described)
            host, port = split_address(master)
            dialling = asyncio.get_running_loop().create_connection(lambda: connection, host, port, ssl=self._tls())
            await asyncio.wait_for(dialling, _CONNECT_SECONDS)
            self._connection = connection
            return await connection.closed
        except asyncio.TimeoutError:
            return Unreachable(f"no connection within {_CONNECT_SECONDS:.0f} s")
        except OSError as error:
            return Unreachable(error.strerror or str(error))
        except BrokerPyError as error:
            return error
        finally:
            self._connection = None
            connection.abort(Unreachable("this slave closed the connection"))
            if connection.productive:
                self._compared_with = self._compared_with if connection.comparing else master
                self._backoff.reset()
                self._told = None

    def _complain(self, master: str, error: BrokerPyError, delay: float) -> None:
        """Log why the master is not followed; the same reason again is not worth a line."""
        reason = str(error)
        if reason == self._told:
            _logger.debug("master %s: %s", master, reason)
        elif isinstance(error, FollowRefused):
            _logger.error("master %s: %s (it is tried again each %.0f s)", master, reason, delay)
        else:
            _logger.warning("master %s can't be followed: %s; trying again in %.1f s", master, reason, delay)
        self._last_error = self._told = reason
