"""Requests that waited for the loop: how long is known, and those that waited too long are answered at once."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from broker_py.remoting.config import ServerConfig
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.remoting.waiting_time import BEAT_SECONDS, WaitingTime
from broker_py.wire.command import FLAG_ONEWAY, Command, Reply
from tests.support.remoting import RawClient, connect

BLOCK, COUNT = 1, 2
BLOCKED_SECONDS = 0.3


class Limit:
    """Refuses what waited for `seconds` or more."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[tuple[int, int]] = []

    def refusal(self, command: Command, waited_ms: int, behind: int) -> Reply | None:
        self.asked.append((waited_ms, behind))
        return Reply(2, f"waited {behind}") if waited_ms >= self.seconds * 1000 else None


class ManualLoop:
    """An event loop's clock and timers, as far as a beat needs them."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        self.timers.append((when, callback))
        return None

    def run_at(self, now: float) -> None:
        """Run the timers that are due then, once."""
        self.now = now
        due, self.timers = [entry for entry in self.timers if entry[0] <= now], []
        for _, callback in due:
            callback()


def test_the_bound_is_when_the_last_beat_was_due_however_late_it_was() -> None:
    loop, waiting = ManualLoop(), WaitingTime(Limit(1.0))
    assert waiting.since == float("inf")
    waiting.start(cast(asyncio.AbstractEventLoop, loop))
    assert waiting.since == 100.0
    loop.run_at(100.1)
    assert waiting.since == pytest.approx(100.0 + BEAT_SECONDS)
    loop.run_at(105.0)  # due at 100.2: what is handled now may be there since then
    assert waiting.since == pytest.approx(100.2)
    loop.run_at(105.1)
    assert waiting.since == pytest.approx(105.1)


class Blocking:
    """A server whose loop is held up by one request while those of others arrive."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.counted = 0
        self.meanwhile: Callable[[], None] = lambda: None
        router = Router()
        router.on_command(BLOCK, self._block)
        router.on_command(COUNT, self._count)
        self.server = RemotingServer(ServerConfig(bind_address="127.0.0.1"), router, Outbox(), patience=limit)

    def _block(self, command: Command, peer: Peer) -> Reply:
        self.meanwhile()
        time.sleep(BLOCKED_SECONDS)
        return Reply()

    def _count(self, command: Command, peer: Peer) -> Reply:
        self.counted += 1
        return Reply()

    async def run(self, scenario: Callable[[RawClient, RawClient], Any]) -> None:
        port = self.server.bind(0)
        await self.server.start()
        try:
            await scenario(await connect(port), await connect(port))
        finally:
            await self.server.stop()


def test_what_arrived_while_the_loop_was_held_up_is_refused_and_not_served() -> None:
    service = Blocking(Limit(BLOCKED_SECONDS / 3))

    async def scenario(blocking: RawClient, other: RawClient) -> None:
        service.meanwhile = lambda: other.send(
            Command(COUNT, opaque=1), Command(COUNT, opaque=2, flag=FLAG_ONEWAY), Command(COUNT, opaque=3)
        )
        blocking.send(Command(BLOCK, opaque=9))
        replies = [await other.receive(), await other.receive()]
        assert [(reply.opaque, reply.code, reply.remark) for reply in replies if reply is not None] == [
            (1, 2, "waited 2"),
            (3, 2, "waited 0"),
        ]

    asyncio.run(service.run(scenario))
    assert service.counted == 0
    assert all(waited_ms >= BLOCKED_SECONDS / 3 * 1000 for waited_ms, _ in service.limit.asked[-3:])


def test_without_a_limit_nobody_is_asked() -> None:
    service = Blocking(Limit(float("inf")))

    async def scenario(blocking: RawClient, other: RawClient) -> None:
        service.meanwhile = lambda: other.send(Command(COUNT, opaque=1))
        blocking.send(Command(BLOCK, opaque=9))
        reply = await other.receive()
        assert reply is not None
        assert reply.code == 0

    asyncio.run(service.run(scenario))
    assert service.counted == 1
    assert service.limit.asked == []


def test_a_request_that_comes_after_the_loop_was_held_up_has_not_waited() -> None:
    """The bound alone would refuse it: it is when its bytes came that counts."""
    service = Blocking(Limit(BLOCKED_SECONDS * 100))

    async def scenario(blocking: RawClient, other: RawClient) -> None:
        connection = next(iter(service.server._connections))
        waiting = service.server._waiting_time
        assert waiting is not None
        assert connection._transport is not None
        await other.ask(Command(COUNT))
        await blocking.ask(Command(COUNT))
        # Had the loop been held up for an hour, their newest bytes would still be as young as they are.
        waiting.since -= 3600
        assert waiting.of(connection._transport, waiting.since + 3600) < 60_000

    asyncio.run(service.run(scenario))
