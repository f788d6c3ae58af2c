"""What a master does for one slave, on a transport in memory that a test can hold up."""

from collections.abc import Callable

import pytest

from broker_py.errors import StoreError
from broker_py.replication.acks import AckTable
from broker_py.replication.progress import SlaveRefused
from broker_py.replication.protocol import FrameDecoder, encode_report
from broker_py.replication.slave_connection import SlaveConnection
from broker_py.store.handles import NotCached
from tests.unit.replication.fakes import ManualClock, MemoryLog, MemoryTransport, config, log_bytes, run

KIB = 1024


class Master:
    """One connection to a slave, and what was called back."""

    def __init__(self, log: MemoryLog, batch_bytes: int = 32 * KIB, heartbeat_ms: int = 5000) -> None:
        self.log = log
        self.clock = ManualClock()
        self.acks = AckTable(2)
        self.called: list[str] = []
        self.fetched: list[tuple[int, Callable[[OSError | None], None]]] = []
        self.may_fetch = True
        self.transport = MemoryTransport()
        self.slave = SlaveConnection(
            1,
            log,
            config(batch_bytes=batch_bytes, heartbeat_ms=heartbeat_ms),
            self.acks,
            self.clock,
            on_ack=lambda: self.called.append("ack"),
            on_ready=lambda: self.called.append("ready"),
            on_lost=lambda slave: self.called.append(f"lost {slave.number}"),
            fetch=self._fetch,
        )

    def _fetch(self, _owner: object, miss: NotCached, done: Callable[[OSError | None], None]) -> bool:
        if self.may_fetch:
            self.fetched.append((miss.position, done))
        return self.may_fetch

    def connect(self, *reports: int) -> None:
        self.slave.connection_made(self.transport)
        for report in reports:
            self.slave.data_received(encode_report(report))

    def disconnect(self) -> None:
        self.slave.connection_lost(None)

    def frames(self) -> list[tuple[int, int]]:
        """Return (log offset, size) of the frames written so far."""
        frames = FrameDecoder().receive_data(bytes(self.transport.written))
        return [(frame.log_offset, len(frame.data)) for frame in frames]


def test_nothing_is_sent_before_the_first_report() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(data=log_bytes(0, 100)))
        master.connect()
        assert not master.slave.pump()
        master.slave.heartbeat()
        assert not master.transport.written
        master.disconnect()

    run(scenario())


def test_one_turn_sends_a_bounded_piece_in_frames_of_the_batch_size() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(segment_size=1 << 20, data=log_bytes(0, 600 * KIB)))
        master.connect(0)
        assert master.slave.pump()
        assert master.frames() == [(i * 32 * KIB, 32 * KIB) for i in range(8)]
        assert master.slave.pump()
        assert not master.slave.pump()
        assert sum(size for _, size in master.frames()) == 600 * KIB
        master.disconnect()

    run(scenario())


def test_a_frame_ends_where_a_segment_ends() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(segment_size=1000, data=log_bytes(0, 2500)), batch_bytes=600)
        master.connect(0)
        master.slave.pump()
        assert master.frames() == [(0, 600), (600, 400), (1000, 600), (1600, 400), (2000, 500)]
        master.disconnect()

    run(scenario())


def test_a_slave_that_does_not_read_is_not_sent_more() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(segment_size=1 << 20, data=log_bytes(0, 600 * KIB)))
        master.connect(0)
        master.slave.pause_writing()
        assert not master.slave.pump()
        assert not master.transport.written
        master.called.clear()
        master.slave.resume_writing()
        assert master.called == ["ready"]
        assert master.slave.pump()
        master.disconnect()

    run(scenario())


def test_a_slave_whose_next_file_was_deleted_meanwhile_is_closed() -> None:
    async def scenario() -> None:
        log = MemoryLog(segment_size=1000, data=log_bytes(0, 2500))
        master = Master(log)
        master.connect(1)
        log.delete_first_segment()
        assert not master.slave.pump()
        assert master.transport.aborted
        assert "deleted before the slave had them" in str(master.slave.ended)
        master.disconnect()

    run(scenario())


@pytest.mark.parametrize("fault", [StoreError("no read"), OSError(5, "no read")])
def test_a_log_that_cannot_be_read_closes_the_connection(fault: Exception) -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(data=log_bytes(0, 100)))
        master.connect(40)
        master.log.fault = fault
        assert not master.slave.pump()
        assert master.transport.aborted
        assert "no read" in str(master.slave.ended)
        master.disconnect()

    run(scenario())


def test_what_is_not_in_memory_is_fetched_and_sent_when_it_is() -> None:
    async def scenario() -> None:
        log = MemoryLog(segment_size=1 << 20, data=log_bytes(0, 96 * KIB))
        master = Master(log)
        master.connect(0)
        log.cold = {64 * KIB}
        assert master.slave.pump(), "what is in memory leaves first"
        assert master.frames() == [(0, 32 * KIB), (32 * KIB, 32 * KIB)]
        assert not master.slave.pump()
        assert not master.slave.pump(), "one fetch at a time"
        assert [position for position, _ in master.fetched] == [64 * KIB]
        log.cold.clear()
        master.called.clear()
        master.fetched[0][1](None)
        assert master.called == ["ready"]
        assert not master.slave.pump()
        assert master.frames()[2:] == [(64 * KIB, 32 * KIB)]
        master.disconnect()

    run(scenario())


def test_what_is_never_in_memory_and_what_can_not_be_fetched_is_read_all_the_same() -> None:
    async def scenario() -> None:
        for may_fetch, fetches in ((True, 3), (False, 0)):
            log = MemoryLog(segment_size=1 << 20, data=log_bytes(0, 100))
            master = Master(log)
            master.may_fetch = may_fetch
            master.connect(0)
            log.cold = {0}
            for _ in range(4):
                master.slave.pump()
                if master.fetched:
                    master.fetched[-1][1](None)
            assert len(master.fetched) == fetches
            assert master.frames() == [(0, 100)]
            master.disconnect()

    run(scenario())


def test_a_part_of_the_log_that_can_not_be_fetched_for_a_fault_of_the_disk_ends_the_connection() -> None:
    async def scenario() -> None:
        log = MemoryLog(segment_size=1 << 20, data=log_bytes(0, 100))
        master = Master(log)
        master.connect(0)
        log.cold = {0}
        master.slave.pump()
        master.fetched[0][1](OSError(5, "a bad sector"))
        assert "the log can't be used: [Errno 5] a bad sector" in str(master.slave.ended)
        assert not master.slave.pump()
        master.disconnect()

    run(scenario())


def test_a_lost_slave_no_longer_counts_but_what_it_held_stays_replicated() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(data=log_bytes(0, 100)))
        master.connect(40)
        assert master.acks.in_sync(100, 1000) == 2
        master.disconnect()
        assert master.acks.in_sync(100, 1000) == 1
        assert master.acks.replicated_offset(100) == 40
        assert master.called == ["ready", "ack", "lost 1"]

    run(scenario())


def test_a_connection_closed_while_it_was_being_made_is_aborted() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog())
        master.slave.close("this broker stops")
        master.connect()
        assert master.transport.aborted
        master.disconnect()
        assert master.called == ["lost 1"]

    run(scenario())


def test_only_the_first_report_starts_a_transfer() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(data=log_bytes(0, 100)))
        master.connect(40)
        master.slave.pump()
        master.slave.data_received(encode_report(70))
        master.slave.data_received(encode_report(100))
        assert master.called == ["ready", "ack", "ack", "ack"]
        assert master.frames() == [(40, 60)]
        assert master.acks.replicated_offset(100) == 100
        master.disconnect()

    run(scenario())


@pytest.mark.parametrize("claimed", [101, 1 << 62])
def test_an_acknowledgement_of_what_was_never_sent_closes_the_connection(claimed: int) -> None:
    async def scenario() -> None:
        for before in ([40], []):
            master = Master(MemoryLog(data=log_bytes(0, 100)))
            master.connect(*before)
            master.slave.data_received(encode_report(claimed))
            assert master.transport.aborted
            master.slave.data_received(encode_report(90))
            assert master.acks.replicated_offset(100) == (40 if before else 0)
            assert isinstance(master.slave.ended, SlaveRefused)
            master.disconnect()

    run(scenario())


def test_the_rate_counts_what_was_sent() -> None:
    async def scenario() -> None:
        master = Master(MemoryLog(segment_size=1 << 20, data=log_bytes(0, 1000)))
        master.connect(0)
        master.slave.pump()
        assert master.slave.rate.per_second(master.clock.monotonic() + 1) == 1000 + 12
        master.disconnect()

    run(scenario())
