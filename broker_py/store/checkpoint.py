"""What was durable when: the checkpoint file (`store/StoreCheckpoint`).

    0   newest flushed message's stored ms i64      8   newest dispatched message's stored ms i64
    16  index ms i64                                24  master's flushed offset i64
    32  our magic u64 | durable log offset i64 | copies of the first two longs i64 i64 | crc32 of bytes 32..63 u32
    68  index magic u64 | indexed log offset i64 | newest index file's name i64, 0 for none | its header, 40 bytes |
        copies of the first two longs i64 i64 | crc32 of bytes 68..147 u32
    up to 4096: zeros

The parts from byte 32 are ours. A Java broker leaves them as they are but changes the longs before them, so that the
copies tell that it has been here, and what is ours is not to be trusted.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Any, Final
from zlib import crc32

from broker_py.seams import FileSystem, read_file, replace_file
from broker_py.store.index_file import HEADER_BYTES, NAME_DIGITS, IndexHeader, decode_header

CHECKPOINT_BYTES: Final = 4096
_JAVA: Final = Struct(">qqqq")
_OURS: Final = Struct(">Qqqq")
_CRC: Final = Struct(">I")
_INDEX: Final = Struct(f">Qqq{HEADER_BYTES}sqq")
_INDEX_AT: Final = _JAVA.size + _OURS.size + _CRC.size
_MAGIC: Final = 0x62726F6B65727079  # "brokerpy"
_INDEX_MAGIC: Final = 0x62726F6B65726978  # "brokerix"
_GRACE_MS: Final = 3000


@dataclass(frozen=True, slots=True)
class IndexMark:
    """How far the index was durable: it had every message that begins before `log_offset`, and was as `header` says.

    `name` is that of the newest index file, empty when there was none.
    """

    log_offset: int
    name: str
    header: IndexHeader


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The newest messages that were durable; `durable_offset` is None when no checkpoint of ours says it.

    Log and consume queues are durable up to `durable_offset`. `index_ms` is the end of the newest index file that is
    full: after a crash Java deletes those that end later. `index_mark` is None when no checkpoint of ours has one.
    """

    flushed_ms: int = 0
    dispatched_ms: int = 0
    index_ms: int = 0
    master_flushed_offset: int = 0
    durable_offset: int | None = None
    index_mark: IndexMark | None = None

    @property
    def min_ms(self) -> int:
        """Messages stored before this are durable in log and consume queues."""
        return max(0, min(self.flushed_ms, self.dispatched_ms) - _GRACE_MS)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the file's content."""
    copies = checkpoint.flushed_ms, checkpoint.dispatched_ms
    data = _JAVA.pack(*copies, checkpoint.index_ms, checkpoint.master_flushed_offset)
    if checkpoint.durable_offset is not None:
        ours = _OURS.pack(_MAGIC, checkpoint.durable_offset, *copies)
        data += ours + _CRC.pack(crc32(ours))
    mark = checkpoint.index_mark
    if mark is not None:
        ours = _INDEX.pack(_INDEX_MAGIC, mark.log_offset, int(mark.name or 0), mark.header.encode(), *copies)
        data = data.ljust(_INDEX_AT, b"\0") + ours + _CRC.pack(crc32(ours))
    return data.ljust(CHECKPOINT_BYTES, b"\0")


def decode_checkpoint(data: bytes) -> Checkpoint:
    """Return what the file says; a file too short says nothing."""
    if len(data) < _JAVA.size:
        return Checkpoint()
    flushed_ms, dispatched_ms, index_ms, master_flushed_offset = _JAVA.unpack_from(data)
    copies = flushed_ms, dispatched_ms
    durable: int | None = None
    mark: IndexMark | None = None
    ours = _intact(data, _JAVA.size, _OURS)
    if ours is not None and ours[0] == _MAGIC and ours[2:] == copies:
        durable = ours[1]
    index = _intact(data, _INDEX_AT, _INDEX)
    if index is not None and index[0] == _INDEX_MAGIC and index[4:] == copies:
        name = f"{index[2]:0{NAME_DIGITS}d}" if index[2] else ""
        mark = IndexMark(index[1], name, decode_header(index[3]))
    return Checkpoint(flushed_ms, dispatched_ms, index_ms, master_flushed_offset, durable, mark)


def _intact(data: bytes, start: int, part: Struct) -> tuple[Any, ...] | None:
    """Return the fields of a part that is followed by its CRC, or None when it is not whole."""
    end = start + part.size
    if len(data) < end + _CRC.size or _CRC.unpack_from(data, end)[0] != crc32(data[start:end]):
        return None
    return part.unpack_from(data, start)


def read_checkpoint(files: FileSystem, path: str) -> Checkpoint:
    """Return what the file at `path` says, or nothing when there is none. OSError."""
    return decode_checkpoint(read_file(files, path)) if files.exists(path) else Checkpoint()


def write_checkpoint(files: FileSystem, path: str, checkpoint: Checkpoint) -> None:
    """Replace the file at `path`, durably. OSError."""
    replace_file(files, path, encode_checkpoint(checkpoint))
