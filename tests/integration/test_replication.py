"""Masters and slaves as processes: what a slave copies, and what it is good for when its master is gone."""

import asyncio

from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.model.route import TopicRoute
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.fastjson import loads_object
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct


class Pair:
    """A name server, a master and its slave."""

    def __init__(self, cluster: Cluster, **properties: object) -> None:
        self.cluster = cluster
        self.nameserver = cluster.nameserver()
        self.master = cluster.broker(**properties)
        self.slave = cluster.broker("broker-a", 1, **{**properties, "brokerRole": "SLAVE"})

    async def start(self) -> "Pair":
        """Start all three; return when the slave follows its master."""
        await self.nameserver.start()
        await self.master.start()
        await self.slave.start()
        async with Direct() as direct:
            await self.caught_up(direct)
        return self

    async def topic_copied(self, direct: Direct, topic: str) -> None:
        """Wait until the slave has a topic, which it asks for every two seconds."""

        async def copied() -> bool:
            reply = await direct.tell(self.slave.address, RequestCode.GET_ALL_TOPIC_CONFIG)
            return topic in loads_object(reply.body)["topicConfigTable"]

        await until(copied, f"the slave has the topic {topic}")

    async def caught_up(self, direct: Direct) -> None:
        """Wait until the slave has all that its master has."""

        async def level() -> bool:
            status = loads_object((await direct.tell(self.master.address, RequestCode.GET_BROKER_HA_STATUS)).body)
            slaves = status["haConnectionInfo"]
            end = status["masterCommitLogMaxOffset"]
            return len(slaves) == 1 and slaves[0]["slaveAckOffset"] == end

        await until(level, "the slave has the master's log")


def bodies(messages: list[ReceivedMessage]) -> list[bytes]:
    return [message.body for message in messages]


async def read(direct: Direct, broker: Daemon, topic: str, expected: int) -> list[ReceivedMessage]:
    """Return the messages of queue 0 when there are as many as expected."""

    async def all_there() -> list[ReceivedMessage] | None:
        messages = await direct.read_queue(broker.address, topic)
        return messages if len(messages) >= expected else None

    return await until(all_there, f"{expected} messages of {topic} at {broker.address}")


async def test_a_slave_copies_messages_byte_by_byte(cluster: Cluster) -> None:
    pair = await Pair(cluster, mappedFileSizeCommitLog=16_384).start()
    async with Direct() as direct:
        for number in range(50):
            await direct.send(pair.master.address, "T", b"%d " % number + bytes(1000))
        await pair.caught_up(direct)
    await pair.master.stop()
    await pair.slave.stop()
    logs = [
        {file.name: file.read_bytes() for file in (broker.store / "commitlog").iterdir()}
        for broker in (pair.master, pair.slave)
    ]
    assert len(logs[0]) > 3
    assert logs[0] == logs[1]


async def test_a_slave_copies_topics_groups_and_offsets(cluster: Cluster) -> None:
    pair = await Pair(cluster).start()
    async with Direct() as direct:
        master, slave = pair.master.address, pair.slave.address
        await direct.send(master, "T", b"makes the topic")
        group = b'{"groupName":"group","retryMaxTimes":5}'
        await direct.tell(master, RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=group)
        await direct.commit(master, "T", "group", 1)

        async def copied() -> bool:
            topics = loads_object((await direct.tell(slave, RequestCode.GET_ALL_TOPIC_CONFIG)).body)
            groups = loads_object((await direct.tell(slave, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).body)
            return (
                "T" in topics["topicConfigTable"]
                and groups["subscriptionGroupTable"].get("group", {}).get("retryMaxTimes") == 5
                and await direct.committed(slave, "T", "group") == 1
            )

        await until(copied, "the slave has the topic, the group and the offset")


async def test_a_slave_refuses_messages(cluster: Cluster) -> None:
    pair = await Pair(cluster).start()
    async with Direct() as direct:
        await direct.send(pair.master.address, "T", b"")
        await pair.caught_up(direct)
        assert (await direct.send(pair.slave.address, "T", b"")).code == ResponseCode.SERVICE_NOT_AVAILABLE


async def test_consumers_read_from_the_slave_when_the_master_is_gone(cluster: Cluster) -> None:
    pair = await Pair(cluster).start()
    async with cluster.client() as client, Direct() as direct:
        producer = client.producer("producers")

        async def sent(body: bytes) -> bool:
            return bool(await producer.send(OutgoingMessage(topic="T", body=body)))

        await until(lambda: sent(b"0"), "the first message is sent")
        for number in range(1, 30):
            await sent(b"%d" % number)
        await pair.caught_up(direct)
        await pair.topic_copied(direct, "T")
        pair.master.kill()

        async def route_without_master() -> TopicRoute | None:
            route = await client.name_servers.route("T")
            return route if 0 not in route.broker_datas[0].broker_addrs else None

        route = await until(route_without_master, "the route has no master")
        assert route.broker_datas[0].broker_addrs == {1: pair.slave.address}
        got: list[bytes] = []
        consumer = client.group_consumer("group", "T", lambda message: got.append(message.body))
        consuming = asyncio.create_task(consumer.run())

        async def complete() -> bool:
            return len(got) >= 30

        await until(complete, "all messages are consumed from the slave")
        consumer.stop()
        await consuming
    assert sorted(map(int, got)) == list(range(30))


async def test_a_slave_that_was_away_gets_what_it_missed(cluster: Cluster) -> None:
    pair = await Pair(cluster, mappedFileSizeCommitLog=16_384).start()
    async with Direct() as direct:
        await direct.send(pair.master.address, "T", b"before")
        await pair.caught_up(direct)
        pair.slave.kill()
        for number in range(50):
            await direct.send(pair.master.address, "T", b"%d " % number + bytes(1000))
        await pair.slave.start()
        messages = await read(direct, pair.slave, "T", 51)
        assert bodies(messages) == bodies(await direct.read_queue(pair.master.address, "T"))


async def test_a_master_that_was_killed_and_its_slave_agree_again(cluster: Cluster) -> None:
    pair = await Pair(cluster).start()
    async with Direct() as direct:
        for number in range(20):
            await direct.send(pair.master.address, "T", b"%d" % number)
        await pair.caught_up(direct)
        pair.master.kill()
        await pair.master.start()
        await direct.send(pair.master.address, "T", b"after")
        assert bodies(await read(direct, pair.slave, "T", 21))[-1] == b"after"


async def test_what_a_synchronous_master_acknowledged_its_slave_has(cluster: Cluster) -> None:
    pair = await Pair(cluster, brokerRole="SYNC_MASTER").start()
    async with Direct() as direct:
        await direct.send(pair.master.address, "T", b"makes the topic", queue_id=1)
        await pair.topic_copied(direct, "T")
        sent = [await direct.send(pair.master.address, "T", b"%d" % number) for number in range(50)]
        assert {each.code for each in sent} == {ResponseCode.SUCCESS}
        pair.master.kill()
        pair.slave.kill()
        await pair.slave.start()
        assert bodies(await read(direct, pair.slave, "T", 50)) == [b"%d" % number for number in range(50)]


async def test_a_synchronous_master_says_so_when_its_slave_is_away_or_too_slow(cluster: Cluster) -> None:
    pair = await Pair(cluster, brokerRole="SYNC_MASTER", slaveTimeout=300).start()
    async with Direct() as direct:
        master = pair.master.address
        assert (await direct.send(master, "T", b"both have it")).code == ResponseCode.SUCCESS
        pair.slave.freeze()
        assert (await direct.send(master, "T", b"slow")).code == ResponseCode.FLUSH_SLAVE_TIMEOUT
        pair.slave.kill()

        async def alone() -> bool:
            return (await direct.send(master, "T", b"away")).code == ResponseCode.SLAVE_NOT_AVAILABLE

        await until(alone, "the master knows that its slave is away")
        await pair.slave.start()

        async def together() -> bool:
            return (await direct.send(master, "T", b"back")).code == ResponseCode.SUCCESS

        await until(together, "the slave is back")
        on_master = await direct.read_queue(master, "T")
        assert bodies(on_master)[:3] == [b"both have it", b"slow", b"away"]
        assert bodies(await read(direct, pair.slave, "T", len(on_master))) == bodies(on_master)
