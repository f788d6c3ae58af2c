"""A broker that is killed under load, and what it has when it is back."""

import asyncio
from itertools import count

import pytest

from broker_py.client.messages import ReceivedMessage
from broker_py.errors import Unreachable
from broker_py.wire.codes import ResponseCode
from broker_py.wire.fastjson import loads_object
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

QUEUES = range(4)
SENDERS = 16
ROUNDS = 3

Place = tuple[int, int]


class Load:
    """Sends as fast as it is answered, until the broker is gone; knows what was acknowledged where."""

    def __init__(self, direct: Direct, broker: Daemon) -> None:
        self._direct = direct
        self._broker = broker
        self._numbers = count()
        self.acknowledged: dict[bytes, Place] = {}

    async def run(self) -> None:
        """Send until the broker is gone."""
        await asyncio.gather(*(self._send_on(number % len(QUEUES)) for number in range(SENDERS)))

    async def _send_on(self, queue_id: int) -> None:
        while True:
            body = b"%d " % next(self._numbers) + bytes(500)
            try:
                sent = await self._direct.send(self._broker.address, "T", body, queue_id)
            except Unreachable:
                return
            assert sent.code == ResponseCode.SUCCESS
            self.acknowledged[body] = (sent.queue_id, sent.queue_offset)


async def everything(direct: Direct, broker: Daemon) -> dict[Place, ReceivedMessage]:
    """Return all messages of the topic by their place; their offsets have no gap, and no body is there twice."""
    stored: dict[Place, ReceivedMessage] = {}
    for queue_id in QUEUES:
        messages = await direct.read_queue(broker.address, "T", queue_id)
        assert [message.queue_offset for message in messages] == list(range(len(messages)))
        stored |= {(queue_id, message.queue_offset): message for message in messages}
    assert len({message.body for message in stored.values()}) == len(stored)
    return stored


@pytest.mark.parametrize("flush", ["ASYNC_FLUSH", "SYNC_FLUSH"])
async def test_nothing_that_was_acknowledged_is_missing_after_a_kill_under_load(cluster: Cluster, flush: str) -> None:
    broker = cluster.broker(flushDiskType=flush, mappedFileSizeCommitLog=65_536, mappedFileSizeConsumeQueue=2000)
    await broker.start()
    async with Direct() as direct:
        load = Load(direct, broker)
        for _ in range(ROUNDS):
            target = len(load.acknowledged) + 500

            async def enough(target: int = target) -> bool:
                return len(load.acknowledged) >= target

            sending = asyncio.create_task(load.run())
            await until(enough, f"{target} messages are acknowledged")
            broker.kill()
            await sending
            await broker.start()
            stored = await everything(direct, broker)
            assert {
                body: place for place, message in stored.items() if (body := message.body) in load.acknowledged
            } == (load.acknowledged)


async def test_a_broker_killed_again_and_again_while_it_recovers_loses_nothing(cluster: Cluster) -> None:
    broker = cluster.broker(mappedFileSizeCommitLog=65_536, mappedFileSizeConsumeQueue=2000)
    await broker.start()
    async with Direct() as direct:
        for number in range(200):
            await direct.send(broker.address, "T", b"%d " % number + bytes(1000))
        broker.kill()
        for seconds in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3):
            broker.launch()
            await asyncio.sleep(seconds)  # the moments of the kills, not a wait for something
            broker.kill()
        await broker.start()
        stored = await everything(direct, broker)
    assert len(stored) == 200


async def test_queues_that_are_gone_are_built_anew_from_the_log(cluster: Cluster) -> None:
    broker = cluster.broker(mappedFileSizeCommitLog=65_536, mappedFileSizeConsumeQueue=2000)
    await broker.start()
    async with Direct() as direct:
        for number in range(200):
            await direct.send(broker.address, "T", b"%d " % number + bytes(500), number % len(QUEUES))
        before = await everything(direct, broker)
        broker.kill()
        for file in (broker.store / "consumequeue" / "T").glob("*/*"):
            file.unlink()
        await broker.start()
        assert await everything(direct, broker) == before


async def test_a_record_torn_by_a_crash_is_cut_and_its_place_given_anew(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        for body in (b"kept", b"torn"):
            await direct.send(broker.address, "T", body + bytes(2000))
        broker.kill()
        (log,) = (broker.store / "commitlog").iterdir()
        data = bytearray(log.read_bytes())
        body_start = data.index(b"torn")
        data[body_start + 100 : body_start + 110] = b"\xff" * 10
        log.write_bytes(data)
        await broker.start()
        assert (await direct.send(broker.address, "T", b"next")).queue_offset == 1
        assert [message.body[:4] for message in await direct.read_queue(broker.address, "T")] == [b"kept", b"next"]


async def test_where_groups_stand_is_kept_over_a_clean_stop_and_nearly_over_a_kill(cluster: Cluster) -> None:
    broker = cluster.broker(flushConsumerOffsetInterval=50)
    await broker.start()
    async with Direct() as direct:
        for number in range(10):
            await direct.send(broker.address, "T", b"%d" % number)
        await direct.commit(broker.address, "T", "group", 7)
        await broker.stop()
        await broker.start()
        assert await direct.committed(broker.address, "T", "group") == 7
        await direct.commit(broker.address, "T", "group", 9)

        async def saved() -> bool:
            table = loads_object((broker.store / "config" / "consumerOffset.json").read_bytes())
            return bool(table["offsetTable"]["T@group"] == {"0": 9})

        await until(saved, "the offset is in the file")
        broker.kill()
        await broker.start()
        assert await direct.committed(broker.address, "T", "group") == 9
