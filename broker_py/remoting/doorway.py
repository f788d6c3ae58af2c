"""The first byte of an accepted connection decides whether it goes on in TLS or in the clear."""

import asyncio
import logging
import ssl
from typing import Protocol, cast

from broker_py.remoting.tls import FIRST_BYTE, Secured, TlsLayer

log = logging.getLogger(__name__)


class Guest(Secured, Protocol):
    """A connection that writes nothing before it has read something: a client's, or a slave's."""

    @property
    def name(self) -> str:
        """Who it is, for the log."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""

    def go_on_over(self, transport: asyncio.Transport) -> None:
        """Use a layer above the socket from now on."""


class Doorway(asyncio.Protocol):
    """Stands in for `connection` until the first byte; the connection counts, and may be closed, from the beginning."""

    def __init__(
        self, connection: Guest, context: ssl.SSLContext, *, plain_allowed: bool, handshake_seconds: float
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
            transport.set_protocol(cast(asyncio.Protocol, connection))
            connection.data_received(data)
        else:
            log.warning("closing connection of %s: it does not use TLS (tls.server.mode, haTlsEnable)", connection.name)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._connection.connection_lost(exc)
