"""Where a topic's queues are in the cluster, as the name servers say (broker topic/TopicRouteInfoManager)."""

from collections.abc import Callable
from typing import Final

from broker_py.errors import BrokerPyError
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import TopicRoute
from broker_py.model.topic import PERM_READ
from broker_py.remoting.client import RemotingClient
from broker_py.seams import Clock
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads_object

_KEEP_SECONDS: Final = 30.0
_KEEP_UNKNOWN_SECONDS: Final = 3.0
_TIMEOUT_SECONDS: Final = 3.0
_MAX_TOPICS: Final = 10_000


class TopicQueues:
    """Asks for routes and remembers them for a while, unknown ones for a shorter while."""

    def __init__(self, client: RemotingClient, name_servers: Callable[[], tuple[str, ...]], clock: Clock) -> None:
        self._client = client
        self._name_servers = name_servers
        self._clock = clock
        self._known: dict[str, tuple[float, list[MessageQueue] | None]] = {}

    async def queues(self, topic: str) -> list[MessageQueue] | None:
        """Return the queues that may be read; None when no name server knows the topic."""
        now = self._clock.monotonic()
        known = self._known.get(topic)
        if known is not None and now < known[0]:
            return known[1]
        queues = await self._ask(topic)
        if len(self._known) >= _MAX_TOPICS:
            self._known.clear()
        self._known[topic] = now + (_KEEP_UNKNOWN_SECONDS if queues is None else _KEEP_SECONDS), queues
        return queues

    async def _ask(self, topic: str) -> list[MessageQueue] | None:
        for address in self._name_servers():
            command = Command(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": topic, "acceptStandardJsonOnly": "true"})
            try:
                reply = await self._client.request(address, command, _TIMEOUT_SECONDS)
                if reply.code == ResponseCode.SUCCESS:
                    return _readable(topic, TopicRoute.from_json(loads_object(reply.body)))
            except (BrokerPyError, OSError, ValueError):
                continue
        return None


def _readable(topic: str, route: TopicRoute) -> list[MessageQueue]:
    return sorted(
        MessageQueue(topic, data.broker_name, queue_id)
        for data in route.queue_datas
        if data.perm & PERM_READ
        for queue_id in range(data.read_queue_nums)
    )
