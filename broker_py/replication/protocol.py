"""The bytes of RocketMQ's HA protocol, `store/ha/DefaultHAConnection` and `DefaultHAClient`; all big-endian.

    slave → master   report   log_offset:i64
    master → slave   frame    log_offset:i64 | size:i32 | data[size]        size 0: a heartbeat

A report says how far the slave's copy reaches. The first one asks for the bytes from there on, 0 standing for an empty
log; each one acknowledges all bytes below it. A frame carries a piece of the log, cut anywhere: records may span
frames, but a frame never spans two segments. A heartbeat carries the offset of the frame that will come next.
"""

from struct import Struct
from typing import Final, NamedTuple

from broker_py.errors import ProtocolError

REPORT: Final = Struct(">q")
FRAME_HEADER: Final = Struct(">qi")
MAX_FRAME_BYTES: Final = 4 * 1024 * 1024  # data of one frame; a Java slave takes no more


class Frame(NamedTuple):
    """A piece of the master's log, or a heartbeat when `data` is empty."""

    log_offset: int
    data: memoryview


def encode_report(log_offset: int) -> bytes:
    """Return the 8 bytes that report `log_offset`."""
    return REPORT.pack(log_offset)


def encode_frame_header(log_offset: int, size: int) -> bytes:
    """Return the 12 bytes in front of `size` bytes of log; with size 0 they are a heartbeat."""
    return FRAME_HEADER.pack(log_offset, size)


class ReportDecoder:
    """Cuts what a slave sends into reports. Holds 7 bytes at most."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest: bytes = b""

    def receive_data(self, data: bytes) -> int | None:
        """Return the last report that `data` completes, or None.

        The earlier ones are dropped, as a report says all that those before it said. ProtocolError when it is negative.
        """
        held = self._rest + data
        whole = len(held) - len(held) % REPORT.size
        self._rest = held[whole:]
        if whole == 0:
            return None
        (log_offset,) = REPORT.unpack_from(held, whole - REPORT.size)
        if log_offset < 0:
            raise ProtocolError(f"the slave reports the negative offset {log_offset}")
        return int(log_offset)


class FrameDecoder:
    """Cuts what a master sends into frames, whose data are slices of what was received.

    Holds one unfinished frame, in the pieces it came in: they are joined once, when the frame is whole.
    """

    __slots__ = ("_held", "_max_frame_bytes", "_needed", "_pieces")

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._pieces: list[bytes] = []
        self._held = 0
        self._needed = FRAME_HEADER.size  # bytes to hold before there is anything to decode

    def receive_data(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes, in order; ProtocolError for a size or offset out of range."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held < self._needed:
            return []
        held = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return self._decode(held)

    def _decode(self, held: bytes) -> list[Frame]:
        frames: list[Frame] = []
        view = memoryview(held)
        start = 0
        end = len(held)
        needed = FRAME_HEADER.size
        while end - start >= FRAME_HEADER.size:
            log_offset, size = FRAME_HEADER.unpack_from(held, start)
            self._check(log_offset, size)
            needed = FRAME_HEADER.size + size
            if end - start < needed:
                break
            frames.append(Frame(log_offset, view[start + FRAME_HEADER.size : start + needed]))
            start += needed
            needed = FRAME_HEADER.size
        self._pieces = [held[start:]] if start < end else []
        self._held = end - start
        self._needed = needed
        return frames

    def _check(self, log_offset: int, size: int) -> None:
        if log_offset < 0:
            raise ProtocolError(f"the master sent a frame at the negative offset {log_offset}")
        if not 0 <= size <= self._max_frame_bytes:
            raise ProtocolError(f"the master announced a frame of {size} bytes, {self._max_frame_bytes} are allowed")
