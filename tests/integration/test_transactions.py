"""Transactions through a broker as a process: committed, asked about, and alive after kills under load."""

import asyncio
from itertools import count

from broker_py.errors import Unreachable
from broker_py.message.sysflags import TRANSACTION_COMMIT, TRANSACTION_ROLLBACK
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct
from tests.support.transactions import TransactionalProducer

SETTINGS = {"transactionTimeOut": 300, "transactionCheckInterval": 200, "transactionOpBatchInterval": 100}
SENDERS = 8
ROUNDS = 3


async def bodies(direct: Direct, broker: Daemon) -> list[bytes]:
    """Return the bodies of all messages of the topic."""
    return [message.body for message in await direct.read_queue(broker.address, "T")]


async def test_a_message_is_seen_when_its_producer_commits_it(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct, TransactionalProducer(broker.address) as producer:
        await direct.make_topic(broker.address, "T")
        halves = [await producer.prepare("T", b"%d" % number) for number in range(3)]
        assert await bodies(direct, broker) == []
        await producer.end(halves[2], TRANSACTION_COMMIT)
        await producer.end(halves[0], TRANSACTION_ROLLBACK)
        await producer.end(halves[1], TRANSACTION_COMMIT)
        assert await bodies(direct, broker) == [b"2", b"1"]


async def test_a_producer_is_asked_about_what_it_left_undecided_before_a_kill(cluster: Cluster) -> None:
    broker = cluster.broker(**SETTINGS)
    await broker.start()
    async with Direct() as direct, TransactionalProducer(broker.address) as producer:
        await direct.make_topic(broker.address, "T")
        await producer.prepare("T", b"undecided")
        broker.kill()
        await broker.start()
        producer.answer = lambda _: TRANSACTION_COMMIT
        await producer.heartbeat()

        async def seen() -> bool:
            return b"undecided" in await bodies(direct, broker)

        await until(seen, "the producer has been asked and has committed")


class Load:
    """Transactions as fast as they are answered, until the broker is gone."""

    def __init__(self, producer: TransactionalProducer) -> None:
        self._producer = producer
        self._numbers = count()
        self.accepted: set[bytes] = set()
        self.committed: set[bytes] = set()

    async def run(self) -> None:
        """Send until the broker is gone."""
        await asyncio.gather(*(self._send_on() for _ in range(SENDERS)))

    async def _send_on(self) -> None:
        try:
            while True:
                number = next(self._numbers)
                body = b"%d" % number
                half = await self._producer.prepare("T", body)
                self.accepted.add(body)
                if number % 3 != 0:  # of each third the producer forgets to say what became of it
                    await self._producer.end(half, outcome(body))
                    if outcome(body) == TRANSACTION_COMMIT:
                        self.committed.add(body)
        except Unreachable:
            return


def outcome(body: bytes) -> int:
    """What becomes of a transaction."""
    return TRANSACTION_COMMIT if int(body) % 2 else TRANSACTION_ROLLBACK


async def test_no_transaction_is_lost_or_seen_too_early_by_kills_under_load(cluster: Cluster) -> None:
    broker = cluster.broker(**SETTINGS, mappedFileSizeCommitLog=65_536, mappedFileSizeConsumeQueue=2000)
    await broker.start()
    async with Direct() as direct, TransactionalProducer(broker.address) as producer:
        await direct.make_topic(broker.address, "T")
        producer.answer = outcome
        load = Load(producer)
        for _ in range(ROUNDS):
            await producer.heartbeat()
            target = len(load.accepted) + 300

            async def enough(target: int = target) -> bool:
                return len(load.accepted) >= target

            sending = asyncio.create_task(load.run())
            await until(enough, f"{target} half messages are accepted")
            broker.kill()
            await sending
            await broker.start()
            seen = set(await bodies(direct, broker))
            assert load.committed <= seen
            assert {body for body in seen if outcome(body) != TRANSACTION_COMMIT} == set()
        await producer.heartbeat()
        wanted = {body for body in load.accepted if outcome(body) == TRANSACTION_COMMIT}

        async def all_seen() -> bool:
            return wanted <= set(await bodies(direct, broker))

        await until(all_seen, "all that was accepted is decided")
