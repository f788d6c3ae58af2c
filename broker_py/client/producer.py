"""Sending messages (client impl/producer/DefaultMQProducerImpl)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from broker_py.client.fault_avoidance import FaultAvoidance
from broker_py.client.instance import Instance
from broker_py.client.messages import OutgoingMessage
from broker_py.client.namespaces import with_namespace
from broker_py.client.queues import all_addresses, master_address, writable_queues
from broker_py.client.sending import (
    COMPRESS_OVER_BYTES,
    MAX_MESSAGE_BYTES,
    Packing,
    Parcel,
    SendResult,
    SendStatus,
    result_of,
)
from broker_py.errors import RequestFailed, Unreachable
from broker_py.message.java_hash import java_hash
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import TopicRoute
from broker_py.wire.codes import RequestCode, ResponseCode

__all__ = ["Producer", "ProducerOptions", "SendResult", "SendStatus", "by_sharding_key"]

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
Selector = Callable[[list[MessageQueue], OutgoingMessage], MessageQueue]


@dataclass(frozen=True, kw_only=True)
class ProducerOptions:
    """How a producer sends.

    `retries` are attempts after the first one, each with its own timeout. Bodies from `compress_over_bytes` on are
    compressed by zlib (None: none). `avoid_slow_brokers` prefers, for up to ten minutes, brokers that answered fast.
    """

    timeout_seconds: float = TIMEOUT_SECONDS
    retries: int = RETRIES
    max_message_bytes: int = MAX_MESSAGE_BYTES
    compress_over_bytes: int | None = COMPRESS_OVER_BYTES
    avoid_slow_brokers: bool = False


def by_sharding_key(queues: list[MessageQueue], message: OutgoingMessage) -> MessageQueue:
    """Return the queue of a message's sharding key, as Java's SelectMessageQueueByHash does."""
    return queues[abs(java_hash(message.sharding_key or "")) % len(queues)]


class Producer:
    """Sends messages to the writable queues of their topics, one after the other.

    It can send as it is. As an asynchronous context manager it also is a member of its group, which brokers must
    know for checks of transactions, replies to requests, and tools.
    """

    def __init__(self, instance: Instance, group: str, options: ProducerOptions | None = None) -> None:
        self.options = options or ProducerOptions()
        self._instance = instance
        self._group = with_namespace(instance.namespace, group)
        self._packing = Packing(
            namespace=instance.namespace,
            max_message_bytes=self.options.max_message_bytes,
            compress_over_bytes=self.options.compress_over_bytes,
        )
        self._avoidance = FaultAvoidance(instance.clock, by_latency=self.options.avoid_slow_brokers)
        self._turn = 0
        self._joined = False
        self._introduced: dict[str, TopicRoute] = {}

    # Sending

    async def send(self, message: OutgoingMessage, broker_name: str | None = None) -> SendResult:
        """Send to any queue (of a broker, if named), on failure to another broker; return where it is stored.

        The id stays the same over the attempts, so that a message stored twice can be told. Raises the last
        attempt's RequestFailed or Unreachable, at once where no other broker would do better.
        """
        return await self._send_anywhere(self._packing.one(message, self._instance.ids.next_id()), broker_name)

    async def send_batch(self, messages: Sequence[OutgoingMessage]) -> SendResult:
        """Send messages of one topic in one request: they are stored together, in one queue, or not at all."""
        ids = [self._instance.ids.next_id() for _ in messages]
        return await self._send_anywhere(self._packing.batch(messages, ids), None)

    async def send_to(self, message: OutgoingMessage, queue: MessageQueue) -> SendResult:
        """Send to one queue, once; RequestFailed or Unreachable when it is not stored."""
        parcel = self._packing.one(message, self._instance.ids.next_id())
        return await self._send_to(parcel, queue, await self._instance.routes.find_to_send(parcel.topic))

    async def send_selected(self, message: OutgoingMessage, selector: Selector = by_sharding_key) -> SendResult:
        """Send to the queue that `selector` chooses from all of the topic, once: another one would break the order."""
        parcel = self._packing.one(message, self._instance.ids.next_id())
        route = await self._instance.routes.find_to_send(parcel.topic)
        queues = writable_queues(parcel.topic, route)
        if not queues:
            raise _no_queue(parcel.topic, None)
        return await self._send_to(parcel, selector(queues, message), route)

    async def send_oneway(self, message: OutgoingMessage) -> None:
        """Send without an answer: the message is lost without notice if its broker does not store it."""
        parcel = self._packing.one(message, self._instance.ids.next_id())
        route = await self._instance.routes.find_to_send(parcel.topic)
        queue = self._choose(writable_queues(parcel.topic, route), None)
        if queue is None:
            raise _no_queue(parcel.topic, None)
        request = parcel.request(self._group, queue.queue_id, self._instance.clock.now_ms())
        await self._instance.remoting.send(_address(route, queue), request)

    async def send_reply(self, message: OutgoingMessage) -> SendResult:
        """Send what `reply_to` returned; RequestFailed when whoever asked is gone."""
        parcel = self._packing.one(message, self._instance.ids.next_id(), RequestCode.SEND_REPLY_MESSAGE_V2)
        return await self._send_anywhere(parcel, None)

    async def _send_anywhere(self, parcel: Parcel, broker_name: str | None) -> SendResult:
        routes = self._instance.routes
        avoided: str | None = None
        attempts_left = 1 + self.options.retries
        while True:
            route = await routes.find_to_send(parcel.topic)
            queues = writable_queues(parcel.topic, route)
            if broker_name is not None:
                queues = [queue for queue in queues if queue.broker_name == broker_name]
            queue = self._choose(queues, avoided)
            attempts_left -= 1
            try:
                if queue is None:
                    raise _no_queue(parcel.topic, broker_name)
                return await self._send_to(parcel, queue, route)
            except Unreachable:
                if attempts_left <= 0:
                    raise
            except RequestFailed as error:
                if attempts_left <= 0 or error.code not in RETRY_CODES:
                    raise
            routes.renew(parcel.topic)
            avoided = queue.broker_name if queue else None

    def _choose(self, queues: list[MessageQueue], avoided: str | None) -> MessageQueue | None:
        """Return the next queue in turn, of another broker than `avoided` and than slow ones if there is one."""
        if not queues:
            return None
        others = [queue for queue in queues if queue.broker_name != avoided] or queues
        good = [queue for queue in others if not self._avoidance.avoids(queue.broker_name)] or others
        self._turn += 1
        return good[self._turn % len(good)]

    async def _send_to(self, parcel: Parcel, queue: MessageQueue, route: TopicRoute) -> SendResult:
        instance = self._instance
        address = _address(route, queue)
        if self._joined and self._introduced.get(parcel.topic) is not route:
            self._introduced[parcel.topic] = route
            await instance.heartbeats.introduce(all_addresses(route))
        request = parcel.request(self._group, queue.queue_id, instance.clock.now_ms())
        began = instance.clock.monotonic()
        try:
            reply = await instance.remoting.request(address, request, self.options.timeout_seconds)
            result = result_of(reply, queue, parcel.topic, parcel.message_id)
        except (Unreachable, RequestFailed):
            self._avoidance.failed(queue.broker_name)
            raise
        self._avoidance.answered(queue.broker_name, instance.clock.monotonic() - began)
        return result

    # Membership

    async def __aenter__(self) -> "Producer":
        self._instance.heartbeats.add_producer(self._group)
        self._joined = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._joined = False
        self._introduced.clear()
        await self._instance.heartbeats.remove_producer(self._group)


def _address(route: TopicRoute, queue: MessageQueue) -> str:
    address = master_address(route, queue.broker_name)
    if address is None:
        raise Unreachable(f"{queue.broker_name} has no master that takes messages of {queue.topic}")
    return address


def _no_queue(topic: str, broker_name: str | None) -> RequestFailed:
    where = f"broker {broker_name}" if broker_name else "any broker"
    return RequestFailed(ResponseCode.NO_PERMISSION, f"the topic {topic} has no writable queue on {where}")
