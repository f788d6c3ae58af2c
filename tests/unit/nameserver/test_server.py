"""A name server as brokers, clients and tools meet it: every request code, over a socket."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from broker_py.errors import ConfigError
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import TopicConfig
from broker_py.nameserver.config import NameserverConfig
from broker_py.nameserver.server import NameServer
from broker_py.remoting.config import ServerConfig
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.seams import read_file
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.register_body import RegisterBody, body_crc32
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles
from tests.support.remoting import PATIENCE_SECONDS, RawClient, connect, serving
from tests.support.vectors import java_remoting

KV_PATH = "/namesrv/kvConfig.json"
ACTING = {"enableActingMaster": "true"}


class Settings:
    """Settings of which only `enableTopicList` may be changed."""

    def __init__(self, **values: Any) -> None:
        self._config = replace(NameserverConfig(listen_port=0, kv_config_path=KV_PATH), **values)

    def current(self) -> NameserverConfig:
        return self._config

    def text(self, names: Collection[str] | None = None) -> str:
        text = {"enableTopicList": str(self._config.enable_topic_list).lower(), "listenPort": "0"}
        return "".join(f"{name}={value}\n" for name, value in text.items() if names is None or name in names)

    def update(self, text: str) -> None:
        name, _, value = text.strip().partition("=")
        if name != "enableTopicList":
            raise ConfigError(f"{name} can't be changed")
        self._config = replace(self._config, enable_topic_list=value == "true")


class Site:
    """A running name server, its clock, its files, and as many clients as a test wants."""

    def __init__(self, server: NameServer, port: int, clock: ManualClock, files: MemoryFiles) -> None:
        self.server = server
        self.port = port
        self.clock = clock
        self.files = files
        self._clients: list[RawClient] = []

    async def connect(self) -> RawClient:
        """Return a new connection, which stays open until the end."""
        client = await connect(self.port)
        self._clients.append(client)
        return client

    async def ask(self, code: int, body: bytes = b"", version: int = 433, /, **ext: str) -> Command:
        """Send a request on a connection of its own, and return its reply."""
        client = await connect(self.port)
        reply = await client.ask(Command(code, ext, body, version=version))
        client.close()
        return reply

    async def json(self, code: int, /, **ext: str) -> Any:
        """Return the body of a reply that says success."""
        reply = await self.ask(code, **ext)
        assert reply.code == 0, reply.remark
        return json.loads(reply.body)


@asynccontextmanager
async def site(**values: Any) -> AsyncIterator[Site]:
    clock, files = ManualClock(), MemoryFiles()
    server = NameServer(Settings(**values), ServerConfig(bind_address="127.0.0.1"), clock, files)
    port = await server.start()
    try:
        yield Site(server, port, clock, files)
    finally:
        await server.stop()


def play(scenario: Callable[[Site], Coroutine[Any, Any, None]], **values: Any) -> None:
    """Run a scenario against a name server with these properties."""

    async def run() -> None:
        async with site(**values) as where:
            await scenario(where)

    asyncio.run(run())


def register(
    name: str = "broker-a",
    broker_id: int = 0,
    address: str = "",
    topics: tuple[str, ...] = ("T", "U"),
    sys_flag: int = 0,
    changes: dict[str, str] | None = None,
) -> Command:
    address = address or f"10.0.0.{broker_id}:10911"
    table = {topic: TopicConfig(topic_name=topic, topic_sys_flag=sys_flag) for topic in topics}
    body = RegisterBody(data_version=DataVersion(1, 2), topics=table).encode()
    fields = {
        "brokerName": name,
        "brokerAddr": address,
        "clusterName": "C",
        "haServerAddr": address.replace("10911", "10912"),
        "brokerId": str(broker_id),
        "enableActingMaster": "false",
        "compressed": "false",
        "bodyCrc32": str(body_crc32(body)),
    }
    return Command(RequestCode.REGISTER_BROKER, fields | (changes or {}), body)


async def registered(where: Site, command: Command) -> RawClient:
    """Return the connection on which a broker has registered."""
    client = await where.connect()
    reply = await client.ask(command)
    assert reply.code == 0, reply.remark
    return client


async def eventually(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    """Return when something that another connection causes has happened."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"


# Registration


def test_a_registration_of_java_is_taken_and_its_topics_are_routed() -> None:
    async def scenario(where: Site) -> None:
        command = register()
        command.body = java_remoting("register-body-plain")
        command.ext["bodyCrc32"] = str(body_crc32(command.body))
        await registered(where, command)
        route = await where.json(105, topic="TopicTest")
        assert route["brokerDatas"][0]["brokerAddrs"] == {"0": "10.0.0.0:10911"}
        assert route["queueDatas"][0]["writeQueueNums"] == 8

    play(scenario)


def test_a_compressed_registration_is_taken_where_its_header_says_so() -> None:
    async def scenario(where: Site) -> None:
        command = register(changes={"compressed": "true", "bodyCrc32": "0"})
        command.body = java_remoting("register-body-compressed")
        await registered(where, command)
        assert (await where.ask(105, topic="TopicTest")).code == 0

    play(scenario)


def test_a_registration_of_4_9_without_the_fields_of_5_is_taken() -> None:
    async def scenario(where: Site) -> None:
        command = register()
        del command.ext["enableActingMaster"]
        command.version = 399
        await registered(where, command)
        assert (await where.ask(105, b"", 399, topic="T")).code == 0

    play(scenario)


@pytest.mark.parametrize(
    ("changes", "body", "remark"),
    [
        ({"bodyCrc32": "1"}, None, "crc32 not match"),
        ({"bodyCrc32": "0"}, b"{", "body is not JSON"),
        ({"bodyCrc32": "0", "compressed": "true"}, b"{}", "can't be unpacked"),
        ({"brokerId": "first"}, None, "brokerId is 'first', not a number"),
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(
    changes: dict[str, str], body: bytes | None, remark: str
) -> None:
    async def scenario(where: Site) -> None:
        command = register(changes=changes)
        command.body = command.body if body is None else body
        reply = await (await where.connect()).ask(command)
        assert reply.code == 1
        assert remark in (reply.remark or "")

    play(scenario)


def test_a_new_broker_with_one_topic_is_refused() -> None:
    async def scenario(where: Site) -> None:
        reply = await (await where.connect()).ask(register(topics=("T",)))
        assert (reply.code, reply.remark) == (1, "register broker failed")

    play(scenario)


def test_a_slave_is_told_its_master() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        reply = await (await where.connect()).ask(register(broker_id=1))
        assert reply.ext == {"masterAddr": "10.0.0.0:10911", "haServerAddr": "10.0.0.0:10912"}
        assert (await (await where.connect()).ask(register())).ext == {}

    play(scenario)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_order_of_topics_goes_along_with_the_reply(wanted: bool) -> None:
    async def scenario(where: Site) -> None:
        assert (await (await where.connect()).ask(register())).body == b""
        await where.ask(100, namespace="ORDER_TOPIC_CONFIG", key="T", value="broker-a:4")
        reply = await (await where.connect()).ask(register())
        assert reply.body == (b'{"table":{"T":"broker-a:4"}}' if wanted else b"")

    play(scenario, return_order_topic_config_to_broker=wanted)


def test_a_broker_that_unregisters_is_gone() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        reply = await where.ask(104, brokerName="broker-a", brokerAddr="10.0.0.0:10911", clusterName="C", brokerId="0")
        assert reply.code == 0
        assert (await where.ask(105, topic="T")).code == 17

    play(scenario)


def test_a_broker_is_gone_at_once_when_its_connection_is() -> None:
    async def scenario(where: Site) -> None:
        client = await registered(where, register())
        assert (await where.ask(105, topic="T")).code == 0
        client.close()

        async def gone() -> bool:
            return (await where.ask(105, topic="T")).code == 17

        await eventually(gone)

    play(scenario)


def test_a_silent_broker_is_removed_and_its_connection_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(where: Site) -> None:
        client = await registered(where, register())
        where.clock.advance(120_001)
        where.server.expire()
        assert await client.receive() is None
        assert (await where.ask(105, topic="T")).code == 17

    with caplog.at_level(logging.INFO):
        play(scenario)
    assert "broker-a (id 0) at 10.0.0.0:10911 left: nothing was heard of it for too long" in caplog.messages
    assert "broker-a (id 0) registered from 10.0.0.0:10911 with 2 topics" in caplog.messages


def test_the_server_looks_for_silent_brokers_by_itself() -> None:
    async def scenario(where: Site) -> None:
        client = await registered(where, register())
        where.clock.advance(120_001)
        assert await client.receive() is None

    play(scenario, scan_not_active_broker_interval=10)


def test_heartbeats_and_version_queries_keep_a_broker_alive() -> None:
    who = {"brokerName": "broker-a", "brokerAddr": "10.0.0.0:10911", "clusterName": "C", "brokerId": "0"}

    async def scenario(where: Site) -> None:
        await registered(where, register())
        for code, body in ((904, b""), (322, b'{"counter":2,"stateVersion":0,"timestamp":1}')):
            where.clock.advance(100_000)
            assert (await where.ask(code, body, **who)).code == 0
            where.server.expire()
        assert (await where.ask(105, topic="T")).code == 0

    play(scenario)


@pytest.mark.parametrize(("counter", "changed"), [(2, "false"), (3, "true")])
def test_a_broker_may_ask_whether_its_version_is_known(counter: int, changed: str) -> None:
    who = {"brokerName": "broker-a", "brokerAddr": "10.0.0.0:10911", "clusterName": "C", "brokerId": "0"}

    async def scenario(where: Site) -> None:
        await registered(where, register())
        reply = await where.ask(322, json.dumps({"counter": counter, "timestamp": 1}).encode(), **who)
        assert reply.ext == {"changed": changed}
        assert json.loads(reply.body) == {"counter": 2, "stateVersion": 0, "timestamp": 1}

    play(scenario)


def test_the_version_of_an_unknown_broker_has_changed_and_there_is_none_to_show() -> None:
    async def scenario(where: Site) -> None:
        reply = await where.ask(322, b"{}", brokerName="x", brokerAddr="x:1", clusterName="C", brokerId="0")
        assert (reply.code, reply.ext, reply.body) == (0, {"changed": "true"}, b"")

    play(scenario)


def test_a_member_group_has_javas_form() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register(broker_id=1))
        assert await where.json(901, clusterName="C", brokerName="broker-a") == {
            "brokerMemberGroup": {"brokerAddrs": {"1": "10.0.0.1:10911"}, "brokerName": "broker-a", "cluster": "C"}
        }

    play(scenario)


# Routes


def test_a_route_has_quoted_keys_and_no_blanks_whoever_asks() -> None:
    expected = (
        b'{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.0:10911","1":"10.0.0.1:10911"},"brokerName":"broker-a",'
        b'"cluster":"C","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a",'
        b'"perm":6,"readQueueNums":16,"topicSysFlag":0,"writeQueueNums":16}]}'
    )

    async def scenario(where: Site) -> None:
        await registered(where, register())
        await registered(where, register(broker_id=1))
        for version in (317, 399, 433):
            assert (await where.ask(105, b"", version, topic="T")).body == expected

    play(scenario)


def test_a_topic_without_a_route_is_answered_with_17() -> None:
    async def scenario(where: Site) -> None:
        reply = await where.ask(105, topic="nobody's")
        assert reply.code == 17
        assert reply.remark is not None
        assert reply.remark.startswith("No topic route info in name server for the topic: nobody's\nSee https://")

    play(scenario)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_order_of_a_topic_is_in_its_route_if_enabled(enabled: bool) -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        await where.ask(100, namespace="ORDER_TOPIC_CONFIG", key="T", value="broker-a:4")
        assert (await where.json(105, topic="T")).get("orderTopicConf") == ("broker-a:4" if enabled else None)
        assert "orderTopicConf" not in await where.json(105, topic="U")

    play(scenario, order_message_enable=enabled)


def test_a_name_server_may_wait_before_it_answers_clients() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        reply = await where.ask(105, topic="T")
        assert (reply.code, reply.remark) == (1, "name server not ready")
        where.clock.advance(45_000)
        assert (await where.ask(105, topic="T")).code == 0

    play(scenario, need_wait_for_service=True)


@pytest.mark.parametrize("supported", [True, False])
def test_an_acting_master_is_shown_if_supported(supported: bool) -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register(broker_id=1, changes=ACTING))
        (broker,) = (await where.json(105, topic="T"))["brokerDatas"]
        assert broker["brokerAddrs"] == {"0" if supported else "1": "10.0.0.1:10911"}

    play(scenario, support_acting_master=supported)


def test_a_client_of_a_zone_sees_its_zone() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register("near", address="near:10911", changes={"__ZONE_NAME": "z1"}))
        await registered(where, register("far", address="far:10911", changes={"__ZONE_NAME": "z2"}))
        for zone, seen in (({"__ZONE_MODE": "true", "__ZONE_NAME": "z1"}, ["near"]), ({}, ["near", "far"])):
            route = await where.json(105, topic="T", **zone)
            assert [broker["brokerName"] for broker in route["brokerDatas"]] == seen

    play(scenario)


def test_cluster_info_has_javas_form() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        info = await where.json(106)
        assert info["clusterAddrTable"] == {"C": ["broker-a"]}
        assert info["brokerAddrTable"]["broker-a"]["brokerAddrs"] == {"0": "10.0.0.0:10911"}

    play(scenario)


def test_write_permission_is_wiped_and_given_back() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        assert (await where.ask(205, brokerName="broker-a")).ext == {"wipeTopicCount": "2"}
        assert (await where.json(105, topic="T"))["queueDatas"][0]["perm"] == 4
        assert (await where.ask(327, brokerName="broker-a")).ext == {"addTopicCount": "2"}
        assert (await where.json(105, topic="T"))["queueDatas"][0]["perm"] == 6

    play(scenario)


def test_topics_are_listed() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        assert await where.json(206) == {"topicList": ["T", "U"]}
        assert await where.json(224, cluster="C") == {"topicList": ["T", "U"]}
        assert await where.json(224, cluster="nowhere") == {"topicList": []}
        assert await where.json(304) == {"brokerAddr": "10.0.0.0:10911", "topicList": ["C", "broker-a"]}

    play(scenario)


@pytest.mark.parametrize(("sys_flag", "codes"), [(0, []), (1, [311]), (2, [312, 313]), (3, [311, 312])])
def test_topics_are_listed_by_their_unit_flags(sys_flag: int, codes: list[int]) -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register(sys_flag=sys_flag))
        found = [code for code in (311, 312, 313) if (await where.json(code))["topicList"] == ["T", "U"]]
        assert found == codes

    play(scenario)


def test_lists_may_be_disabled() -> None:
    async def scenario(where: Site) -> None:
        for code in (206, 224, 311, 312, 313):
            reply = await where.ask(code, cluster="C")
            assert (reply.code, reply.remark) == (1, "disable")
        assert (await where.ask(304)).code == 0

    play(scenario, enable_all_topic_list=False, enable_topic_list=False)


def test_a_topic_is_deleted_and_registered_by_hand() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register())
        route = (await where.ask(105, topic="T")).body
        assert (await where.ask(216, topic="T", clusterName="other")).code == 0
        assert (await where.ask(105, topic="T")).code == 0
        assert (await where.ask(216, topic="T", clusterName="C")).code == 0
        assert (await where.ask(105, topic="T")).code == 17
        assert (await where.ask(217, route, topic="T")).code == 0
        assert (await where.ask(105, topic="T")).body == route

    play(scenario)


def test_a_route_of_java_can_be_registered() -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register("b-a"))
        assert (await where.ask(217, java_remoting("route-unquoted"), topic="new")).code == 0
        assert (await where.ask(105, topic="new")).code == 0

    play(scenario)


# Values and properties


def test_values_are_put_read_listed_and_deleted() -> None:
    async def scenario(where: Site) -> None:
        missing = await where.ask(101, namespace="ns", key="k")
        assert (missing.code, missing.remark) == (22, "No config item, Namespace: ns Key: k")
        assert (await where.ask(219, namespace="ns")).code == 22
        assert (await where.ask(100, namespace="ns", key="k", value="v")).code == 0
        assert (await where.ask(101, namespace="ns", key="k")).ext == {"value": "v"}
        assert (await where.ask(219, namespace="ns")).body == b'{"table":{"k":"v"}}'
        assert read_file(where.files, KV_PATH) == b'{"configTable":{"ns":{"k":"v"}}}'
        assert (await where.ask(102, namespace="ns", key="k")).code == 0
        assert (await where.ask(101, namespace="ns", key="k")).code == 22

    play(scenario)


def test_a_value_without_a_key_is_refused() -> None:
    async def scenario(where: Site) -> None:
        reply = await where.ask(100, namespace="ns", value="v")
        assert (reply.code, reply.remark) == (1, "the request lacks the field key")

    play(scenario)


def test_properties_are_shown_and_some_of_them() -> None:
    async def scenario(where: Site) -> None:
        assert (await where.ask(319)).body == b"enableTopicList=true\nlistenPort=0\n"
        assert (await where.ask(47, b'{"keys":["listenPort","unknown"]}')).body == b"listenPort=0\n"

    play(scenario)


def test_a_property_changes_at_once_and_what_may_not_change_is_refused() -> None:
    async def scenario(where: Site) -> None:
        assert (await where.ask(318, b"enableTopicList=false")).code == 0
        assert (await where.ask(224, cluster="C")).remark == "disable"
        reply = await where.ask(318, b"kvConfigPath=/etc/passwd")
        assert (reply.code, reply.remark) == (1, "kvConfigPath can't be changed")

    play(scenario)


def test_a_damaged_file_of_values_stops_the_start() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        files.make_dirs("/namesrv")
        files.open(KV_PATH, create=True).pwrite(b"{", 0)
        server = NameServer(Settings(), ServerConfig(bind_address="127.0.0.1"), ManualClock(), files)
        with pytest.raises(ConfigError, match="is damaged"):
            await server.start()
        await server.stop()

    asyncio.run(scenario())


# Who is the lowest


@pytest.mark.parametrize("wanted", [True, False])
def test_brokers_are_told_of_a_new_lowest_id_if_wanted(wanted: bool) -> None:
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    def note(command: Command, peer: Peer) -> None:
        told.put_nowait(command.ext)

    async def scenario(where: Site) -> None:
        router = Router()
        router.on_command(RequestCode.NOTIFY_MIN_BROKER_ID_CHANGE, note)
        async with serving(router) as slave:
            await registered(where, register(broker_id=1, address=slave.address, changes=ACTING))
            master = await registered(where, register(changes=ACTING))
            if not wanted:
                assert (await where.ask(106)).code == 0
                assert told.empty()
                return
            came = await asyncio.wait_for(told.get(), PATIENCE_SECONDS)
            master.close()
            left = await asyncio.wait_for(told.get(), PATIENCE_SECONDS)
        assert came == {
            "minBrokerId": "0",
            "brokerName": "broker-a",
            "minBrokerAddr": "10.0.0.0:10911",
            "haBrokerAddr": "10.0.0.0:10912",
        }
        assert left == {
            "minBrokerId": "1",
            "brokerName": "broker-a",
            "minBrokerAddr": slave.address,
            "offlineBrokerAddr": "10.0.0.0:10911",
        }

    play(scenario, notify_min_broker_id_changed=wanted)


def test_a_broker_with_an_impossible_address_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(where: Site) -> None:
        await registered(where, register(broker_id=1, address="nonsense", changes=ACTING))
        await registered(where, register())

        async def warned() -> bool:
            await where.ask(106)
            return any("could not be told" in message for message in caplog.messages)

        await eventually(warned)

    play(scenario, notify_min_broker_id_changed=True)
