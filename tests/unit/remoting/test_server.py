"""A remoting server over real sockets: order, silence, limits and time-outs."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest

from broker_py.errors import ConfigError
from broker_py.remoting.config import ServerConfig
from broker_py.remoting.connection import Connection
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.remoting.server import MAX_UNREAD_BYTES, RemotingServer
from broker_py.wire.command import FLAG_ONEWAY, TYPE_BINARY, Command, Reply
from tests.support.remoting import PATIENCE_SECONDS, serving

ECHO, WAIT, FAIL, BIG = 1, 2, 4, 5


def config(**limits: Any) -> ServerConfig:
    return ServerConfig(bind_address="127.0.0.1", **limits)


class Service:
    """Echoes at once; or answers when `gate` opens; or fails; or answers at length."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.served = 0
        self.router = Router()
        self.router.on_command(ECHO, self._echo)
        self.router.on_command(WAIT, self._wait)
        self.router.on_command(FAIL, self._fail)
        self.router.on_command(BIG, self._big)

    def _echo(self, command: Command, peer: Peer) -> Reply:
        self.served += 1
        return Reply(0, None, {"peer": peer.host}, command.body)

    async def _later(self) -> Reply:
        await self.gate.wait()
        return Reply(0, "waited")

    def _wait(self, command: Command, peer: Peer) -> Coroutine[Any, Any, Reply]:
        return self._later()

    def _fail(self, command: Command, peer: Peer) -> Reply:
        raise KeyError("our bug")

    def _big(self, command: Command, peer: Peer) -> Reply:
        self.served += 1
        return Reply(body=[bytes(1 << 17), memoryview(bytes(1 << 17))])


def test_a_reply_has_the_opaque_and_the_header_type_of_its_request() -> None:
    async def scenario() -> None:
        async with serving(Service().router) as running:
            client = await running.connect()
            reply = await client.ask(Command(ECHO, body=b"x", opaque=77, serialize_type=TYPE_BINARY))
            assert (reply.opaque, reply.flag, reply.code, reply.body) == (77, 1, 0, b"x")
            assert reply.serialize_type == TYPE_BINARY
            assert reply.version == 433
            assert reply.ext == {"peer": "127.0.0.1"}

    asyncio.run(scenario())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def scenario() -> None:
        async with serving(Service().router) as running:
            client = await running.connect()
            client.send(*(Command(ECHO, opaque=i) for i in range(500)))
            opaques = [reply.opaque for _ in range(500) if (reply := await client.receive()) is not None]
            assert opaques == list(range(500))

    asyncio.run(scenario())


def test_a_request_that_waits_does_not_hold_up_the_next() -> None:
    async def scenario() -> None:
        service = Service()
        async with serving(service.router) as running:
            client = await running.connect()
            client.send(Command(WAIT, opaque=1), Command(ECHO, opaque=2))
            first = await client.receive()
            service.gate.set()
            second = await client.receive()
            assert first is not None
            assert second is not None
            assert (first.opaque, second.opaque, second.remark) == (2, 1, "waited")

    asyncio.run(scenario())


def test_a_code_that_nobody_serves_is_answered_with_three() -> None:
    async def scenario() -> None:
        async with serving(Service().router) as running:
            reply = await (await running.connect()).ask(Command(4711, opaque=9))
            assert (reply.code, reply.opaque, reply.remark) == (3, 9, " request type 4711 not supported")

    asyncio.run(scenario())


@pytest.mark.parametrize("code", [ECHO, WAIT, FAIL, 4711])
def test_a_oneway_request_is_never_answered(code: int) -> None:
    async def scenario() -> None:
        service = Service()
        service.gate.set()
        async with serving(service.router) as running:
            client = await running.connect()
            client.send(Command(code, opaque=1, flag=FLAG_ONEWAY), Command(WAIT, opaque=2))
            reply = await client.receive()
            assert reply is not None
            assert reply.opaque == 2

    asyncio.run(scenario())


def test_a_malformed_frame_closes_its_connection_only_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving(Service().router) as running:
            healthy, broken = await running.connect(), await running.connect()
            assert (await broken.ask(Command(ECHO, opaque=1))).opaque == 1
            broken.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
            assert await broken.receive() is None
            assert (await healthy.ask(Command(ECHO, opaque=3))).opaque == 3

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    (record,) = caplog.records
    assert record.getMessage().startswith("closing connection of 127.0.0.1:")
    assert "frame of" in record.getMessage()


def test_a_header_that_does_not_come_is_waited_for_only_so_long() -> None:
    async def scenario() -> None:
        async with serving(Service().router, config(server_header_timeout_seconds=10)) as running:
            client, other = await running.connect(), await running.connect()
            await other.ask(Command(ECHO))
            client.send_bytes(b"\0\0\0\x40\0\0\0\x30{")
            await _until_pending(running.server)
            now = asyncio.get_running_loop().time()
            running.server.close_stale(now + 9)
            assert running.server.connections == 2
            running.server.close_stale(now + 11)
            assert await client.receive() is None
            assert (await other.ask(Command(ECHO, opaque=2))).opaque == 2

    asyncio.run(scenario())


def test_a_byte_now_and_then_does_not_renew_the_time_for_a_header() -> None:
    async def scenario() -> None:
        async with serving(Service().router, config(server_header_timeout_seconds=10)) as running:
            client = await running.connect()
            client.send_bytes(b"\0\0\0\x40")
            (connection,) = await _until_pending(running.server)
            began = connection.header_since
            client.send_bytes(b"\0")
            deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
            while connection.last_active == began and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0)
            assert connection.last_active != began
            assert connection.header_since == began

    asyncio.run(scenario())


async def _until_pending(server: RemotingServer) -> list[Connection]:
    """Return the connections that have begun a header, as soon as there is one."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        pending = [connection for connection in server._connections if connection.header_since is not None]
        if pending:
            return pending
        await asyncio.sleep(0)
    raise AssertionError("no header began")


def test_a_silent_connection_is_closed_and_an_active_one_is_not() -> None:
    async def scenario() -> None:
        async with serving(Service().router, config(server_channel_max_idle_time_seconds=120)) as running:
            client = await running.connect()
            await client.ask(Command(ECHO))
            now = asyncio.get_running_loop().time()
            running.server.close_stale(now + 119)
            assert (await client.ask(Command(ECHO, opaque=2))).opaque == 2
            running.server.close_stale(now + 121 + PATIENCE_SECONDS)
            assert await client.receive() is None

    asyncio.run(scenario())


def test_the_server_looks_for_silent_connections_by_itself() -> None:
    async def scenario() -> None:
        async with serving(Service().router, config(server_channel_max_idle_time_seconds=1)) as running:
            assert await (await running.connect()).receive() is None

    asyncio.run(scenario())


def test_more_requests_in_flight_than_allowed_are_told_that_it_is_busy() -> None:
    async def scenario() -> None:
        service = Service()
        async with serving(service.router, config(server_max_requests_in_flight=2)) as running:
            client = await running.connect()
            client.send(*(Command(WAIT, opaque=i) for i in (1, 2, 3)))
            busy = await client.receive()
            assert busy is not None
            assert (busy.code, busy.opaque) == (2, 3)
            assert busy.remark is not None
            assert busy.remark.startswith("[OVERLOAD]system busy")
            service.gate.set()
            answered = [reply.opaque for _ in (1, 2) if (reply := await client.receive()) is not None]
            assert answered == [1, 2]
            assert (await client.ask(Command(WAIT, opaque=4))).code == 0

    asyncio.run(scenario())


def test_one_connection_too_many_is_closed_and_the_others_stay() -> None:
    async def scenario() -> None:
        async with serving(Service().router, config(server_max_connections=1)) as running:
            first = await running.connect()
            await first.ask(Command(ECHO))
            second = await running.connect()
            assert await second.receive() is None
            assert (await first.ask(Command(ECHO, opaque=5))).opaque == 5

    asyncio.run(scenario())


def test_a_peer_that_does_not_read_its_answers_is_not_read_from() -> None:
    requests = 200

    async def scenario() -> None:
        service = Service()
        async with serving(service.router) as running:
            slow, other = await running.connect(), await running.connect()
            for i in range(requests):  # so large that one wakeup of the server gets a few of them only
                slow.send(Command(BIG, body=bytes(1 << 17), opaque=i))
            await _until_unchanged(service)
            assert 0 < service.served < requests
            assert (await other.ask(Command(ECHO, opaque=7))).opaque == 7
            opaques = [reply.opaque for _ in range(requests) if (reply := await slow.receive()) is not None]
            assert opaques == list(range(requests))

    asyncio.run(scenario())


def test_of_requests_that_came_at_once_no_more_are_served_than_the_peer_reads_answers() -> None:
    requests = 1000  # one read of the socket, and 250 MiB of answers

    async def scenario() -> None:
        service = Service()
        async with serving(service.router) as running:
            slow, other = await running.connect(), await running.connect()
            slow.send(*(Command(BIG, opaque=i) for i in range(requests)), Command(ECHO, opaque=requests))
            await _until_unchanged(service)
            assert 0 < service.served < 200
            assert (await other.ask(Command(ECHO, opaque=7))).opaque == 7
            opaques = [reply.opaque for _ in range(requests + 1) if (reply := await slow.receive()) is not None]
            assert opaques == list(range(requests + 1))
            assert (await slow.ask(Command(ECHO, opaque=8))).opaque == 8

    asyncio.run(scenario())


def test_a_peer_that_goes_with_requests_unserved_leaves_none_behind() -> None:
    async def scenario() -> None:
        service = Service()
        async with serving(service.router) as running:
            slow, other = await running.connect(), await running.connect()
            slow.send(*(Command(BIG, opaque=i) for i in range(1000)))
            await _until_unchanged(service)
            served = service.served
            slow.close()
            while running.server.connections > 1:
                await asyncio.sleep(0)
            assert (await other.ask(Command(ECHO, opaque=7))).opaque == 7
            assert service.served == served + 1

    asyncio.run(scenario())


def test_too_much_that_others_had_sent_to_a_peer_that_does_not_read_ends_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        service = Service()
        async with serving(service.router, config(server_channel_max_idle_time_seconds=120)) as running:
            slow = await running.connect()
            await slow.ask(Command(ECHO))
            (connection,) = running.server._connections
            now = asyncio.get_running_loop().time()
            while connection.is_writable:
                connection.send(Command(ECHO, body=bytes(1 << 20)))
                await asyncio.sleep(0)
            running.server.close_stale(now)
            assert connection.is_open
            heard = connection.last_active
            while connection.unread_bytes <= MAX_UNREAD_BYTES:
                connection.send(Command(ECHO, body=bytes(1 << 20)))
                await asyncio.sleep(0)
            assert connection.last_active == heard
            running.server.close_stale(now)
            assert not connection.is_open

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert "it has not read 6" in caplog.text


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        (b"\x01\x00\x00\x01\x00\x00\x00\x10", "frame of 16777217 bytes; 4 to 16777216 are allowed"),
        (b"\x00\x20\x00\x00\x00\x10\x00\x01", "header of 1048577 bytes exceeds 1048576"),
    ],
)
def test_a_frame_or_a_header_larger_than_allowed_is_refused_before_it_comes(
    prefix: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving(Service().router) as running:
            client, other = await running.connect(), await running.connect()
            client.send_bytes(prefix)
            assert await client.receive() is None
            assert (await other.ask(Command(ECHO, opaque=2))).opaque == 2

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert why in caplog.text


async def _until_unchanged(service: Service) -> None:
    """Return when no request was served for a while: the server has stopped reading, or has read everything."""
    served, unchanged = -1, 0
    while unchanged < 20:
        unchanged = unchanged + 1 if service.served == served and served else 0
        served = service.served
        await asyncio.sleep(0.01)


def test_a_port_that_is_taken_is_named() -> None:
    async def scenario() -> None:
        async with serving(Service().router) as running:
            with pytest.raises(ConfigError, match=f"can't listen on 127.0.0.1:{running.port}: Address already in use"):
                RemotingServer(config(), Router(), Outbox()).bind(running.port)

    asyncio.run(scenario())


def test_what_was_answered_leaves_before_the_server_stops() -> None:
    async def scenario() -> None:
        service = Service()
        async with serving(service.router) as running:
            client = await running.connect()
            client.send(*(Command(BIG, opaque=i) for i in range(8)))
            first = await client.receive()
            stopping = asyncio.ensure_future(running.server.stop())
            rest = [reply.opaque for _ in range(7) if (reply := await client.receive()) is not None]
            assert first is not None
            assert [first.opaque, *rest] == list(range(8))
            assert await client.receive() is None
            await stopping

    asyncio.run(scenario())


def test_the_owner_hears_of_each_connection_that_ends() -> None:
    async def scenario() -> None:
        closed: asyncio.Queue[str] = asyncio.Queue()
        server = RemotingServer(config(), Service().router, Outbox(), lambda c: closed.put_nowait(c.name))
        port = server.bind(0)
        await server.start()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        name = "{}:{}".format(*writer.get_extra_info("sockname"))
        writer.close()
        assert await asyncio.wait_for(closed.get(), PATIENCE_SECONDS) == name
        await server.stop()

    asyncio.run(scenario())
