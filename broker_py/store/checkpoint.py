"""What was durable when: the checkpoint file (`store/StoreCheckpoint`).

    0   newest flushed message's stored ms i64      8   newest dispatched message's stored ms i64
    16  index ms i64                                24  master's flushed offset i64
    32  our magic u64 | durable log offset i64 | copies of the first two longs i64 i64 | crc32 of bytes 32..63 u32
    up to 4096: zeros

The part from byte 32 is ours. A Java broker leaves it as it is but changes the longs before it, so that the copies tell
that it has been here, and the durable offset is not to be trusted.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final
from zlib import crc32

from broker_py.seams import FileSystem, read_file, replace_file

CHECKPOINT_BYTES: Final = 4096
_JAVA: Final = Struct(">qqqq")
_OURS: Final = Struct(">Qqqq")
_CRC: Final = Struct(">I")
_MAGIC: Final = 0x62726F6B65727079  # "brokerpy"
_GRACE_MS: Final = 3000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The newest messages that were durable; `durable_offset` is None when no checkpoint of ours says it.

    Log and consume queues are durable up to `durable_offset`.
    """

    flushed_ms: int = 0
    dispatched_ms: int = 0
    index_ms: int = 0
    master_flushed_offset: int = 0
    durable_offset: int | None = None

    @property
    def min_ms(self) -> int:
        """Messages stored before this are durable in log and consume queues."""
        return max(0, min(self.flushed_ms, self.dispatched_ms) - _GRACE_MS)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the file's content."""
    data = _JAVA.pack(
        checkpoint.flushed_ms, checkpoint.dispatched_ms, checkpoint.index_ms, checkpoint.master_flushed_offset
    )
    if checkpoint.durable_offset is not None:
        ours = _OURS.pack(_MAGIC, checkpoint.durable_offset, checkpoint.flushed_ms, checkpoint.dispatched_ms)
        data += ours + _CRC.pack(crc32(ours))
    return data.ljust(CHECKPOINT_BYTES, b"\0")


def decode_checkpoint(data: bytes) -> Checkpoint:
    """Return what the file says; a file too short says nothing."""
    if len(data) < _JAVA.size:
        return Checkpoint()
    flushed_ms, dispatched_ms, index_ms, master_flushed_offset = _JAVA.unpack_from(data)
    durable: int | None = None
    ours = data[_JAVA.size : _JAVA.size + _OURS.size]
    if len(data) >= _JAVA.size + _OURS.size + _CRC.size:
        magic, offset, flushed_copy, dispatched_copy = _OURS.unpack(ours)
        (crc,) = _CRC.unpack_from(data, _JAVA.size + _OURS.size)
        if magic == _MAGIC and crc == crc32(ours) and (flushed_copy, dispatched_copy) == (flushed_ms, dispatched_ms):
            durable = offset
    return Checkpoint(flushed_ms, dispatched_ms, index_ms, master_flushed_offset, durable)


def read_checkpoint(files: FileSystem, path: str) -> Checkpoint:
    """Return what the file at `path` says, or nothing when there is none. OSError."""
    return decode_checkpoint(read_file(files, path)) if files.exists(path) else Checkpoint()


def write_checkpoint(files: FileSystem, path: str, checkpoint: Checkpoint) -> None:
    """Replace the file at `path`, durably. OSError."""
    replace_file(files, path, encode_checkpoint(checkpoint))
