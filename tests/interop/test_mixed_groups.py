"""Members of one group by RocketMQ's Java client, its Go client and ours share the queues, whoever comes and goes."""

import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.interop.java import MixedCluster, why_not
from tests.interop.member_programs import MemberProgram, go_members, java_members, needs_go
from tests.support.client_lab import ClientLab
from tests.support.cluster import CLUSTER_NAME
from tests.support.members import Journal, Load, Members, OwnMembers, consumed, settled

JOINS_AND_LEAVES = 20
MESSAGES_EACH = 150
TOPIC = "Mixed"
GROUP = "G_Mixed"
QUEUES = 8

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("side", ["java", "ours"])
@pytest.mark.parametrize("official", [("java",), pytest.param(("java", "go"), marks=needs_go)], ids="-".join)
async def test_a_mixed_group_loses_nothing_in_a_storm_and_shares_the_queues_after_it(
    cluster: MixedCluster, tmp_path: Path, side: str, official: tuple[str, ...]
) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    await (cluster.java_broker() if side == "java" else cluster.broker()).start()
    lab = ClientLab(nameserver.address, CLUSTER_NAME)
    journal = Journal()
    chance = random.Random(7)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(lab.client())
        await lab.topic(client, TOPIC, queues=QUEUES)
        own = OwnMembers(lab, TOPIC, GROUP, journal, work_ms=1)
        stack.push_async_callback(own.leave_all)
        clients: dict[str, Members] = {"ours": own}
        for name in official:
            command = (java_members if name == "java" else go_members)(tmp_path)
            clients[name] = await stack.enter_async_context(
                MemberProgram.running(command, tmp_path, nameserver.address, TOPIC, GROUP, journal, work_ms=1)
            )
        here: list[tuple[str, str]] = []
        async with Load(client, TOPIC, 400) as load:
            for number in range(JOINS_AND_LEAVES):
                if len(here) > 1 and (len(here) == 6 or chance.random() < 0.4):
                    kind, name = here.pop(chance.randrange(len(here)))
                    await clients[kind].leave(name)
                else:
                    kind = list(clients)[number % len(clients)]
                    here.append((kind, f"{kind}-{number}"))
                    await clients[kind].join(here[-1][1])
                await load.goes_on(MESSAGES_EACH)
            for kind, members in clients.items():
                if kind not in {present for present, _ in here}:
                    here.append((kind, f"{kind}-last"))
                    await members.join(here[-1][1])
            owners = await settled(client, TOPIC, GROUP, len(here))
            await load.goes_on(MESSAGES_EACH)
        await consumed(journal, load.sent)
        assert sum(map(len, owners.values())) == QUEUES
        assert len(load.sent) > JOINS_AND_LEAVES * MESSAGES_EACH
        for kind in clients:
            assert any(got.member.startswith(kind) for got in journal.entries), f"{kind} consumed nothing"
