"""Half messages: what a message is while nobody has decided its transaction, and what it becomes.

A half message is an ordinary one of RMQ_SYS_TRANS_HALF_TOPIC; where it belongs is in its properties. A decided one is
named by its queue offset in an op message of RMQ_SYS_TRANS_OP_HALF_TOPIC, in the queue of the same id.

Source: broker processor/EndTransactionProcessor, transaction/queue/TransactionalMessageBridge,
TransactionalMessageUtil, DefaultTransactionalMessageCheckListener.
"""

from collections.abc import Iterable
from typing import Final

from broker_py.broker.own_messages import moved
from broker_py.errors import ProtocolError
from broker_py.message.properties import (
    PREPARED_QUEUE_OFFSET,
    REAL_QID,
    REAL_TOPIC,
    TAGS,
    TRANSACTION_CHECK_TIMES,
    TRANSACTION_ID,
    decode_properties,
    encode_properties,
    join_properties,
)
from broker_py.message.record import Message, Record, encode_record
from broker_py.message.sysflags import TRANSACTION_COMMIT, TRANSACTION_MASK
from broker_py.message.tags import tags_code
from broker_py.model.topic import CHECK_MAX_TIME_TOPIC, HALF_TOPIC, OP_HALF_TOPIC
from broker_py.store.dispatch import Placed

DECIDED_TAG: Final = "d"
SEPARATOR: Final = ","
_MAX_QUEUE_ID: Final = 0xFFFF


def half_of(message: Message, unique_id: str) -> Message:
    """Return the half message of a transactional one: out of sight, with where it belongs."""
    where = {TRANSACTION_ID: unique_id, REAL_TOPIC: message.topic, REAL_QID: str(message.queue_id)}
    message.properties = join_properties(message.properties, encode_properties(where))
    message.topic = HALF_TOPIC
    message.queue_id = 0
    message.sys_flag &= ~TRANSACTION_MASK
    return message


def real_place(properties: dict[str, str]) -> tuple[str, int]:
    """Return (topic, queue id) that a half message belongs to; ProtocolError when its properties don't say."""
    topic, queue_id = properties.get(REAL_TOPIC, ""), properties.get(REAL_QID, "")
    if not topic or not queue_id.isdecimal() or not 0 <= int(queue_id) <= _MAX_QUEUE_ID:
        raise ProtocolError(f"the half message is of queue {queue_id!r} of topic {topic!r}, which can't be")
    return topic, int(queue_id)


def whole_of(half: Record) -> Message:
    """Return the message that consumers get when a half one is committed. ProtocolError as `real_place`.

    Its properties stay as they are, with those of the transaction: Java stores it so, and tells by them what it was.
    """
    properties = decode_properties(half.properties)
    topic, queue_id = real_place(properties)
    message = moved(half, topic, queue_id, properties)
    message.sys_flag = message.sys_flag & ~TRANSACTION_MASK | TRANSACTION_COMMIT
    message.prepared_offset = half.log_offset
    return message


def renewed(half: Record, properties: dict[str, str]) -> Message:
    """Return a half message for the end of its queue, with other properties."""
    return moved(half, HALF_TOPIC, half.queue_id, properties)


def with_check_counted(properties: dict[str, str]) -> dict[str, str]:
    """Return the properties of a half message that is checked once more."""
    return {**properties, TRANSACTION_CHECK_TIMES: str(check_times(properties) + 1)}


def check_times(properties: dict[str, str]) -> int:
    """Return how often the producer of a half message was asked."""
    return number_of(properties.get(TRANSACTION_CHECK_TIMES, ""), 0)


def with_first_offset(properties: dict[str, str], queue_offset: int) -> dict[str, str]:
    """Return the properties of a half message that is moved on unchecked: they keep the offset that it had first."""
    return {PREPARED_QUEUE_OFFSET: str(queue_offset), **properties}


def given_up(half: Record) -> Message:
    """Return what a half message becomes that is not checked any more."""
    return moved(half, CHECK_MAX_TIME_TOPIC, 0, decode_properties(half.properties))


def shown_to_producer(half: Message, placed: Placed, crc: int, store_host: bytes) -> bytes:
    """Return the stored form of a half message at its place, as if it were in its real topic already."""
    topic, queue_id = real_place(decode_properties(half.properties))
    shown = Message(
        topic,
        queue_id,
        half.flag,
        half.sys_flag,
        half.born_ms,
        half.born_host,
        half.body,
        half.properties,
        half.tags_code,
        half.reconsume_times,
        half.prepared_offset,
    )
    return encode_record(shown, crc, placed.queue_offset, placed.log_offset, placed.stored_ms, store_host)


def op_message(queue_id: int, offsets: Iterable[int], born_ms: int, host: bytes) -> Message:
    """Return the op message that says of half messages that they are decided."""
    body = "".join(f"{offset}{SEPARATOR}" for offset in offsets).encode()
    properties = encode_properties({TAGS: DECIDED_TAG})
    return Message(OP_HALF_TOPIC, queue_id, 0, 0, born_ms, host, body, properties, tags_code(DECIDED_TAG))


def decided_offsets(op: Record) -> list[int]:
    """Return the queue offsets of the half messages that an op message is of."""
    if decode_properties(op.properties).get(TAGS) != DECIDED_TAG:
        return []
    numbers = [number_of(text, -1) for text in str(op.body, "ascii", "replace").split(SEPARATOR)]
    return [number for number in numbers if number >= 0]


def number_of(text: str, otherwise: int) -> int:
    """Return the number that a property's text is, or something else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 19 else otherwise
