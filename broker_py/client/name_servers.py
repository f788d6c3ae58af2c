"""The name servers of a client: one is asked until it fails, then the next (client impl/MQClientAPIImpl)."""

from typing import Final

from broker_py.client.replies import object_of, properties_of
from broker_py.errors import ConfigError, ProtocolError, Unreachable
from broker_py.model.fields import list_of
from broker_py.model.java_properties import format_property
from broker_py.model.route import ClusterInfo, TopicRoute
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import NO_BODY, Command

TIMEOUT_SECONDS: Final = 5.0


class NameServers:
    """What name servers tell, and what they can be told.

    They don't talk to one another: questions go to one of them, changes must go to each (`address` arguments).
    `first` is the index to begin with; clients choose it at random. Besides the errors named, every method raises
    Unreachable and RequestFailed, and ConfigError when there is no name server at all.
    """

    def __init__(self, remoting: RemotingClient, addresses: tuple[str, ...], first: int = 0) -> None:
        self._remoting = remoting
        self._current = first
        self.addresses = addresses

    def apart(self) -> "list[NameServers]":
        """Return each name server alone, as they may give different answers."""
        return [NameServers(self._remoting, (address,)) for address in self.addresses]

    async def _ask(self, command_code: int, ext: dict[str, str] | None = None) -> Command:
        """Return the answer of the first that gives one, round robin from the one that answered last."""
        if not self.addresses:
            raise ConfigError("no name server is given (option -n, or NAMESRV_ADDR in the environment)")
        failures: list[str] = []
        for _ in self.addresses:
            address = self.addresses[self._current % len(self.addresses)]
            try:
                return await self._remoting.request(address, Command(command_code, ext), TIMEOUT_SECONDS)
            except Unreachable as error:
                failures.append(str(error))
                self._current += 1
        if len(failures) == 1:
            raise Unreachable(failures[0])
        raise Unreachable(f"no name server answers: {'; '.join(failures)}")

    async def _tell(self, address: str, command_code: int, ext: dict[str, str], body: bytes = NO_BODY) -> Command:
        return expect_success(await self._remoting.request(address, Command(command_code, ext, body), TIMEOUT_SECONDS))

    async def route(self, topic: str) -> TopicRoute:
        """Return the route of a topic; RequestFailed with code 17 when it has none."""
        return TopicRoute.from_json(object_of(await self._ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})))

    async def cluster_info(self) -> ClusterInfo:
        """Return all brokers."""
        return ClusterInfo.from_json(object_of(await self._ask(RequestCode.GET_BROKER_CLUSTER_INFO)))

    async def topics(self) -> list[str]:
        """Return the names of all topics, system and retry topics included, sorted."""
        fields = object_of(await self._ask(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER))
        return sorted(str(topic) for topic in list_of(fields, "topicList"))

    async def config(self, address: str) -> dict[str, str]:
        """Return a name server's properties."""
        return properties_of(await self._tell(address, RequestCode.GET_NAMESRV_CONFIG, {}), address)

    async def update_config(self, address: str, changes: dict[str, str]) -> None:
        """Change a name server's properties while it runs."""
        text = "".join(format_property(name, value) + "\n" for name, value in changes.items())
        await self._tell(address, RequestCode.UPDATE_NAMESRV_CONFIG, {}, text.encode())

    async def kv_config(self, namespace: str, key: str) -> str | None:
        """Return a value that was put under a key, or None."""
        reply = await self._ask(RequestCode.GET_KV_CONFIG, {"namespace": namespace, "key": key})
        return None if reply.code == ResponseCode.QUERY_NOT_FOUND else expect_success(reply).ext.get("value")

    async def put_kv_config(self, address: str, namespace: str, key: str, value: str) -> None:
        """Put a value under a key."""
        ext = {"namespace": namespace, "key": key, "value": value}
        await self._tell(address, RequestCode.PUT_KV_CONFIG, ext)

    async def delete_kv_config(self, address: str, namespace: str, key: str) -> None:
        """Forget what was put under a key, if anything was."""
        await self._tell(address, RequestCode.DELETE_KV_CONFIG, {"namespace": namespace, "key": key})

    async def delete_topic(self, address: str, topic: str, cluster: str) -> None:
        """Forget a topic's queues on the brokers of one cluster."""
        await self._tell(address, RequestCode.DELETE_TOPIC_IN_NAMESRV, {"topic": topic, "clusterName": cluster})

    async def wipe_write_perm(self, address: str, broker_name: str) -> int:
        """Take write permission from a broker's topics in the routes given out; return how many topics."""
        reply = await self._tell(address, RequestCode.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": broker_name})
        return _count(reply, "wipeTopicCount")

    async def add_write_perm(self, address: str, broker_name: str) -> int:
        """Undo `wipe_write_perm`; return how many topics."""
        reply = await self._tell(address, RequestCode.ADD_WRITE_PERM_OF_BROKER, {"brokerName": broker_name})
        return _count(reply, "addTopicCount")


def _count(reply: Command, field: str) -> int:
    text = reply.ext.get(field, "")
    if not text.isdecimal():
        raise ProtocolError(f"an answer can't be read: the field {field} is '{text[:32]}', not a number")
    return int(text)
