"""Keeping name servers told."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from broker_py.broker import registration
from broker_py.broker.config import BrokerRole
from broker_py.broker.registration import Master, Registration
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import TopicConfig
from broker_py.remoting.client import RemotingClient
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Reply
from broker_py.wire.register_body import body_crc32, decode_register_body
from tests.unit.broker.name_server import MemoryNameServer
from tests.unit.broker.site import CONFIG


class Scene:
    """A registration with some name servers."""

    def __init__(self, *addresses: str, **broker: Any) -> None:
        self.topics = {"T": TopicConfig(topic_name="T")}
        self.masters: list[Master] = []
        self.config = replace(CONFIG, namesrv_addr=addresses, **broker)
        self.client = RemotingClient(on_close=self._lost)
        self.registration = Registration(
            self.config, 10_912, self.client, lambda: (self.topics, DataVersion(1, 2)), self.masters.append
        )

    def _lost(self, address: str) -> None:
        self.registration.lost(address)

    async def stop(self) -> None:
        await self.registration.stop()
        await self.client.close()


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_every_name_server_is_told_who_the_broker_is_and_what_it_has() -> None:
    async def scenario() -> None:
        servers = [await MemoryNameServer().start() for _ in range(2)]
        scene = Scene(*(server.address for server in servers))
        scene.registration.start()
        for server in servers:
            await server.wait_for(lambda server=server: bool(server.told))  # type: ignore[misc]
            command = server.told[0]
            assert command.ext == {
                "brokerName": "broker-a",
                "brokerAddr": "192.168.56.11:10911",
                "clusterName": "DefaultCluster",
                "haServerAddr": "192.168.56.11:10912",
                "brokerId": "0",
                "compressed": "false",
                "bodyCrc32": str(body_crc32(command.body)),
            }
            body = decode_register_body(command.body, compressed=False, version=433)
            assert (body.topics, body.data_version) == (scene.topics, DataVersion(1, 2))
        await scene.stop()
        for server in servers:
            await server.stop()

    play(scenario)


def test_a_change_is_told_at_once() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        scene = Scene(server.address)
        scene.registration.start()
        await server.wait_for(lambda: bool(server.told))
        scene.topics["New"] = TopicConfig(topic_name="New")
        scene.registration.changed()
        await server.wait_for(lambda: b'"New"' in server.told[-1].body)
        await scene.stop()
        await server.stop()

    play(scenario)


def test_registration_is_repeated_at_its_period() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        scene = Scene(server.address, register_name_server_period=1)
        scene.registration.start()
        await server.wait_for(lambda: len(server.registrations) >= 3)
        await scene.stop()
        await server.stop()

    play(scenario)


def test_a_name_server_that_comes_back_is_told_within_a_second() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        scene = Scene(server.address)
        scene.registration.start()
        await server.wait_for(lambda: bool(server.told))
        await server.stop()
        server.told.clear()
        await server.start()
        back = asyncio.get_running_loop().time()
        await server.wait_for(lambda: bool(server.told))
        assert asyncio.get_running_loop().time() - back < 1.0
        await scene.stop()
        await server.stop()

    play(scenario)


def test_a_dead_name_server_delays_nobody_and_is_tried_again() -> None:
    async def scenario() -> None:
        server, late = await MemoryNameServer().start(), MemoryNameServer()
        late.port = closed_port()
        scene = Scene(late.address, server.address)
        scene.registration.start()
        await server.wait_for(lambda: bool(server.told))
        await late.start()
        await late.wait_for(lambda: bool(late.told))
        await scene.stop()
        await server.stop()
        await late.stop()

    play(scenario)


def test_a_name_server_that_never_answers_delays_nobody() -> None:
    async def scenario() -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            server = await MemoryNameServer().start()
            scene = Scene(f"127.0.0.1:{deaf.getsockname()[1]}", server.address)
            scene.registration.start()
            await server.wait_for(lambda: bool(server.told))
            await scene.stop()
            await server.stop()

    play(scenario)


def test_an_address_that_can_not_be_one_does_not_end_the_trying() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        scene = Scene("..:1", server.address)
        scene.registration.start()
        await server.wait_for(lambda: bool(server.told))
        for _ in range(100):
            await asyncio.sleep(0)
        tasks = [task for task in asyncio.all_tasks() if "_keep_told" in repr(task.get_coro())]
        assert len(tasks) == 2
        await scene.stop()
        await server.stop()

    play(scenario)


def test_a_name_server_that_refuses_is_tried_again() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        server.reply = Reply(1, "not now")
        scene = Scene(server.address)
        scene.registration.start()
        await server.wait_for(lambda: len(server.told) == 1)
        await server.wait_for(lambda: len(server.told) == 2)
        await scene.stop()
        assert all(command.code == RequestCode.REGISTER_BROKER for command in server.told)
        await server.stop()

    play(scenario)


def test_a_broker_that_stops_leaves_all_name_servers() -> None:
    async def scenario() -> None:
        servers = [await MemoryNameServer().start() for _ in range(2)]
        scene = Scene(*(server.address for server in servers))
        scene.registration.start()
        for server in servers:
            await server.wait_for(lambda server=server: bool(server.told))  # type: ignore[misc]
        await asyncio.sleep(0)
        await scene.stop()
        for server in servers:
            last = server.told[-1]
            assert last.code == RequestCode.UNREGISTER_BROKER
            assert last.ext["brokerAddr"] == "192.168.56.11:10911"
            await server.stop()

    play(scenario)


def test_a_dead_name_server_does_not_keep_a_broker_from_stopping() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        scene = Scene(server.address)
        scene.registration.start()
        await server.wait_for(lambda: bool(server.told))
        await server.stop()
        await scene.stop()

    play(scenario)


def test_a_changed_list_of_name_servers_is_followed() -> None:
    async def scenario() -> None:
        old, new = await MemoryNameServer().start(), await MemoryNameServer().start()
        scene = Scene(old.address, register_name_server_period=1)
        scene.registration.start()
        await old.wait_for(lambda: bool(old.told))
        scene.registration.configure(replace(scene.config, namesrv_addr=(new.address,)))
        await new.wait_for(lambda: bool(new.told))
        told = len(old.told)
        await new.wait_for(lambda: len(new.told) > 5)
        assert len(old.told) <= told + 1, "one registration may have been on its way"
        await scene.stop()
        await old.stop()
        await new.stop()

    play(scenario)


def test_a_slave_hears_of_its_master() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        scene = Scene(server.address, broker_role=BrokerRole.SLAVE, broker_id=1)
        scene.registration.start()
        await server.wait_for(lambda: bool(server.told))
        server.reply = Reply(ext={})
        scene.registration.changed()
        await server.wait_for(lambda: len(server.told) == 2)
        await scene.stop()
        assert scene.masters[0] == Master("10.0.0.1:10911", "10.0.0.1:10912")
        assert scene.masters[1:] in ([], [Master(None, None)])
        await server.stop()

    play(scenario)


def test_a_master_asks_for_none() -> None:
    async def scenario() -> None:
        server = await MemoryNameServer().start()
        scene = Scene(server.address)
        scene.registration.start()
        await server.wait_for(lambda: bool(server.told))
        await scene.stop()
        assert scene.masters == []
        await server.stop()

    play(scenario)


def test_reconnects_are_tried_twice_a_second() -> None:
    assert registration.RECONNECT_SECONDS <= 0.5
