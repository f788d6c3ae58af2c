"""The master's side over real sockets, with slaves that speak the bare protocol."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from broker_py.errors import ConfigError
from broker_py.replication.acks import AckTable
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.source import ReplicationSource
from tests.unit.replication.fakes import BarePeer, Changes, MemoryLog, WallClock, config, log_bytes, run

DEFAULTS = config()


class Master:
    """A source that listens, and its log."""

    def __init__(self, log: MemoryLog, settings: ReplicationConfig, max_connections: int) -> None:
        self.log = log
        self.acks = AckTable(2)
        self.changes = Changes()
        self.source = ReplicationSource(log, settings, self.acks, self.changes, WallClock(), max_connections)
        self.port = 0
        self.slaves: list[BarePeer] = []

    async def slave(self, *reports: int) -> BarePeer:
        slave = await BarePeer.dial(self.port)
        self.slaves.append(slave)
        slave.report(*reports)
        return slave

    def append(self, data: bytes) -> None:
        self.log.append(data)
        self.source.wake()


@contextlib.asynccontextmanager
async def serving(
    log: MemoryLog, settings: ReplicationConfig = DEFAULTS, max_connections: int = 64
) -> AsyncIterator[Master]:
    master = Master(log, settings, max_connections)
    master.port = await master.source.start("127.0.0.1", 0)
    try:
        yield master
    finally:
        for slave in master.slaves:
            slave.close()
        await master.source.stop()


def test_an_empty_slave_gets_the_log_from_its_first_segment() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(segment_size=1000, start=3000, data=log_bytes(3000, 2500))) as master:
            slave = await master.slave(0)
            assert await slave.read_log(3000, 5500) == log_bytes(3000, 2500)

    run(scenario())


def test_a_slave_goes_on_anywhere_within_the_log() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(segment_size=1000, data=log_bytes(0, 2500))) as master:
            slave = await master.slave(1234)
            assert await slave.read_log(1234, 2500) == log_bytes(1234, 1266)

    run(scenario())


def test_a_large_log_is_sent_whole_over_many_turns() -> None:
    async def scenario() -> None:
        size = 1_500_000
        async with serving(MemoryLog(segment_size=1 << 20, data=log_bytes(0, size))) as master:
            slave = await master.slave(0)
            assert await slave.read_log(0, size) == log_bytes(0, size)

    run(scenario())


def test_a_slave_gets_new_bytes_when_the_log_grows() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50))) as master:
            slave = await master.slave(50)
            await master.changes.until(lambda: bool(master.source.connections()))
            master.append(log_bytes(50, 10))
            assert await slave.read_frame() == (50, log_bytes(50, 10))
            master.append(log_bytes(60, 10))
            master.append(log_bytes(70, 10))
            assert await slave.read_frame() == (60, log_bytes(60, 20))

    run(scenario())


def test_the_slowest_slave_that_has_reported_tells_how_far_the_log_is_copied() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(segment_size=1000, data=log_bytes(0, 100))) as master:
            assert master.source.copied_end() is None
            await master.slave()
            await master.slave(70)
            slowest = await master.slave(40)
            assert await slowest.read_log(40, 100) == log_bytes(40, 60)
            assert master.source.copied_end() == 40

    run(scenario())


def test_acknowledgements_move_the_replicated_offset_and_call_back() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50))) as master:
            slave = await master.slave(20)
            await slave.read_log(20, 50)
            slave.report(30, 40, 50)
            await master.changes.until(lambda: master.acks.replicated_offset(50) == 50)
            (status,) = master.source.connections()
            assert (status.acked, status.sent, status.diff, status.in_sync) == (50, 50, 0, True)

    run(scenario())


def test_a_slave_far_behind_is_not_in_sync() -> None:
    async def scenario() -> None:
        log = MemoryLog(segment_size=10_000, data=log_bytes(0, 5000))
        async with serving(log, config(max_gap=1000)) as master:
            await master.slave(4000)
            await master.slave(4001)
            await master.changes.until(lambda: len(master.source.connections()) == 2)
            in_sync = {status.acked: status.in_sync for status in master.source.connections()}
            assert in_sync == {4000: False, 4001: True}

    run(scenario())


@pytest.mark.parametrize("first_report", [2501, 999])
def test_a_slave_ahead_or_too_old_is_closed_and_sent_nothing(first_report: int) -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(segment_size=1000, start=1000, data=log_bytes(1000, 1500))) as master:
            slave = await master.slave(first_report)
            assert await slave.closed_by_peer()
            assert master.acks.replicated_offset(2500) == 0
            assert master.changes.count == 0

    run(scenario())


def test_an_acknowledgement_beyond_the_end_closes_that_connection_only() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50))) as master:
            liar = await master.slave(50)
            await master.changes.until(lambda: len(master.source.connections()) == 1)
            honest = await master.slave(50)
            await master.changes.until(lambda: len(master.source.connections()) == 2)
            liar.report(51)
            assert await liar.closed_by_peer()
            assert master.acks.replicated_offset(1000) == 50
            master.append(log_bytes(50, 10))
            assert await honest.read_frame() == (50, log_bytes(50, 10))

    run(scenario())


def test_an_idle_slave_gets_heartbeats_with_its_own_end() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50)), config(heartbeat_ms=20)) as master:
            slave = await master.slave(50)
            assert await slave.read_frame() == (50, b"")
            assert await slave.read_frame() == (50, b"")

    run(scenario())


@pytest.mark.parametrize("reports", [[], [50]])
def test_a_slave_that_falls_silent_is_closed(reports: list[int]) -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50)), config(heartbeat_ms=20, silence_ms=60)) as master:
            slave = await master.slave(*reports)
            assert await slave.closed_by_peer()
            assert master.source.connections() == []

    run(scenario())


def test_a_slave_may_be_silent_for_a_while_at_first() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50)), config(heartbeat_ms=10)) as master:
            late = await master.slave()
            early = await master.slave(50)
            for _ in range(3):
                await early.read_frame()
            late.report(40)
            assert await late.read_frame() == (40, log_bytes(40, 10))

    run(scenario())


def test_connections_above_the_limit_are_closed_and_a_place_that_is_left_can_be_taken() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50)), max_connections=1) as master:
            first = await master.slave(40)
            await first.read_log(40, 50)
            assert await (await master.slave(40)).closed_by_peer()
            first.report(51)
            assert await first.closed_by_peer()
            assert await (await master.slave(40)).read_log(40, 50) == log_bytes(40, 10)

    run(scenario())


def test_stopping_closes_port_and_connections_after_what_was_sent() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog(data=log_bytes(0, 50))) as master:
            slave = await master.slave(40)
            await master.changes.until(lambda: bool(master.source.connections()))
            await slave.read_log(40, 50)
            await master.source.stop()
            assert await slave.closed_by_peer()
            assert master.source.connections() == []
            with pytest.raises(OSError):
                await BarePeer.dial(master.port)

    run(scenario())


def test_a_port_in_use_is_an_error_of_the_configuration() -> None:
    async def scenario() -> None:
        async with serving(MemoryLog()) as master:
            second = ReplicationSource(MemoryLog(), config(), AckTable(1), Changes(), WallClock())
            with pytest.raises(ConfigError, match=f"haListenPort: can't listen on 127.0.0.1:{master.port}"):
                await second.start("127.0.0.1", master.port)

    run(scenario())
