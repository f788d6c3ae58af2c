"""Ordered consumption while members come and go and brokers are lost: order is kept, by one member at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from broker_py.client import Client
from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import dumps
from tests.support.client_lab import FIRST, ClientLab
from tests.support.cluster import CLUSTER_NAME, Cluster, Daemon, until
from tests.support.direct import Direct
from tests.support.members import Journal, Load, OwnMembers, committed, consumed, settled

TOPIC = "Ordered"
GROUP = "G_Ordered"
QUEUES = 4

pytestmark = pytest.mark.timeout(120)


class Group:
    """A topic on the brokers of a cluster, and an orderly group of it."""

    def __init__(self, lab: ClientLab, client: Client) -> None:
        self.client = client
        self.journal = Journal()
        self.members = OwnMembers(lab, TOPIC, GROUP, self.journal, work_ms=2, options=replace(FIRST, orderly=True))

    def judge(self, sent: set[int]) -> None:
        """Fail where order was not kept, or where two members had a queue at once."""
        assert sent <= self.journal.keys()
        assert self.journal.out_of_order() == []
        assert self.journal.at_once() == []


@asynccontextmanager
async def group_on(cluster: Cluster, *brokers: Daemon) -> AsyncIterator[Group]:
    """Start the daemons and make the topic; in the end members that are left leave."""
    for broker in brokers:
        await broker.start()
    lab = ClientLab(cluster.namesrv_addr(), CLUSTER_NAME)
    async with lab.client() as client:
        await lab.topic(client, TOPIC, queues=QUEUES)
        group = Group(lab, client)
        try:
            yield group
        finally:
            await group.members.leave_all()


async def one_broker(cluster: Cluster) -> Daemon:
    """Start a name server and return a broker, not started."""
    await cluster.nameserver().start()
    return cluster.broker()


async def test_order_is_kept_while_members_come_and_go(cluster: Cluster) -> None:
    async with group_on(cluster, await one_broker(cluster)) as group:
        async with Load(group.client, TOPIC, 300) as load:
            for number in range(8):
                await group.members.join(f"m{number}")
                await load.goes_on(60)
                if number % 2:
                    await group.members.leave(f"m{number - 1}")
                    await load.goes_on(60)
            await settled(group.client, TOPIC, GROUP, 4)
        await consumed(group.journal, load.sent)
        group.judge(load.sent)
        assert group.journal.repeated == 0
        await group.members.leave_all()
        assert all(offset == end for offset, end in (await committed(group.client, TOPIC, GROUP)).values())


async def test_order_is_kept_when_the_broker_is_killed_and_a_member_joins_as_it_is_back(cluster: Cluster) -> None:
    broker = await one_broker(cluster)
    async with group_on(cluster, broker) as group:
        await group.members.join("m0")
        await group.members.join("m1")
        async with Load(group.client, TOPIC, 300) as load:
            await settled(group.client, TOPIC, GROUP, 2)
            for number in range(2, 5):
                await load.goes_on(150)
                broker.kill()
                await asyncio.sleep(0.3)
                await broker.start()
                await group.members.join(f"m{number}")
            await load.goes_on(150)
            await settled(group.client, TOPIC, GROUP, 5)
        await consumed(group.journal, load.sent)
        group.judge(load.sent)


async def test_the_other_master_goes_on_in_order(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker_py.client.routes.MAX_AGE_SECONDS", 2)  # members learn soon that it is back
    monkeypatch.setattr("broker_py.client.member.REBALANCE_SECONDS", 2)
    await cluster.nameserver().start()
    one, other = cluster.broker("broker-a"), cluster.broker("broker-b")
    async with group_on(cluster, one, other) as group:
        await group.members.join("m0")
        await group.members.join("m1")
        async with Load(group.client, TOPIC, 300) as load:
            await settled(group.client, TOPIC, GROUP, 2)
            await load.goes_on(150)
            other.kill()
            await load.goes_on(300)
            await group.members.join("m2")

            async def went_on() -> bool:
                recent = group.journal.entries[-50:]
                return {got.queue.broker_name for got in recent} == {"broker-a"}

            await until(went_on, "messages of broker-a are consumed")
            await other.start()
            await load.goes_on(300)
            await settled(group.client, TOPIC, GROUP, 3)
            await group.members.leave("m0")
            await load.goes_on(150)
        await consumed(group.journal, load.sent)
        group.judge(load.sent)


async def test_a_queue_that_another_client_has_locked_waits_for_it(cluster: Cluster) -> None:
    broker = await one_broker(cluster)
    async with group_on(cluster, broker) as group, Direct() as direct:
        locked, *others = await group.client.topic_queues(TOPIC)
        body = dumps({"clientId": "ghost", "consumerGroup": GROUP, "mqSet": [locked.to_json()]})
        await direct.tell(broker.address, RequestCode.LOCK_BATCH_MQ, body=body)
        await group.members.join("m0")
        async with Load(group.client, TOPIC, 200) as load:
            await load.goes_on(100)

            async def all_others() -> bool:
                return {got.queue for got in group.journal.entries} == set(others)

            await until(all_others, "the other queues are consumed")
            await load.goes_on(100)
            assert await all_others()
            await direct.tell(broker.address, RequestCode.UNLOCK_BATCH_MQ, body=body)
        await consumed(group.journal, load.sent)
        group.judge(load.sent)
