"""Mutated frames at live daemons, while a healthy client goes on.

They are a name server, a broker that is open to all, and one with access rules, TLS on its ports and a secret for its
slaves, to which signed requests go, handshakes, and what is neither.
"""

import asyncio
import sys
import time
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.frame import FrameDecoder, encode_command
from broker_py.wire.signing import ACCESS_KEY, SIGNATURE, Credentials, sign
from tests.mutations.frames import MutatedFrames
from tests.mutations.meter import MAX_GROWTH_KIB, SEED, SHARES, TOTAL, resident_kib
from tests.mutations.replication import ReplicationBytes
from tests.mutations.requests import Field, Requests, served
from tests.mutations.subjects import BrokerSubject, NameServerSubject
from tests.mutations.texts import mutated
from tests.support.certificates import Authority, tls_properties
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

FRAMES = max(500, TOTAL * SHARES["sockets"] // 1000)
FRAMES_PER_CONNECTION = 16
CONNECTIONS_AT_ONCE = 8
ANSWER_SECONDS = 60.0
NO_SUCH_REQUEST = 9999
LAST_OPAQUE = (1 << 31) - 1
MAX_MORE_FILES = 12
# What only a bug writes into a log.
TRACES = ("Traceback (most recent call last)", "unhandled:", "--- Logging error ---", " ERROR ")
ADMIN = Credentials("admin-key", "admin-secret")
USER = Credentials("user-key", "user-secret")
RULES = """
accounts:
  - {accessKey: admin-key, secretKey: admin-secret, admin: true}
  - {accessKey: user-key, secretKey: user-secret, defaultTopicPerm: PUB|SUB, defaultGroupPerm: SUB}
"""
# The begin of a TLS record with a ClientHello.
HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(32)) + bytes.fromhex("0000021301010000790000")


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


class Site:
    """The daemons under attack."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        conf = directory / "conf"
        conf.mkdir()
        (conf / "plain_acl.yml").write_text(RULES)
        (conf / "ha.secret").write_text("a secret of more than 16 bytes")
        tls = tls_properties(directory / "tls.properties", Authority(directory / "ca"), "broker")
        store = {"mappedFileSizeCommitLog": 64 << 20, "enablePropertyFilter": "true"}
        ruled = {"aclEnable": "true", "aclConfigPath": conf, "tls.config.file": tls, "tls.server.mode": "permissive"}
        self.nameserver = cluster.nameserver()
        self.open = cluster.broker(**store)
        self.guarded = cluster.broker("broker-b", **store, **ruled, haSecretFile=conf / "ha.secret")
        self.daemons = (self.nameserver, self.open, self.guarded)

    async def start(self) -> None:
        """Start them all."""
        for daemon in self.daemons:
            await daemon.start()

    async def guarded_is_well(self) -> None:
        """A signed request passes, and one without a signature does not."""
        for credentials, good in ((ADMIN, True), (None, False)):
            client = RemotingClient(credentials=credentials)
            try:
                reply = await client.request(self.guarded.address, Command(RequestCode.GET_BROKER_RUNTIME_INFO), 15.0)
            finally:
                await client.close()
            if good:
                expect_success(reply)
            else:
                assert reply.code != ResponseCode.SUCCESS

    def memory(self) -> list[int]:
        """Resident KiB of each."""
        return [resident_kib(pid_of(daemon)) for daemon in self.daemons]

    def files(self) -> list[int]:
        """Open files of each, without those of a store, which has as many as there are queues, up to a bound."""
        return [sum("/store/" not in path for path in open_files(pid_of(daemon))) for daemon in self.daemons]


def pid_of(daemon: Daemon) -> int:
    """Process id of a daemon; AssertionError when it has ended."""
    assert daemon.process is not None
    assert daemon.process.poll() is None, f"{daemon.command} ended with {daemon.process.returncode}"
    return daemon.process.pid


def open_files(pid: int) -> list[str]:
    """What a process has open."""
    found: list[str] = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(path.readlink()))
        except OSError:
            pass  # closed meanwhile
    return found


class Attack:
    """Connections that send mutated frames: sound ones that must not end them, then one that may.

    What connection number n sends, and where, follows from the seed and n.
    """

    def __init__(self, site: Site) -> None:
        broker, nameserver = served(BrokerSubject().router), served(NameServerSubject().router)
        self._targets: list[tuple[int, dict[int, tuple[Field, ...]]]] = [
            *[(site.nameserver.port, nameserver)] * 6,
            *[(site.open.port, broker)] * 9,
            (site.open.port - 2, broker),
            *[(site.guarded.port, broker)] * 6,
        ]
        self._guarded = site.guarded.port
        self._replication = (site.open.port + 1, site.guarded.port + 1)
        self._numbers = count()
        self.frames_sent = 0

    async def run(self, frames: int) -> None:
        """Go on until so many frames are sent."""
        await asyncio.gather(*(self._worker(frames) for _ in range(CONNECTIONS_AT_ONCE)))

    async def _worker(self, frames: int) -> None:
        while self.frames_sent < frames:
            number = next(self._numbers)
            random = Random(f"{SEED}/{number}")
            choice = random.random()
            if choice < 0.08:
                self.frames_sent += 1
                port = random.choice(self._replication)
                source = ReplicationBytes(random)
                talk = self._talk(port, b"", source.handshake() if choice < 0.02 else source.reports(0), dribbles=False)
            elif choice < 0.12:
                self.frames_sent += 1
                port = self._guarded
                talk = self._talk(port, b"", mutated(random, HELLO + random.randbytes(160)), dribbles=False)
            else:
                port, codes = random.choice(self._targets)
                talk = self._requests(random, port, codes)
            try:
                done = await asyncio.wait_for(talk, ANSWER_SECONDS)
            except asyncio.TimeoutError:
                done = "left without an answer"
            assert done is None, f"connection {number} of seed {SEED} to port {port} was {done}"

    async def _requests(self, random: Random, port: int, codes: dict[int, tuple[Field, ...]]) -> str | None:
        requests = Requests(random, codes)
        source = MutatedFrames(random, requests)
        commands = [requests.next() for _ in range(random.randrange(FRAMES_PER_CONNECTION))]
        if port == self._guarded:
            for command in commands:
                self._sign(random, command)
        sound = [encode_command(command) for command in commands]
        self.frames_sent += len(sound) + 1
        return await self._talk(port, b"".join(sound), source.unsound(), dribbles=random.random() < 0.05)

    def _sign(self, random: Random, command: Command) -> None:
        """Sign a request, well or not quite."""
        sign(command, random.choice((ADMIN, USER)))
        if random.random() < 0.3:
            name = random.choice((ACCESS_KEY, SIGNATURE))
            value = random.choice(("", "\x00", "é" * 20, "9" * 5000, mutated(random, command.ext[name].encode())))
            command.ext[name] = value if isinstance(value, str) else value.decode(errors="replace")

    async def _talk(self, port: int, sound: bytes, unsound: bytes, *, dribbles: bool) -> str | None:
        """Send the sound frames and see that the connection lives; then the unsound one, and wait for its end.

        Return what was wrong, or None.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            if sound:
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


@pytest.mark.timeout(120 + FRAMES // 5)
async def test_mutated_frames_harm_neither_the_daemons_nor_a_healthy_client(cluster: Cluster, tmp_path: Path) -> None:
    site = Site(cluster, tmp_path)
    await site.start()
    healthy = HealthyClient(site.nameserver, site.open)
    await _registered(site.nameserver)
    client = asyncio.create_task(healthy.run())
    attack = Attack(site)
    await _beside(client, attack.run(FRAMES // 10))
    memory, files = site.memory(), site.files()
    await _beside(client, attack.run(FRAMES))
    later, rounds = site.memory(), healthy.rounds

    async def goes_on() -> bool:
        return client.done() or healthy.rounds > rounds

    await until(goes_on, "the healthy client goes on")
    healthy.stop()
    await client
    await site.guarded_is_well()

    async def all_closed() -> bool:
        return all(new <= old + MAX_MORE_FILES for old, new in zip(files, site.files(), strict=True))

    await until(all_closed, f"no more files are open than {files}")
    sys.stdout.write(
        f"{attack.frames_sent} sockets; resident KiB of name server, open and guarded broker: {memory} after a tenth, "
        f"{later} at the end; open files {files}, {site.files()}; {healthy.rounds} rounds of the healthy client, "
        f"slowest {healthy.slowest_ms:.0f} ms\n"
    )
    for daemon, old, new in zip(site.daemons, memory, later, strict=True):
        assert _traces(daemon) == []
        assert new - old < MAX_GROWTH_KIB
    for daemon in reversed(site.daemons):
        assert await daemon.stop() == 0


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
