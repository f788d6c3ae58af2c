"""A member of a consumer group that consumes each message the moment it is handed over.

For one topic and the group's retry topic. It begins at a queue's first message where its group was never before.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Final

from broker_py.client.allocation import allocate_averagely
from broker_py.client.expressions import Expression, subscription_to
from broker_py.client.instance import Instance
from broker_py.client.member import RETRY_SECONDS, Member
from broker_py.client.messages import ReceivedMessage
from broker_py.client.queues import next_broker_id
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import MASTER_ID
from broker_py.model.subscription import ALL_TAGS, ConsumerData
from broker_py.model.topic import retry_topic

log = logging.getLogger(__name__)

SUSPEND_MS: Final = 15_000
CANCEL_SECONDS: Final = 0.05


class GroupConsumer:
    """One member, of one group.

    `on_message` gets each message once it is the queue's next; when it returns, the message counts as consumed. It
    may call `stop`, after which it gets no more. `retry_seconds` is the pause after a failure and may be set before
    `run`.
    """

    def __init__(
        self,
        instance: Instance,
        *,
        group: str,
        topic: str,
        on_message: Callable[[ReceivedMessage], None],
        expression: Expression = ALL_TAGS,
    ) -> None:
        self._routes = instance.routes
        self._queues = instance.queues
        self._group = group
        self._topic = topic
        self._on_message = on_message
        self._expressions = {topic: expression, retry_topic(group): ALL_TAGS}
        now_ms = instance.clock.now_ms()
        data = ConsumerData(
            group_name=group,
            consume_from_where="CONSUME_FROM_FIRST_OFFSET",
            subscriptions=tuple(subscription_to(each, wanted, now_ms) for each, wanted in self._expressions.items()),
        )
        self._member = Member(instance, data, allocate_averagely, self)
        self.retry_seconds = RETRY_SECONDS
        self._pulling: dict[MessageQueue, asyncio.Task[None]] = {}
        self._positions: dict[MessageQueue, int] = {}
        self._stopping = False
        self._fault: BaseException | None = None

    @property
    def assigned(self) -> list[MessageQueue]:
        """The queues that this member pulls now."""
        return sorted(self._pulling)

    @property
    def held(self) -> Collection[MessageQueue]:
        """The same, for the membership."""
        return self._pulling

    def stop(self) -> None:
        """Have `run` leave the group and return."""
        self._stopping = True
        self._member.stop()

    async def run(self) -> None:
        """Consume until `stop`, through failures of brokers and name servers; then commit and leave the group.

        Raises Unreachable when no name server answers at the start, and what `on_message` raises.
        """
        self._member.retry_seconds = self.retry_seconds
        await self._find_topic()
        self._member.join()
        try:
            await self._member.serve()
        finally:
            await self._member.leave()
        if self._fault is not None:
            raise self._fault

    async def _find_topic(self) -> None:
        try:
            await self._routes.find(self._topic)
        except RequestFailed as error:
            log.info("waiting for the topic: %s", error.remark)

    async def take(self, queues: list[MessageQueue]) -> bool:
        """Begin to pull queues."""
        for queue in queues:
            task = asyncio.get_running_loop().create_task(self._pull_for_ever(queue))
            task.add_done_callback(self._pull_ended)
            self._pulling[queue] = task
        return True

    async def give_up(self, queues: list[MessageQueue]) -> None:
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
