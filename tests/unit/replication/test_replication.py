"""A source and its sinks, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from broker_py.replication.acks import AckTable
from broker_py.replication.backoff import Backoff
from broker_py.replication.sink import ReplicationSink
from broker_py.replication.source import ReplicationSource
from tests.unit.replication.fakes import Changes, LogLines, MemoryLog, WallClock, config, log_bytes, run


class Cluster:
    """A master and any number of slaves, whose callbacks and log lines all count as changes."""

    def __init__(self, log: MemoryLog, in_sync_replicas: int) -> None:
        self.log = log
        self.changes = Changes()
        self.lines = LogLines(self.changes)
        self.acks = AckTable(in_sync_replicas)
        self.config = config(heartbeat_ms=20, batch_bytes=700)
        self.source = ReplicationSource(log, self.config, self.acks, self.changes, WallClock())
        self.port = 0
        self._running: list[tuple[ReplicationSink, asyncio.Future[None]]] = []

    def follow(self, log: MemoryLog) -> ReplicationSink:
        sink = ReplicationSink(log, self.config, self.changes, WallClock(), Backoff(0.01, 0.05, 0.05))
        sink.set_master(f"127.0.0.1:{self.port}")
        self._running.append((sink, asyncio.ensure_future(sink.run())))
        return sink

    async def replicated(self) -> None:
        await self.changes.until(lambda: self.acks.replicated_offset(self.log.end) == self.log.end)

    async def stop(self) -> None:
        for sink, running in self._running:
            await sink.stop()
            await running
        await self.source.stop()
        self.lines.close()


@contextlib.asynccontextmanager
async def cluster(log: MemoryLog, in_sync_replicas: int = 2) -> AsyncIterator[Cluster]:
    made = Cluster(log, in_sync_replicas)
    made.port = await made.source.start("127.0.0.1", 0)
    try:
        yield made
    finally:
        await made.stop()


def test_an_empty_slave_becomes_a_copy_and_stays_one() -> None:
    async def scenario() -> None:
        async with cluster(MemoryLog(segment_size=1000, start=2000, data=log_bytes(2000, 5500))) as made:
            copy = MemoryLog(segment_size=1000)
            made.follow(copy)
            await made.replicated()
            for _ in range(20):
                made.log.append(log_bytes(made.log.end, 333))
                made.source.wake()
            await made.replicated()
            assert (copy.min_offset, copy.data) == (2000, made.log.data)

    run(scenario())


def test_two_slaves_on_one_host_make_three_replicas() -> None:
    async def scenario() -> None:
        async with cluster(MemoryLog(data=log_bytes(0, 800)), in_sync_replicas=3) as made:
            copies = [MemoryLog(), MemoryLog(data=log_bytes(0, 333))]
            for copy in copies:
                made.follow(copy)
            await made.replicated()
            assert [copy.data for copy in copies] == [made.log.data] * 2

    run(scenario())


def test_a_former_master_with_records_of_its_own_is_not_overwritten_and_acknowledges_none_of_them() -> None:
    async def scenario() -> None:
        former = log_bytes(0, 500) + b"own record"
        async with cluster(MemoryLog(data=log_bytes(0, 505))) as made:
            copy = MemoryLog(data=former)
            made.follow(copy)
            await made.changes.until(
                lambda: (
                    bool(made.lines.with_text("refused: the slave is ahead"))
                    or bool(made.lines.with_text("logs diverge"))
                )
            )
            made.log.append(log_bytes(505, 200))
            made.source.wake()
            await made.changes.until(lambda: bool(made.lines.with_text("logs diverge at 50")))
            assert copy.data == former
            assert made.acks.replicated_offset(made.log.end) <= 505

    run(scenario())


def test_a_slave_ahead_of_its_master_is_refused_until_the_master_has_those_bytes() -> None:
    async def scenario() -> None:
        async with cluster(MemoryLog(data=log_bytes(0, 300))) as made:
            copy = MemoryLog(data=log_bytes(0, 500))
            made.follow(copy)
            await made.changes.until(lambda: bool(made.lines.with_text("refused: the slave is ahead of its master")))
            made.log.append(log_bytes(300, 300))
            await made.replicated()
            assert copy.data == log_bytes(0, 600)

    run(scenario())


def test_a_slave_of_a_slave_gets_the_same_log() -> None:
    async def scenario() -> None:
        async with cluster(MemoryLog(data=log_bytes(0, 900))) as made:
            middle = MemoryLog()
            async with cluster(middle) as lower:
                last = MemoryLog()
                lower.follow(last)
                made.follow(middle)
                await made.replicated()
                lower.source.wake()
                await lower.changes.until(lambda: last.end == 900)
                assert last.data == made.log.data

    run(scenario())
