"""mqadmin and mqquickstart as processes, opposite real name servers and brokers."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.support.cluster import CLUSTER_NAME, Cluster, until

ROOT = Path(__file__).resolve().parents[2]
GROUP = "please_rename_unique_group_name_4"
# The slowest start of a command under a full test run's load, with room to spare.
LIMIT_SECONDS = 60


class Commands:
    """Runs commands against a cluster."""

    def __init__(self, namesrv_addr: str) -> None:
        self._environment = {**os.environ, "NAMESRV_ADDR": namesrv_addr}

    async def start(self, command: str, *argv: object) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"broker_py.cli.{command}",
            *map(str, argv),
            cwd=ROOT,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, command: str, *argv: object) -> tuple[int, str, str]:
        """Return (exit status, stdout, stderr)."""
        return await finish(await self.start(command, *argv))

    async def json(self, command: str, *argv: object) -> Any:
        """Return what a command prints as JSON; it must succeed."""
        status, out, err = await self.run(command, *argv, "-o", "json")
        assert status == 0, f"{command} {argv}: {err}"
        return json.loads(out)


async def finish(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    """Return (exit status, stdout, stderr) once a process has ended."""
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def two_brokers(cluster: Cluster) -> Commands:
    """Start a name server and two masters, and return commands against them."""
    await cluster.nameserver().start()
    for name in ("broker-a", "broker-b"):
        await cluster.broker(name).start()
    return await ready(cluster, brokers=2)


async def ready(cluster: Cluster, brokers: int) -> Commands:
    """Return commands against a cluster once its name server knows so many brokers."""
    async with cluster.client() as client:

        async def known() -> bool:
            info = await client.name_servers.cluster_info()
            return sum(len(broker.broker_addrs) for broker in info.brokers.values()) == brokers

        await until(known, f"{brokers} brokers are registered")
    return Commands(cluster.namesrv_addr())


async def test_what_the_quickstart_sends_over_two_brokers_it_receives(cluster: Cluster) -> None:
    commands = await two_brokers(cluster)
    sent = await commands.json("mqquickstart", "producer", "--count", 200)
    assert (sent["sent"], sent["failed"], sent["brokers"]) == (200, 0, {"broker-a": 100, "broker-b": 100})
    received = await commands.json("mqquickstart", "consumer", "--count", 200, "--timeout", 30)
    assert (received["received"], received["distinct"]) == (200, 200)
    progress = await commands.json("mqadmin", "consumerProgress", "-g", GROUP)
    assert progress["diffTotal"] == 0


async def test_two_consumers_of_a_group_share_what_comes(cluster: Cluster) -> None:
    commands = await two_brokers(cluster)
    await commands.json("mqadmin", "updateTopic", "-c", CLUSTER_NAME, "-t", "TopicTest", "-r", 4, "-w", 4)
    consumers = [await commands.start("mqquickstart", "consumer", "-o", "json") for _ in range(2)]

    async def both_there() -> bool:
        groups = await commands.json("mqadmin", "consumerProgress")
        counts: list[int] = [group["count"] for group in groups if group["group"] == GROUP]
        return counts == [2]

    await until(both_there, "both consumers are members")
    await commands.json("mqquickstart", "producer", "--count", 400)

    async def all_consumed() -> bool:
        progress = await commands.json("mqadmin", "consumerProgress", "-g", GROUP)
        offsets: list[int] = [each["consumerOffset"] for each in progress["queues"] if each["topic"] == "TopicTest"]
        return sum(offsets) == 400

    await until(all_consumed, "all messages are consumed and committed")
    for consumer in consumers:
        consumer.send_signal(signal.SIGINT)
    ends = [await finish(consumer) for consumer in consumers]
    assert [status for status, _, _ in ends] == [0, 0]
    counts = [json.loads(out)["distinct"] for _, out, _ in ends]
    assert sum(counts) == 400
    assert min(counts) > 0


async def test_a_consumer_goes_on_from_the_slave_when_the_master_is_killed(cluster: Cluster) -> None:
    await cluster.nameserver().start()
    master = cluster.broker()
    await master.start()
    ha_address = f"127.0.0.1:{master.properties['haListenPort']}"
    slave = cluster.broker("broker-a", 1, haMasterAddress=ha_address)
    await slave.start()
    commands = await ready(cluster, brokers=2)
    await commands.json("mqquickstart", "producer", "--count", 50)
    async with cluster.client() as client:

        async def replicated() -> bool:
            queues = await client.brokers.topic_status(slave.address, "TopicTest")
            return sum(queue.max_offset for queue in queues) == 50

        await until(replicated, "the slave has all messages")
    master.kill()
    received = await commands.json("mqquickstart", "consumer", "--count", 50, "--timeout", 40)
    assert (received["received"], received["distinct"]) == (50, 50)


async def test_every_command_of_mqadmin_does_its_work(cluster: Cluster) -> None:
    commands = await two_brokers(cluster)
    admin = "mqadmin"
    brokers = await commands.json(admin, "clusterList")
    assert [(each["brokerName"], each["reachable"]) for each in brokers] == [("broker-a", True), ("broker-b", True)]
    address = brokers[0]["brokerAddr"]

    await commands.json(admin, "updateTopic", "-c", CLUSTER_NAME, "-t", "T", "-r", 2, "-w", 2)
    assert "T" in await commands.json(admin, "topicList")
    assert "T" in [each["topic"] for each in await commands.json(admin, "topicList", "-c")]
    argv = ("-t", "T", "-p", "body", "-k", "k", "-b", "broker-a", "-i", 1, "-m", "true")
    sent = await commands.json(admin, "sendMessage", *argv)
    found = await commands.json(admin, "queryMsgByOffset", "-t", "T", "-b", "broker-a", "-i", 1, "-o", 0)
    assert (found["messageId"], found["offsetId"], found["body"]) == (sent["messageId"], sent["offsetId"], "body")
    assert [each["body"] for each in await commands.json(admin, "consumeMessage", "-t", "T")] == ["body"]
    [by_key] = await commands.json(admin, "queryMsgByKey", "-t", "T", "-k", "k")
    assert {**by_key, "tracks": []} == found
    [trace] = await commands.json(admin, "queryMsgTraceById", "-i", sent["messageId"])
    assert (trace["kind"], trace["group"], trace["success"]) == ("Pub", "TOOLS_PRODUCER", True)
    assert await commands.json(admin, "queryMsgByUniqueKey", "-t", "T", "-i", sent["messageId"]) == [found]
    by_id = await commands.json(admin, "queryMsgById", "-i", sent["offsetId"])
    assert {**by_id, "brokerName": "broker-a"} == found
    status = await commands.json(admin, "topicStatus", "-t", "T")
    assert [queue["maxOffset"] for queue in status] == [0, 1, 0, 0]

    await commands.json(admin, "updateTopicPerm", "-b", address, "-t", "T", "-p", 4)
    assert await perms(commands) == {"broker-a": 4, "broker-b": 6}
    [wiped] = await commands.json(admin, "wipeWritePerm", "-b", "broker-b")
    assert wiped["count"] > 0
    assert await perms(commands) == {"broker-a": 4, "broker-b": 4}
    await commands.json(admin, "addWritePerm", "-b", "broker-b")
    assert await perms(commands) == {"broker-a": 4, "broker-b": 6}

    assert (await commands.json(admin, "brokerStatus", "-b", address))["brokerVersionDesc"] == "V5_1_0"
    await commands.json(admin, "updateBrokerConfig", "-b", address, "-k", "fileReservedTime", "-v", 99)
    assert (await commands.json(admin, "getBrokerConfig", "-b", address))["fileReservedTime"] == "99"

    await commands.json(admin, "deleteTopic", "-t", "T", "-c", CLUSTER_NAME)
    gone, _, sentence = await commands.run(admin, "topicRoute", "-t", "T")
    assert gone == 1
    assert "CODE: 17" in sentence


async def perms(commands: Commands) -> dict[str, int]:
    """Return the permission of the topic T on each broker."""
    route = await commands.json("mqadmin", "topicRoute", "-t", "T")
    return {queues["brokerName"]: queues["perm"] for queues in route["queueDatas"]}


async def test_a_cluster_that_is_gone_is_status_3(cluster: Cluster) -> None:
    nameserver = cluster.nameserver()
    commands = Commands(nameserver.address)
    assert (await commands.run("mqadmin", "clusterList"))[0] == 3
    assert (await commands.run("mqquickstart", "producer"))[0] == 3
    assert (await commands.run("mqquickstart", "consumer"))[0] == 3


async def test_a_group_is_moved_copied_and_shown(cluster: Cluster, tmp_path: Path) -> None:
    commands = await two_brokers(cluster)
    assert (await commands.run("mqadmin", "updateTopic", "-c", CLUSTER_NAME, "-t", "orders", "-r", 2, "-w", 2))[0] == 0
    for name in ("broker-a", "broker-b"):
        await until_sent(commands, "orders", name)
    sends = await commands.json("mqadmin", "checkMsgSendRT", "-t", "orders", "-a", 4)
    assert all(each["sent"] for each in sends["sends"])

    skipped = ("mqadmin", "skipAccumulatedMessage", "-g", "billing", "-t", "orders")
    assert [each["to"] for each in await commands.json(*skipped, "--dry-run")] == [2, 1, 2, 1]
    assert (await commands.run("mqadmin", "cloneGroupOffset", "-s", "billing", "-d", "audit", "-t", "orders"))[0] == 1
    await commands.json(*skipped)
    moves = await commands.json("mqadmin", "cloneGroupOffset", "-s", "billing", "-d", "audit", "-t", "orders")
    assert [each["to"] for each in moves] == [2, 1, 2, 1]
    back = await commands.json("mqadmin", "resetOffsetByTime", "-g", "audit", "-t", "orders", "-s", 0)
    assert [(each["from"], each["to"]) for each in back] == [(2, 0), (1, 0), (2, 0), (1, 0)]

    status, out, _ = await commands.run("mqadmin", "printMsg", "-t", "orders", "-d", "false")
    assert (status, out.count("MSGID: ")) == (0, 6)
    status, out, _ = await commands.run("mqadmin", "cleanExpiredCQ", "-c", CLUSTER_NAME)
    assert (status, out.splitlines()[0]) == (0, "success")
    metadata = await commands.json("mqadmin", "exportMetadata", "-c", CLUSTER_NAME, "-f", tmp_path / "export")
    assert metadata["topicConfigTable"]["orders"]["writeQueueNums"] == 4
    assert {"audit", "billing"} <= metadata["subscriptionGroupTable"].keys()
    assert "orders" in (await commands.run("mqadmin", "__complete", "topicStatus", "-t", "ord"))[1].split()


async def until_sent(commands: Commands, topic: str, broker_name: str) -> None:
    """Send a message to queue 0 of a broker, as soon as name servers know that it has the topic."""

    async def sent() -> bool:
        command = ("mqadmin", "sendMessage", "-t", topic, "-p", "x", "-b", broker_name, "-i", 0)
        return (await commands.run(*command))[0] == 0

    await until(sent, f"{broker_name} takes messages of {topic}")
