"""Which requests leave a line, and what is in it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest

from broker_py.errors import RequestRefused
from broker_py.remoting.audit import Audit
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.command import Command, Reply
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import a_command


def served(signed: bool = True) -> Router:
    router = Router()

    async def later() -> Reply:
        return Reply()

    def refuse(command: Command, peer: Peer) -> Reply:
        raise RequestRefused(17, "no such topic")

    def wait(command: Command, peer: Peer) -> Coroutine[Any, Any, Reply]:
        return later()

    router.on_command(17, lambda command, peer: Reply())
    router.on_command(25, lambda command, peer: Reply(1, "not that one"))
    router.on_command(28, lambda command, peer: Reply())
    router.on_command(50, wait)
    router.on_command(200, lambda command, peer: Reply())
    router.on_command(215, refuse)
    Audit(signed=signed).watch(router, but={28})
    return router


def lines(router: Router, *commands: Command) -> list[str]:
    kept: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    logger, handler = logging.getLogger("broker_py.audit"), Keep()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False

    async def ask() -> None:
        for command in commands:
            router.dispatch(command, MemoryPeer())
        for _ in range(5):
            await asyncio.sleep(0)

    try:
        asyncio.run(ask())
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
    return kept


def test_a_change_leaves_who_what_and_how_it_ended() -> None:
    who = {"AccessKey": "admin-key"}
    found = lines(
        served(),
        a_command(17, {**who, "topic": "orders"}),
        a_command(215, {**who, "topic": "orders"}),
        a_command(25, who, b"fileReservedTime=7\nhidden=value-of-it\n"),
        a_command(200, who, {"groupName": "billing"}),
        a_command(28, who),
        a_command(50, {**who, "accessKey": "new-key", "secretKey": "very-secret"}),
    )
    assert found == [
        "10.0.0.9:50000 admin-key UPDATE_AND_CREATE_TOPIC topic=orders: done",
        "10.0.0.9:50000 admin-key DELETE_TOPIC_IN_BROKER topic=orders: code 17, no such topic",
        "10.0.0.9:50000 admin-key UPDATE_BROKER_CONFIG fileReservedTime hidden: code 1, not that one",
        "10.0.0.9:50000 admin-key UPDATE_AND_CREATE_SUBSCRIPTIONGROUP groupName=billing: done",
        "10.0.0.9:50000 admin-key UPDATE_AND_CREATE_ACL_CONFIG accessKey=new-key: done",
    ]


def test_a_name_that_nobody_checked_is_not_written() -> None:
    (line,) = lines(served(signed=False), a_command(17, {"AccessKey": "admin-key", "topic": "T"}))
    assert line == "10.0.0.9:50000 - UPDATE_AND_CREATE_TOPIC topic=T: done"


@pytest.mark.parametrize("body", [b"{broken", b"x" * 100_000, b"[1]", b'{"groupName":' + b"[" * 200])
def test_a_line_is_short_whatever_was_sent(body: bytes) -> None:
    (line,) = lines(served(), a_command(200, {"topic": "T" * 10_000}, body))
    assert len(line) < 400
