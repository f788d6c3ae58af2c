"""The proof of a secret, byte by byte and over sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from broker_py.errors import ConfigError
from broker_py.replication.acks import AckTable
from broker_py.replication.attempts import MAX_FAILURES
from broker_py.replication.backoff import Backoff
from broker_py.replication.master_log import FollowRefused
from broker_py.replication.progress import SlaveRefused
from broker_py.replication.secret import MasterHandshake, Secret, SlaveHandshake, is_hello, secret_of
from broker_py.replication.sink import ReplicationSink, SinkState
from broker_py.replication.source import ReplicationSource
from tests.unit.replication.fakes import BareMaster, BarePeer, Changes, LogLines, MemoryLog, WallClock, config, run


def counting(start: int = 0) -> Secret:
    """A secret whose nonces can be foretold."""
    state = [start]

    def random(size: int) -> bytes:
        state[0] += 1
        return bytes([state[0]]) * size

    return Secret(b"a secret of some length", random)


OTHER = Secret(b"another secret of some length", counting().random)


@pytest.mark.parametrize("piece", [1, 7, 32, 1000])
def test_both_sides_are_done_when_both_have_proved_the_secret(piece: int) -> None:
    slave, master = SlaveHandshake(counting()), MasterHandshake(counting(100))
    to_master, to_slave = slave.hello, b""
    behind = b""
    while to_master or to_slave:
        now, to_master = to_master[:piece], to_master[piece:]
        if now:
            to_slave += master.receive(now)
        if master.done and not slave.done and not to_slave.endswith(b"frames"):
            to_slave += b"frames"
        now, to_slave = to_slave[:piece], to_slave[piece:]
        if slave.done:
            behind += now
        elif now:
            answer, rest = slave.receive(now)
            to_master += answer
            behind += rest
    assert (slave.done, master.done) == (True, True)
    assert behind == b"frames"


def test_a_slave_without_the_secret_is_refused() -> None:
    slave, master = SlaveHandshake(OTHER), MasterHandshake(counting())
    answer, _ = slave.receive(master.receive(slave.hello))
    with pytest.raises(SlaveRefused, match="its proof of the secret is wrong"):
        master.receive(answer)
    assert not master.done


def test_a_proof_can_not_be_used_again() -> None:
    slave, master = SlaveHandshake(counting()), MasterHandshake(counting())
    proof, _ = slave.receive(master.receive(slave.hello))
    again = MasterHandshake(counting(50))
    again.receive(slave.hello)
    with pytest.raises(SlaveRefused):
        again.receive(proof)


def test_a_masters_own_words_prove_nothing_when_they_are_sent_back() -> None:
    """Else two connections to one master would do instead of the secret."""
    secret = counting()
    slave = SlaveHandshake(secret)
    master = MasterHandshake(secret)
    nonce = master.receive(slave.hello)
    with pytest.raises(SlaveRefused):
        master.receive(secret.proof(b"master", slave.hello[8:], nonce))


@pytest.mark.parametrize("data", [bytes(8), b"\0\0\0\0\0\0\1\0", b"\xbe\0", b"x" * 100])
def test_who_begins_otherwise_is_refused_at_its_first_bytes(data: bytes) -> None:
    with pytest.raises(SlaveRefused, match=r"doesn't offer to prove the secret .* \(a Java broker can't have one\)"):
        MasterHandshake(counting()).receive(data)


def test_more_than_a_proof_is_no_proof() -> None:
    slave, master = SlaveHandshake(counting()), MasterHandshake(counting())
    answer, _ = slave.receive(master.receive(slave.hello))
    with pytest.raises(SlaveRefused):
        master.receive(answer + bytes(8))


def test_a_master_without_the_secret_is_not_followed() -> None:
    slave = SlaveHandshake(counting())
    slave.receive(bytes(32))
    assert slave.proved
    with pytest.raises(FollowRefused, match="the master doesn't know the secret"):
        slave.receive(bytes(32))


def test_a_java_master_takes_no_part_of_a_hello_for_an_acknowledgement() -> None:
    hello = SlaveHandshake(Secret(b"", bytes)).hello
    for start in range(0, len(hello), 8):
        assert int.from_bytes(hello[start : start + 8], "big", signed=True) < 0
    assert is_hello(hello)


@pytest.mark.parametrize("content", [b"", b"\n", b"fifteen letters", b"  fifteen letters \n"])
def test_a_secret_that_can_be_guessed_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"haSecretFile: /s holds .* bytes, a secret has 16 at least"):
        secret_of(content, "/s")


def test_blanks_around_a_secret_do_not_count() -> None:
    assert secret_of(b"sixteen letters.\n", "/s") == b"sixteen letters."


class Guarded:
    """A master with a secret."""

    def __init__(self, secret: Secret) -> None:
        self.changes = Changes()
        self.lines = LogLines(self.changes)
        self.log = MemoryLog(data=bytes(100))
        settings = config(heartbeat_ms=20)
        self.acks = AckTable(2)
        self.source = ReplicationSource(self.log, settings, self.acks, self.changes, WallClock(), secret=secret)
        self.port = 0


@contextlib.asynccontextmanager
async def guarded(patience_seconds: float = 5.0) -> AsyncIterator[Guarded]:
    master = Guarded(replace(counting(), patience_seconds=patience_seconds))
    master.port = await master.source.start("127.0.0.1", 0)
    try:
        yield master
    finally:
        await master.source.stop()
        master.lines.close()


@contextlib.asynccontextmanager
async def following(
    changes: Changes, address: str, log: MemoryLog, secret: Secret | None
) -> AsyncIterator[ReplicationSink]:
    backoff = Backoff(0.01, 0.05, 0.05)
    sink = ReplicationSink(log, config(heartbeat_ms=20), changes, WallClock(), backoff, secret=secret)
    sink.set_master(address)
    running = asyncio.ensure_future(sink.run())
    try:
        yield sink
    finally:
        await sink.stop()
        await running


def test_a_slave_with_the_secret_follows() -> None:
    async def scenario() -> None:
        async with guarded() as master:
            copy = MemoryLog()
            async with following(master.changes, f"127.0.0.1:{master.port}", copy, counting()):
                await master.changes.until(lambda: master.acks.replicated_offset(100) == 100)
            assert copy.data == master.log.data

    run(scenario())


def test_a_slave_with_another_secret_is_told_and_gets_nothing() -> None:
    async def scenario() -> None:
        async with guarded() as master:
            copy = MemoryLog()
            async with following(master.changes, f"127.0.0.1:{master.port}", copy, OTHER) as sink:
                await master.changes.until(lambda: sink.status.fault is not None)
                assert sink.status.state is SinkState.REFUSED
                assert "the master didn't take the proof of the secret" in str(sink.status.fault)
            assert not copy.data
            (refusal,) = master.source.refusals()
            assert "its proof of the secret is wrong" in refusal.reason

    run(scenario())


def test_a_slave_without_a_secret_gets_nothing_and_counts_for_nothing() -> None:
    async def scenario() -> None:
        async with guarded() as master:
            stranger = await BarePeer.dial(master.port)
            stranger.report(100)
            assert await stranger.closed_by_peer()
            assert master.acks.replicated_offset(100) == 0
            assert master.source.connections() == []
            assert master.lines.with_text("doesn't offer to prove the secret")

    run(scenario())


def test_who_guesses_is_not_heard_after_some_guesses() -> None:
    async def scenario() -> None:
        async with guarded() as master:
            for _ in range(MAX_FAILURES + 1):
                stranger = await BarePeer.dial(master.port)
                stranger.report(100)
                assert await stranger.closed_by_peer()
            assert "proofs of the secret from its address failed" in master.source.refusals()[-1].reason

    run(scenario())


def test_connections_that_prove_nothing_do_not_pile_up() -> None:
    async def scenario() -> None:
        async with guarded() as master:
            waiting = [await BarePeer.dial(master.port) for _ in range(9)]
            await master.changes.until(lambda: bool(master.lines.with_text("8 connections have not proved the secret")))
            for each in waiting:
                each.close()

    run(scenario())


def test_who_says_nothing_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with guarded(patience_seconds=0.05) as master:
            silent = await BarePeer.dial(master.port)
            assert await silent.closed_by_peer()
            await master.changes.until(lambda: bool(master.lines.with_text("didn't prove the secret of haSecretFile")))

    run(scenario())


def test_a_slave_with_a_secret_leaves_a_master_that_has_none() -> None:
    async def scenario() -> None:
        changes = Changes()
        lines = LogLines(changes)
        source = ReplicationSource(MemoryLog(data=bytes(100)), config(), AckTable(2), changes, WallClock())
        port = await source.start("127.0.0.1", 0)
        copy = MemoryLog()
        async with following(changes, f"127.0.0.1:{port}", copy, counting()):
            await changes.until(lambda: bool(source.refusals()))
        assert "it wants to prove a secret, and there is no haSecretFile here" in source.refusals()[0].reason
        assert not copy.data
        await source.stop()
        lines.close()

    run(scenario())


def test_a_slave_with_a_secret_says_so_to_a_master_that_never_answers() -> None:
    """As a Java master, which waits for a report."""

    async def scenario() -> None:
        changes = Changes()
        master = await BareMaster().start()
        lines = LogLines(changes)
        hasty = replace(counting(), patience_seconds=0.05)
        async with following(changes, master.address, MemoryLog(), hasty) as sink:
            await changes.until(lambda: bool(lines.with_text("no knowledge of a secret")))
            assert sink.status.state is SinkState.REFUSED
        master.stop()
        lines.close()

    run(scenario())
