"""A name server and brokers in a thread of their own, for tests of asynchronous clients and of commands alike."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from broker_py.client.client import Client, Identity
from broker_py.errors import RequestRefused
from broker_py.model.route import BrokerData, ClusterInfo, QueueData, TopicRoute
from broker_py.seams import Clock
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from tests.support.clock import ManualClock
from tests.unit.client.fake_broker import FakeBroker, FakeServer, json_reply
from tests.unit.client.fake_store import FakeStore


class FakeNameServer(FakeServer):
    """Knows its brokers without being told."""

    def __init__(self, brokers: list[FakeBroker]) -> None:
        super().__init__()
        self._brokers = brokers
        self.order_conf: dict[str, str] = {}
        # What it shows instead of the brokers' own, when it has not heard of that yet.
        self.permission_shown: int | None = None
        self.write_queues_shown: int | None = None
        self.forgotten: list[str] = []
        self.on(RequestCode.GET_ROUTEINFO_BY_TOPIC, None, self._route)
        self.on(RequestCode.GET_BROKER_CLUSTER_INFO, None, lambda *_: json_reply(self._cluster().to_json()))
        self.on(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, None, self._topics)
        self.on(RequestCode.DELETE_TOPIC_IN_NAMESRV, None, self._forget)
        self.on(RequestCode.WIPE_WRITE_PERM_OF_BROKER, None, self._wipe)
        self.on(RequestCode.ADD_WRITE_PERM_OF_BROKER, None, self._add)
        self.on(RequestCode.PUT_KV_CONFIG, None, self._put_kv)
        self.on(RequestCode.GET_KV_CONFIG, None, self._get_kv)
        self.on(RequestCode.DELETE_KV_CONFIG, None, self._delete_kv)

    def forget(self, broker: FakeBroker) -> None:
        """Know a broker no more."""
        self._brokers.remove(broker)

    def _cluster(self) -> ClusterInfo:
        names = dict.fromkeys(broker.name for broker in self._brokers)
        clusters: dict[str, tuple[str, ...]] = {}
        for broker in self._brokers:
            clusters[broker.cluster] = tuple(dict.fromkeys((*clusters.get(broker.cluster, ()), broker.name)))
        return ClusterInfo(brokers={name: self._data(name) for name in names}, clusters=clusters)

    def _data(self, name: str) -> BrokerData:
        own = [broker for broker in self._brokers if broker.name == name]
        addresses = {broker.broker_id: broker.address for broker in own}
        return BrokerData(cluster=own[0].cluster, broker_name=name, broker_addrs=addresses)

    def _route(self, _header: None, command: Command, *_: Any) -> Reply:
        topic = command.ext["topic"]
        stores = {broker.name: broker.store for broker in self._brokers if topic in broker.store.topics}
        if not stores:
            remark = f"No topic route info in name server for the topic: {topic}\nSee a page of ours"
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, remark)
        queues = tuple(
            QueueData(
                broker_name=name,
                read_queue_nums=store.topics[topic].read_queue_nums,
                write_queue_nums=self.write_queues_shown or store.topics[topic].write_queue_nums,
                perm=store.topics[topic].perm & (self.permission_shown or int(store.config["brokerPermission"])),
            )
            for name, store in stores.items()
        )
        return json_reply(TopicRoute(queue_datas=queues, broker_datas=tuple(map(self._data, stores))).to_json())

    def _topics(self, *_: Any) -> Reply:
        return json_reply({"topicList": sorted({topic for broker in self._brokers for topic in broker.store.topics})})

    def _forget(self, _header: None, command: Command, *_: Any) -> Reply:
        self.forgotten.append(f"{command.ext['topic']} of {command.ext['clusterName']}")
        return Reply()

    def _set_perm(self, command: Command, *, add: int, keep: int) -> str:
        """Return how many topics a broker has: none where there is no such broker."""
        named = [each.store for each in self._brokers if each.name == command.ext["brokerName"]]
        return str(named[0].set_perm(add=add, keep=keep)) if named else "0"

    def _wipe(self, _header: None, command: Command, *_: Any) -> Reply:
        return Reply(ext={"wipeTopicCount": self._set_perm(command, add=0, keep=~2)})

    def _add(self, _header: None, command: Command, *_: Any) -> Reply:
        return Reply(ext={"addTopicCount": self._set_perm(command, add=6, keep=0)})

    def _put_kv(self, _header: None, command: Command, *_: Any) -> Reply:
        self.order_conf[command.ext["key"]] = command.ext["value"]
        return Reply()

    def _get_kv(self, _header: None, command: Command, *_: Any) -> Reply:
        value = self.order_conf.get(command.ext["key"])
        return Reply(ResponseCode.QUERY_NOT_FOUND) if value is None else Reply(ext={"value": value})

    def _delete_kv(self, _header: None, command: Command, *_: Any) -> Reply:
        self.order_conf.pop(command.ext["key"], None)
        return Reply()


class FakeCluster:
    """One name server, broker-a with a slave, and broker-b, in cluster C. A context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.store_a, self.store_b = FakeStore(), FakeStore()
        self.a: FakeBroker
        self.b: FakeBroker
        self.slave: FakeBroker
        self.name_server: FakeNameServer

    @property
    def namesrv(self) -> str:
        """Address of the name server."""
        return self.name_server.address

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on the servers' loop."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        self.a = FakeBroker("broker-a", self.store_a)
        self.slave = FakeBroker("broker-a", self.store_a, broker_id=1)
        self.b = FakeBroker("broker-b", self.store_b)
        self.name_server = FakeNameServer([self.a, self.slave, self.b])
        for server in self.servers:
            await server.start()

    @property
    def servers(self) -> list[FakeServer]:
        """All servers."""
        return [self.a, self.slave, self.b, self.name_server]

    def __enter__(self) -> "FakeCluster":
        self._thread.start()
        self.do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        async def stop() -> None:
            for server in self.servers:
                await server.stop()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.do(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def client(self, clock: Clock | None = None, instance: int = 1) -> Client:
        """Return a client of this cluster."""
        return Client((self.namesrv,), Identity("10.0.0.9", 77, instance), clock or ManualClock())

    def ask(self, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
        """Return what a coroutine over a client of this cluster returns."""

        async def main() -> Any:
            async with self.client() as client:
                return await asyncio.wait_for(work(client), 20)

        return asyncio.run(main())
