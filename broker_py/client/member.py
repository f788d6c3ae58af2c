"""Membership in a consumer group: which queues are ours now (client impl/consumer/RebalanceImpl)."""

import asyncio
import logging
from collections.abc import Collection
from typing import Final, Protocol

from broker_py.client.allocation import Allocate
from broker_py.client.instance import Instance
from broker_py.client.queues import all_addresses, readable_queues
from broker_py.client.replies import object_of
from broker_py.errors import BrokerPyError, RequestFailed, Unreachable
from broker_py.model.fields import list_of
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import TopicRoute
from broker_py.model.subscription import BROADCASTING, ConsumerData
from broker_py.model.topic import RETRY_PREFIX
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.clients import ConsumerGroupRequest

log = logging.getLogger(__name__)

REBALANCE_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 3.0


class Holder(Protocol):
    """Who consumes the queues."""

    @property
    def held(self) -> Collection[MessageQueue]:
        """The queues that are consumed now."""

    async def take(self, queues: list[MessageQueue]) -> bool:
        """Begin with queues; False when some have to be tried again soon."""
        ...

    async def give_up(self, queues: list[MessageQueue]) -> None:
        """End with queues, and commit: whoever takes one over goes on where we were.

        One whose listener takes its time may stay, to be given up the next time.
        """


class Member:
    """One client's place in a group: its heartbeats, and its share of the queues of the topics it subscribes to."""

    def __init__(self, instance: Instance, data: ConsumerData, allocate: Allocate, holder: Holder) -> None:
        self._instance = instance
        self._data = data
        self._topics = [subscription.topic for subscription in data.subscriptions]
        self._allocate = allocate
        self._holder = holder
        self._wake = asyncio.Event()
        self._stopping = False
        self.retry_seconds = RETRY_SECONDS

    def join(self) -> None:
        """Enter the group; ConfigError when this client is in it already."""
        self._instance.requests.add_member(self._data.group_name, self.wake)
        self._instance.heartbeats.add_consumer(self._data)
        self._instance.watch(self, self._lost)

    def _lost(self, _address: str) -> None:
        """Be known again soon to a broker that is back: by the others' rebalance until then we would own nothing."""
        self.wake()

    def wake(self) -> None:
        """Share the queues anew, now."""
        self._wake.set()

    def stop(self) -> None:
        """Have `serve` return."""
        self._stopping = True
        self._wake.set()

    async def serve(self) -> None:
        """Take part in the group until `stop`, through failures of brokers and name servers."""
        while not self._stopping:
            self._wake.clear()
            pause = REBALANCE_SECONDS if await self._safely_take_part() else self.retry_seconds
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except asyncio.TimeoutError:
                pass

    async def leave(self) -> None:
        """Give up all queues and leave the group."""
        self._instance.unwatch(self)
        self._instance.requests.remove_member(self._data.group_name)
        await self._holder.give_up(list(self._holder.held))
        await self._instance.heartbeats.remove_consumer(self._data.group_name)

    async def _safely_take_part(self) -> bool:
        try:
            return await self._take_part()
        except Exception:  # a member that falls silent keeps its queues for ever
            log.exception("group %s", self._data.group_name)
            return False

    async def _take_part(self) -> bool:
        """Take the queues that are due now; False when that has to be tried again soon."""
        done = True
        for topic in self._topics:
            try:
                route = await self._instance.routes.find(topic)
                await self._instance.heartbeats.introduce(all_addresses(route))
                done = await self._share(topic, route) and done
            except RequestFailed as error:
                log.debug("%s: %s", topic, error)
                done = done and topic.startswith(RETRY_PREFIX)  # which may come later, or never
            except BrokerPyError as error:
                log.warning("group %s: %s", self._data.group_name, error)
                self._instance.routes.renew(topic)
                done = False
        return done

    async def _share(self, topic: str, route: TopicRoute) -> bool:
        """Give up the queues that are others' now, and begin with those that are ours."""
        queues = readable_queues(topic, route)
        if self._data.message_model == BROADCASTING:
            ours = set(queues)
        else:
            ours = set(self._allocate(queues, await self._members(route), self._instance.client_id))
        held = set(self._holder.held)
        lost = {queue for queue in held if queue.topic == topic and queue not in ours}
        await self._holder.give_up(sorted(lost))
        return await self._holder.take(sorted(ours - held)) and lost.isdisjoint(self._holder.held)

    async def _members(self, route: TopicRoute) -> list[str]:
        """Return the client ids of the group, from the first broker that knows this member too.

        By the list of one that did not hear our heartbeat we would give up all queues.
        """
        failure: BrokerPyError = Unreachable("the route names no broker")
        header = ConsumerGroupRequest(consumer_group=self._data.group_name)
        for address in all_addresses(route):
            request = Command(RequestCode.GET_CONSUMER_LIST_BY_GROUP, encode_header(header))
            try:
                fields = object_of(await self._instance.remoting.request(address, request, TIMEOUT_SECONDS))
                members = [str(member) for member in list_of(fields, "consumerIdList")]
                if self._instance.client_id in members:
                    return members
                failure = Unreachable(f"{address} has not heard the heartbeat of {self._instance.client_id}")
            except BrokerPyError as error:
                failure = error
            self._instance.heartbeats.forget(address)
        raise failure
