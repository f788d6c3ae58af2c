"""Our daemons opposite RocketMQ's own: brokers and name servers, masters and slaves, one store after the other.

ROCKETMQ_LIB=FOLDER_OF_JARS pytest tests/interop        (without it Maven fetches the jars once)
"""

from pathlib import Path
from typing import Any

import pytest

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.fastjson import loads_object
from tests.interop.java import VERSION, MixedCluster, why_not
from tests.interop.java_client import JavaClient
from tests.support.cluster import Daemon, until
from tests.support.direct import Direct

JAVA_SECONDS = 60.0
MESSAGES = 200
TOPIC = "FromJava"

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(180),
]


async def routed(nameserver: Daemon, topic: str) -> None:
    """Wait until a name server has a route for a topic."""
    async with Direct() as direct:

        async def has_route() -> bool:
            reply = await direct.ask(nameserver.address, RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})
            return reply.code == ResponseCode.SUCCESS

        await until(has_route, f"{topic} has a route", JAVA_SECONDS)


async def java_client_sends_and_consumes(nameserver: Daemon, broker: Daemon, directory: Path) -> None:
    """Have the official client send messages and consume them, each once."""
    async with Direct() as direct:
        await direct.make_topic(broker.address, TOPIC)
    await routed(nameserver, TOPIC)
    async with JavaClient.running(directory / "client", nameserver.address, TOPIC, 200) as client:

        async def enough() -> bool:
            return len(client.events.got) >= MESSAGES

        await until(enough, f"{MESSAGES} messages are consumed", JAVA_SECONDS)
        client.tell("finish")
        await client.hears("finished")

        async def consumed() -> bool:
            return not client.events.lost

        await until(consumed, "everything is consumed", JAVA_SECONDS)
        await client.end()
    assert client.events.failed == []
    assert client.events.duplicates == 0


@pytest.mark.parametrize("version", [VERSION, "4.9.4"])
async def test_a_java_broker_registers_with_our_name_server_and_serves_java_clients(
    cluster: MixedCluster, tmp_path: Path, version: str
) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    broker = cluster.java_broker()
    broker.version = version
    await broker.start()
    await java_client_sends_and_consumes(nameserver, broker, tmp_path)
    await broker.stop()


async def test_our_broker_registers_with_a_java_name_server_and_serves_java_clients(
    cluster: MixedCluster, tmp_path: Path
) -> None:
    nameserver = cluster.java_nameserver()
    await nameserver.start()
    broker = cluster.broker()
    await broker.start()
    await java_client_sends_and_consumes(nameserver, broker, tmp_path)
    assert await broker.stop() == 0


@pytest.mark.parametrize("ours", ["master", "slave"])
async def test_a_slave_follows_a_master_of_the_other_kind(cluster: MixedCluster, ours: str) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    master = cluster.broker() if ours == "master" else cluster.java_broker()
    await master.start()
    await routed(nameserver, "TBW102")
    slave = cluster.java_broker("broker-a", 1) if ours == "master" else cluster.broker("broker-a", 1)
    await slave.start()
    async with Direct() as direct:
        await fill(direct, master)
        await until(lambda: same_log_end(direct, master, slave), "the slave has the master's log", JAVA_SECONDS)
        await until(lambda: same_tables(direct, master, slave), "the slave has the master's tables", JAVA_SECONDS)
        # More while it follows, over the end of a file.
        for number in range(200):
            await direct.send(master.address, "T", b"%d " % number + bytes(10_000), number % 4)
        await until(lambda: same_log_end(direct, master, slave), "the slave has the master's log", JAVA_SECONDS)
    await slave.stop()
    await master.stop()
    assert log_of(slave) == log_of(master)
    assert queues_of(slave) == queues_of(master)


async def fill(direct: Direct, broker: Daemon) -> None:
    """Give a broker messages, a topic, a group and offsets."""
    for number in range(50):
        await direct.send(broker.address, "T", b"%d " % number, number % 4)
    group = b'{"groupName":"group","retryMaxTimes":5,"consumeEnable":true}'
    await direct.tell(broker.address, RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=group)
    await direct.commit(broker.address, "T", "group", 7, 1)


async def same_log_end(direct: Direct, master: Daemon, slave: Daemon) -> bool:
    """True when both logs end at the same offset."""
    ends = []
    for broker in (master, slave):
        table = loads_object((await direct.tell(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)).body)["table"]
        ends.append((table["commitLogMaxOffset"], table["dispatchBehindBytes"]))
    return ends[0] == ends[1] and ends[0][1] == "0"


async def same_tables(direct: Direct, master: Daemon, slave: Daemon) -> bool:
    """True when a slave has the topic, the group and the offsets of its master."""
    tables = [await _tables(direct, broker) for broker in (master, slave)]
    return tables[0] == tables[1]


async def _tables(direct: Direct, broker: Daemon) -> list[Any]:
    topics = loads_object((await direct.tell(broker.address, RequestCode.GET_ALL_TOPIC_CONFIG)).body)
    groups = loads_object((await direct.tell(broker.address, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).body)
    topic, group = topics["topicConfigTable"].get("T", {}), groups["subscriptionGroupTable"].get("group", {})
    return [
        (topic.get("readQueueNums"), topic.get("writeQueueNums"), topic.get("perm")),
        (group.get("retryMaxTimes"), group.get("consumeEnable")),
        await direct.committed(broker.address, "T", "group", 1),
    ]


@pytest.mark.parametrize("first", ["ours", "java"])
async def test_a_store_that_the_other_kind_left_is_read_and_continued(cluster: MixedCluster, first: str) -> None:
    ours, java = cluster.broker(), cluster.java_broker("broker-b")
    java.properties["storePathRootDir"] = ours.properties["storePathRootDir"]
    before, after = (ours, java) if first == "ours" else (java, ours)
    await before.start()
    async with Direct() as direct:
        for number in range(300):
            await direct.send(before.address, "T", b"%d " % number + bytes(5000), number % 4)
        left = [await bodies(direct, before, queue_id) for queue_id in range(4)]
        await direct.commit(before.address, "T", "group", 7, 1)
        await before.stop()
        await after.start()
        assert [await bodies(direct, after, queue_id) for queue_id in range(4)] == left
        assert await direct.committed(after.address, "T", "group", 1) == 7
        assert (await direct.send(after.address, "T", b"next", 2)).queue_offset == 75


async def bodies(direct: Direct, broker: Daemon, queue_id: int) -> list[bytes]:
    """Return what a queue holds."""
    return [message.body for message in await direct.read_queue(broker.address, "T", queue_id)]


def log_of(broker: Daemon) -> dict[str, bytes]:
    """Return the log's files but those that were made in advance, which hold nothing yet."""
    files = {file.name: file.read_bytes() for file in sorted((broker.store / "commitlog").iterdir())}
    return {name: data for name, data in files.items() if data.strip(b"\0")}


def queues_of(broker: Daemon) -> dict[str, bytes]:
    """Return the queues of the topic."""
    folder = broker.store / "consumequeue" / "T"
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.glob("*/*"))}
