"""A peer that asks and never reads: what it costs the broker, and the others."""

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.headers.send import SendRequest
from tests.support.cluster import Cluster
from tests.support.direct import Direct
from tests.support.remoting import connect

PULLS = 1500
BODY = bytes(200_000)
# What the socket's buffers, asyncio's and one write may hold, and what a broker grows by anyway.
ALLOWED_KIB = 40 << 10


def a_pull(opaque: int) -> Command:
    ext = {
        "consumerGroup": "silent",
        "topic": "T",
        "queueId": "0",
        "queueOffset": "0",
        "maxMsgNums": "32",
        "sysFlag": "6",  # may wait, and brings its subscription
        "commitOffset": "0",
        "suspendTimeoutMillis": "60000",
        "subscription": "*",
        "subVersion": "0",
    }
    return Command(RequestCode.PULL_MESSAGE, ext, opaque=opaque)


async def test_pulls_that_are_never_read_take_no_memory_and_are_answered_when_they_are(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        await direct.make_topic(broker.address, "T")
        silent = await connect(broker.port)
        silent.send(*[a_pull(number + 1) for number in range(PULLS)])
        # A question on the same connection is answered behind the pulls: they wait by then.
        silent.send(Command(RequestCode.GET_BROKER_CONFIG, opaque=PULLS + 1))
        asked = await silent.receive()
        assert asked is not None
        assert asked.opaque == PULLS + 1
        before = broker.resident_kib()
        header = SendRequest("producers", "T", 0, born_timestamp=1_700_000_000_000)
        for _ in range(5):
            sent = await direct.ask(broker.address, RequestCode.SEND_MESSAGE_V2, header.to_ext(), BODY)
            assert sent.code == ResponseCode.SUCCESS
        assert broker.resident_kib() - before < ALLOWED_KIB
        answered: set[int] = set()
        while len(answered) < PULLS:
            reply = await silent.receive()
            assert reply is not None
            assert reply.code == ResponseCode.SUCCESS
            answered.add(reply.opaque)
        assert broker.resident_kib() - before < ALLOWED_KIB
        silent.close()
