"""A broker whose disk fails under load: who is answered what, and what a restart has."""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from broker_py.client.client import Client
from broker_py.model.topic import PERM_READ, PERM_WRITE
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads_object
from broker_py.wire.headers.send import SendRequest
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct
from tests.support.strace import FailingCalls, needs_strace

QUEUES = range(4)
SENDERS = 32

pytestmark = needs_strace


@dataclass
class Load:
    """Sends by many at once over one connection, and notes the answers in the order they come.

    A sender ends with its first refusal; `answers` has the code and the remark of each send.
    """

    direct: Direct
    broker: Daemon
    answers: list[tuple[int, str]] = field(default_factory=list)
    acknowledged: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Send until every sender was refused."""
        numbers = count()

        async def send_on(queue_id: int) -> None:
            while True:
                body = b"%d " % next(numbers) + bytes(500)
                reply = await send(self.direct, self.broker, body, queue_id)
                self.answers.append((reply.code, reply.remark or ""))
                if reply.code != ResponseCode.SUCCESS:
                    return
                self.acknowledged[body] = (int(reply.ext["queueId"]), int(reply.ext["queueOffset"]))

        await asyncio.gather(*(send_on(number % len(QUEUES)) for number in range(SENDERS)))

    @property
    def refusals(self) -> list[tuple[int, str]]:
        """The answers from the first refusal on."""
        first = next((at for at, (code, _) in enumerate(self.answers) if code != ResponseCode.SUCCESS), None)
        return self.answers[first:] if first is not None else []


async def send(direct: Direct, broker: Daemon, body: bytes, queue_id: int = 0) -> Command:
    header = SendRequest("producers", "T", queue_id, born_timestamp=1_700_000_000_000)
    return await direct.ask(broker.address, RequestCode.SEND_MESSAGE_V2, header.to_ext(), body)


async def runtime(direct: Direct, broker: Daemon) -> dict[Any, Any]:
    reply = await direct.tell(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)
    table: dict[Any, Any] = loads_object(reply.body)["table"]
    return table


async def permission(client: Client) -> int:
    """What the name server says of the topic's queues."""
    route = await client.name_servers.route("T")
    return route.queue_datas[0].perm


async def stored(direct: Direct, broker: Daemon) -> dict[bytes, tuple[int, int]]:
    """All messages by their bodies."""
    found: dict[bytes, tuple[int, int]] = {}
    for queue_id in QUEUES:
        for message in await direct.read_queue(broker.address, "T", queue_id):
            found[message.body] = (queue_id, message.queue_offset)
    return found


@pytest.mark.parametrize(
    ("flush", "calls", "reason"),
    [
        ("SYNC_FLUSH", "fdatasync", "could not be forced to disk"),
        ("ASYNC_FLUSH", "fdatasync", "could not be forced to disk"),
        ("SYNC_FLUSH", "pwrite64", "could not be written"),
        ("ASYNC_FLUSH", "pwrite64", "could not be written"),
    ],
)
async def test_from_the_first_failure_on_nobody_is_acknowledged_and_everybody_is_told_why(
    cluster: Cluster, flush: str, calls: str, reason: str
) -> None:
    await cluster.nameserver().start()
    # Queues are not written meanwhile: a write of theirs that fails first would be the reason, and no final one.
    broker = cluster.broker(flushDiskType=flush, flushIntervalCommitLog=50, flushIntervalConsumeQueue=3_600_000)
    await broker.start()
    assert broker.process is not None
    async with Direct() as direct, cluster.client() as client:
        load = Load(direct, broker)
        sending = asyncio.create_task(load.run())

        async def loaded() -> bool:
            return len(load.acknowledged) >= 500

        await until(loaded, "500 messages are acknowledged")
        with FailingCalls(broker.process.pid, calls, broker.directory, when="3+") as failing:
            await sending
            assert failing.failed >= 1
            refused = load.refusals
            assert len(refused) == SENDERS
            assert {code for code, _ in refused} == {ResponseCode.SERVICE_NOT_AVAILABLE}
            assert [remark for _, remark in refused if reason not in remark] == []

            async def told() -> bool:
                return not await permission(client) & PERM_WRITE

            await until(told, "the name server says that the broker can't be written to", 1.5)
        # The disk works again, which proves nothing for what it dropped.
        late = await send(direct, broker, b"late")
        assert late.code == ResponseCode.SERVICE_NOT_AVAILABLE
        assert "restart the broker" in (late.remark or "")
        assert reason in (await runtime(direct, broker))["brokerFault"]
        assert f"messages are refused: the log {reason}" in broker.log()
        readable = await stored(direct, broker)
        assert load.acknowledged.items() <= readable.items()
        broker.kill()
        await broker.start()
        again = await stored(direct, broker)
        assert load.acknowledged.items() <= again.items()
        assert b"late" not in again
        assert (await send(direct, broker, b"after")).code == ResponseCode.SUCCESS

        async def writable() -> bool:
            return await permission(client) == PERM_READ | PERM_WRITE

        await until(writable, "the name server says that the broker can be written to")


async def test_tables_that_can_not_be_written_are_told_and_what_was_acknowledged_stays(cluster: Cluster) -> None:
    broker = cluster.broker(flushConsumerOffsetInterval=50)
    await broker.start()
    assert broker.process is not None
    async with Direct() as direct:
        assert (await send(direct, broker, b"one")).code == ResponseCode.SUCCESS
        await direct.commit(broker.address, "T", "group", 0)
        with FailingCalls(broker.process.pid, "rename,renameat,renameat2", broker.directory):
            header = SendRequest("producers", "New", 0, born_timestamp=1)
            refused = await direct.ask(broker.address, RequestCode.SEND_MESSAGE_V2, header.to_ext(), b"x")
            assert refused.code == ResponseCode.SYSTEM_ERROR
            assert "the topics can't be written: [Errno 5]" in (refused.remark or "")
            await direct.commit(broker.address, "T", "group", 1)

            async def warned() -> bool:
                return "consumer offsets" in (await runtime(direct, broker))["brokerWarning"]

            await until(warned, "the broker says that it can't write the offsets")
            assert (await runtime(direct, broker))["brokerFault"] == "none"
            assert (await send(direct, broker, b"two")).code == ResponseCode.SUCCESS
            assert await direct.committed(broker.address, "T", "group") == 1

        async def healthy() -> bool:
            return bool((await runtime(direct, broker))["brokerWarning"] == "none")

        await until(healthy, "the offsets are written")
        broker.kill()
        await broker.start()
        assert await direct.committed(broker.address, "T", "group") == 1
        assert [message.body for message in await direct.read_queue(broker.address, "T")] == [b"one", b"two"]
        topics = await direct.tell(broker.address, RequestCode.GET_ALL_TOPIC_CONFIG)
        assert b'"T"' in topics.body
        assert b'"New"' not in topics.body
