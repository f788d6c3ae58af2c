"""A member of a consumer group: heartbeats, its share of the queues, pulling, commits.

Modelled on client impl/consumer/DefaultMQPushConsumerImpl and RebalanceImpl, for one topic and messages that are
consumed the moment they are handed over. It begins at a queue's first message where its group was never before.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from broker_py.client.allocation import allocate_averagely
from broker_py.client.messages import ReceivedMessage
from broker_py.client.queue_reader import QueueReader, tags_of
from broker_py.client.queues import all_addresses, next_broker_id, readable_queues
from broker_py.client.replies import object_of
from broker_py.client.routes import Routes
from broker_py.errors import BrokerPyError, RequestFailed, Unreachable
from broker_py.message.tags import tags_code
from broker_py.model.fields import list_of
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import MASTER_ID, TopicRoute
from broker_py.model.subscription import ALL_TAGS, ConsumerData, Heartbeat, Subscription
from broker_py.model.topic import retry_topic
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import dumps
from broker_py.wire.header import encode_header
from broker_py.wire.headers.clients import ConsumerGroupRequest, UnregisterClientRequest

log = logging.getLogger(__name__)

SUSPEND_MS: Final = 15_000
REBALANCE_SECONDS: Final = 20.0  # also the interval of heartbeats: brokers forget a client after 120 s
RETRY_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 3.0
CANCEL_SECONDS: Final = 0.05


class GroupConsumer:
    """One member, of one group, for one topic and the group's retry topic.

    `on_message` gets each message once it is the queue's next; when it returns, the message counts as consumed. It
    may call `stop`, after which it gets no more. `router` is that of `remoting`: brokers tell there of changes in
    the group. `retry_seconds` is the pause after a failure and may be set before `run`.
    """

    def __init__(
        self,
        remoting: RemotingClient,
        router: Router,
        routes: Routes,
        queues: QueueReader,
        client_id: str,
        *,
        group: str,
        topic: str,
        on_message: Callable[[ReceivedMessage], None],
        expression: str = ALL_TAGS,
        sub_version: int = 0,
    ) -> None:
        self._remoting = remoting
        self._routes = routes
        self._queues = queues
        self._client_id = client_id
        self._group = group
        self._on_message = on_message
        self.retry_seconds = RETRY_SECONDS
        self._expressions = {topic: expression, retry_topic(group): ALL_TAGS}
        self._heartbeat = _heartbeat(client_id, group, self._expressions, sub_version)
        self._topic = topic
        self._pulling: dict[MessageQueue, asyncio.Task[None]] = {}
        self._positions: dict[MessageQueue, int] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._fault: BaseException | None = None
        router.on(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, ConsumerGroupRequest, self._members_changed)

    @property
    def assigned(self) -> list[MessageQueue]:
        """The queues that this member pulls now."""
        return sorted(self._pulling)

    def stop(self) -> None:
        """Have `run` leave the group and return."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Consume until `stop`, through failures of brokers and name servers; then commit and leave the group.

        Raises Unreachable when no name server answers at the start, and what `on_message` raises.
        """
        await self._find_topic()
        try:
            while not self._stopping:
                self._wake.clear()
                pause = REBALANCE_SECONDS if await self._take_part() else self.retry_seconds
                await self._pause(pause)
        finally:
            await self._leave()
        if self._fault is not None:
            raise self._fault

    async def _find_topic(self) -> None:
        try:
            await self._routes.find(self._topic)
        except RequestFailed as error:
            log.info("waiting for the topic: %s", error.remark)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    def _members_changed(self, header: ConsumerGroupRequest, _command: Command, _peer: Peer) -> None:
        if header.consumer_group == self._group:
            self._wake.set()

    # Membership

    async def _take_part(self) -> bool:
        """Send heartbeats and take the queues that are due now; False when that has to be tried again soon."""
        done = True
        for topic in self._expressions:
            try:
                route = await self._routes.find(topic)
                await self._to_all(route, self._send_heartbeat)
                await self._share(topic, route)
            except RequestFailed as error:
                log.debug("%s: %s", topic, error)
                done = done and topic != self._topic  # the retry topic may come later, or never
            except Unreachable as error:
                log.warning("group %s: %s", self._group, error)
                self._routes.renew(topic)
                done = False
        return done

    async def _to_all(self, route: TopicRoute, call: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Make a call to every broker of a route; failures are logged, since others may do."""
        addresses = all_addresses(route)
        for address, result in zip(
            addresses, await asyncio.gather(*map(call, addresses), return_exceptions=True), strict=True
        ):
            if isinstance(result, BrokerPyError):
                log.warning("group %s at %s: %s", self._group, address, result)
            elif isinstance(result, BaseException):
                raise result

    async def _send_heartbeat(self, address: str) -> None:
        request = Command(RequestCode.HEART_BEAT, body=dumps(self._heartbeat.to_json()))
        expect_success(await self._remoting.request(address, request, TIMEOUT_SECONDS))

    async def _unregister(self, address: str) -> None:
        header = UnregisterClientRequest(client_id=self._client_id, consumer_group=self._group)
        request = Command(RequestCode.UNREGISTER_CLIENT, encode_header(header))
        expect_success(await self._remoting.request(address, request, TIMEOUT_SECONDS))

    async def _members(self, route: TopicRoute) -> list[str]:
        """Return the client ids of the group, from the first broker that knows this member too.

        By the list of one that did not hear our heartbeat we would give up all queues.
        """
        failure: BrokerPyError = Unreachable("the route names no broker")
        header = encode_header(ConsumerGroupRequest(consumer_group=self._group))
        for address in all_addresses(route):
            request = Command(RequestCode.GET_CONSUMER_LIST_BY_GROUP, header)
            try:
                fields = object_of(await self._remoting.request(address, request, TIMEOUT_SECONDS))
                members = [str(member) for member in list_of(fields, "consumerIdList")]
                if self._client_id in members:
                    return members
                failure = Unreachable(f"{address} has not heard the heartbeat of {self._client_id}")
            except BrokerPyError as error:
                failure = error
        raise failure

    async def _share(self, topic: str, route: TopicRoute) -> None:
        """Give up the queues that are others' now, and begin with those that are ours."""
        queues = readable_queues(topic, route)
        ours = set(allocate_averagely(queues, await self._members(route), self._client_id))
        lost = [queue for queue in self._pulling if queue.topic == topic and queue not in ours]
        await self._give_up(lost)
        for queue in sorted(ours - self._pulling.keys()):
            task = asyncio.get_running_loop().create_task(self._pull_for_ever(queue))
            task.add_done_callback(self._pull_ended)
            self._pulling[queue] = task

    async def _give_up(self, queues: list[MessageQueue]) -> None:
        """Stop pulling, then commit: whoever takes a queue over goes on where we were."""
        pulling = {self._pulling.pop(queue) for queue in queues}
        while pulling:
            for task in pulling:
                # Not once: before Python 3.12 `wait_for` drops a cancellation that comes together with its result.
                task.cancel()
            _, pulling = await asyncio.wait(pulling, timeout=CANCEL_SECONDS)
        await asyncio.gather(*(self._commit(queue, self._positions.pop(queue, None)) for queue in queues))

    async def _commit(self, queue: MessageQueue, position: int | None) -> None:
        if position is None:
            return
        try:
            await self._queues.commit_offset(self._group, queue, position)
        except BrokerPyError as error:
            log.warning("the offset %d of group %s in %s is not committed: %s", position, self._group, queue, error)

    async def _leave(self) -> None:
        await self._give_up(list(self._pulling))
        for topic in self._expressions:
            try:
                await self._to_all(await self._routes.find(topic), self._unregister)
            except BrokerPyError as error:
                log.debug("%s: %s", topic, error)

    # Pulling

    def _pull_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fault = task.exception()
            self.stop()

    async def _pull_for_ever(self, queue: MessageQueue) -> None:
        broker_id = MASTER_ID
        while not self._stopping:
            try:
                broker_id = await self._pull(queue, broker_id)
            except BrokerPyError as error:
                log.warning("group %s can't pull %s: %s", self._group, queue, error)
                broker_id = await self._another_broker(queue, broker_id)
                await asyncio.sleep(self.retry_seconds)

    async def _pull(self, queue: MessageQueue, broker_id: int) -> int:
        """Pull once and hand the messages over; return the broker id to pull from next."""
        position = self._positions.get(queue)
        if position is None:
            committed = await self._queues.committed_offset(self._group, queue)
            position = await self._queues.min_offset(queue) if committed is None else committed
            self._positions[queue] = position
        result = await self._queues.pull(
            queue,
            position,
            group=self._group,
            expression=self._expressions[queue.topic],
            suspend_ms=SUSPEND_MS,
            commit_offset=position or None,
            broker_id=broker_id,
        )
        for message in result.messages:
            if self._stopping:
                return broker_id
            self._on_message(message)
            self._positions[queue] = message.queue_offset + 1
        if not self._stopping:
            self._positions[queue] = result.next_offset
        return result.suggested_broker_id

    async def _another_broker(self, queue: MessageQueue, failed_id: int) -> int:
        self._routes.renew(queue.topic)
        try:
            return next_broker_id(await self._routes.find(queue.topic), queue.broker_name, failed_id)
        except BrokerPyError:
            return failed_id


def _heartbeat(client_id: str, group: str, expressions: dict[str, str], sub_version: int) -> Heartbeat:
    subscriptions = tuple(
        Subscription(
            topic=topic,
            sub_string=expression,
            tags=tuple(sorted(tags_of(expression))),
            codes=frozenset(tags_code(tag) for tag in tags_of(expression)),
            sub_version=sub_version,
        )
        for topic, expression in expressions.items()
    )
    consumer = ConsumerData(
        group_name=group, consume_from_where="CONSUME_FROM_FIRST_OFFSET", subscriptions=subscriptions
    )
    return Heartbeat(client_id=client_id, consumers=(consumer,))
