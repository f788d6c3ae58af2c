"""When replies leave: after what they promise is committed, and those of one wakeup together."""

import asyncio

from broker_py.remoting.config import ServerConfig
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.wire.command import Command, Reply
from tests.support.remoting import connect


def test_a_batch_is_committed_once_and_before_any_of_its_replies_leaves() -> None:
    events: list[str] = []

    def handle(command: Command, peer: Peer) -> Reply:
        events.append(f"handled {command.opaque}")
        return Reply()

    async def scenario() -> None:
        router = Router()
        router.on_command(1, handle)
        outbox = Outbox(before_write=lambda: events.append("committed"))
        server = RemotingServer(ServerConfig(bind_address="127.0.0.1"), router, outbox)
        port = server.bind(0)
        await server.start()
        client = await connect(port)
        client.send(Command(1, opaque=1), Command(1, opaque=2))
        for opaque in (1, 2):
            reply = await client.receive()
            assert reply is not None
            assert reply.opaque == opaque
        assert events == ["handled 1", "handled 2", "committed"]
        await server.stop()

    asyncio.run(scenario())
