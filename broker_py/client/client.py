"""The entrance: what a client process has, wired together."""

# ruff: noqa: PLC0415  a client imports what it uses: most commands need neither producers nor consumers

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Final

from broker_py.client.instance import Identity, Instance, Tls, plain
from broker_py.model.address import split_addresses
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import ALL_TAGS
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.host import local_ip
from broker_py.seams import Clock
from broker_py.wire.signing import Credentials

if TYPE_CHECKING:
    from broker_py.client.administration import Administration
    from broker_py.client.consuming import Listener, PushOptions
    from broker_py.client.expressions import Expression
    from broker_py.client.group_consumer import GroupConsumer
    from broker_py.client.messages import ReceivedMessage
    from broker_py.client.producer import Producer, ProducerOptions
    from broker_py.client.pull_consumer import PullConsumer, PullOptions
    from broker_py.client.push_consumer import PushConsumer
    from broker_py.client.requests import Requester
    from broker_py.client.transactions import CheckState, TransactionProducer

__all__ = ["Client", "Identity"]

# Clients of one process that are made in the same millisecond have different ids.
_NUMBERS: Final = count()
_PER_MS: Final = 1000


class Client:
    """Connections to name servers and brokers, and all that is done over them. An asynchronous context manager.

    `namesrv` are addresses "host:port;host:port" (ConfigError when one is none). Topics and groups are those of
    `namespace`, if one is given. With `credentials` requests are signed; `tls` gives what connections are encrypted
    with, if they are. Producers and consumers are left before their client.
    """

    def __init__(
        self,
        namesrv: str | tuple[str, ...],
        identity: Identity | None = None,
        clock: Clock | None = None,
        *,
        namespace: str = "",
        credentials: Credentials | None = None,
        tls: Tls = plain,
    ) -> None:
        clock = clock or SystemClock()
        addresses = split_addresses(namesrv) if isinstance(namesrv, str) else namesrv
        if identity is None:
            instance_number = clock.now_ms() * _PER_MS + next(_NUMBERS) % _PER_MS
            identity = Identity(local_ip(addresses), os.getpid(), instance_number)
        self._instance = instance = Instance(addresses, identity, clock, namespace, credentials, tls)
        self.name_servers = instance.name_servers
        self.routes = instance.routes
        self.brokers = instance.brokers
        self.queues = instance.queues
        self.finder = instance.finder

    @property
    def client_id(self) -> str:
        """The name under which brokers know this client."""
        return self._instance.client_id

    def now_ms(self) -> int:
        """Return the client's time."""
        return self._instance.clock.now_ms()

    @cached_property
    def administration(self) -> "Administration":
        """What only tools ask brokers."""
        from broker_py.client.administration import Administration

        return Administration(self._instance.remoting)

    # Producers

    def producer(self, group: str, options: "ProducerOptions | None" = None) -> "Producer":
        """Return a producer of a group."""
        from broker_py.client.producer import Producer

        return Producer(self._instance, group, options)

    def transaction_producer(
        self, group: str, check: "CheckState", options: "ProducerOptions | None" = None
    ) -> "TransactionProducer":
        """Return a producer of messages that depend on local transactions, whose state `check` tells."""
        from broker_py.client.transactions import TransactionProducer

        return TransactionProducer(self._instance, group, check, options)

    def requester(self, group: str, options: "ProducerOptions | None" = None) -> "Requester":
        """Return a producer of messages that are answered."""
        from broker_py.client.requests import Requester

        return Requester(self._instance, group, options)

    # Consumers

    def push_consumer(
        self,
        group: str,
        subscriptions: "Mapping[str, Expression]",
        listener: "Listener",
        options: "PushOptions | None" = None,
    ) -> "PushConsumer":
        """Return this client's member of a consumer group, which hands messages to `listener` as they come."""
        from broker_py.client.push_consumer import PushConsumer

        return PushConsumer(self._instance, group, subscriptions, listener, options)

    def pull_consumer(
        self, group: str, subscriptions: "Mapping[str, Expression] | None" = None, options: "PullOptions | None" = None
    ) -> "PullConsumer":
        """Return a consumer that is asked for messages: of its share of the subscriptions, or of queues it is given."""
        from broker_py.client.pull_consumer import PullConsumer

        return PullConsumer(self._instance, group, subscriptions or {}, options)

    def group_consumer(
        self,
        group: str,
        topic: str,
        on_message: "Callable[[ReceivedMessage], None]",
        expression: "Expression" = ALL_TAGS,
    ) -> "GroupConsumer":
        """Return this client's member of a consumer group, for one topic and without a cache of messages."""
        from broker_py.client.group_consumer import GroupConsumer

        return GroupConsumer(self._instance, group=group, topic=topic, on_message=on_message, expression=expression)

    # Questions

    async def topics(self) -> list[str]:
        """Return the names of all topics, system and retry topics included, sorted."""
        return await self.name_servers.topics()

    async def topic_queues(self, topic: str) -> list[MessageQueue]:
        """Return the queues of a topic that can be read; RequestFailed with code 17 when there is no such topic."""
        return await self.queues.queues(topic)

    async def close(self) -> None:
        """End heartbeats and close the connections."""
        await self._instance.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
