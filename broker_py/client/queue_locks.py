"""Locks of queues at their brokers: one member at a time consumes in order (client impl/consumer/RebalanceImpl)."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection
from typing import Final

from broker_py.client.instance import Instance
from broker_py.client.process_queue import ProcessQueue
from broker_py.client.queues import master_address
from broker_py.client.replies import object_of
from broker_py.errors import BrokerPyError, Unreachable
from broker_py.model.fields import objects_of
from broker_py.model.message_queue import MessageQueue
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import dumps

log = logging.getLogger(__name__)

RENEW_SECONDS: Final = 20.0
LOCK_LIVES_SECONDS: Final = 30.0  # brokers give a lock away after 60 s
TIMEOUT_SECONDS: Final = 3.0


class QueueLocks:
    """Takes, renews and gives up locks of this client's member of a group."""

    def __init__(self, instance: Instance, group: str) -> None:
        self._instance = instance
        self._group = group

    async def lock(self, queues: Collection[MessageQueue]) -> set[MessageQueue]:
        """Return those of the queues that are locked for us now, asked of each broker once."""
        by_broker: dict[tuple[str, str], list[MessageQueue]] = defaultdict(list)
        for queue in queues:
            by_broker[queue.broker_name, queue.topic].append(queue)
        found = await asyncio.gather(*(self._lock(some) for some in by_broker.values()))
        return {queue for some in found for queue in some}

    async def _lock(self, queues: list[MessageQueue]) -> list[MessageQueue]:
        try:
            reply = await self._instance.remoting.request(
                await self._master(queues[0]), self._command(RequestCode.LOCK_BATCH_MQ, queues), TIMEOUT_SECONDS
            )
            return [MessageQueue.from_json(each) for each in objects_of(object_of(reply), "lockOKMQSet")]
        except BrokerPyError as error:
            log.warning("group %s can't lock queues of %s: %s", self._group, queues[0].broker_name, error)
            return []

    async def renew(self, process_queues: list[ProcessQueue]) -> None:
        """Take all again."""
        locked = await self.lock([each.queue for each in process_queues])
        for process_queue in process_queues:
            if process_queue.queue in locked:
                self.note(process_queue)

    def note(self, process_queue: ProcessQueue) -> None:
        """Take it that the broker has just locked a queue for us."""
        process_queue.locked_until = self._instance.clock.monotonic() + LOCK_LIVES_SECONDS
        process_queue.locked_ms = self._instance.clock.now_ms()

    def holds(self, process_queue: ProcessQueue) -> bool:
        """True while the lock is ours for sure."""
        return self._instance.clock.monotonic() < process_queue.locked_until

    async def unlock(self, queue: MessageQueue) -> None:
        """Give a lock up; where that fails, it ends by itself."""
        try:
            command = self._command(RequestCode.UNLOCK_BATCH_MQ, [queue])
            expect_success(await self._instance.remoting.request(await self._master(queue), command, TIMEOUT_SECONDS))
        except BrokerPyError as error:
            log.warning("group %s can't unlock %s: %s", self._group, queue, error)

    async def _master(self, queue: MessageQueue) -> str:
        address = master_address(await self._instance.routes.find(queue.topic), queue.broker_name)
        if address is None:
            raise Unreachable(f"{queue.broker_name} has no master")
        return address

    def _command(self, code: int, queues: list[MessageQueue]) -> Command:
        body = {
            "clientId": self._instance.client_id,
            "consumerGroup": self._group,
            "mqSet": [queue.to_json() for queue in queues],
        }
        return Command(code, body=dumps(body))
