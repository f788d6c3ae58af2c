"""Messages as producers give them and as consumers get them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from broker_py.errors import LogCorrupt, ProtocolError
from broker_py.message.ids import offset_message_id, unpack_host
from broker_py.message.properties import KEYS, TAGS, UNIQ_KEY, decode_properties
from broker_py.message.record import Record, decode_record
from broker_py.message.sysflags import COMPRESSED, COMPRESSION_TYPE_MASK, COMPRESSION_TYPE_SHIFT

MAX_BODY_BYTES: Final = 64 << 20
_ZLIB_TYPES: Final = (0, 3)  # 0: senders before 5.0, which know no other
_OTHER_TYPES: Final = {1: "LZ4", 2: "ZSTD"}


@dataclass(frozen=True, kw_only=True)
class OutgoingMessage:
    """A message to send; `keys` are separated by blanks."""

    topic: str
    body: bytes
    tags: str | None = None
    keys: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    def all_properties(self, unique_id: str) -> dict[str, str]:
        """Return the properties to send, with tags, keys and the client's id among them."""
        properties = dict(self.properties)
        if self.tags:
            properties[TAGS] = self.tags
        if self.keys:
            properties[KEYS] = self.keys
        properties[UNIQ_KEY] = unique_id
        return properties


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedMessage:
    """A message from a broker; its body is uncompressed.

    `message_id` is the producer's id where there is one, else the broker's `offset_id`. Hosts are "ip:port".
    """

    message_id: str
    offset_id: str
    topic: str
    broker_name: str
    queue_id: int
    queue_offset: int
    log_offset: int
    body: bytes
    properties: dict[str, str]
    born_ms: int
    born_host: str
    stored_ms: int
    store_host: str
    reconsume_times: int
    sys_flag: int

    @property
    def tags(self) -> str | None:
        """The message's tag."""
        return self.properties.get(TAGS)

    @property
    def keys(self) -> str | None:
        """The message's keys, separated by blanks."""
        return self.properties.get(KEYS)


def decode_messages(data: bytes, broker_name: str) -> list[ReceivedMessage]:
    """Return the messages of a pull reply's body; ProtocolError when it isn't whole records."""
    messages: list[ReceivedMessage] = []
    view = memoryview(data)
    start = 0
    while start < len(data):
        try:
            record = decode_record(view, start)
        except LogCorrupt as error:
            raise ProtocolError(f"{broker_name} sent bytes that are no message: {error}") from None
        messages.append(_received(record, broker_name))
        start += record.size
    return messages


def _received(record: Record, broker_name: str) -> ReceivedMessage:
    properties = decode_properties(record.properties)
    offset_id = offset_message_id(record.store_host, record.log_offset)
    return ReceivedMessage(
        message_id=properties.get(UNIQ_KEY, offset_id),
        offset_id=offset_id,
        topic=record.topic,
        broker_name=broker_name,
        queue_id=record.queue_id,
        queue_offset=record.queue_offset,
        log_offset=record.log_offset,
        body=_plain_body(record),
        properties=properties,
        born_ms=record.born_ms,
        born_host=_host_text(record.born_host),
        stored_ms=record.stored_ms,
        store_host=_host_text(record.store_host),
        reconsume_times=record.reconsume_times,
        sys_flag=record.sys_flag,
    )


def _host_text(host: bytes) -> str:
    ip, port = unpack_host(host)
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _plain_body(record: Record) -> bytes:
    if not record.sys_flag & COMPRESSED:
        return bytes(record.body)
    kind = (record.sys_flag & COMPRESSION_TYPE_MASK) >> COMPRESSION_TYPE_SHIFT
    if kind not in _ZLIB_TYPES:
        name = _OTHER_TYPES.get(kind, f"method {kind}")
        raise ProtocolError(f"a message's body is compressed by {name}; only zlib can be read")
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(record.body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise ProtocolError(f"a message's body can't be uncompressed: {error}") from None
    if inflater.unconsumed_tail:
        raise ProtocolError(f"a message's body has more than {MAX_BODY_BYTES} bytes")
    return body
