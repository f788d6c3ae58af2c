"""The properties string of a message: `name 0x01 value 0x02 name 0x01 value` (`common/MessageDecoder`)."""

from collections.abc import Mapping
from typing import Final

NAME_END: Final = "\x01"
PROPERTY_END: Final = "\x02"
_END: Final = 2
MAX_PROPERTIES_BYTES: Final = 32767
"""The length field is a signed short."""

KEYS: Final = "KEYS"
TAGS: Final = "TAGS"
WAIT: Final = "WAIT"
DELAY: Final = "DELAY"
RETRY_TOPIC: Final = "RETRY_TOPIC"
REAL_TOPIC: Final = "REAL_TOPIC"
REAL_QID: Final = "REAL_QID"
TRAN_MSG: Final = "TRAN_MSG"
PGROUP: Final = "PGROUP"
MIN_OFFSET: Final = "MIN_OFFSET"
MAX_OFFSET: Final = "MAX_OFFSET"
ORIGIN_MESSAGE_ID: Final = "ORIGIN_MESSAGE_ID"
RECONSUME_TIME: Final = "RECONSUME_TIME"
MAX_RECONSUME_TIMES: Final = "MAX_RECONSUME_TIMES"
MSG_REGION: Final = "MSG_REGION"
TRACE_ON: Final = "TRACE_ON"
UNIQ_KEY: Final = "UNIQ_KEY"
INNER_NUM: Final = "INNER_NUM"
INNER_BASE: Final = "INNER_BASE"
CLUSTER: Final = "CLUSTER"
MSG_TYPE: Final = "MSG_TYPE"
INSTANCE_ID: Final = "INSTANCE_ID"
SHARDING_KEY: Final = "__SHARDINGKEY"
TIMER_DELAY_SEC: Final = "TIMER_DELAY_SEC"
TIMER_DELAY_MS: Final = "TIMER_DELAY_MS"
TIMER_DELIVER_MS: Final = "TIMER_DELIVER_MS"
TIMER_OUT_MS: Final = "TIMER_OUT_MS"
TIMER_ENQUEUE_MS: Final = "TIMER_ENQUEUE_MS"
TIMER_DEQUEUE_MS: Final = "TIMER_DEQUEUE_MS"
TIMER_ROLL_TIMES: Final = "TIMER_ROLL_TIMES"
TIMER_DEL_UNIQKEY: Final = "TIMER_DEL_UNIQKEY"
DLQ_ORIGIN_TOPIC: Final = "DLQ_ORIGIN_TOPIC"
DLQ_ORIGIN_MESSAGE_ID: Final = "DLQ_ORIGIN_MESSAGE_ID"
TRANSACTION_ID: Final = "__transactionId__"
TRANSACTION_CHECK_TIMES: Final = "TRANSACTION_CHECK_TIMES"
CHECK_IMMUNITY_TIME: Final = "CHECK_IMMUNITY_TIME_IN_SECONDS"
PREPARED_QUEUE_OFFSET: Final = "TRAN_PREPARED_QUEUE_OFFSET"
REPLY_TO_CLIENT: Final = "REPLY_TO_CLIENT"
PUSH_REPLY_TIME: Final = "PUSH_REPLY_TIME"
CORRELATION_ID: Final = "CORRELATION_ID"
TTL: Final = "TTL"


def encode_properties(properties: Mapping[str, str]) -> bytes:
    """Return the string as UTF-8, without a final separator; empty names and values are left out: readers drop them."""
    return PROPERTY_END.join(name + NAME_END + value for name, value in properties.items() if name and value).encode()


def decode_properties(data: bytes | memoryview) -> dict[str, str]:
    """Return the properties of an encoded string.

    Items without a name, a separator or a value are dropped, a later duplicate wins, a final separator is tolerated.
    """
    properties: dict[str, str] = {}
    for item in str(data, "utf-8", "replace").split(PROPERTY_END):
        name, separator, value = item.partition(NAME_END)
        if name and separator and value:
            properties[name] = value
    return properties


def has_property(data: bytes, name: str) -> bool:
    """True when an encoded properties string has an item called `name`; cheaper than decoding it."""
    prefix = (name + NAME_END).encode()
    return data.startswith(prefix) or b"\x02" + prefix in data


def property_value(data: bytes, name: bytes) -> bytes | None:
    """Return the value of one property of an encoded string, as `decode_properties` would find it, still encoded."""
    found = data.rfind(name + b"\x01")
    while found >= 0:
        value_at = found + len(name) + 1
        if found == 0 or data[found - 1] == _END:
            value_end = data.find(b"\x02", value_at)
            value = data[value_at:] if value_end < 0 else data[value_at:value_end]
            if value:
                return value
        found = data.rfind(name + b"\x01", 0, value_at - 1)
    return None


def drop_property(data: bytes, name: str) -> bytes:
    """Return an encoded properties string without the items called `name`, the others as they were."""
    prefix = (name + NAME_END).encode()
    if prefix not in data:
        return data
    return b"\x02".join(item for item in data.split(b"\x02") if not item.startswith(prefix))


def join_properties(first: bytes, second: bytes) -> bytes:
    """Return `second` appended to `first`, with one separator between them when both hold something."""
    if not first:
        return second
    if not second:
        return first
    return first + second if first.endswith(b"\x02") else first + b"\x02" + second
