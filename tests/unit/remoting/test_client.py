"""Connections that we dial."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from broker_py.errors import ConfigError, RequestFailed, Unreachable
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import Connection, expect_success
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.command import Command, Reply
from tests.support.ports import free_port
from tests.support.remoting import PATIENCE_SECONDS, serving

ECHO, NEVER, CALL_BACK, HANG_UP = 1, 2, 3, 4


def service() -> Router:
    async def never() -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async def call_back(peer: Peer) -> Reply:
        answer = await peer.request(Command(ECHO, body=b"from the server"), PATIENCE_SECONDS)
        return Reply(body=answer.body)

    def waiting(command: Command, peer: Peer) -> Coroutine[Any, Any, Reply]:
        return never()

    def calling(command: Command, peer: Peer) -> Coroutine[Any, Any, Reply]:
        return call_back(peer)

    def hanging_up(command: Command, peer: Peer) -> None:
        assert isinstance(peer, Connection)
        peer.abort()

    router = Router()
    router.on_command(ECHO, echo)
    router.on_command(NEVER, waiting)
    router.on_command(CALL_BACK, calling)
    router.on_command(HANG_UP, hanging_up)
    return router


def echo(command: Command, peer: Peer) -> Reply:
    return Reply(body=command.body)


def test_replies_find_the_requests_that_they_answer() -> None:
    async def scenario() -> None:
        async with serving(service()) as running:
            client = RemotingClient()
            bodies = [str(i).encode() for i in range(200)]
            replies = await asyncio.gather(*(client.request(running.address, Command(ECHO, body=b)) for b in bodies))
            assert [reply.body for reply in replies] == bodies
            assert running.server.connections == 1
            await client.close()

    asyncio.run(scenario())


def test_a_peer_may_ask_on_the_connection_that_we_dialled() -> None:
    async def scenario() -> None:
        own = Router()
        own.on_command(ECHO, echo)
        async with serving(service()) as running:
            client = RemotingClient(own)
            reply = await client.request(running.address, Command(CALL_BACK))
            assert reply.body == b"from the server"
            await client.close()

    asyncio.run(scenario())


def test_an_address_where_nobody_listens_is_unreachable() -> None:
    async def scenario() -> None:
        address = f"127.0.0.1:{free_port()}"
        with pytest.raises(Unreachable, match=f"{address} can't be connected to"):
            await RemotingClient().request(address, Command(ECHO))

    asyncio.run(scenario())


def test_an_address_without_a_port_is_named() -> None:
    async def scenario() -> None:
        with pytest.raises(ConfigError, match="'nowhere' is not an address"):
            await RemotingClient().request("nowhere", Command(ECHO))

    asyncio.run(scenario())


def test_a_reply_that_does_not_come_in_time_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with serving(service()) as running:
            client = RemotingClient()
            with pytest.raises(Unreachable, match=r"did not answer request 2 in 0\.01 s"):
                await client.request(running.address, Command(NEVER), timeout_seconds=0.01)
            assert (await client.request(running.address, Command(ECHO, body=b"x"))).body == b"x"
            await client.close()

    asyncio.run(scenario())


def test_a_lost_connection_fails_what_waits_for_it_and_is_made_again() -> None:
    async def scenario() -> None:
        heard: list[str] = []
        async with serving(service()) as running:
            client = RemotingClient(
                on_open=lambda address: heard.append(f"open {address}"),
                on_close=lambda address: heard.append(f"close {address}"),
            )
            waiting = asyncio.ensure_future(client.request(running.address, Command(NEVER), PATIENCE_SECONDS))
            await client.send(running.address, Command(HANG_UP))
            with pytest.raises(Unreachable, match="was lost"):
                await waiting
            assert (await client.request(running.address, Command(ECHO, body=b"again"))).body == b"again"
            opened, closed = f"open {running.address}", f"close {running.address}"
            assert heard == [opened, closed, opened]
            await client.close()

    asyncio.run(scenario())


def test_closing_the_client_is_no_loss() -> None:
    async def scenario() -> None:
        lost: list[str] = []
        async with serving(service()) as running:
            client = RemotingClient(on_close=lost.append)
            await client.request(running.address, Command(ECHO))
            await client.close()
            assert lost == []

    asyncio.run(scenario())


def test_a_reply_with_another_code_than_success_is_a_failure_of_the_request() -> None:
    assert expect_success(Command(0)).code == 0
    with pytest.raises(RequestFailed, match="code 17: no route"):
        expect_success(Command(17, remark="no route"))
