"""Peers that read slowly, not at all, send half of something, or too much: the others are served, in bounded memory."""

import asyncio
import signal

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import FLAG_ONEWAY, Command
from broker_py.wire.frame import encode_command
from broker_py.wire.headers.send import SendRequest
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct
from tests.support.remoting import RawClient, connect
from tests.unit.broker.pops import a_pop

# What the sockets' buffers, asyncio's and one write may hold, and what a broker grows by anyway.
ALLOWED_KIB = 40 << 10
BODY = bytes(200_000)
LARGE = bytes(900_000)


def a_pull(opaque: int) -> Command:
    ext = {
        "consumerGroup": "slow",
        "topic": "T",
        "queueId": "0",
        "queueOffset": "0",
        "maxMsgNums": "32",
        "sysFlag": "4",  # brings its subscription
        "commitOffset": "0",
        "suspendTimeoutMillis": "0",
        "subscription": "*",
        "subVersion": "0",
    }
    return Command(RequestCode.PULL_MESSAGE, ext, opaque=opaque)


def a_send(topic: str, body: bytes, opaque: int = 0, flag: int = 0) -> Command:
    header = SendRequest("producers", topic, 0, born_timestamp=1_700_000_000_000)
    return Command(RequestCode.SEND_MESSAGE_V2, header.to_ext(), body, opaque=opaque, flag=flag)


async def others_are_served(direct: Direct, broker: Daemon, times: int = 5) -> None:
    """Send and pull as somebody else."""
    for number in range(times):
        sent = await direct.send(broker.address, "Others", b"%d" % number)
        assert sent.code == ResponseCode.SUCCESS
        pulled = await direct.pull(broker.address, "Others", 0, sent.queue_offset)
        assert [message.body for message in pulled.messages] == [b"%d" % number]


async def test_a_consumer_that_reads_slowly_is_given_no_more_than_it_reads(cluster: Cluster) -> None:
    pulls = 60  # in one read of the broker, and of 51 MiB of answers
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        await direct.make_topic(broker.address, "Others")
        assert (await direct.send(broker.address, "T", LARGE)).code == ResponseCode.SUCCESS
        await others_are_served(direct, broker)
        before = broker.resident_kib()
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port, limit=1024)
        writer.write(b"".join(encode_command(a_pull(number)) for number in range(pulls)))
        for _ in range(10):
            assert await reader.readexactly(1024)
            await others_are_served(direct, broker)
            assert broker.resident_kib() - before < ALLOWED_KIB
        writer.close()
        await others_are_served(direct, broker)


async def test_all_of_a_slow_consumers_requests_are_answered_in_the_end(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        assert (await direct.send(broker.address, "T", BODY)).code == ResponseCode.SUCCESS
        slow = await connect(broker.port)
        slow.send(*[a_pull(number) for number in range(200)])
        await direct.make_topic(broker.address, "Others")
        await others_are_served(direct, broker)
        for number in range(200):
            reply = await slow.receive()
            assert reply is not None
            assert (reply.opaque, reply.code) == (number, ResponseCode.SUCCESS)
        slow.close()


async def test_what_a_peer_that_reads_nothing_waits_for_is_popped_by_others(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        await direct.make_topic(broker.address, "P")
        await direct.make_topic(broker.address, "Others")
        for _ in range(40):
            assert (await direct.send(broker.address, "T", BODY)).code == ResponseCode.SUCCESS
        fields = a_pop(topic="P", pollTime=60_000, invisibleTime=600_000)
        pop = {name: str(value) for name, value in fields.items()}
        silent = await connect(broker.port)
        silent.send(*[Command(RequestCode.POP_MESSAGE, pop, opaque=number) for number in range(50)])
        silent.send(*[a_pull(number) for number in range(50, 150)])  # more than it takes, as it reads none
        await others_are_served(direct, broker)
        for number in range(20):
            assert (await direct.send(broker.address, "P", b"%d" % number)).code == ResponseCode.SUCCESS
        before = broker.resident_kib()
        popped = 0

        async def all_popped() -> bool:
            nonlocal popped
            reply = await direct.ask(broker.address, RequestCode.POP_MESSAGE, {**pop, "pollTime": "0"})
            if reply.code == ResponseCode.SUCCESS:
                popped += len(reply.ext["msgOffsetInfo"].partition(" ")[2].partition(" ")[2].split(","))
            return popped == 20

        await until(all_popped, "all is popped by who reads")
        assert broker.resident_kib() - before < ALLOWED_KIB
        silent.close()


async def test_half_a_frame_or_half_a_header_holds_up_nobody(cluster: Cluster) -> None:
    broker = cluster.broker(serverHeaderTimeoutSeconds=1)
    await broker.start()
    async with Direct() as direct:
        await direct.make_topic(broker.address, "Others")
        await others_are_served(direct, broker)
        before = broker.resident_kib()
        frame = encode_command(a_send("T", LARGE))
        halves = [await connect(broker.port) for _ in range(20)]
        for half in halves:
            half.send_bytes(frame[: len(frame) // 2])
        header = await connect(broker.port)
        header.send_bytes(frame[:20])
        await others_are_served(direct, broker)
        assert await header.receive() is None
        await others_are_served(direct, broker)
        assert broker.resident_kib() - before < ALLOWED_KIB
        for half in halves[:3]:  # nothing of them was lost, and nothing was done with it
            half.send_bytes(frame[len(frame) // 2 :])
            reply = await half.receive()
            assert reply is not None
            assert reply.code == ResponseCode.SUCCESS
        for half in halves:
            half.close()
        assert len(await direct.read_queue(broker.address, "T")) == 3


async def test_a_flood_of_oneway_sends_leaves_the_others_their_turns(cluster: Cluster) -> None:
    flood = 20_000
    broker = cluster.broker(flushDiskType="SYNC_FLUSH")
    await broker.start()
    async with Direct() as direct:
        await direct.make_topic(broker.address, "Others")
        await direct.make_topic(broker.address, "Flood")
        await others_are_served(direct, broker)
        before = broker.resident_kib()
        flooding = await connect(broker.port)
        one = encode_command(a_send("Flood", bytes(300), flag=FLAG_ONEWAY))
        flooding.send_bytes(one * flood)
        flooding.send(a_send("Flood", b"last", opaque=7))
        await others_are_served(direct, broker, 1)
        range_of = {"topic": "Flood", "queueId": "0"}
        stored = await direct.tell(broker.address, RequestCode.GET_MAX_OFFSET, range_of)
        assert int(stored.ext["offset"]) < flood  # answered in between
        last = await flooding.receive()
        assert last is not None
        assert (last.opaque, last.code, last.ext["queueOffset"]) == (7, ResponseCode.SUCCESS, str(flood))
        assert broker.resident_kib() - before < ALLOWED_KIB + (32 << 10)  # what was written last stays in memory
        flooding.close()


async def test_what_waited_too_long_for_its_turn_is_refused_and_not_stored(cluster: Cluster) -> None:
    broker = cluster.broker(brokerFastFailureEnable="true", waitTimeMillsInSendQueue=100)
    await broker.start()
    async with Direct() as direct:
        await direct.make_topic(broker.address, "T")
        client = await connect(broker.port)
        answer = await _answer_after_a_stop(broker, client)
        assert answer.code == ResponseCode.SYSTEM_BUSY
        assert (answer.remark or "").startswith(
            "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: "
        )
        assert await direct.read_queue(broker.address, "T") == []
        # What is not sent may wait longer, and a send too where that is wanted.
        await direct.tell(broker.address, RequestCode.UPDATE_BROKER_CONFIG, body=b"waitTimeMillsInSendQueue=60000\n")
        assert (await _answer_after_a_stop(broker, client)).code == ResponseCode.SUCCESS
        assert len(await direct.read_queue(broker.address, "T")) == 1
        client.close()
    assert await broker.stop(signal.SIGTERM) == 0


async def _answer_after_a_stop(broker: Daemon, client: RawClient) -> Command:
    """Send a message to a broker that stands still, and return what it answers when it goes on."""
    broker.freeze()
    try:
        client.send(a_send("T", b"waits", opaque=1))
        await asyncio.sleep(0.5)
    finally:
        broker.thaw()
    answer = await client.receive()
    assert answer is not None
    return answer
