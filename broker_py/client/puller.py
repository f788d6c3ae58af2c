"""Pulling queues into the messages that are held of them (client impl/consumer/DefaultMQPushConsumerImpl)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from broker_py.client.consuming import ConsumeFromWhere
from broker_py.client.expressions import Expression
from broker_py.client.instance import Instance
from broker_py.client.messages import ReceivedMessage
from broker_py.client.namespaces import without_namespace
from broker_py.client.process_queue import ProcessQueue
from broker_py.client.queue_reader import PullStatus
from broker_py.client.queues import next_broker_id
from broker_py.errors import BrokerPyError
from broker_py.message.properties import RETRY_TOPIC
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import MASTER_ID
from broker_py.model.topic import RETRY_PREFIX

log = logging.getLogger(__name__)

SUSPEND_MS: Final = 15_000
RETRY_SECONDS: Final = 1.0
CANCEL_SECONDS: Final = 0.05


class Puller:
    """Has one task a queue, which hands what it pulled to `on_messages`.

    `start_offset` says where a queue begins. Where `commits` is true, pulls carry the group's offset along.
    """

    def __init__(
        self,
        instance: Instance,
        group: str,
        expressions: dict[str, Expression],
        *,
        batch_size: int,
        commits: Callable[[ProcessQueue], bool],
        start_offset: Callable[[MessageQueue], Awaitable[int]],
        on_messages: Callable[[ProcessQueue, list[ReceivedMessage]], None],
    ) -> None:
        self._instance = instance
        self._group = group
        self._expressions = expressions
        self._batch_size = batch_size
        self._commits = commits
        self._start_offset = start_offset
        self._on_messages = on_messages
        self._tasks: dict[MessageQueue, asyncio.Task[None]] = {}
        self._may_pull = asyncio.Event()
        self._may_pull.set()

    def suspend(self) -> None:
        """Pull no more; what is under way comes."""
        self._may_pull.clear()

    def resume(self) -> None:
        """Pull again."""
        self._may_pull.set()

    def start(self, process_queue: ProcessQueue) -> None:
        """Begin to pull."""
        queue = process_queue.queue
        self._tasks[queue] = asyncio.get_running_loop().create_task(self._pull_for_ever(process_queue))

    async def stop(self, queues: list[MessageQueue]) -> None:
        """End pulling of queues."""
        pulling = {self._tasks.pop(queue) for queue in queues if queue in self._tasks}
        while pulling:
            for task in pulling:
                # Not once: before Python 3.12 `wait_for` drops a cancellation that comes together with its result.
                task.cancel()
            _, pulling = await asyncio.wait(pulling, timeout=CANCEL_SECONDS)

    async def _pull_for_ever(self, process_queue: ProcessQueue) -> None:
        queue = process_queue.queue
        broker_id = MASTER_ID
        while not process_queue.dropped:
            try:
                if process_queue.next_offset is None:
                    process_queue.next_offset = await self._start_offset(queue)
                await self._may_pull.wait()
                if process_queue.is_full:
                    await _room(process_queue)
                    continue
                broker_id = await self._pull(process_queue, process_queue.next_offset, broker_id)
            except BrokerPyError as error:
                log.warning("group %s can't pull %s: %s", self._group, queue, error)
                broker_id = await self._another_broker(queue, broker_id)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # a bug of ours: one queue must not fall silent by it
                log.exception("group %s can't pull %s", self._group, queue)
                await asyncio.sleep(RETRY_SECONDS)

    async def _pull(self, process_queue: ProcessQueue, next_offset: int, broker_id: int) -> int:
        queue = process_queue.queue
        result = await self._instance.queues.pull(
            queue,
            next_offset,
            group=self._group,
            expression=self._expressions[queue.topic],
            max_messages=self._batch_size,
            suspend_ms=SUSPEND_MS,
            commit_offset=(process_queue.commit_offset or None) if self._commits(process_queue) else None,
            broker_id=broker_id,
        )
        if process_queue.dropped:
            return broker_id
        process_queue.pulled_ms = self._instance.clock.now_ms()
        if result.status is PullStatus.OFFSET_MOVED:
            log.warning("group %s goes on in %s at %d, not %d", self._group, queue, result.next_offset, next_offset)
        messages = result.messages
        if queue.topic.startswith(RETRY_PREFIX) or self._instance.namespace:
            messages = [self.as_sent(message) for message in messages]
        process_queue.put(messages)
        process_queue.next_offset = result.next_offset
        if messages:
            self._on_messages(process_queue, messages)
        return result.suggested_broker_id

    def as_sent(self, message: ReceivedMessage) -> ReceivedMessage:
        """Return a message under the topic that its producer named."""
        topic = message.topic
        if topic.startswith(RETRY_PREFIX):
            topic = message.properties.get(RETRY_TOPIC, topic)
        return replace(message, topic=without_namespace(self._instance.namespace, topic))

    async def _another_broker(self, queue: MessageQueue, failed_id: int) -> int:
        self._instance.routes.renew(queue.topic)
        try:
            return next_broker_id(await self._instance.routes.find(queue.topic), queue.broker_name, failed_id)
        except BrokerPyError:
            return failed_id


async def _room(process_queue: ProcessQueue) -> None:
    room = asyncio.get_running_loop().create_future()
    process_queue.when_room(lambda: None if room.done() else room.set_result(None))
    await room


async def begin_of(instance: Instance, queue: MessageQueue, where: ConsumeFromWhere, timestamp_ms: int) -> int:
    """Return the offset where a group begins in a queue that it never was in.

    Of its retry topic it wants all there is (client impl/consumer/RebalancePushImpl.computePullFromWhere).
    """
    if where is ConsumeFromWhere.FIRST_OFFSET or queue.topic.startswith(RETRY_PREFIX):
        return await instance.queues.min_offset(queue)
    if where is ConsumeFromWhere.LAST_OFFSET:
        return await instance.queues.max_offset(queue)
    return await instance.queues.offset_at(queue, timestamp_ms)
