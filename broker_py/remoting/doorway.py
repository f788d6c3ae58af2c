"""The first byte of an accepted connection decides whether it goes on in TLS or in the clear."""

import asyncio
import logging
import ssl

from broker_py.remoting.connection import Connection
from broker_py.remoting.tls import FIRST_BYTE, TlsLayer

log = logging.getLogger(__name__)


class Doorway(asyncio.Protocol):
    """Stands in for `connection` until the first byte; the connection counts, and may be closed, from the beginning."""

    def __init__(
        self, connection: Connection, context: ssl.SSLContext, *, plain_allowed: bool, handshake_seconds: float
    ) -> None:
        self._connection = connection
        self._context = context
        self._plain_allowed = plain_allowed
        self._handshake_seconds = handshake_seconds
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connection.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio, once."""
        transport, connection = self._transport, self._connection
        assert transport is not None
        if transport.is_closing():
            return
        if data[0] == FIRST_BYTE:
            layer = TlsLayer(self._context, connection, connection.go_on_over, self._handshake_seconds)
            transport.set_protocol(layer)
            layer.connection_made(transport)
            layer.data_received(data)
        elif self._plain_allowed:
            transport.set_protocol(connection)
            connection.data_received(data)
        else:
            log.warning("closing connection of %s: it does not use TLS (tls.server.mode)", connection.name)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._connection.connection_lost(exc)
