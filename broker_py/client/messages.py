"""Messages as producers give them and as consumers get them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from broker_py.errors import LogCorrupt, ProtocolError
from broker_py.message.ids import offset_message_id, unpack_host
from broker_py.message.properties import (
    DELAY,
    KEYS,
    SHARDING_KEY,
    TAGS,
    TIMER_DELAY_MS,
    TIMER_DELIVER_MS,
    UNIQ_KEY,
    WAIT,
    decode_properties,
)
from broker_py.message.record import Record, decode_record
from broker_py.message.sysflags import COMPRESSED, COMPRESSION_TYPE_MASK, COMPRESSION_TYPE_SHIFT
from broker_py.wire.command import Command

MAX_BODY_BYTES: Final = 64 << 20
_ZLIB_TYPES: Final = (0, 3)  # 0: senders before 5.0, which know no other
_OTHER_TYPES: Final = {1: "LZ4", 2: "ZSTD"}


@dataclass(frozen=True, kw_only=True)
class OutgoingMessage:
    """A message to send (common message/Message).

    `keys` are separated by blanks. It is delivered later with one of `delay_level` (1 to 18 by default: 1 s to 2 h),
    `delay_ms` from now, or `deliver_at_ms`, milliseconds since the epoch. `sharding_key` says to readers of the
    message what its order was chosen by. With `wait_stored` false the broker answers before the message is as safe
    as its settings ask for.
    """

    topic: str
    body: bytes
    tags: str | None = None
    keys: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    delay_level: int = 0
    delay_ms: int = 0
    deliver_at_ms: int = 0
    sharding_key: str | None = None
    flag: int = 0
    wait_stored: bool = True

    def all_properties(self, unique_id: str) -> dict[str, str]:
        """Return the properties to send, with all that is said above and the client's id among them."""
        properties = dict(self.properties)
        if self.tags:
            properties[TAGS] = self.tags
        if self.keys:
            properties[KEYS] = self.keys
        if self.delay_level:
            properties[DELAY] = str(self.delay_level)
        if self.delay_ms:
            properties[TIMER_DELAY_MS] = str(self.delay_ms)
        if self.deliver_at_ms:
            properties[TIMER_DELIVER_MS] = str(self.deliver_at_ms)
        if self.sharding_key:
            properties[SHARDING_KEY] = self.sharding_key
        if not self.wait_stored:
            properties[WAIT] = "false"
        properties[UNIQ_KEY] = unique_id
        return properties

    @property
    def is_delayed(self) -> bool:
        """True when it is to be delivered later than it is sent."""
        return bool(self.delay_level or self.delay_ms or self.deliver_at_ms)


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
        body=plain_body(record.body, record.sys_flag),
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


def received_reply(command: Command) -> ReceivedMessage:
    """Return the message that a broker pushes as the reply to a request: fields in the header, the body as it is."""
    ext = command.ext
    try:
        sys_flag = int(ext["sysFlag"])
        properties = decode_properties(ext.get("properties", "").encode())
        return ReceivedMessage(
            message_id=properties.get(UNIQ_KEY, ""),
            offset_id="",
            topic=ext["topic"],
            broker_name="",
            queue_id=int(ext.get("queueId", 0)),
            queue_offset=0,
            log_offset=0,
            body=plain_body(command.body, sys_flag),
            properties=properties,
            born_ms=int(ext["bornTimestamp"]),
            born_host=ext.get("bornHost", "").removeprefix("/"),
            stored_ms=int(ext.get("storeTimestamp", 0)),
            store_host=ext.get("storeHost", "").removeprefix("/"),
            reconsume_times=int(ext.get("reconsumeTimes", 0)),
            sys_flag=sys_flag,
        )
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"a reply that was pushed can't be read: {error}") from None


def plain_body(stored: bytes | memoryview, sys_flag: int) -> bytes:
    """Return a message's body uncompressed; ProtocolError when that can't be done, or gives more than 64 MiB."""
    if not sys_flag & COMPRESSED:
        return bytes(stored)
    kind = (sys_flag & COMPRESSION_TYPE_MASK) >> COMPRESSION_TYPE_SHIFT
    if kind not in _ZLIB_TYPES:
        name = _OTHER_TYPES.get(kind, f"method {kind}")
        raise ProtocolError(f"a message's body is compressed by {name}; only zlib can be read")
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(stored, MAX_BODY_BYTES)
    except zlib.error as error:
        raise ProtocolError(f"a message's body can't be uncompressed: {error}") from None
    if inflater.unconsumed_tail:
        raise ProtocolError(f"a message's body has more than {MAX_BODY_BYTES} bytes")
    return body
