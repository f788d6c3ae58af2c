"""A message as the commit log holds it and as pull replies carry it. Big-endian.

    0   total size i32      4  magic u32           8  body crc u32 (31 bits)  12  queue id i32
    16  flag i32            20 queue offset i64    28 log offset i64          36  sys flag i32
    40  born ms i64         48 born host 8|20      56 stored ms i64           64  store host 8|20
    72  reconsume times i32 76 prepared offset i64
    84  body length i32, body   topic length u8 (V1) | u16 (V2), topic   properties length u16, properties

The offsets are those of IPv4 hosts; a host with its sys flag bit set is 12 bytes longer. V2 is for topics of more
than 127 bytes, which only retry topics may have (`store/MessageExtEncoder`). A segment's unused end holds a blank
record: `remaining bytes i32 | blank magic u32`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final
from zlib import crc32

from broker_py.errors import BrokerPyError, LogCorrupt
from broker_py.message.properties import MAX_PROPERTIES_BYTES, TAGS, decode_properties
from broker_py.message.sysflags import BORN_HOST_V6, INNER_BATCH, STORE_HOST_V6
from broker_py.message.tags import tags_code

MAGIC_V1: Final = 0xDAA320A7
MAGIC_V2: Final = 0xDAA320AB
MAGIC_BLANK: Final = 0xCBD43194
BLANK: Final = Struct(">iI")
CRC_MASK: Final = 0x7FFFFFFF

MAX_TOPIC_BYTES: Final = 127
MAX_RETRY_TOPIC_BYTES: Final = 255
RETRY_PREFIX: Final = "%RETRY%"
MIN_RECORD_BYTES: Final = 91
MAX_QUEUE_ID: Final = 0xFFFF

_HEADS: Final = {(born, store): Struct(f">iIIiiqqiq{born}sq{store}siqi") for born in (8, 20) for store in (8, 20)}
_HEAD_V4: Final = _HEADS[8, 8]
_SHORT: Final = Struct(">H")
_INT: Final = Struct(">i")
_SIZE_MAGIC: Final = Struct(">iI")
_MAGIC: Final = Struct(">I")
_SYS_FLAG: Final = Struct(">i")
_PLACE: Final = Struct(">i4xqqi")  # from byte 12: queue id, (flag), queue offset, log offset, sys flag
_LONG: Final = Struct(">q")
_SECTOR: Final = 512
CLAIM_BYTES: Final = 112
_MAX_TAIL_BYTES: Final = 2 + 0xFFFF + 2 + 0xFFFF
_FACTS: Final = Struct(">8xii4xqqi")  # crc, queue id, (flag), queue offset, log offset, sys flag
_TOPIC: Final = re.compile(rb"[%|a-zA-Z0-9_.-]+")


class MessageIllegal(BrokerPyError):
    """The message can't be stored as it is: too long, or not well-formed."""


@dataclass(slots=True)
class Message:
    """What a handler hands to the store; queue offset, log offset and store time are the store's to give.

    `born_host` is packed (8 or 20 bytes), `properties` encoded, `body` as it is stored (maybe compressed).
    """

    topic: str
    queue_id: int
    flag: int
    sys_flag: int
    born_ms: int
    born_host: bytes
    body: bytes | memoryview
    properties: bytes
    tags_code: int
    reconsume_times: int = 0
    prepared_offset: int = 0


@lru_cache(maxsize=4096)
def topic_field(topic: str) -> bytes:
    """Return the topic with its length before it, of one byte (V1) or two (V2). MessageIllegal when too long."""
    data = topic.encode()
    size = len(data)
    limit = MAX_RETRY_TOPIC_BYTES if topic.startswith(RETRY_PREFIX) else MAX_TOPIC_BYTES
    if not 0 < size <= limit:
        raise MessageIllegal(f"the topic has {size} bytes, which is not 1 to {limit}")
    return bytes((size,)) + data if size <= MAX_TOPIC_BYTES else _SHORT.pack(size) + data


def record_size(message: Message, store_host: bytes) -> int:
    """Return the bytes that the message takes in the log; MessageIllegal when a part of it is too long."""
    properties_size = len(message.properties)
    if properties_size > MAX_PROPERTIES_BYTES:
        raise MessageIllegal(f"the properties have {properties_size} bytes, more than {MAX_PROPERTIES_BYTES}")
    hosts = len(message.born_host) + len(store_host)
    return 74 + hosts + len(message.body) + len(topic_field(message.topic)) + properties_size


def body_crc(body: bytes | memoryview) -> int:
    """Return the CRC-32 of a stored body, without its sign bit."""
    return crc32(body) & CRC_MASK


def encode_record(
    message: Message, crc: int, queue_offset: int, log_offset: int, stored_ms: int, store_host: bytes
) -> bytes:
    """Return the stored form. The IPv6 bits of the sys flag follow the lengths of the hosts."""
    born_host = message.born_host
    body = message.body
    properties = message.properties
    topic = topic_field(message.topic)
    sys_flag = message.sys_flag
    head = _HEAD_V4
    if len(born_host) != 8 or len(store_host) != 8:
        head = _HEADS[len(born_host), len(store_host)]
        sys_flag |= (BORN_HOST_V6 if len(born_host) == 20 else 0) | (STORE_HOST_V6 if len(store_host) == 20 else 0)
    return b"".join(
        (
            head.pack(
                head.size + len(body) + len(topic) + 2 + len(properties),
                MAGIC_V1 if len(topic) <= MAX_TOPIC_BYTES + 1 else MAGIC_V2,
                crc,
                message.queue_id,
                message.flag,
                queue_offset,
                log_offset,
                sys_flag,
                message.born_ms,
                born_host,
                stored_ms,
                store_host,
                message.reconsume_times,
                message.prepared_offset,
                len(body),
            ),
            body,
            topic,
            _SHORT.pack(len(properties)),
            properties,
        )
    )


def encode_blank(remaining: int) -> bytes:
    """Return the record that closes a segment of which `remaining` bytes are left."""
    return BLANK.pack(remaining, MAGIC_BLANK)


@dataclass(slots=True)
class Record:
    """A stored message, decoded; `body` and `properties` are views of the bytes it was decoded from."""

    size: int
    body_crc: int
    queue_id: int
    flag: int
    queue_offset: int
    log_offset: int
    sys_flag: int
    born_ms: int
    born_host: bytes
    stored_ms: int
    store_host: bytes
    reconsume_times: int
    prepared_offset: int
    body: memoryview
    topic: str
    properties: memoryview


@dataclass(slots=True)
class DispatchView:
    """What consume queues and the index need to know of a stored message."""

    topic: str
    queue_id: int
    queue_offset: int
    log_offset: int
    sys_flag: int
    tags_code: int
    stored_ms: int
    size: int
    properties: bytes


def _head_of(sys_flag: int) -> Struct:
    return _HEADS[20 if sys_flag & BORN_HOST_V6 else 8, 20 if sys_flag & STORE_HOST_V6 else 8]


def _tail_of(data: bytes | memoryview, body_start: int, magic: int) -> tuple[int, int, int, int]:
    """Return (body size, topic start, properties start, end) of the record whose body lies at `body_start`."""
    (body_size,) = _INT.unpack_from(data, body_start - 4)
    topic_at = body_start + body_size
    if magic == MAGIC_V1:
        topic_start = topic_at + 1
        topic_end = topic_start + data[topic_at]
    else:
        topic_start = topic_at + 2
        topic_end = topic_start + int(_SHORT.unpack_from(data, topic_at)[0])
    (properties_size,) = _SHORT.unpack_from(data, topic_end)
    return body_size, topic_start, topic_end + 2, topic_end + 2 + properties_size


def decode_record(data: bytes | bytearray | memoryview, start: int = 0) -> Record:
    """Return the record at `start`; LogCorrupt when there is none. The body's CRC is not looked at."""
    view = memoryview(data)
    if check_record(view, start, False) <= 0:
        raise LogCorrupt(f"no message record at byte {start} of {len(view)}")
    head = _head_of(_SYS_FLAG.unpack_from(view, start + 36)[0])
    (
        size,
        magic,
        crc,
        queue_id,
        flag,
        queue_offset,
        log_offset,
        sys_flag,
        born_ms,
        born_host,
        stored_ms,
        store_host,
        reconsume_times,
        prepared_offset,
        body_size,
    ) = head.unpack_from(view, start)
    body_start = start + head.size
    _, topic_start, properties_start, end = _tail_of(view, body_start, magic)
    return Record(
        size,
        crc,
        queue_id,
        flag,
        queue_offset,
        log_offset,
        sys_flag,
        born_ms,
        born_host,
        stored_ms,
        store_host,
        reconsume_times,
        prepared_offset,
        view[body_start : body_start + body_size],
        str(view[topic_start : properties_start - 2], "utf-8"),
        view[properties_start:end],
    )


def check_record(data: bytes | memoryview, start: int, check_crc: bool) -> int:
    """Judge the bytes at `start`: n > 0 is a whole message of n bytes, n < 0 a blank record over -n, 0 neither.

    The total must equal the sum of the parts, and with `check_crc` the body its CRC.
    """
    available = len(data) - start
    if available < 8:
        return 0
    size, magic = _SIZE_MAGIC.unpack_from(data, start)
    if magic == MAGIC_BLANK:
        return -int(size) if size >= 8 else 0
    if magic not in (MAGIC_V1, MAGIC_V2) or not MIN_RECORD_BYTES <= size <= available:
        return 0
    head_size = _head_of(_SYS_FLAG.unpack_from(data, start + 36)[0]).size
    end = start + size
    body_start = start + head_size
    if body_start + 4 > end:
        return 0
    (body_size,) = _INT.unpack_from(data, body_start - 4)
    if not 0 <= body_size <= end - body_start - 4:
        return 0
    topic_at = body_start + body_size
    topic_end = topic_at + (1 + data[topic_at] if magic == MAGIC_V1 else 2 + int(_SHORT.unpack_from(data, topic_at)[0]))
    if topic_end + 2 > end or topic_end + 2 + int(_SHORT.unpack_from(data, topic_end)[0]) != end:
        return 0
    if check_crc and crc32(data[body_start:topic_at]) & CRC_MASK != int(_INT.unpack_from(data, start + 8)[0]):
        return 0
    return int(size)


def claimed_size(head: bytes | memoryview) -> int:
    """Return the size that a record claims by its first `CLAIM_BYTES` or less; 0 when its body leaves too much of it.

    Who reads as much as a damaged size says may read a whole file.
    """
    if len(head) < MIN_RECORD_BYTES:
        return 0
    size, magic = _SIZE_MAGIC.unpack_from(head)
    if magic not in (MAGIC_V1, MAGIC_V2) or size < MIN_RECORD_BYTES:
        return 0
    body_at = _head_of(_SYS_FLAG.unpack_from(head, 36)[0]).size
    if len(head) < body_at:
        return 0
    (body_size,) = _INT.unpack_from(head, body_at - 4)
    return int(size) if 0 <= size - body_at - body_size <= _MAX_TAIL_BYTES else 0


def record_fault(data: bytes | memoryview, start: int, log_offset: int, check_crc: bool) -> str | None:
    """Return why the record at `start`, whose parts fit its size, is not what was stored at `log_offset`, else None.

    Only the body has a checksum; of the other fields those are judged that can be told from impossible ones. A queue
    offset counts the messages before it, so the log has room for no more than it holds.
    """
    crc, queue_id, queue_offset, placed_at, sys_flag = _FACTS.unpack_from(data, start)
    if placed_at != log_offset:
        return f"it says that it lies at {placed_at}"
    if not 0 <= queue_id <= MAX_QUEUE_ID:
        return f"its queue id is {queue_id}"
    if queue_offset < 0 or (queue_offset * MIN_RECORD_BYTES > log_offset and not sys_flag & INNER_BATCH):
        return f"its queue offset is {queue_offset}"
    (magic,) = _MAGIC.unpack_from(data, start + 4)
    body_start = start + _head_of(sys_flag).size
    body_size, topic_start, properties_start, _ = _tail_of(data, body_start, magic)
    topic = bytes(data[topic_start : properties_start - 2])
    if _TOPIC.fullmatch(topic) is None or topic in (b".", b".."):
        return f"its topic is {topic!r}"
    if check_crc and crc32(data[body_start : body_start + body_size]) & CRC_MASK != crc:
        return "its body fails its CRC"
    return None


def is_message(data: bytes, start: int, size: int, log_offset: int, topic: str) -> bool:
    """True when the `size` bytes at `start` are the sound record of a topic's message that lies at `log_offset`.

    What `check_record` and `record_fault` judge, for one that knows what there should be: in a third of the time.
    """
    crc, _, _, placed_at, sys_flag = _FACTS.unpack_from(data, start)
    end = start + size
    body_start = start + _head_of(sys_flag).size
    if placed_at != log_offset or body_start > end:
        return False
    (body_size,) = _INT.unpack_from(data, body_start - 4)
    field = topic_field(topic)
    topic_at = body_start + body_size
    properties_at = topic_at + len(field)
    (magic,) = _MAGIC.unpack_from(data, start + 4)
    return (
        body_size >= 0
        and properties_at + 2 <= end
        and properties_at + 2 + int(_SHORT.unpack_from(data, properties_at)[0]) == end
        and magic == (MAGIC_V1 if len(field) <= MAX_TOPIC_BYTES + 1 else MAGIC_V2)
        and data[topic_at:properties_at] == field
        and crc32(memoryview(data)[body_start:topic_at]) & CRC_MASK == crc
    )


def has_lost_sector(data: bytes | memoryview, start: int, size: int, position: int) -> bool:
    """True when a whole disk sector inside the properties of a valid record is zeros.

    No CRC covers the properties, so this is how a record is told that lost a sector in a power cut. `position` is the
    record's place in its file, which is what sectors are aligned to.
    """
    end = start + size
    sector = start + _SECTOR - position % _SECTOR
    if sector >= end:
        return False
    (_, magic) = _SIZE_MAGIC.unpack_from(data, start)
    body_start = start + _head_of(_SYS_FLAG.unpack_from(data, start + 36)[0]).size
    topic_start = _tail_of(data, body_start, magic)[1]
    while sector < end:
        if sector >= topic_start and not any(data[sector : min(sector + _SECTOR, end)]):
            return True
        sector += _SECTOR
    return False


def read_dispatch(data: bytes | memoryview, start: int = 0) -> DispatchView:
    """Return what the dispatcher needs of the valid record at `start`; neither checked nor is its body touched."""
    size, magic = _SIZE_MAGIC.unpack_from(data, start)
    queue_id, queue_offset, log_offset, sys_flag = _PLACE.unpack_from(data, start + 12)
    body_start = start + _head_of(sys_flag).size
    (stored_ms,) = _LONG.unpack_from(data, start + (68 if sys_flag & BORN_HOST_V6 else 56))
    _, topic_start, properties_start, end = _tail_of(data, body_start, magic)
    properties = bytes(data[properties_start:end])
    tag = decode_properties(properties).get(TAGS) if b"TAGS\x01" in properties else None
    return DispatchView(
        str(data[topic_start : properties_start - 2], "utf-8"),
        queue_id,
        queue_offset,
        log_offset,
        sys_flag,
        tags_code(tag),
        stored_ms,
        size,
        properties,
    )


def properties_of(data: bytes | memoryview, start: int = 0) -> dict[str, str]:
    """Return the properties of the valid record at `start`."""
    (_, magic) = _SIZE_MAGIC.unpack_from(data, start)
    (sys_flag,) = _SYS_FLAG.unpack_from(data, start + 36)
    _, _, properties_start, end = _tail_of(data, start + _head_of(sys_flag).size, magic)
    return decode_properties(data[properties_start:end])


def stored_ms_of(data: bytes | memoryview, start: int = 0) -> int:
    """Return the store time of the record whose first 76 bytes lie at `start`."""
    (sys_flag,) = _SYS_FLAG.unpack_from(data, start + 36)
    (stored_ms,) = _LONG.unpack_from(data, start + (68 if sys_flag & BORN_HOST_V6 else 56))
    return int(stored_ms)
