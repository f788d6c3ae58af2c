"""What the tests of replication drive: a log in memory, a clock by hand, peers that speak the bare protocol."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from struct import pack, unpack
from typing import Any, TypeVar

from broker_py.replication.config import ReplicationConfig
from broker_py.store.handles import NotCached, Patience

T = TypeVar("T")

WAIT_SECONDS = 10.0  # for something that happens at once, on a machine that is busy


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario on an event loop of its own."""
    return asyncio.run(asyncio.wait_for(scenario, 4 * WAIT_SECONDS))


def log_bytes(start: int, size: int) -> bytes:
    """Return bytes that tell their offset, so that a piece in the wrong place shows."""
    return bytes((offset * 7 + offset // 251) % 256 for offset in range(start, start + size))


class MemoryLog:
    """A commit log of fixed-size records, in memory."""

    def __init__(self, segment_size: int = 1000, start: int = 0, data: bytes = b"", record_size: int = 10) -> None:
        self.segment_size = segment_size
        self.record_size = record_size
        self.min_offset = start
        self.data = bytearray(data)
        self.appends: list[tuple[int, int]] = []  # (log offset, size) of each append_raw
        self.fault: Exception | None = None  # raised by each read and write
        self.cold: set[int] = set()  # offsets from which a read would wait for the disk

    @property
    def end(self) -> int:
        return self.min_offset + len(self.data)

    def append(self, data: bytes) -> None:
        self.data += data

    def read(self, log_offset: int, size: int, patience: Patience = Patience.WAIT) -> bytes:
        if self.fault is not None:
            raise self.fault
        if log_offset in self.cold and patience is not Patience.WAIT:
            raise NotCached("a file", log_offset, size)
        start = log_offset - self.min_offset
        assert start >= 0
        stop = min(start + size, self.segment_end(log_offset) - self.min_offset)
        return bytes(self.data[start:stop])

    def segment_end(self, log_offset: int) -> int:
        return (log_offset // self.segment_size + 1) * self.segment_size

    def append_raw(self, log_offset: int, data: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        if self.end == 0:
            assert log_offset % self.segment_size == 0
            self.min_offset = log_offset
        assert log_offset == self.end
        assert data
        assert log_offset + len(data) <= self.segment_end(log_offset)
        self.appends.append((log_offset, len(data)))
        self.data += data

    def resume_offset(self) -> int:
        whole = len(self.data) // self.record_size
        return self.min_offset + (whole - 1) * self.record_size if whole else self.end

    def delete_first_segment(self) -> None:
        cut = self.segment_end(self.min_offset) - self.min_offset
        del self.data[:cut]
        self.min_offset += cut


class ManualClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


class WallClock:
    """The real time."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Changes:
    """Lets a test wait until what it looks at, changed by callbacks and log lines, is as it should be."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self._event.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._event.clear()
            await asyncio.wait_for(self._event.wait(), WAIT_SECONDS)


class LogLines(logging.Handler):
    """Collects what replication logs, each line a change."""

    def __init__(self, changes: Changes) -> None:
        super().__init__(logging.DEBUG)
        self._changes = changes
        self.lines: list[str] = []
        logger = logging.getLogger("broker_py.replication")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")
        self._changes()

    def with_text(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]

    def close(self) -> None:
        logging.getLogger("broker_py.replication").removeHandler(self)
        super().close()


class MemoryTransport(asyncio.Transport):
    """A transport that keeps what is written, to a peer at `peer_ip`."""

    def __init__(self, peer_ip: str = "10.0.0.2") -> None:
        super().__init__({"peername": (peer_ip, 4000), "sockname": ("10.0.0.1", 10912)})
        self.written = bytearray()
        self.aborted = False
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True


class BarePeer:
    """One end of a connection, spoken by hand: a slave that dialled, or a master that was dialled."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, port: int) -> "BarePeer":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def report(self, *log_offsets: int) -> None:
        self.writer.write(b"".join(pack(">q", log_offset) for log_offset in log_offsets))

    async def read_report(self) -> int:
        (log_offset,) = unpack(">q", await self._read(8))
        return int(log_offset)

    def send(self, log_offset: int, data: bytes = b"") -> None:
        self.writer.write(pack(">qi", log_offset, len(data)) + data)

    async def read_frame(self) -> tuple[int, bytes]:
        log_offset, size = unpack(">qi", await self._read(12))
        return log_offset, await self._read(size)

    async def read_log(self, log_offset: int, end: int) -> bytes:
        """Read frames until `end`, each beginning where the one before ended."""
        data = bytearray()
        while log_offset + len(data) < end:
            frame_offset, piece = await self.read_frame()
            assert frame_offset == log_offset + len(data)
            data += piece
        return bytes(data)

    async def closed_by_peer(self) -> bool:
        """Wait for the other side to close, whatever it still sends."""
        try:
            await asyncio.wait_for(self.reader.read(), WAIT_SECONDS)
        except ConnectionResetError:
            pass
        return True

    def close(self) -> None:
        self.writer.transport.abort()

    async def _read(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), WAIT_SECONDS)


class BareMaster:
    """Listens on the loopback; each connection is a `BarePeer`."""

    def __init__(self) -> None:
        self._accepted: asyncio.Queue[BarePeer] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._peers: list[BarePeer] = []
        self.address = ""

    async def start(self) -> "BareMaster":
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def accept(self) -> BarePeer:
        return await asyncio.wait_for(self._accepted.get(), WAIT_SECONDS)

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self._peers:
            peer.close()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = BarePeer(reader, writer)
        self._peers.append(peer)
        self._accepted.put_nowait(peer)


def config(
    heartbeat_ms: int = 5_000,
    silence_ms: int = 20_000,
    batch_bytes: int = 32_768,
    max_gap: int = 1_000,
    compare_bytes: int = 0,
) -> ReplicationConfig:
    """Return a configuration that differs from the defaults in what tests care about."""
    return ReplicationConfig(
        ha_send_heartbeat_interval=heartbeat_ms,
        ha_housekeeping_interval=silence_ms,
        ha_transfer_batch_size=batch_bytes,
        ha_max_gap_not_in_sync=max_gap,
        ha_compare_bytes=compare_bytes,
    )
