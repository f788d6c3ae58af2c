"""What the producers and consumers of one client share (client impl/factory/MQClientInstance)."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from random import randrange

from broker_py.client.broker_requests import BrokerRequests
from broker_py.client.brokers import Brokers
from broker_py.client.heartbeats import Heartbeats
from broker_py.client.message_finder import MessageFinder
from broker_py.client.name_servers import NameServers
from broker_py.client.queue_reader import QueueReader
from broker_py.client.routes import Routes
from broker_py.message.ids import UniqueIds
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.router import Router
from broker_py.seams import Clock
from broker_py.wire.signing import Credentials

Tls = Callable[[], ssl.SSLContext | None]
"""What a new connection is encrypted with, None for nothing."""


def plain() -> ssl.SSLContext | None:
    """Encrypt nothing."""
    return None


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


class Instance:
    """Connections, and what is known and told over them. All requests of a client leave through `remoting`."""

    def __init__(
        self,
        name_servers: tuple[str, ...],
        identity: Identity,
        clock: Clock,
        namespace: str,
        credentials: Credentials | None = None,
        tls: Tls = plain,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.namespace = namespace
        self.requests = BrokerRequests(Router())
        self.remoting = RemotingClient(self.requests.router, on_close=self._lost, credentials=credentials, tls=tls)
        first = randrange(len(name_servers)) if name_servers else 0  # noqa: S311  to spread load
        self.name_servers = NameServers(self.remoting, name_servers, first)
        self.routes = Routes(self.name_servers, clock)
        self.brokers = Brokers(self.remoting)
        self.queues = QueueReader(self.remoting, self.routes)
        self.finder = MessageFinder(self.remoting, self.routes)
        self.ids = UniqueIds(identity.ip, identity.pid, identity.instance, clock)
        self.heartbeats = Heartbeats(self.remoting, self.routes, identity.client_id)
        self._watchers: dict[object, Callable[[str], None]] = {}

    @property
    def client_id(self) -> str:
        """The name under which brokers know the client."""
        return self.identity.client_id

    def watch(self, who: object, lost: Callable[[str], None]) -> None:
        """Have `lost` called with the address of each connection that is lost, until `who` is unwatched."""
        self._watchers[who] = lost

    def unwatch(self, who: object) -> None:
        """Call it no more."""
        self._watchers.pop(who, None)

    def _lost(self, address: str) -> None:
        self.heartbeats.forget(address)
        for lost in list(self._watchers.values()):
            lost(address)

    async def close(self) -> None:
        """End the heartbeats and close the connections."""
        await self.heartbeats.close()
        await self.remoting.close()
