"""A name server in memory, on a port of this machine."""

import asyncio
from collections.abc import Callable

from broker_py.remoting.config import ServerConfig
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command, Reply

PATIENCE_SECONDS = 20.0


class MemoryNameServer:
    """Keeps what brokers tell it in `told`, and answers with `reply`."""

    def __init__(self) -> None:
        self.told: list[Command] = []
        self.port = 0
        self.reply = Reply(ext={"masterAddr": "10.0.0.1:10911", "haServerAddr": "10.0.0.1:10912"})
        self._heard = asyncio.Event()
        self._server: RemotingServer | None = None

    @property
    def address(self) -> str:
        """Where it is, as text."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> "MemoryNameServer":
        """Listen, on the same port as before if there was one."""
        router = Router()
        router.on_command(RequestCode.REGISTER_BROKER, self._handle)
        router.on_command(RequestCode.UNREGISTER_BROKER, self._handle)
        self._server = RemotingServer(ServerConfig(bind_address="127.0.0.1"), router, Outbox())
        self.port = self._server.bind(self.port)
        await self._server.start()
        return self

    def _handle(self, command: Command, _peer: Peer) -> Reply:
        self.told.append(command)
        self._heard.set()
        return self.reply

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until what was told fulfils a condition."""

        async def wait() -> None:
            while not condition():
                self._heard.clear()
                await self._heard.wait()

        await asyncio.wait_for(wait(), PATIENCE_SECONDS)

    @property
    def registrations(self) -> list[Command]:
        """The requests to register."""
        return [command for command in self.told if command.code == RequestCode.REGISTER_BROKER]
