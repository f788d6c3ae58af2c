"""TLS on the ports of a server: which connections get it, and the layer between socket and protocol.

A client that wants TLS says so by its first byte, 0x16, which begins no frame that is allowed (remoting
netty/NettyRemotingServer.HandshakeHandler). The layer is asyncio's in small: an SSLObject between two buffers, since
asyncio's own can't be given bytes that were read before.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol

log = logging.getLogger(__name__)

FIRST_BYTE: Final = 0x16
_MAX_HANDSHAKE_BYTES: Final = 1 << 18
_PIECE_BYTES: Final = 1 << 18


class TlsContexts(Protocol):
    """Certificates and trust, as they are now; both are None where there is nothing to be used."""

    def server(self) -> ssl.SSLContext | None:
        """What accepted connections get."""

    def client(self) -> ssl.SSLContext | None:
        """What dialled connections get."""

    def refresh(self) -> None:
        """Look whether the files have changed, and take them when they are sound."""


class Secured(Protocol):
    """What a layer serves: an asyncio.Protocol, of which it calls these."""

    def data_received(self, data: bytes) -> None:
        """Take decrypted bytes."""

    def pause_writing(self) -> None:
        """The peer doesn't read."""

    def resume_writing(self) -> None:
        """The peer reads again."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""


class TlsLayer(asyncio.Protocol):
    """Serves `inner` over TLS on a socket that was accepted; `ready` gets its transport after the handshake.

    A handshake that fails or takes more than `handshake_seconds` ends the connection.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        inner: Secured,
        ready: Callable[[asyncio.Transport], None],
        handshake_seconds: float,
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._inner = inner
        self._ready = ready
        self._handshake_seconds = handshake_seconds
        self._handshake_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._raw: asyncio.Transport | None = None
        self._done = False
        self._closing = False
        self._peer = "?"

    # The socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        assert isinstance(transport, asyncio.Transport)
        self._raw = transport
        peer = transport.get_extra_info("peername")
        self._peer = f"{peer[0]}:{peer[1]}" if peer else "?"
        self._timer = asyncio.get_running_loop().call_later(
            self._handshake_seconds, self._fail, f"its TLS handshake took more than {self._handshake_seconds:g} s"
        )

    def data_received(self, data: bytes) -> None:
        """Take encrypted bytes."""
        if self._raw is None or self._closing:
            return
        self._incoming.write(data)
        try:
            if not self._done and not self._shake_hands(len(data)):
                return
            self._deliver()
        except ssl.SSLError as error:
            self._fail(f"TLS: {error.reason or error}")

    def _shake_hands(self, size: int) -> bool:
        self._handshake_bytes += size
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            if self._handshake_bytes > _MAX_HANDSHAKE_BYTES:
                self._fail(f"its TLS handshake has more than {_MAX_HANDSHAKE_BYTES} bytes")
            return False
        except ssl.SSLError:
            self._flush()  # the alert that tells the client why
            raise
        self._flush()
        self._done = True
        if self._timer is not None:
            self._timer.cancel()
        self._ready(_TlsTransport(self))
        return True

    def _deliver(self) -> None:
        while not self._closing:
            try:
                data = self._tls.read(_PIECE_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                self.close()
                return
            if not data:
                self.close()
                return
            self._inner.data_received(data)
        self._flush()

    def _flush(self) -> None:
        if self._raw is not None and self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def _fail(self, why: str) -> None:
        log.warning("closing connection of %s: %s", self._peer, why)
        self._closing = True
        if self._raw is not None:
            self._raw.close() if not self._raw.get_write_buffer_size() else self._raw.abort()

    def pause_writing(self) -> None:
        """The peer doesn't read."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._raw = None
        self._inner.connection_lost(exc)

    # The protocol's side

    @property
    def raw(self) -> asyncio.Transport | None:
        """The socket's transport while there is one."""
        return self._raw

    @property
    def tls(self) -> ssl.SSLObject:
        """What knows of the peer's certificate and the cipher."""
        return self._tls

    def is_closing(self) -> bool:
        """True from `close` on."""
        return self._closing or self._raw is None or self._raw.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self.is_closing():
            return
        view = memoryview(data)
        position = 0
        try:
            while position < len(view):
                position += self._tls.write(view[position : position + _PIECE_BYTES])
                self._flush()
        except ssl.SSLError as error:
            self._fail(f"TLS: {error.reason or error}")

    def close(self) -> None:
        """Say goodbye, and close after what was written has left."""
        if self.is_closing():
            return
        self._closing = True
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # it would wait for the peer's goodbye
        self._flush()
        assert self._raw is not None
        self._raw.close()


class _TlsTransport(asyncio.Transport):
    """What a protocol writes to above a layer."""

    def __init__(self, layer: TlsLayer) -> None:
        super().__init__()
        self._layer = layer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "ssl_object":
            return self._layer.tls
        raw = self._layer.raw
        return default if raw is None else raw.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._layer.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._layer.write(data)

    def close(self) -> None:
        self._layer.close()

    def abort(self) -> None:
        if self._layer.raw is not None:
            self._layer.raw.abort()

    def pause_reading(self) -> None:
        if self._layer.raw is not None:
            self._layer.raw.pause_reading()

    def resume_reading(self) -> None:
        if self._layer.raw is not None and not self._layer.raw.is_closing():
            self._layer.raw.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if self._layer.raw is not None:
            self._layer.raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return 0 if self._layer.raw is None else self._layer.raw.get_write_buffer_size()
