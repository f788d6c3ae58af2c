"""A remoting server on a free port of this machine, and a raw client for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker_py.remoting.config import ServerConfig
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.wire.command import Command
from broker_py.wire.frame import FrameDecoder, encode_command

PATIENCE_SECONDS = 20.0


class RawClient:
    """Speaks frames over a socket and notices everything: nothing is matched, nothing retried."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = FrameDecoder()
        self._received: list[Command] = []

    def send(self, *commands: Command) -> None:
        """Send commands in one write."""
        self.send_bytes(b"".join(encode_command(command) for command in commands))

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self._writer.write(data)

    async def receive(self) -> Command | None:
        """Return the next command; None when the server has closed the connection."""
        while not self._received:
            data = await asyncio.wait_for(self._read(), PATIENCE_SECONDS)
            if not data:
                return None
            self._received += self._decoder.receive_data(data)
        return self._received.pop(0)

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(1 << 20)
        except ConnectionError:
            return b""

    async def ask(self, command: Command) -> Command:
        """Send a request and return what comes next."""
        self.send(command)
        reply = await self.receive()
        assert reply is not None, "the server closed the connection"
        return reply

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def connect(port: int) -> RawClient:
    """Return a client that is connected to a port of this machine."""
    return RawClient(*await asyncio.open_connection("127.0.0.1", port))


class RunningServer:
    """A server and its port."""

    def __init__(self, server: RemotingServer, port: int) -> None:
        self.server = server
        self.port = port

    @property
    def address(self) -> str:
        """Where it is, as text."""
        return f"127.0.0.1:{self.port}"

    async def connect(self) -> RawClient:
        """Return a client that is connected."""
        return await connect(self.port)


@asynccontextmanager
async def serving(router: Router, config: ServerConfig | None = None) -> AsyncIterator[RunningServer]:
    """Run a server for `router` on a free port of this machine."""
    server = RemotingServer(config or ServerConfig(bind_address="127.0.0.1"), router, Outbox())
    port = server.bind(0)
    await server.start()
    try:
        yield RunningServer(server, port)
    finally:
        await server.stop()
