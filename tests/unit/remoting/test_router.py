"""Which handler gets a request, and what its outcome is answered with."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from broker_py.errors import ProtocolError, RequestRefused
from broker_py.remoting import router as router_module
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.command import FLAG_ONEWAY, Command, Reply
from tests.support.remoting import serving


@dataclass(kw_only=True)
class TopicHeader:
    topic: str


def answer(router: Router, *commands: Command) -> list[Command]:
    """Return the replies to `commands`."""

    async def scenario() -> list[Command]:
        async with serving(router) as running:
            client = await running.connect()
            return [await client.ask(command) for command in commands]

    return asyncio.run(scenario())


def test_a_handler_gets_the_header_typed() -> None:
    router = Router()
    router.on(7, TopicHeader, lambda header, command, peer: Reply(0, header.topic))
    (reply,) = answer(router, Command(7, {"topic": "T"}))
    assert (reply.code, reply.remark) == (0, "T")


def test_a_header_that_lacks_a_field_is_refused_and_the_connection_stays() -> None:
    router = Router()
    router.on(7, TopicHeader, lambda header, command, peer: Reply())
    refused, served = answer(router, Command(7), Command(7, {"topic": "T"}))
    assert (refused.code, refused.remark) == (1, "the request lacks the field topic")
    assert served.code == 0


def raising(error: Exception) -> Router:
    def at_once(command: Command, peer: Peer) -> Reply:
        raise error

    def later(command: Command, peer: Peer) -> Coroutine[Any, Any, Reply]:
        async def work() -> Reply:
            raise error

        return work()

    router = Router()
    router.on_command(1, at_once)
    router.on_command(2, later)
    return router


@pytest.mark.parametrize("code", [1, 2])
def test_a_refusal_is_answered_with_its_code_and_remark(code: int) -> None:
    (reply,) = answer(raising(RequestRefused(17, "no such topic")), Command(code))
    assert (reply.code, reply.remark) == (17, "no such topic")


@pytest.mark.parametrize("code", [1, 2])
def test_a_body_that_can_not_be_read_is_the_peers_fault_and_leaves_no_trace(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    (reply,) = answer(raising(ProtocolError("body is not JSON")), Command(code))
    assert (reply.code, reply.remark) == (1, "body is not JSON")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is None


@pytest.mark.parametrize("code", [1, 2])
def test_a_bug_of_ours_is_answered_and_logged_with_its_trace(code: int, caplog: pytest.LogCaptureFixture) -> None:
    (reply,) = answer(raising(ZeroDivisionError("oh")), Command(code))
    assert (reply.code, reply.remark) == (1, "ZeroDivisionError: oh")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


def test_a_code_has_one_handler() -> None:
    router = Router()
    router.on_command(1, lambda command, peer: Reply())
    with pytest.raises(AssertionError, match="request code 1"):
        router.on_command(1, lambda command, peer: Reply())


def test_more_requests_that_wait_for_others_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_module, "MAX_TASKS", 2)
    gate = asyncio.Event()

    async def wait() -> Reply:
        await gate.wait()
        return Reply(0, "waited")

    async def scenario() -> None:
        router = Router()
        router.on_command(1, lambda command, peer: wait())
        async with serving(router) as running:
            client = await running.connect()
            client.send(*(Command(1, opaque=opaque, flag=flag) for opaque, flag in ((1, FLAG_ONEWAY), (2, 0), (3, 0))))
            busy = await client.receive()
            assert busy is not None
            assert (busy.opaque, busy.code) == (3, 2)
            assert (busy.remark or "").startswith("[OVERLOAD]system busy, start flow control for a while")
            gate.set()
            reply = await client.receive()
            assert reply is not None
            assert (reply.opaque, reply.remark) == (2, "waited")
            assert (await client.ask(Command(1, opaque=4))).remark == "waited"

    asyncio.run(scenario())
