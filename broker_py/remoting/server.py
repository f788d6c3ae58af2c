"""A server on one or more ports, with the limits and time-outs of its connections."""

import asyncio
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from broker_py.errors import ConfigError
from broker_py.remoting.config import ServerConfig, TlsMode
from broker_py.remoting.connection import Connection, ConnectionOwner
from broker_py.remoting.doorway import Doorway
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.router import Router
from broker_py.remoting.tls import TlsContexts
from broker_py.remoting.waiting_time import Patience, WaitingTime

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 1.0
# A peer that doesn't read is not read from. What others cause to be sent to it, such as pushed replies, ends here.
MAX_UNREAD_BYTES: Final = 64 << 20


def is_loopback(address: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


class RemotingServer:
    """Accepts connections and serves their requests by a router (remoting netty/NettyRemotingServer).

    `on_close` hears of each connection that ends, whatever the cause, `on_writable` of each whose peer reads again
    after it did not. `tls` has the certificates, if there are any, and `patience` judges requests that had to wait.
    """

    def __init__(
        self,
        config: ServerConfig,
        router: Router,
        outbox: Outbox,
        on_close: Callable[[Connection], None] = lambda _: None,
        tls: TlsContexts | None = None,
        on_writable: Callable[[Connection], None] = lambda _: None,
        patience: Patience | None = None,
    ) -> None:
        if config.tls_server_mode is TlsMode.enforcing and (tls is None or tls.server() is None):
            raise ConfigError("tls.server.mode is enforcing, and tls.config.file names no tls.server.certPath")
        self._tls = tls
        self._config = config
        self._on_close = on_close
        self._connections: set[Connection] = set()
        self._bound: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._waiting_time = None if patience is None else WaitingTime(patience)
        self._owner = ConnectionOwner(
            router=router,
            outbox=outbox,
            max_in_flight=config.server_max_requests_in_flight,
            on_open=self._opened,
            on_close=self._closed,
            on_writable=on_writable,
            waiting_time=self._waiting_time,
        )

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    def bind(self, port: int) -> int:
        """Take `port` (0: any free one) and return it; ConfigError when it is taken. Nobody is accepted yet."""
        host = self._config.bind_address
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            raise ConfigError(f"can't listen on {host}:{port}: {error.strerror}") from None
        self._bound.append(bound)
        taken: int = bound.getsockname()[1]
        return taken

    async def start(self) -> None:
        """Accept connections on the ports that were bound; ConfigError when another process was quicker."""
        loop = asyncio.get_running_loop()
        if self._waiting_time is not None:
            self._waiting_time.start(loop)
        while self._bound:
            bound = self._bound.pop(0)
            try:
                server = await loop.create_server(self._accept, sock=bound, backlog=self._config.server_socket_backlog)
            except OSError as error:
                raise ConfigError(f"can't listen on port {bound.getsockname()[1]}: {error.strerror}") from None
            self._servers.append(server)
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep())

    async def stop(self) -> None:
        """Accept nobody more, then close all connections after what was answered has left."""
        for bound in self._bound:
            bound.close()
        for server in self._servers:
            server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._waiting_time is not None:
            self._waiting_time.stop()
        for connection in list(self._connections):
            connection.write_gathered()
            connection.close()
        for _ in range(100):  # a second for what is in the buffers
            if not self._connections:
                break
            await asyncio.sleep(0.01)
        for connection in list(self._connections):
            connection.abort()

    def _accept(self) -> asyncio.Protocol:
        connection = Connection(self._owner)
        mode = self._config.tls_server_mode
        context = None if self._tls is None or mode is TlsMode.disabled else self._tls.server()
        if context is None:
            return connection
        plain, seconds = mode is TlsMode.permissive, self._config.server_header_timeout_seconds
        return Doorway(connection, context, plain_allowed=plain, handshake_seconds=seconds)

    def _opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if len(self._connections) > self._config.server_max_connections:
            log.warning(
                "closing connection of %s: %d connections are open, which is the limit (serverMaxConnections)",
                connection.name,
                self._config.server_max_connections,
            )
            connection.abort()

    def _closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._on_close(connection)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.close_stale(asyncio.get_running_loop().time())

    def close_stale(self, now: float) -> None:
        """Close the connections that are silent for too long, slow with a header, or for whom too much has piled up."""
        idle = self._config.server_channel_max_idle_time_seconds
        slow = self._config.server_header_timeout_seconds
        for connection in list(self._connections):
            if connection.header_since is not None and now - connection.header_since > slow:
                log.warning("closing connection of %s: its header is not complete after %d s", connection.name, slow)
                connection.abort()
            elif not connection.is_writable and connection.unread_bytes > MAX_UNREAD_BYTES:
                log.warning(
                    "closing connection of %s: it has not read %d MiB", connection.name, connection.unread_bytes >> 20
                )
                connection.abort()
            elif now - connection.last_active > idle:
                log.info("closing connection of %s: nothing read or written for %d s", connection.name, idle)
                connection.abort()
