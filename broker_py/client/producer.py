"""Sending messages (client impl/producer/DefaultMQProducerImpl)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from broker_py.client.messages import OutgoingMessage
from broker_py.client.queues import master_address, writable_queues
from broker_py.client.routes import Routes
from broker_py.errors import ProtocolError, RequestFailed, Unreachable
from broker_py.message.ids import UniqueIds
from broker_py.message.properties import encode_properties
from broker_py.model.message_queue import MessageQueue
from broker_py.remoting.client import RemotingClient
from broker_py.seams import Clock
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.headers.send import SendRequest

TIMEOUT_SECONDS: Final = 3.0
RETRIES: Final = 2
# Another broker may do better. Java gives a busy broker (2) back to its caller; we go elsewhere.
RETRY_CODES: Final = frozenset(
    {
        ResponseCode.SYSTEM_ERROR,
        ResponseCode.SYSTEM_BUSY,
        ResponseCode.SERVICE_NOT_AVAILABLE,
        ResponseCode.NO_PERMISSION,
        ResponseCode.TOPIC_NOT_EXIST,
    }
)


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
    """A stored message: the producer's id, the broker's, and its place."""

    status: SendStatus
    message_id: str
    offset_id: str
    topic: str
    broker_name: str
    queue_id: int
    queue_offset: int


class Producer:
    """Sends messages to the writable queues of their topics, one after the other."""

    def __init__(self, remoting: RemotingClient, routes: Routes, ids: UniqueIds, clock: Clock, group: str) -> None:
        self._remoting = remoting
        self._routes = routes
        self._ids = ids
        self._clock = clock
        self._group = group
        self._turn = 0

    async def send(self, message: OutgoingMessage, broker_name: str | None = None) -> SendResult:
        """Send to any queue (of a broker, if named), on failure to another broker; return where it is stored.

        The id stays the same over the attempts, so that a message stored twice can be told. Raises the last
        attempt's RequestFailed or Unreachable, at once where no other broker would do better.
        """
        unique_id = self._ids.next_id()
        avoided: str | None = None
        attempts_left = 1 + RETRIES
        while True:
            route = await self._routes.find_to_send(message.topic)
            queues = writable_queues(message.topic, route)
            queue = self._choose([each for each in queues if broker_name in {None, each.broker_name}], avoided)
            attempts_left -= 1
            try:
                if queue is None:
                    where = f"broker {broker_name}" if broker_name else "any broker"
                    raise RequestFailed(
                        ResponseCode.NO_PERMISSION, f"the topic {message.topic} has no writable queue on {where}"
                    )
                return await self._send_to(message, queue, master_address(route, queue.broker_name), unique_id)
            except Unreachable:
                if not attempts_left:
                    raise
            except RequestFailed as error:
                if not attempts_left or error.code not in RETRY_CODES:
                    raise
            self._routes.renew(message.topic)
            avoided = queue.broker_name if queue else None

    def _choose(self, queues: list[MessageQueue], avoided: str | None) -> MessageQueue | None:
        """Return the next queue in turn, of another broker than `avoided` if there is one."""
        if not queues:
            return None
        others = [queue for queue in queues if queue.broker_name != avoided] or queues
        self._turn += 1
        return others[self._turn % len(others)]

    async def send_to(self, message: OutgoingMessage, queue: MessageQueue) -> SendResult:
        """Send to one queue, once; RequestFailed or Unreachable when it is not stored."""
        route = await self._routes.find_to_send(message.topic)
        return await self._send_to(message, queue, master_address(route, queue.broker_name), self._ids.next_id())

    async def _send_to(
        self, message: OutgoingMessage, queue: MessageQueue, address: str | None, unique_id: str
    ) -> SendResult:
        if address is None:
            raise Unreachable(f"{queue.broker_name} has no master that takes messages of {message.topic}")
        header = SendRequest(
            self._group,
            message.topic,
            queue.queue_id,
            born_timestamp=self._clock.now_ms(),
            properties=encode_properties(message.all_properties(unique_id)).decode(),
        )
        request = Command(RequestCode.SEND_MESSAGE_V2, header.to_ext(), message.body)
        return _result(await self._remoting.request(address, request, TIMEOUT_SECONDS), queue, unique_id)


def _result(reply: Command, queue: MessageQueue, unique_id: str) -> SendResult:
    status = _STATUSES.get(reply.code)
    if status is None:
        raise RequestFailed(reply.code, reply.remark or "")
    try:
        return SendResult(
            status=status,
            message_id=unique_id,
            offset_id=reply.ext["msgId"],
            topic=queue.topic,
            broker_name=queue.broker_name,
            queue_id=int(reply.ext["queueId"]),
            queue_offset=int(reply.ext["queueOffset"]),
        )
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"{queue.broker_name}'s answer to a send can't be read: {error}") from None
