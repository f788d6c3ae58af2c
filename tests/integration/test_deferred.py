"""Messages that are to come later, on brokers that are stopped, killed and replaced by their slaves."""

import asyncio
from itertools import count

from broker_py.client.messages import ReceivedMessage
from broker_py.errors import Unreachable
from broker_py.wire.codes import RequestCode
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

TOPIC = "Later"


async def delivered(direct: Direct, broker: Daemon) -> list[ReceivedMessage]:
    """What consumers get."""
    return await direct.read_queue(broker.address, TOPIC)


async def come(direct: Direct, broker: Daemon, wanted: set[bytes]) -> list[ReceivedMessage]:
    """Return what is delivered when all that is wanted is among it."""

    async def there() -> list[ReceivedMessage] | None:
        messages = await delivered(direct, broker)
        return messages if wanted <= {message.body for message in messages} else None

    return await until(there, f"{len(wanted)} messages are delivered", 40)


async def send(direct: Direct, broker: Daemon, body: bytes, **properties: str) -> int:
    """Send a message with properties; return its code."""
    sent = await direct.send(broker.address, TOPIC, body, properties=properties)
    return sent.code


async def test_nothing_that_was_accepted_is_lost_or_early_when_a_broker_is_killed_under_load(cluster: Cluster) -> None:
    broker = cluster.broker(messageDelayLevel="1s 2s 3s", flushDelayOffsetInterval=300, timerFlushIntervalMs=300)
    await broker.start()
    accepted: set[bytes] = set()
    numbers = count()

    async def load() -> None:
        kinds = ({"DELAY": "1"}, {"DELAY": "3"}, {"TIMER_DELAY_MS": "1500"}, {"TIMER_DELAY_SEC": "3"})
        for number in numbers:
            body = b"%d" % number
            try:
                code = await send(direct, broker, body, **kinds[number % len(kinds)])
            except Unreachable:
                return
            assert code == 0
            accepted.add(body)

    async with Direct() as direct:
        for _ in range(3):
            sending = [asyncio.create_task(load()) for _ in range(8)]
            await asyncio.sleep(1.7)  # how long the load lasts: longer than the shortest wait
            broker.kill()
            await asyncio.gather(*sending)
            await broker.start()
        messages = await come(direct, broker, accepted)
    assert len(accepted) > 100
    for message in messages:
        number = int(message.body)
        assert message.stored_ms >= message.born_ms + (1000, 3000, 1500, 3000)[number % 4]


async def test_a_clean_stop_delivers_nothing_twice(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        for number in range(20):
            await send(direct, broker, b"level %d" % number, DELAY="1")
            await send(direct, broker, b"timed %d" % number, TIMER_DELAY_SEC="1")
        wanted = {b"level %d" % number for number in range(20)} | {b"timed %d" % number for number in range(20)}
        await come(direct, broker, wanted)
        await broker.stop()
        await broker.start()
        await send(direct, broker, b"last", DELAY="1")
        messages = await come(direct, broker, {*wanted, b"last"})
    assert len(messages) == 41


async def test_what_is_given_back_comes_again(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        await direct.send(broker.address, TOPIC, b"hard")
        (message,) = await delivered(direct, broker)
        ext = {"offset": str(message.log_offset), "group": "g", "delayLevel": "1"}
        await direct.tell(broker.address, RequestCode.CONSUMER_SEND_MSG_BACK, ext)

        async def again() -> list[ReceivedMessage] | None:
            return await direct.read_queue(broker.address, "%RETRY%g") or None

        (back,) = await until(again, "the message is in the retry topic")
    assert (back.body, back.reconsume_times, back.properties["RETRY_TOPIC"]) == (b"hard", 1, TOPIC)
    assert back.stored_ms >= message.stored_ms + 1000


async def test_a_slave_that_becomes_the_master_delivers_what_waits(cluster: Cluster) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    master = cluster.broker(brokerRole="SYNC_MASTER", inSyncReplicas=2)
    await master.start()
    slave = cluster.broker("broker-a", 1, inSyncReplicas=2)
    await slave.start()
    async with Direct() as direct:

        async def copies() -> bool:
            return await send(direct, master, b"first", DELAY="1") == 0

        await until(copies, "the slave copies")
        assert await send(direct, master, b"level", DELAY="3") == 0
        assert await send(direct, master, b"timed", TIMER_DELAY_SEC="8") == 0
        await come(direct, master, {b"first"})
        await asyncio.sleep(3)  # the slave asks how far its master is every two seconds
        master.kill()
        await slave.stop()
        slave.properties |= {"brokerRole": "ASYNC_MASTER", "brokerId": 0, "inSyncReplicas": 1}
        await slave.start()
        await come(direct, slave, {b"first", b"level", b"timed"})
