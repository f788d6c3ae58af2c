"""Reading queues: pulls, their bounds, and where a group stands in them (client impl/consumer/PullAPIWrapper)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from broker_py.client.expressions import Expression, tags_of, text_of, type_of
from broker_py.client.messages import ReceivedMessage, decode_messages
from broker_py.client.queues import read_address, readable_queues
from broker_py.client.replies import header_of
from broker_py.client.routes import Routes
from broker_py.errors import RequestFailed, Unreachable
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import MASTER_ID
from broker_py.model.subscription import ALL_TAGS
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.offsets import (
    OffsetReply,
    QueryOffsetRequest,
    QueueRequest,
    SearchOffsetRequest,
    UpdateOffsetRequest,
)
from broker_py.wire.headers.pull import (
    PULL_COMMIT_OFFSET,
    PULL_SUBSCRIPTION,
    PULL_SUSPEND,
    PullReply,
    PullRequest,
)

TIMEOUT_SECONDS: Final = 5.0
# Beyond the wait that a pull asks for, which a broker of RocketMQ overdraws by up to 5 s.
PULL_TIMEOUT_SECONDS: Final = 15.0
MAX_MESSAGES: Final = 32
# Under this group tools read without being members of anything (common MixAll).
TOOLS_GROUP: Final = "TOOLS_CONSUMER"


class PullStatus(Enum):
    """What a pull found."""

    FOUND = "FOUND"
    NO_NEW_MESSAGE = "NO_NEW_MSG"
    NO_MATCHED_MESSAGE = "NO_MATCHED_MSG"
    OFFSET_MOVED = "OFFSET_ILLEGAL"


_STATUSES: Final = {
    ResponseCode.SUCCESS: PullStatus.FOUND,
    ResponseCode.PULL_NOT_FOUND: PullStatus.NO_NEW_MESSAGE,
    ResponseCode.PULL_RETRY_IMMEDIATELY: PullStatus.NO_MATCHED_MESSAGE,
    ResponseCode.PULL_OFFSET_MOVED: PullStatus.OFFSET_MOVED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PullResult:
    """Messages of one queue in their order, and where to go on: at which queue offset, on which broker id."""

    status: PullStatus
    messages: list[ReceivedMessage]
    next_offset: int
    min_offset: int
    max_offset: int
    suggested_broker_id: int


class QueueReader:
    """Requests about single queues; each raises Unreachable or RequestFailed."""

    def __init__(self, remoting: RemotingClient, routes: Routes) -> None:
        self._remoting = remoting
        self._routes = routes

    async def queues(self, topic: str) -> list[MessageQueue]:
        """Return the queues of a topic that can be read."""
        return readable_queues(topic, await self._routes.find(topic))

    async def pull(
        self,
        queue: MessageQueue,
        queue_offset: int,
        *,
        group: str = TOOLS_GROUP,
        expression: Expression = ALL_TAGS,
        max_messages: int = MAX_MESSAGES,
        suspend_ms: int = 0,
        commit_offset: int | None = None,
        broker_id: int = MASTER_ID,
    ) -> PullResult:
        """Return messages from `queue_offset` on; with nothing new the broker waits `suspend_ms` for some.

        `commit_offset` also says where the group stands. A broker matches tags by their hash: messages whose tag
        is another one with the same hash are dropped here.
        """
        header = PullRequest(
            consumer_group=group,
            topic=queue.topic,
            queue_id=queue.queue_id,
            queue_offset=queue_offset,
            max_msg_nums=max_messages,
            sys_flag=PULL_SUBSCRIPTION
            | (PULL_SUSPEND if suspend_ms else 0)
            | (PULL_COMMIT_OFFSET if commit_offset is not None else 0),
            commit_offset=commit_offset or 0,
            suspend_timeout_millis=suspend_ms,
            subscription=text_of(expression),
            expression_type=type_of(expression),
        )
        reply = await self._request(
            queue, RequestCode.PULL_MESSAGE, header, broker_id, PULL_TIMEOUT_SECONDS + suspend_ms / 1000
        )
        status = _STATUSES.get(reply.code)
        if status is None:
            raise RequestFailed(reply.code, reply.remark or "")
        offsets = header_of(PullReply, reply)
        messages = decode_messages(reply.body, queue.broker_name) if status is PullStatus.FOUND else []
        tags = tags_of(expression)
        return PullResult(
            status=status,
            messages=[message for message in messages if message.tags in tags] if tags else messages,
            next_offset=offsets.next_begin_offset,
            min_offset=offsets.min_offset,
            max_offset=offsets.max_offset,
            suggested_broker_id=offsets.suggest_which_broker_id,
        )

    async def min_offset(self, queue: MessageQueue) -> int:
        """Return the queue offset of the oldest message that is kept."""
        header = QueueRequest(topic=queue.topic, queue_id=queue.queue_id)
        return _offset(await self._request(queue, RequestCode.GET_MIN_OFFSET, header))

    async def max_offset(self, queue: MessageQueue) -> int:
        """Return the queue offset that the next message will get."""
        header = QueueRequest(topic=queue.topic, queue_id=queue.queue_id)
        return _offset(await self._request(queue, RequestCode.GET_MAX_OFFSET, header))

    async def offset_at(self, queue: MessageQueue, stored_ms: int) -> int:
        """Return the queue offset of the first message stored at or after a time."""
        header = SearchOffsetRequest(topic=queue.topic, queue_id=queue.queue_id, timestamp=stored_ms)
        return _offset(await self._request(queue, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, header))

    async def committed_offset(self, group: str, queue: MessageQueue, *, strict: bool = False) -> int | None:
        """Return where a group stands in a queue; None when it was never there.

        Unless asked `strict`ly, a broker says of a queue whose first message is still near that the group is there.
        """
        header = QueryOffsetRequest(
            consumer_group=group,
            topic=queue.topic,
            queue_id=queue.queue_id,
            set_zero_if_not_found=False if strict else None,
        )
        reply = await self._request(queue, RequestCode.QUERY_CONSUMER_OFFSET, header)
        return None if reply.code == ResponseCode.QUERY_NOT_FOUND else _offset(reply)

    async def commit_offset(self, group: str, queue: MessageQueue, queue_offset: int) -> None:
        """Set where a group stands in a queue: at the first message that it has not consumed."""
        header = UpdateOffsetRequest(
            consumer_group=group, topic=queue.topic, queue_id=queue.queue_id, commit_offset=queue_offset
        )
        expect_success(await self._request(queue, RequestCode.UPDATE_CONSUMER_OFFSET, header))

    async def _request(
        self,
        queue: MessageQueue,
        code: int,
        header: object,
        broker_id: int = MASTER_ID,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Command:
        address = read_address(await self._routes.find(queue.topic), queue.broker_name, broker_id)
        if address is None:
            raise Unreachable(f"no broker named {queue.broker_name} has queues of {queue.topic}")
        return await self._remoting.request(address, Command(code, encode_header(header)), timeout_seconds)


def _offset(reply: Command) -> int:
    return header_of(OffsetReply, expect_success(reply)).offset
