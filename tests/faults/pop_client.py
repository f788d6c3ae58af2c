"""A client that pops, as those of RocketMQ's proxy do: the client library has none."""

from dataclasses import dataclass
from types import TracebackType
from typing import Final

from broker_py.broker.pop.extra_info import RETRY, ExtraInfo, extra_info, pop_retry_topic
from broker_py.client.messages import ReceivedMessage, decode_messages
from broker_py.client.replies import header_of
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.pop import (
    INIT_MODE_MIN,
    AckRequest,
    ChangeInvisibleTimeReply,
    ChangeInvisibleTimeRequest,
    PopReply,
    PopRequest,
)

REQUEST_SECONDS: Final = 5.0
_POP_CK: Final = "POP_CK"
_MARK_FIELD: Final = 4
_NOTHING: Final = (ResponseCode.POLLING_TIMEOUT, ResponseCode.POLLING_FULL, ResponseCode.PULL_NOT_FOUND)


@dataclass(frozen=True)
class PoppedMessage:
    """A message, and what an ack of it has to say. `retry` tells that it lies in the retry topic."""

    message: ReceivedMessage
    topic: str
    extra_info: str
    pop_ms: int
    invisible_ms: int
    retry: bool


class PopClient:
    """Pops of one broker for one group and topic. An asynchronous context manager."""

    def __init__(self, address: str, broker_name: str, group: str, topic: str) -> None:
        self._address = address
        self._broker_name = broker_name
        self._group = group
        self._topic = topic
        self._remoting = RemotingClient()

    async def __aenter__(self) -> "PopClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._remoting.close()

    async def _ask(self, code: int, header: object, seconds: float = REQUEST_SECONDS) -> Command:
        return await self._remoting.request(self._address, Command(code, encode_header(header)), seconds)

    async def pop(
        self, queue_id: int, count: int, invisible_ms: int, poll_ms: int, now_ms: int, *, order: bool = False
    ) -> list[PoppedMessage]:
        """Return messages of a queue, of any for -1; RequestFailed, Unreachable."""
        header = PopRequest(
            consumer_group=self._group,
            topic=self._topic,
            queue_id=queue_id,
            max_msg_nums=count,
            invisible_time=invisible_ms,
            poll_time=poll_ms,
            born_time=now_ms,
            init_mode=INIT_MODE_MIN,
            order=order,
        )
        reply = await self._ask(RequestCode.POP_MESSAGE, header, REQUEST_SECONDS + poll_ms / 1000)
        if reply.code in _NOTHING:
            return []
        info = header_of(PopReply, expect_success(reply))
        starts = {
            int(queue): int(start)
            for mark, queue, start in (part.split(" ") for part in (info.start_offset_info or "").split(";"))
            if mark != RETRY
        }
        return [self._popped(message, info, starts) for message in decode_messages(reply.body, self._broker_name)]

    def _popped(self, message: ReceivedMessage, reply: PopReply, starts: dict[int, int]) -> PoppedMessage:
        text = message.properties.get(_POP_CK)
        retry = text is not None and text.split(" ")[_MARK_FIELD] == RETRY
        if text is None:
            info = ExtraInfo(
                starts[message.queue_id], reply.pop_time, reply.invisible_time, reply.revive_qid, self._broker_name
            )
            text = extra_info(info, self._topic, message.queue_id, message.queue_offset)
        topic = pop_retry_topic(self._topic, self._group) if retry else self._topic
        return PoppedMessage(message, topic, text, reply.pop_time, reply.invisible_time, retry)

    async def ack(self, popped: PoppedMessage) -> None:
        """Acknowledge a message; RequestFailed, Unreachable."""
        header = AckRequest(
            consumer_group=self._group,
            topic=popped.topic,
            queue_id=popped.message.queue_id,
            extra_info=popped.extra_info,
            offset=popped.message.queue_offset,
        )
        expect_success(await self._ask(RequestCode.ACK_MESSAGE, header))

    async def hide(self, popped: PoppedMessage, invisible_ms: int) -> int:
        """Have a message come back so many milliseconds from now; return when that is. RequestFailed, Unreachable."""
        header = ChangeInvisibleTimeRequest(
            consumer_group=self._group,
            topic=popped.topic,
            queue_id=popped.message.queue_id,
            extra_info=popped.extra_info,
            offset=popped.message.queue_offset,
            invisible_time=invisible_ms,
        )
        reply = expect_success(await self._ask(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, header))
        changed = header_of(ChangeInvisibleTimeReply, reply)
        return changed.pop_time + changed.invisible_time
