"""The body of a batch request: one entry after the other (`common/MessageDecoder.encodeMessage`).

size i32 | magic i32, ignored | crc i32, ignored | flag i32 | body length i32, body | properties length u16, properties
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from broker_py.errors import ProtocolError
from broker_py.message.properties import UNIQ_KEY, drop_property, join_properties

_HEAD: Final = Struct(">iiiii")
_SHORT: Final = Struct(">H")
_SMALLEST: Final = _HEAD.size + _SHORT.size


@dataclass(slots=True)
class BatchItem:
    """One message of a batch; `properties` are encoded."""

    flag: int
    body: bytes | memoryview
    properties: bytes


def encode_batch(items: list[BatchItem]) -> bytes:
    """Return the body of a batch request."""
    parts: list[bytes | memoryview] = []
    for item in items:
        size = _SMALLEST + len(item.body) + len(item.properties)
        parts += (
            _HEAD.pack(size, 0, 0, item.flag, len(item.body)),
            item.body,
            _SHORT.pack(len(item.properties)),
            item.properties,
        )
    return b"".join(parts)


def decode_batch(data: bytes | memoryview, request_properties: bytes = b"") -> list[BatchItem]:
    """Return the messages of a batch body, each with the request's own properties behind its own.

    The request's UNIQ_KEY is left out: appended last it would win over each message's own id, so that consumers saw
    one id for the whole batch (apache/rocketmq issue 9416). ProtocolError when the body is cut or inconsistent.
    """
    shared = drop_property(request_properties, UNIQ_KEY)
    view = memoryview(data)
    items: list[BatchItem] = []
    start, end = 0, len(view)
    while start < end:
        if end - start < _SMALLEST:
            raise ProtocolError(f"{end - start} bytes at the end of a batch are too few for a message")
        size, _, _, flag, body_size = _HEAD.unpack_from(view, start)
        body_start = start + _HEAD.size
        body_end = body_start + body_size
        if not _SMALLEST <= size <= end - start or body_size < 0 or body_end + _SHORT.size > start + size:
            raise ProtocolError(f"entry {len(items)} of a batch claims {size} bytes with a body of {body_size}")
        (properties_size,) = _SHORT.unpack_from(view, body_end)
        properties_start = body_end + _SHORT.size
        if properties_start + properties_size != start + size:
            raise ProtocolError(f"entry {len(items)} of a batch claims {properties_size} bytes of properties")
        own = bytes(view[properties_start : properties_start + properties_size])
        items.append(BatchItem(flag, view[body_start:body_end], join_properties(own, shared)))
        start += size
    return items
