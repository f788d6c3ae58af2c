"""Mutated frames at a live broker and a live name server, while a healthy client goes on.

`FUZZ_FRAMES=100000 pytest tests/integration/test_mutated_frames.py -s` for many of them and the figures.
"""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.frame import FrameDecoder, encode_command
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct
from tests.support.mutated_frames import MutatedFrames

FRAMES = int(os.environ.get("FUZZ_FRAMES", "10000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
FRAMES_PER_CONNECTION = 8
CONNECTIONS_AT_ONCE = 8
ANSWER_SECONDS = 20.0
NO_SUCH_REQUEST = 9999
LAST_OPAQUE = (1 << 31) - 1
MAX_GROWTH_KIB = 48 * 1024
# What only a bug writes into a log.
TRACES = ("Traceback (most recent call last)", "unhandled:", "--- Logging error ---")


class HealthyClient:
    """Sends and pulls, and asks for the route, one after the other; `stop` ends it."""

    def __init__(self, nameserver: Daemon, broker: Daemon) -> None:
        self._nameserver = nameserver
        self._broker = broker
        self._stopping = False
        self.rounds = 0
        self.slowest_ms = 0.0

    def stop(self) -> None:
        """Have `run` return."""
        self._stopping = True

    async def run(self) -> None:
        """Go on until stopped; AssertionError when an answer is not as it has to be."""
        async with Direct() as direct:
            while not self._stopping:
                began = time.monotonic()
                await self._round(direct)
                self.slowest_ms = max(self.slowest_ms, (time.monotonic() - began) * 1000)
                self.rounds += 1
                await asyncio.sleep(0.01)

    async def _round(self, direct: Direct) -> None:
        body = b"%d" % self.rounds
        sent = await direct.send(self._broker.address, "Healthy", body)
        assert (sent.code, sent.queue_offset) == (ResponseCode.SUCCESS, self.rounds)
        pulled = await direct.pull(self._broker.address, "Healthy", queue_offset=self.rounds)
        assert pulled.bodies == [body]
        route = {"topic": "TBW102"}
        await direct.tell(self._nameserver.address, RequestCode.GET_ROUTEINFO_BY_TOPIC, route)


class Attack:
    """Connections that send mutated frames: sound ones that must not end them, then one that may.

    What connection number n sends, and where, follows from the seed and n. `raw_port` speaks another protocol.
    """

    def __init__(self, ports: list[int], raw_port: int) -> None:
        self._ports = ports
        self._raw_port = raw_port
        self._numbers = count()
        self.frames_sent = 0

    async def run(self, frames: int) -> None:
        """Go on until so many frames are sent."""
        await asyncio.gather(*(self._worker(frames) for _ in range(CONNECTIONS_AT_ONCE)))

    async def _worker(self, frames: int) -> None:
        while self.frames_sent < frames:
            number = next(self._numbers)
            random = Random(f"{SEED}/{number}")
            source = MutatedFrames(random)
            sound = [source.sound() for _ in range(random.randrange(FRAMES_PER_CONNECTION))]
            unsound = source.unsound()
            self.frames_sent += len(sound) + 1
            port, dribbles = random.choice([*self._ports, self._raw_port]), random.random() < 0.05
            talk = self._talk(port, b"".join(sound), unsound, dribbles)
            try:
                done = await asyncio.wait_for(talk, ANSWER_SECONDS)
            except asyncio.TimeoutError:
                done = "left without an answer"
            assert done is None, f"connection {number} of seed {SEED} to port {port} was {done}"

    async def _talk(self, port: int, sound: bytes, unsound: bytes, dribbles: bool) -> str | None:
        """Send the sound frames and see that the connection lives; then the unsound one, and wait for its end.

        Return what was wrong, or None.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            if port != self._raw_port:
                await self._dribble(writer, sound) if dribbles else writer.write(sound)
                writer.write(encode_command(Command(NO_SUCH_REQUEST, opaque=LAST_OPAQUE)))
                if not await self._answered(reader):
                    return "closed on sound frames"
            await self._end_with(unsound, reader, writer)
        finally:
            writer.close()
        return None

    async def _end_with(self, unsound: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(unsound)
        try:
            writer.write_eof()
            while await reader.read(1 << 16):
                pass
        except OSError:
            pass  # it was closed with bytes of ours unread

    async def _answered(self, reader: asyncio.StreamReader) -> bool:
        """Read until the last request is answered; False when the connection is closed before."""
        decoder = FrameDecoder()
        while data := await reader.read(1 << 16):
            for command in decoder.receive_data(data):
                if command.is_response and command.opaque == LAST_OPAQUE:
                    return True
        return False

    async def _dribble(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Send a few bytes at a time, then the rest."""
        end = min(len(data), 300)
        for start in range(0, end, 7):
            writer.write(data[start : min(start + 7, end)])
            await asyncio.sleep(0)
        writer.write(data[end:])


def resident_kib(daemon: Daemon) -> int:
    """Memory of a daemon."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


@pytest.mark.timeout(60 + FRAMES // 50)
async def test_mutated_frames_harm_neither_the_daemons_nor_a_healthy_client(cluster: Cluster) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    broker = cluster.broker(mappedFileSizeCommitLog=64 << 20)
    await broker.start()
    daemons = (nameserver, broker)
    healthy = HealthyClient(nameserver, broker)
    await _registered(nameserver)
    client = asyncio.create_task(healthy.run())
    ports = [nameserver.port] * 10 + [broker.port] * 12 + [broker.port - 2]
    attack = Attack(ports, raw_port=broker.port + 1)
    await _beside(client, attack.run(FRAMES // 4))
    before = [resident_kib(daemon) for daemon in daemons]
    await _beside(client, attack.run(FRAMES))
    after = [resident_kib(daemon) for daemon in daemons]
    rounds = healthy.rounds

    async def goes_on() -> bool:
        return client.done() or healthy.rounds > rounds

    await until(goes_on, "the healthy client goes on")
    healthy.stop()
    await client
    sys.stdout.write(
        f"{attack.frames_sent} frames; resident KiB of name server and broker: {before} after a quarter, {after} at the"
        f" end; {healthy.rounds} rounds of the healthy client, slowest {healthy.slowest_ms:.0f} ms\n"
    )
    for daemon, old, new in zip(daemons, before, after, strict=True):
        assert daemon.process is not None
        assert daemon.process.poll() is None
        assert _traces(daemon) == []
        assert new - old < MAX_GROWTH_KIB
    assert await broker.stop() == 0
    assert await nameserver.stop() == 0


async def _registered(nameserver: Daemon) -> None:
    async with Direct() as direct:

        async def has_route() -> bool:
            topic = {"topic": "TBW102"}
            reply = await direct.ask(nameserver.address, RequestCode.GET_ROUTEINFO_BY_TOPIC, topic)
            return reply.code == ResponseCode.SUCCESS

        await until(has_route, "the broker is registered")


async def _beside(client: "asyncio.Task[None]", work: Coroutine[Any, Any, None]) -> None:
    """Do the work; fail at once when the healthy client does."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({client, task}, return_when=asyncio.FIRST_COMPLETED)
    if client.done():
        task.cancel()
        await client
        raise AssertionError("the healthy client ended")
    await task


def _traces(daemon: Daemon) -> list[str]:
    """Return the lines that only a bug of ours leaves, with what follows them."""
    lines = (daemon.log() + daemon.output()).splitlines()
    return [
        "\n".join(lines[max(0, number - 1) : number + 30])
        for number, line in enumerate(lines)
        if any(trace in line for trace in TRACES)
    ][:5]
