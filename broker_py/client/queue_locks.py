"""Locks of queues at their brokers: one member at a time consumes in order (client impl/consumer/RebalanceImpl)."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Final

from broker_py.client.instance import Instance
from broker_py.client.process_queue import Lease, ProcessQueue
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
    """Takes, renews and gives up locks of this client's member of a group.

    A broker has its locks in memory. So with the connection to it they count as lost here, where Java's client takes
    them for its own for up to 30 s more, and may consume what another member has locked at the broker that is back.
    """

    def __init__(self, instance: Instance, group: str) -> None:
        self._instance = instance
        self._group = group
        self._losses: Counter[str] = Counter()  # of connections, by address

    def lost(self, address: str) -> None:
        """Take it that a broker knows our locks no more."""
        self._losses[address] += 1

    async def lock(self, queues: Collection[MessageQueue]) -> dict[MessageQueue, Lease | None]:
        """Return what brokers that answered say of queues that they are to lock; None for one that is another's."""
        by_broker: dict[tuple[str, str], list[MessageQueue]] = defaultdict(list)
        for queue in queues:
            by_broker[queue.broker_name, queue.topic].append(queue)
        found = await asyncio.gather(*(self._lock(some) for some in by_broker.values()))
        return {queue: lease for some in found for queue, lease in some.items()}

    async def _lock(self, queues: list[MessageQueue]) -> dict[MessageQueue, Lease | None]:
        try:
            address = await self._master(queues[0])
            # Of before the request, so that it is over here before it is over there.
            clock = self._instance.clock
            lease = Lease(address, self._losses[address], clock.monotonic() + LOCK_LIVES_SECONDS, clock.now_ms())
            command = self._command(RequestCode.LOCK_BATCH_MQ, queues)
            fields = object_of(await self._instance.remoting.request(address, command, TIMEOUT_SECONDS))
            ours = {MessageQueue.from_json(each) for each in objects_of(fields, "lockOKMQSet")}
            return {queue: lease if queue in ours else None for queue in queues}
        except BrokerPyError as error:
            log.warning("group %s can't lock queues of %s: %s", self._group, queues[0].broker_name, error)
            return {}

    async def renew(self, process_queues: Collection[ProcessQueue]) -> None:
        """Take those again that are ours still; one that is not any more has to be regained."""
        held = [each for each in process_queues if self.holds(each)]
        found = await self.lock([each.queue for each in held])
        for process_queue in held:
            if process_queue.queue in found and self.holds(process_queue):
                process_queue.lease = found[process_queue.queue]

    def holds(self, process_queue: ProcessQueue) -> bool:
        """True while the lock is ours for sure."""
        lease = process_queue.lease
        return (
            lease is not None
            and lease.losses == self._losses[lease.address]
            and self._instance.clock.monotonic() < lease.until
        )

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
