"""Orderly groups of Java's client and ours: order is kept whoever comes and goes, and through a lost broker."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from broker_py.client import Client
from tests.interop.java import MixedCluster, why_not
from tests.interop.member_programs import MemberProgram, java_members
from tests.support.client_lab import FIRST, ClientLab
from tests.support.cluster import CLUSTER_NAME
from tests.support.members import Journal, Load, OwnMembers, consumed, settled

TOPIC = "MixedOrdered"
GROUP = "G_MixedOrdered"

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("side", ["java", "ours"])
async def test_order_is_kept_while_members_of_both_kinds_come_and_go(
    cluster: MixedCluster, tmp_path: Path, side: str
) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    await (cluster.java_broker() if side == "java" else cluster.broker()).start()
    journal = Journal()
    async with AsyncExitStack() as stack:
        client, own, java = await _members(stack, nameserver.address, tmp_path, journal)
        async with Load(client, TOPIC, 200) as load:
            for number in range(4):
                await java.join(f"java-{number}")
                await load.goes_on(100)
                await own.join(f"ours-{number}")
                await load.goes_on(100)
                if number:
                    await java.leave(f"java-{number - 1}")
                    await load.goes_on(100)
                    await own.leave(f"ours-{number - 1}")
            await settled(client, TOPIC, GROUP, 2)
            await load.goes_on(100)
        await consumed(journal, load.sent)
        assert journal.out_of_order() == []
        assert journal.at_once() == []
        assert {got.member.split("-")[0] for got in journal.entries} == {"java", "ours"}


async def test_nothing_is_lost_when_the_broker_is_killed(cluster: MixedCluster, tmp_path: Path) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    broker = cluster.broker()
    await broker.start()
    journal = Journal()
    async with AsyncExitStack() as stack:
        client, own, java = await _members(stack, nameserver.address, tmp_path, journal)
        await java.join("java-0")
        await own.join("ours-0")
        async with Load(client, TOPIC, 200) as load:
            await settled(client, TOPIC, GROUP, 2)
            await load.goes_on(100)
            broker.kill()
            await asyncio.sleep(0.5)
            await broker.start()
            await load.goes_on(200)
            await settled(client, TOPIC, GROUP, 2)
            await load.goes_on(100)
        await consumed(journal, load.sent)
        # The Java client takes its locks to be good for up to 30 s longer than the broker that had them: what both had
        # is not judged, but a queue's first deliveries are in order.
        newest: dict[object, int] = {}
        for got in sorted(journal.entries, key=lambda got: got.began_ms):
            assert got.offset <= newest.get(got.queue, -1) + 1, got
            newest[got.queue] = max(newest.get(got.queue, -1), got.offset)


async def _members(
    stack: AsyncExitStack, namesrv: str, directory: Path, journal: Journal
) -> tuple[Client, OwnMembers, MemberProgram]:
    lab = ClientLab(namesrv, CLUSTER_NAME)
    client = await stack.enter_async_context(lab.client())
    await lab.topic(client, TOPIC)
    own = OwnMembers(lab, TOPIC, GROUP, journal, work_ms=2, options=replace(FIRST, orderly=True))
    stack.push_async_callback(own.leave_all)
    running = MemberProgram.running(
        java_members(directory), directory, namesrv, TOPIC, GROUP, journal, mode="orderly", work_ms=2
    )
    return client, own, await stack.enter_async_context(running)
