"""The slave's side over real sockets, with a master that speaks the bare protocol."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from broker_py.errors import StoreError
from broker_py.replication.backoff import Backoff
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.master_log import MasterLog
from broker_py.replication.sink import ReplicationSink, SinkState
from tests.unit.replication.fakes import (
    BareMaster,
    Changes,
    LogLines,
    MemoryLog,
    WallClock,
    config,
    log_bytes,
    run,
)

DEFAULTS = config()


class Slave:
    """A running sink, its log, and a master for it."""

    def __init__(self, log: MemoryLog, settings: ReplicationConfig, described: MasterLog | None) -> None:
        self.log = log
        self.changes = Changes()
        self.lines = LogLines(self.changes)
        self.master = BareMaster()
        backoff = Backoff(first=0.01, limit=0.05, refused=0.03)
        self.described = described

        async def describe() -> MasterLog | None:
            return self.described

        self.sink = ReplicationSink(log, settings, self.changes, WallClock(), backoff, describe)


@contextlib.asynccontextmanager
async def following(
    log: MemoryLog, settings: ReplicationConfig = DEFAULTS, described: MasterLog | None = None
) -> AsyncIterator[Slave]:
    slave = Slave(log, settings, described)
    await slave.master.start()
    slave.sink.set_master(slave.master.address)
    running = asyncio.ensure_future(slave.sink.run())
    try:
        yield slave
    finally:
        await slave.sink.stop()
        await running
        slave.master.stop()
        slave.lines.close()


def test_an_empty_slave_reports_zero_at_once_and_acknowledges_what_it_appended() -> None:
    async def scenario() -> None:
        async with following(MemoryLog(segment_size=1000)) as slave:
            master = await slave.master.accept()
            assert await master.read_report() == 0
            master.send(3000, log_bytes(3000, 600))
            assert await master.read_report() == 3600
            master.send(3600, log_bytes(3600, 400))
            assert await master.read_report() == 4000
            assert slave.log.min_offset == 3000
            assert slave.log.data == log_bytes(3000, 1000)

    run(scenario())


def test_a_slave_compares_its_tail_before_it_goes_on() -> None:
    async def scenario() -> None:
        async with following(MemoryLog(data=log_bytes(0, 45))) as slave:
            master = await slave.master.accept()
            assert await master.read_report() == 30
            states = [slave.sink.status.state]
            master.send(30, log_bytes(30, 15))
            assert await master.read_report() == 45
            states.append(slave.sink.status.state)
            assert states == [SinkState.COMPARING, SinkState.FOLLOWING]
            assert slave.log.appends == []
            master.send(45, log_bytes(45, 10))
            assert await master.read_report() == 55
            assert slave.log.data == log_bytes(0, 55)

    run(scenario())


def test_a_slave_with_other_data_stops_says_so_and_tries_again_without_writing() -> None:
    async def scenario() -> None:
        own = log_bytes(0, 44) + b"?"
        async with following(MemoryLog(data=own)) as slave:
            for _ in range(2):
                master = await slave.master.accept()
                assert await master.read_report() == 30
                master.send(30, log_bytes(30, 30))
                assert await master.closed_by_peer()
            await slave.changes.until(lambda: bool(slave.lines.with_text("ERROR")))
            assert (
                "logs diverge at 44: this store holds other data than its master" in slave.lines.with_text("ERROR")[0]
            )
            assert slave.log.data == own

    run(scenario())


def test_a_slave_whose_log_does_not_fit_its_masters_does_not_even_dial() -> None:
    async def scenario() -> None:
        ahead = MasterLog(min_offset=0, end=44)
        async with following(MemoryLog(data=log_bytes(0, 45)), described=ahead) as slave:
            await slave.changes.until(lambda: bool(slave.lines.with_text("ahead of its master")))
            assert slave.sink.status.state is SinkState.REFUSED
            assert "ends at 45, the master's log at 44" in str(slave.sink.status.fault)
            slave.described = MasterLog(min_offset=0, end=45)  # somebody has put it right
            master = await slave.master.accept()
            assert await master.read_report() == 30
            await slave.changes.until(lambda: slave.sink.status.fault is None)

    run(scenario())


def test_much_is_compared_with_a_new_master_and_only_the_last_record_later() -> None:
    async def scenario() -> None:
        own = MemoryLog(data=log_bytes(0, 45))
        described = MasterLog(min_offset=0, end=45)
        async with following(own, config(compare_bytes=25), described) as slave:
            for asked, answered in ((20, 10), (20, 25), (30, 15)):  # the first comparing is cut off
                master = await slave.master.accept()
                assert await master.read_report() == asked
                master.send(asked, log_bytes(asked, answered))
                assert await master.read_report() == asked + answered
                master.close()

    run(scenario())


def test_a_slave_that_only_finds_out_by_a_heartbeat_that_it_is_ahead_of_its_master_stops_too() -> None:
    async def scenario() -> None:
        own = log_bytes(0, 45)
        async with following(MemoryLog(data=own)) as slave:
            master = await slave.master.accept()
            assert await master.read_report() == 30
            master.send(30, log_bytes(30, 5))
            assert await master.read_report() == 35
            master.send(35)
            master.send(35, log_bytes(35, 5))  # it had only stood still
            assert await master.read_report() == 40
            master.send(40)
            master.send(40)
            assert await master.closed_by_peer()
            await slave.changes.until(lambda: bool(slave.lines.with_text("it ends at 45, the master's log at 40")))
            assert slave.sink.status.state is SinkState.REFUSED
            assert slave.log.data == own

    run(scenario())


def test_frames_that_arrive_together_are_acknowledged_by_reports_that_never_go_back() -> None:
    async def scenario() -> None:
        async with following(MemoryLog(segment_size=100_000)) as slave:
            master = await slave.master.accept()
            reports = [await master.read_report()]
            for log_offset in range(0, 50_000, 500):
                master.send(log_offset, log_bytes(log_offset, 500))
            while reports[-1] < 50_000:
                reports.append(await master.read_report())
            assert reports == sorted(set(reports))
            assert len(slave.log.appends) == len(reports) - 1 <= 100
            assert slave.log.data == log_bytes(0, 50_000)

    run(scenario())


def test_a_frame_at_a_wrong_offset_closes_the_connection_and_the_slave_dials_again() -> None:
    async def scenario() -> None:
        async with following(MemoryLog(data=log_bytes(0, 45))) as slave:
            master = await slave.master.accept()
            master.send(31, log_bytes(31, 20))
            assert await master.closed_by_peer()
            again = await slave.master.accept()
            assert await again.read_report() == 30
            assert slave.log.data == log_bytes(0, 45)

    run(scenario())


def test_a_broken_connection_is_resumed_from_the_log() -> None:
    async def scenario() -> None:
        async with following(MemoryLog()) as slave:
            master = await slave.master.accept()
            master.send(0, log_bytes(0, 25))
            await slave.changes.until(lambda: slave.log.end == 25)
            master.close()
            master = await slave.master.accept()
            assert await master.read_report() == 10
            master.send(10, log_bytes(10, 40))
            assert await master.read_report() == 50
            assert slave.log.data == log_bytes(0, 50)

    run(scenario())


@pytest.mark.parametrize("fault", [StoreError("the disk is full"), OSError(28, "the disk is full")])
def test_bytes_that_could_not_be_written_are_not_acknowledged_but_asked_for_again(fault: Exception) -> None:
    async def scenario() -> None:
        async with following(MemoryLog()) as slave:
            slave.log.fault = fault
            master = await slave.master.accept()
            assert await master.read_report() == 0
            master.send(0, log_bytes(0, 25))
            assert await master.closed_by_peer()
            await slave.changes.until(lambda: bool(slave.lines.with_text("the disk is full")))
            slave.log.fault = None
            again = await slave.master.accept()
            assert await again.read_report() == 0
            again.send(0, log_bytes(0, 25))
            assert await again.read_report() == 25

    run(scenario())


def test_an_idle_slave_sends_heartbeats() -> None:
    async def scenario() -> None:
        async with following(MemoryLog(data=log_bytes(0, 45)), config(heartbeat_ms=20)) as slave:
            master = await slave.master.accept()
            assert [await master.read_report() for _ in range(3)] == [30, 30, 30]

    run(scenario())


def test_a_master_that_falls_silent_is_left() -> None:
    async def scenario() -> None:
        async with following(MemoryLog(), config(silence_ms=50)) as slave:
            silent = await slave.master.accept()
            assert await silent.closed_by_peer()
            await slave.master.accept()
            assert slave.lines.with_text("nothing was heard for 50 ms")

    run(scenario())


def test_a_heartbeat_after_all_bytes_means_caught_up() -> None:
    async def scenario() -> None:
        async with following(MemoryLog()) as slave:
            master = await slave.master.accept()
            master.send(0, log_bytes(0, 25))
            assert [await master.read_report() for _ in range(2)] == [0, 25]
            assert not slave.sink.status.caught_up
            master.send(25)
            await slave.changes.until(lambda: slave.sink.status.caught_up)
            assert slave.lines.with_text("caught up with master")
            master.send(25, log_bytes(25, 5))
            assert await master.read_report() == 30

    run(scenario())


def test_the_master_may_change_at_any_time() -> None:
    async def scenario() -> None:
        async with following(MemoryLog()) as slave:
            old = await slave.master.accept()
            other = await BareMaster().start()
            slave.sink.set_master(other.address)
            assert await old.closed_by_peer()
            new = await other.accept()
            assert await new.read_report() == 0
            slave.sink.set_master(None)
            assert await new.closed_by_peer()
            assert slave.sink.status.master is None
            other.stop()

    run(scenario())


def test_the_same_master_again_does_not_disturb_the_connection() -> None:
    async def scenario() -> None:
        async with following(MemoryLog()) as slave:
            master = await slave.master.accept()
            assert await master.read_report() == 0
            slave.sink.set_master(slave.master.address)
            for log_offset in range(0, 100, 10):
                master.send(log_offset, log_bytes(log_offset, 10))
                assert await master.read_report() == log_offset + 10

    run(scenario())


def test_a_master_that_cannot_be_reached_is_told_once() -> None:
    async def scenario() -> None:
        gone = await BareMaster().start()
        gone.stop()
        async with following(MemoryLog()) as slave:
            slave.sink.set_master(gone.address)
            await slave.changes.until(lambda: len(slave.lines.with_text("Connect call failed")) == 3)
            levels = [line.split()[0] for line in slave.lines.with_text("Connect call failed")]
            assert levels == ["WARNING", "DEBUG", "DEBUG"]

    run(scenario())


def test_an_address_that_is_none_is_told_and_replaced_later() -> None:
    async def scenario() -> None:
        async with following(MemoryLog()) as slave:
            slave.sink.set_master("nowhere")
            await slave.changes.until(lambda: bool(slave.lines.with_text("'nowhere' is not an address")))
            slave.sink.set_master(slave.master.address)
            assert await (await slave.master.accept()).read_report() == 0

    run(scenario())


def test_a_stopped_slave_appends_nothing_more() -> None:
    async def scenario() -> None:
        async with following(MemoryLog()) as slave:
            master = await slave.master.accept()
            assert await master.read_report() == 0
            master.send(0, log_bytes(0, 10))
            await slave.sink.stop()
            end = slave.log.end
            assert await master.closed_by_peer()
            assert slave.log.end == end
            assert slave.sink.status.state is SinkState.IDLE

    run(scenario())
