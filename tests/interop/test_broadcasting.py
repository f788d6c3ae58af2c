"""Broadcasting: members of every client get everything, and ours and Java's keep their offsets in the same file."""

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from broker_py.client import Client, Identity, OutgoingMessage, PushOptions
from tests.interop.java import MixedCluster, why_not
from tests.interop.member_programs import MemberProgram, go_members, java_members, needs_go
from tests.support.client_lab import FIRST, ClientLab, Inbox
from tests.support.cluster import CLUSTER_NAME, until
from tests.support.members import Journal

TOPIC = "Broadcast"
GROUP = "G_Broadcast"
DEFAULT_INSTANCE = "DEFAULT"  # as Java's client calls itself when it broadcasts

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(180),
]


def options(directory: Path) -> PushOptions:
    return replace(FIRST, broadcasting=True, offset_directory=str(directory / ".rocketmq_offsets"))


async def send(client: Client, keys: range) -> None:
    producer = client.producer("P_Broadcast")
    for key in keys:
        await producer.send(OutgoingMessage(topic=TOPIC, body=str(key).encode(), keys=str(key)))


async def got(journal: Journal, member: str, keys: range) -> None:
    async def all_of_them() -> bool:
        return journal.keys(member) >= set(keys)

    await until(all_of_them, f"{member} has messages {keys}", 40)


@pytest.mark.parametrize("side", ["java", "ours"])
@pytest.mark.parametrize("official", [("java",), pytest.param(("java", "go"), marks=needs_go)], ids="-".join)
async def test_every_member_gets_everything(
    cluster: MixedCluster, tmp_path: Path, side: str, official: tuple[str, ...]
) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    await (cluster.java_broker() if side == "java" else cluster.broker()).start()
    lab = ClientLab(nameserver.address, CLUSTER_NAME)
    journal, inbox = Journal(), Inbox()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(lab.client())
        await lab.topic(client, TOPIC)
        await stack.enter_async_context(client.push_consumer(GROUP, {TOPIC: "*"}, inbox, options(tmp_path / "ours")))
        for name in official:
            command = (java_members if name == "java" else go_members)(tmp_path)
            running = MemberProgram.running(command, tmp_path, lab.namesrv, TOPIC, GROUP, journal, mode="broadcast")
            program = await stack.enter_async_context(running)
            await program.join(f"{name}-0")
            await program.join(f"{name}-1")
        await send(client, range(100))
        await inbox.until(lambda bodies: len(bodies) == 100)
        for name in official:
            await got(journal, f"{name}-0", range(100))
            await got(journal, f"{name}-1", range(100))


async def test_ours_goes_on_where_java_was_and_java_where_ours_was(cluster: MixedCluster, tmp_path: Path) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    await cluster.broker().start()
    lab = ClientLab(nameserver.address, CLUSTER_NAME)
    command, journal, inbox = java_members(tmp_path), Journal(), Inbox()
    home = tmp_path / "java-home"
    async with lab.client() as client:
        await lab.topic(client, TOPIC)
        for rounds in range(2):
            first = rounds * 20
            journal.entries.clear()
            running = MemberProgram.running(command, tmp_path, lab.namesrv, TOPIC, GROUP, journal, mode="broadcast")
            async with running as java:
                await java.join(DEFAULT_INSTANCE)
                await send(client, range(first, first + 10))
                await got(journal, DEFAULT_INSTANCE, range(first, first + 10))
                await java.leave(DEFAULT_INSTANCE)
            assert journal.keys() == set(range(first, first + 10))
            (kept,) = (home / ".rocketmq_offsets").iterdir()
            inbox.messages.clear()
            ip = kept.name.removesuffix(f"@{DEFAULT_INSTANCE}")
            async with (
                Client(lab.namesrv, Identity(ip, os.getpid(), rounds)) as other,
                other.push_consumer(GROUP, {TOPIC: "*"}, inbox, options(home)),
            ):
                await send(client, range(first + 10, first + 20))
                await inbox.until(lambda bodies: len(bodies) >= 10)
            assert sorted(int(body) for body in inbox.bodies) == list(range(first + 10, first + 20))
