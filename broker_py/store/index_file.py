"""A file of the key index: a hash table from keys to log offsets (`store/index/IndexFile`). Big-endian.

    header, 40 bytes  begin ms i64 | end ms i64 | begin log offset i64 | end log offset i64 | used slots i32 | count i32
    slots, 4 bytes    number of the slot's newest entry i32, 0 for none
    entries, 20 bytes key hash i32 | log offset i64 | seconds after begin ms i32 | number of the entry before i32

`count` is the number of the next entry; entry 0 is never used, so a new file has 1. The entry before is that of the
same slot. Begin and end are those of the first and the newest entry. A file is named by the time it was made,
`yyyyMMddHHmmssSSS` in the local zone, and has its full length from the start, sparse. How many slots and entries it has
stands nowhere in it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from struct import Struct
from typing import Final

from broker_py.message.java_hash import extend_hash, utf16_units

HEADER: Final = Struct(">qqqqii")
HEADER_BYTES: Final = 40
SLOT: Final = Struct(">i")
SLOT_BYTES: Final = 4
ENTRY: Final = Struct(">iqii")
ENTRY_BYTES: Final = 20
PREVIOUS_AT: Final = 16
"""Where in an entry the number of the one before it stands."""
NAME_DIGITS: Final = 17

_UNIQUE_ID_SIZES: Final = (32, 56)
_CHANGING: Final = 12
"""Unique ids of one client differ in these last characters: a time and a counter. What comes before is hashed once."""
_MAX_SECONDS: Final = 0x7FFFFFFF


@dataclass(slots=True)
class IndexHeader:
    """What the first 40 bytes say; as it is, that of a file without entries."""

    begin_ms: int = 0
    end_ms: int = 0
    begin_offset: int = 0
    end_offset: int = 0
    used_slots: int = 0
    count: int = 1

    def encode(self) -> bytes:
        """Return the 40 bytes."""
        return HEADER.pack(self.begin_ms, self.end_ms, self.begin_offset, self.end_offset, self.used_slots, self.count)

    def seconds_after(self, stored_ms: int) -> int:
        """Return what an entry made now has for the store time of its message."""
        if self.begin_ms <= 0:
            return 0
        return max(0, min((stored_ms - self.begin_ms) // 1000, _MAX_SECONDS))


def decode_header(data: bytes) -> IndexHeader:
    """Return what the first 40 bytes say. A count below 1 is that of a file which Java has made and not yet used."""
    header = IndexHeader(*HEADER.unpack_from(data))
    header.count = max(1, header.count)
    return header


@dataclass(frozen=True, slots=True)
class IndexLayout:
    """Where things lie in files of so many slots and entries (`maxHashSlotNum`, `maxIndexNum`)."""

    slots: int
    entries: int

    @property
    def file_bytes(self) -> int:
        """Length of a file."""
        return HEADER_BYTES + self.slots * SLOT_BYTES + self.entries * ENTRY_BYTES

    def slot_at(self, slot: int) -> int:
        """Position of a slot in the file."""
        return HEADER_BYTES + slot * SLOT_BYTES

    def entry_at(self, number: int) -> int:
        """Position of an entry in the file."""
        return HEADER_BYTES + self.slots * SLOT_BYTES + number * ENTRY_BYTES


@lru_cache(maxsize=4096)
def _start_hash(topic: str, start: bytes) -> int:
    return extend_hash(extend_hash(0, utf16_units(topic + "#")), start)


def key_hash(topic: str, key: bytes) -> int:
    """Return the hash of an encoded key of a topic: that of `topic#key` without its sign, and 0 where Java has none."""
    if not key.isascii():
        value = extend_hash(_start_hash(topic, b""), utf16_units(str(key, "utf-8", "replace")))
    elif len(key) in _UNIQUE_ID_SIZES:
        value = extend_hash(_start_hash(topic, key[:-_CHANGING]), key[-_CHANGING:])
    else:
        value = extend_hash(_start_hash(topic, b""), key)
    if value < 0x80000000:
        return value
    return 0x100000000 - value if value > 0x80000000 else 0


def index_name(now_ms: int) -> str:
    """Return the name of a file that is made now."""
    now = datetime.fromtimestamp(now_ms // 1000)
    return f"{now:%Y%m%d%H%M%S}{now_ms % 1000:03d}"


def is_index_name(name: str) -> bool:
    """True for a name that an index file may have; others in the directory are left alone."""
    return len(name) == NAME_DIGITS and name.isascii() and name.isdecimal()
