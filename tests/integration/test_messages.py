"""Messages through a name server and a broker as processes: sent, waited for, pulled, rolled over and expired."""

import asyncio
from datetime import datetime

from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import SendStatus
from broker_py.model.message_queue import MessageQueue
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct, Pulled


async def started(cluster: Cluster, **properties: object) -> Daemon:
    """Return a broker that serves; there is no name server unless the cluster has one."""
    broker = cluster.broker(**properties)
    await broker.start()
    return broker


async def reachable(client: Client, topic: str) -> None:
    """Wait until a topic can be sent to."""

    async def has_route() -> bool:
        return bool((await client.routes.find_to_send(topic)).broker_datas)

    await until(has_route, f"a route for {topic}")


async def test_what_a_producer_sends_a_pull_returns(cluster: Cluster) -> None:
    await cluster.nameserver().start()
    await started(cluster)
    async with cluster.client() as client:
        await reachable(client, "T")
        sent = OutgoingMessage(topic="T", body=b"hello", tags="A", keys="k1 k2", properties={"colour": "green"})
        result = await client.producer("producers").send(sent)
        assert result.status is SendStatus.SEND_OK
        queue = MessageQueue("T", "broker-a", result.queue_id)
        pulled = await until(lambda: client.queues.pull(queue, result.queue_offset), "the new topic has a route")
        (got,) = pulled.messages
    assert (got.body, got.tags, got.keys, got.properties["colour"]) == (b"hello", "A", "k1 k2", "green")
    assert (got.message_id, got.offset_id) == (result.message_id, result.offset_id)


async def test_a_group_shares_the_queues_and_gets_each_message_once(cluster: Cluster) -> None:
    await cluster.nameserver().start()
    await started(cluster)
    async with cluster.client() as sender, cluster.client() as one, cluster.client() as two:
        await reachable(sender, "T")
        got: list[bytes] = []

        def take(message: ReceivedMessage) -> None:
            got.append(message.body)

        producer = sender.producer("producers")
        await producer.send(OutgoingMessage(topic="T", body=b"0"))
        members = [client.group_consumer("group", "T", take) for client in (one, two)]
        tasks = [asyncio.create_task(member.run()) for member in members]

        async def shared() -> bool:
            return all(sum(queue.topic == "T" for queue in member.assigned) == 2 for member in members)

        await until(shared, "both members have two queues each")
        for number in range(1, 40):
            await producer.send(OutgoingMessage(topic="T", body=str(number).encode()))

        async def complete() -> bool:
            return len(got) >= 40

        await until(complete, "all messages have come")
        for member in members:
            member.stop()
        await asyncio.gather(*tasks)
    assert sorted(map(int, got)) == list(range(40))


async def test_a_pull_that_waits_is_answered_by_the_message_and_not_by_time(cluster: Cluster) -> None:
    broker = await started(cluster)
    async with Direct() as direct:
        await direct.send(broker.address, "T", b"first")
        # The pull's own time-out is far beyond the patience of this test.
        waiting = await direct.waiting_pull(broker.address, "T", queue_offset=1, suspend_ms=600_000)
        assert not waiting.done()
        await direct.send(broker.address, "T", b"other queue", queue_id=1)
        assert not waiting.done()
        await direct.send(broker.address, "T", b"second")
        assert (await asyncio.wait_for(waiting, 10)).bodies == [b"second"]


async def test_a_pull_that_waits_in_vain_is_answered_when_its_time_is_up(cluster: Cluster) -> None:
    broker = await started(cluster)
    async with Direct() as direct:
        await direct.send(broker.address, "T", b"first")
        pulled = await direct.pull(broker.address, "T", queue_offset=1, suspend_ms=200)
    assert pulled.code == ResponseCode.PULL_NOT_FOUND
    assert (pulled.offsets.next_begin_offset, pulled.offsets.max_offset) == (1, 1)


async def test_the_fast_port_serves_the_same_messages(cluster: Cluster) -> None:
    broker = await started(cluster)
    fast = f"127.0.0.1:{broker.port - 2}"
    async with Direct() as direct:
        await direct.send(fast, "T", b"sent to the fast port")
        assert (await direct.pull(broker.address, "T")).bodies == [b"sent to the fast port"]
        assert (await direct.pull(fast, "T")).bodies == [b"sent to the fast port"]


async def test_synchronously_flushed_messages_are_acknowledged_and_seen(cluster: Cluster) -> None:
    broker = await started(cluster, flushDiskType="SYNC_FLUSH")
    async with Direct() as direct:
        bodies = [str(number).encode() for number in range(50)]
        sent = await asyncio.gather(*(direct.send(broker.address, "T", body) for body in bodies))
        assert {each.code for each in sent} == {ResponseCode.SUCCESS}
        got = await direct.read_queue(broker.address, "T")
    assert sorted(message.body for message in got) == sorted(bodies)


async def test_a_log_of_many_files_is_read_back_after_a_clean_stop(cluster: Cluster) -> None:
    broker = await started(cluster, mappedFileSizeCommitLog=16_384, mappedFileSizeConsumeQueue=400)
    async with Direct() as direct:
        bodies = [b"%d " % number + bytes(1000) for number in range(100)]
        for body in bodies:
            await direct.send(broker.address, "T", body)
        assert len(list((broker.store / "commitlog").iterdir())) > 5
        before = await direct.read_queue(broker.address, "T")
        assert [message.body for message in before] == bodies
        assert await broker.stop() == 0
        await broker.start()
        assert await direct.read_queue(broker.address, "T") == before
        assert (await direct.send(broker.address, "T", b"next")).queue_offset == len(bodies)


async def test_expired_files_are_deleted_on_demand_and_readers_sent_to_what_is_left(cluster: Cluster) -> None:
    broker = await started(
        cluster,
        mappedFileSizeCommitLog=16_384,
        mappedFileSizeConsumeQueue=400,
        fileReservedTime=0,
        deleteWhen=f"{(datetime.now().hour + 12) % 24:02d}",
        cleanResourceInterval=100,
        flushConsumeQueueThoroughInterval=200,
    )
    async with Direct() as direct:
        for number in range(100):
            await direct.send(broker.address, "T", b"%d " % number + bytes(1000))

        async def cut() -> Pulled | None:
            await direct.tell(broker.address, RequestCode.DELETE_EXPIRED_COMMITLOG)
            pulled = await direct.pull(broker.address, "T")
            return pulled if pulled.offsets.min_offset > 50 else None

        pulled = await until(cut, "the oldest files are gone")
        assert pulled.code == ResponseCode.PULL_OFFSET_MOVED
        assert pulled.offsets.next_begin_offset == pulled.offsets.min_offset
        left = await direct.read_queue(broker.address, "T", queue_offset=pulled.offsets.min_offset)
        assert [message.queue_offset for message in left] == list(range(pulled.offsets.min_offset, 100))
        assert left[-1].body.startswith(b"99 ")
        await broker.stop()
        await broker.start()
        minimum = (await direct.pull(broker.address, "T")).offsets.min_offset
        assert await direct.read_queue(broker.address, "T", queue_offset=minimum) == left[-(100 - minimum) :]


async def green_ones(direct: Direct, broker: Daemon, queue_id: int) -> bytes:
    """Pull by an expression until there is something; return the records."""
    queue_offset = "0"
    while True:
        reply = await direct.ask(
            broker.address,
            RequestCode.PULL_MESSAGE,
            {
                "consumerGroup": "g",
                "topic": "T",
                "queueId": str(queue_id),
                "queueOffset": queue_offset,
                "maxMsgNums": "32",
                "sysFlag": "6",  # its own subscription, and leave to wait
                "commitOffset": "0",
                "suspendTimeoutMillis": "10000",
                "subscription": "colour IN ('red', 'green') AND size BETWEEN 3 AND 5",
                "subVersion": "0",
                "expressionType": "SQL92",
            },
        )
        if reply.code != ResponseCode.PULL_RETRY_IMMEDIATELY:
            assert reply.code == 0, reply.remark
            return reply.body
        queue_offset = reply.ext["nextBeginOffset"]


async def test_a_pull_waits_for_a_message_whose_properties_match(cluster: Cluster) -> None:
    await cluster.nameserver().start()
    broker = await started(cluster, enablePropertyFilter=True)
    async with cluster.client() as client, Direct() as direct:
        await reachable(client, "T")
        producer = client.producer("producers")

        async def send(colour: str, size: int) -> int:
            properties = {"colour": colour, "size": str(size)}
            message = OutgoingMessage(topic="T", body=colour.encode(), properties=properties)
            return (await producer.send(message)).queue_id

        queue_ids = {await send("grey", 1) for _ in range(8)}
        pulls = [asyncio.create_task(green_ones(direct, broker, queue_id)) for queue_id in sorted(queue_ids)]
        for colour, size in (("red", 1), ("blue", 4), ("green", 4)):
            await asyncio.sleep(0.3)
            for _ in queue_ids:
                await send(colour, size)
        got = await asyncio.gather(*pulls)
    assert len(got) == 4
    assert all(b"green" in records and b"blue" not in records and b"red" not in records for records in got)
