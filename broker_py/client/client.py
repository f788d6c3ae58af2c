"""What a client process has, wired together."""

from collections.abc import Callable
from dataclasses import dataclass
from random import randrange
from types import TracebackType

from broker_py.client.administration import Administration
from broker_py.client.brokers import Brokers
from broker_py.client.group_consumer import GroupConsumer
from broker_py.client.message_finder import MessageFinder
from broker_py.client.messages import ReceivedMessage
from broker_py.client.name_servers import NameServers
from broker_py.client.producer import Producer
from broker_py.client.queue_reader import QueueReader
from broker_py.client.routes import Routes
from broker_py.message.ids import UniqueIds
from broker_py.model.subscription import ALL_TAGS
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.router import Router
from broker_py.seams import Clock


@dataclass(frozen=True)
class Identity:
    """Who a client is: its address, its process, and a number that tells instances in one process apart."""

    ip: str
    pid: int
    instance: int

    @property
    def client_id(self) -> str:
        """The name under which brokers know the client (client ClientConfig.buildMQClientId)."""
        return f"{self.ip}@{self.pid}#{self.instance}"


class Client:
    """Connections, and what is done over them. An asynchronous context manager that closes them."""

    def __init__(self, name_servers: tuple[str, ...], identity: Identity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._router = Router()
        self._remoting = RemotingClient(self._router)
        first = randrange(len(name_servers)) if name_servers else 0  # noqa: S311  to spread load
        self.name_servers = NameServers(self._remoting, name_servers, first)
        self.routes = Routes(self.name_servers, clock)
        self.brokers = Brokers(self._remoting)
        self.administration = Administration(self._remoting)
        self.queues = QueueReader(self._remoting, self.routes)
        self.finder = MessageFinder(self._remoting, self.routes)

    def now_ms(self) -> int:
        """Return the client's time."""
        return self._clock.now_ms()

    def producer(self, group: str) -> Producer:
        """Return a producer of a group."""
        identity = self._identity
        ids = UniqueIds(identity.ip, identity.pid, identity.instance, self._clock)
        return Producer(self._remoting, self.routes, ids, self._clock, group)

    def group_consumer(
        self, group: str, topic: str, on_message: Callable[[ReceivedMessage], None], expression: str = ALL_TAGS
    ) -> GroupConsumer:
        """Return this client's member of a consumer group, of which it can have one."""
        return GroupConsumer(
            self._remoting,
            self._router,
            self.routes,
            self.queues,
            self._identity.client_id,
            group=group,
            topic=topic,
            on_message=on_message,
            expression=expression,
            sub_version=self._clock.now_ms(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._remoting.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
