"""The requests that send messages: one, or a batch (client impl/producer/DefaultMQProducerImpl.sendKernelImpl)."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from broker_py.client.messages import OutgoingMessage
from broker_py.client.namespaces import with_namespace
from broker_py.errors import ProtocolError, RequestFailed
from broker_py.message.batch import BatchItem, encode_batch
from broker_py.message.properties import (
    DELAY,
    INSTANCE_ID,
    MAX_RECONSUME_TIMES,
    MSG_REGION,
    RECONSUME_TIME,
    TRACE_ON,
    TRAN_MSG,
    WAIT,
    encode_properties,
)
from broker_py.message.sysflags import COMPRESSED, COMPRESSION_TYPE_SHIFT, TRANSACTION_PREPARED
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import NOT_FOR_CLIENTS, RETRY_PREFIX, topic_name_fault
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.headers.send import SendRequest

MAX_MESSAGE_BYTES: Final = 4 << 20
MAX_BATCH_MESSAGES: Final = 4096
COMPRESS_OVER_BYTES: Final = 4096
_COMPRESS_LEVEL: Final = 5
_ZLIB: Final = 3 << COMPRESSION_TYPE_SHIFT


class SendStatus(str, Enum):
    """How safe a stored message is."""

    SEND_OK = "SEND_OK"
    FLUSH_DISK_TIMEOUT = "FLUSH_DISK_TIMEOUT"
    FLUSH_SLAVE_TIMEOUT = "FLUSH_SLAVE_TIMEOUT"
    SLAVE_NOT_AVAILABLE = "SLAVE_NOT_AVAILABLE"


_STATUSES: Final = {
    ResponseCode.SUCCESS: SendStatus.SEND_OK,
    ResponseCode.FLUSH_DISK_TIMEOUT: SendStatus.FLUSH_DISK_TIMEOUT,
    ResponseCode.FLUSH_SLAVE_TIMEOUT: SendStatus.FLUSH_SLAVE_TIMEOUT,
    ResponseCode.SLAVE_NOT_AVAILABLE: SendStatus.SLAVE_NOT_AVAILABLE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SendResult:
    """A stored message: the producer's id, the broker's, and its place. A batch's ids are joined by commas.

    `region_id` is the broker's (its regionId), and `trace_on` says whether it wants messages traced (traceOn).
    """

    status: SendStatus
    message_id: str
    offset_id: str
    topic: str
    broker_name: str
    queue_id: int
    queue_offset: int
    region_id: str = "DefaultRegion"
    trace_on: bool = True


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one request sends: a message, or a batch that is stored in one piece."""

    topic: str
    code: int
    body: bytes
    properties: str
    sys_flag: int
    flag: int
    message_id: str
    reconsume_times: int = 0
    max_reconsume_times: int | None = None

    def request(self, group: str, queue_id: int, born_ms: int) -> Command:
        """Return the request to one queue."""
        header = SendRequest(
            group,
            self.topic,
            queue_id,
            born_timestamp=born_ms,
            properties=self.properties,
            sys_flag=self.sys_flag,
            flag=self.flag,
            reconsume_times=self.reconsume_times,
            max_reconsume_times=self.max_reconsume_times,
            batch=self.code == RequestCode.SEND_BATCH_MESSAGE,
        )
        return Command(self.code, header.to_ext(), self.body)


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How a producer packs its messages; `compress_over_bytes` None compresses none."""

    namespace: str = ""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    compress_over_bytes: int | None = COMPRESS_OVER_BYTES

    def one(self, message: OutgoingMessage, unique_id: str, code: int = RequestCode.SEND_MESSAGE_V2) -> Parcel:
        """Return a message ready to send; RequestFailed with code 13 when no broker would take it."""
        topic = self._topic(message)
        properties = message.all_properties(unique_id)
        body, sys_flag = message.body, 0
        if self.compress_over_bytes is not None and len(body) >= self.compress_over_bytes:
            body, sys_flag = zlib.compress(body, _COMPRESS_LEVEL), COMPRESSED | _ZLIB
        if properties.get(TRAN_MSG) == "true":
            sys_flag |= TRANSACTION_PREPARED
            properties.pop(DELAY, None)
        if self.namespace:
            properties[INSTANCE_ID] = self.namespace
        reconsume_times, max_reconsume_times = 0, None
        if topic.startswith(RETRY_PREFIX):
            reconsume_times = int(properties.pop(RECONSUME_TIME, "0"))
            text = properties.pop(MAX_RECONSUME_TIMES, None)
            max_reconsume_times = None if text is None else int(text)
        return Parcel(
            topic,
            code,
            body,
            encode_properties(properties).decode(),
            sys_flag,
            message.flag,
            unique_id,
            reconsume_times,
            max_reconsume_times,
        )

    def batch(self, messages: Sequence[OutgoingMessage], unique_ids: Sequence[str]) -> Parcel:
        """Return several messages of one topic as one request; RequestFailed with code 13 when they can't be that."""
        if not 0 < len(messages) <= MAX_BATCH_MESSAGES:
            raise _illegal(f"a batch has 1 to {MAX_BATCH_MESSAGES} messages, not {len(messages)}")
        first = messages[0]
        items = []
        for message, unique_id in zip(messages, unique_ids, strict=True):
            if self._topic(message) != self._topic(first) or message.wait_stored != first.wait_stored:
                raise _illegal("the messages of a batch have one topic and one `wait_stored`")
            if message.is_delayed or message.topic.startswith(RETRY_PREFIX):
                raise _illegal("a batch has no delayed messages, nor such of a retry topic")
            properties = message.all_properties(unique_id)
            if self.namespace:
                properties[INSTANCE_ID] = self.namespace
            items.append(BatchItem(message.flag, message.body, encode_properties(properties)))
        body = encode_batch(items)
        if len(body) > self.max_message_bytes:
            raise _illegal(f"a batch of {len(body)} bytes is over the limit of {self.max_message_bytes}")
        # The batch gets no id of its own: Java's broker would put it over each message's (apache/rocketmq 9416).
        properties = {} if first.wait_stored else {WAIT: "false"}
        return Parcel(
            self._topic(first),
            RequestCode.SEND_BATCH_MESSAGE,
            body,
            encode_properties(properties).decode(),
            0,
            0,
            ",".join(unique_ids),
        )

    def _topic(self, message: OutgoingMessage) -> str:
        fault = topic_name_fault(message.topic)
        if fault is None and message.topic in NOT_FOR_CLIENTS:
            fault = f"Sending message to topic[{message.topic}] is forbidden."
        if fault is None and len(message.body) > self.max_message_bytes:
            fault = f"the message body of {len(message.body)} bytes is over the limit of {self.max_message_bytes}"
        if fault is not None:
            raise _illegal(fault)
        return with_namespace(self.namespace, message.topic)


def _illegal(fault: str) -> RequestFailed:
    return RequestFailed(ResponseCode.MESSAGE_ILLEGAL, fault)


def result_of(reply: Command, queue: MessageQueue, topic: str, message_id: str) -> SendResult:
    """Return what a broker says of a send; RequestFailed when it stored nothing."""
    status = _STATUSES.get(reply.code)
    if status is None:
        raise RequestFailed(reply.code, reply.remark or "")
    try:
        return SendResult(
            status=status,
            message_id=message_id,
            offset_id=reply.ext["msgId"],
            topic=topic,
            broker_name=queue.broker_name,
            queue_id=int(reply.ext["queueId"]),
            queue_offset=int(reply.ext["queueOffset"]),
            region_id=reply.ext.get(MSG_REGION) or "DefaultRegion",
            trace_on=reply.ext.get(TRACE_ON) != "false",
        )
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"{queue.broker_name}'s answer to a send can't be read: {error}") from None
