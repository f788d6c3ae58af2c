"""Connections that we dial: one an address, made when first needed and again after a loss."""

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from typing import Final

from broker_py.errors import Unreachable
from broker_py.model.address import split_address
from broker_py.remoting.connection import Connection, ConnectionOwner
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.router import Router
from broker_py.wire.command import Command
from broker_py.wire.signing import Credentials, sign

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS: Final = 3.0


class RemotingClient:
    """Sends requests to addresses "host:port" (remoting netty/NettyRemotingClient).

    `on_open(address)` and `on_close(address)` hear of connections made and lost. Requests that a peer sends
    on our connection go to `router`. With `credentials` requests are signed;
    `tls` gives what connections are encrypted with, None for those that are not.
    """

    def __init__(
        self,
        router: Router | None = None,
        outbox: Outbox | None = None,
        on_open: Callable[[str], None] = lambda _: None,
        on_close: Callable[[str], None] = lambda _: None,
        credentials: Credentials | None = None,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        self._tls = tls
        self._credentials = credentials
        self._on_open = on_open
        self._on_close = on_close
        self._connections: dict[str, Connection] = {}
        self._dialling: dict[str, asyncio.Lock] = {}
        self._closing = False
        self._owner = ConnectionOwner(
            router=router or Router(),
            outbox=outbox or Outbox(),
            on_close=self._closed,
        )

    async def connect(self, address: str) -> Connection:
        """Return the open connection to `address`; Unreachable when there is none to be had."""
        connection = self._connections.get(address)
        if connection is not None and connection.is_open:
            return connection
        async with self._dialling.setdefault(address, asyncio.Lock()):
            connection = self._connections.get(address)
            if connection is None or not connection.is_open:
                connection = await self._dial(address)
        return connection

    async def _dial(self, address: str) -> Connection:
        host, port = split_address(address)
        loop = asyncio.get_running_loop()
        context = self._tls()
        try:
            _, connection = await asyncio.wait_for(
                loop.create_connection(lambda: Connection(self._owner), host, port, ssl=context),
                CONNECT_TIMEOUT_SECONDS,
            )
        except asyncio.TimeoutError:
            raise Unreachable(f"{address} did not accept a connection in {CONNECT_TIMEOUT_SECONDS:g} s") from None
        except ssl.SSLError as error:
            raise Unreachable(f"{address} can't be connected to by TLS: {_tls_fault(error)}") from None
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise Unreachable(f"{address} can't be connected to: {why}") from None
        connection.attachment = address
        self._connections[address] = connection
        self._on_open(address)
        return connection

    def _closed(self, connection: Connection) -> None:
        address = connection.attachment
        if address is not None and self._connections.get(address) is connection:
            del self._connections[address]
            if not self._closing:
                self._on_close(address)

    async def request(self, address: str, command: Command, timeout_seconds: float = 3.0) -> Command:
        """Return the reply of `address`, whatever its code; Unreachable when none comes."""
        connection = await self.connect(address)
        self._sign(command)
        return await connection.request(command, timeout_seconds)

    async def send(self, address: str, command: Command) -> None:
        """Send a request that will not be answered."""
        connection = await self.connect(address)
        self._sign(command)
        connection.send(command)

    def sign_as(self, credentials: Credentials | None) -> None:
        """Sign with other credentials from here on."""
        self._credentials = credentials

    def _sign(self, command: Command) -> None:
        if self._credentials is not None:
            sign(command, self._credentials)

    async def close(self) -> None:
        """Close all connections."""
        self._closing = True
        for connection in list(self._connections.values()):
            connection.write_gathered()
            connection.close()
        await asyncio.sleep(0)


def _tls_fault(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return (error.reason or str(error)).lower().replace("_", " ")
