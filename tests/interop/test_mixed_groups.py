"""Members of one group that are RocketMQ's Java client and ours: they share the queues, whoever comes and goes."""

import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker_py.client import ConsumeContext, ConsumeFromWhere, ConsumeStatus, PushOptions, ReceivedMessage
from tests.interop.java import MixedCluster, why_not
from tests.interop.java_client import JavaClient
from tests.support.client_lab import ClientLab
from tests.support.cluster import CLUSTER_NAME, PATIENCE, until

JOINS_AND_LEAVES = 20
TOPIC = "Mixed"
GROUP = "takeover-consumers"

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(180),
]


@pytest.mark.parametrize("side", ["java", "ours"])
async def test_a_group_of_both_clients_loses_nothing_while_members_come_and_go(
    cluster: MixedCluster, tmp_path: Path, side: str
) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    await (cluster.java_broker() if side == "java" else cluster.broker()).start()
    lab = ClientLab(nameserver.address, CLUSTER_NAME)
    got: set[int] = set()

    async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        got.update(int(message.keys or -1) for message in messages)
        return ConsumeStatus.SUCCESS

    options = PushOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET)
    chance = random.Random(7)
    async with lab.client() as client:
        await lab.topic(client, TOPIC, queues=8)
        async with JavaClient.running(tmp_path / "client", nameserver.address, TOPIC, 300) as java:
            members: list[AsyncExitStack] = []
            for _ in range(JOINS_AND_LEAVES):
                if members and (len(members) == 3 or chance.random() < 0.4):
                    await members.pop(chance.randrange(len(members))).aclose()
                else:
                    stack = AsyncExitStack()
                    other = await stack.enter_async_context(lab.client())
                    await stack.enter_async_context(other.push_consumer(GROUP, {TOPIC: "*"}, listen, options))
                    members.append(stack)
                before = len(java.events.sent)

                async def flows(before: int = before) -> bool:
                    return len(java.events.sent) > before + 150

                await until(flows, "messages are sent", 30)
            java.tell("finish")
            await java.hears("finished")

            async def consumed() -> bool:
                return not java.events.lost - got

            await until(consumed, "everything is consumed", 60 * PATIENCE)
            for stack in members:
                await stack.aclose()
            await java.end()
    assert java.events.failed == []
    assert got
    assert java.events.got
