"""Members of a consumer group."""

import asyncio
from collections.abc import Callable

import pytest

from broker_py.client.client import Client
from broker_py.client.group_consumer import GroupConsumer
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.errors import Unreachable
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import retry_topic
from broker_py.wire.codes import RequestCode
from tests.unit.client.fake_cluster import FakeCluster

GROUP = "G"
OnMessage = Callable[[ReceivedMessage], None]


@pytest.fixture(autouse=True)
def _topic(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 2)
    cluster.store_b.add_topic("T", 2)


def fill(cluster: FakeCluster, each: int = 5) -> None:
    for store, name in ((cluster.store_a, "a"), (cluster.store_b, "b")):
        for queue_id in range(2):
            store.fill("T", queue_id, [f"{name}{queue_id}{number}".encode() for number in range(each)])


def member(client: Client, on_message: OnMessage, expression: str = "*") -> GroupConsumer:
    consumer = client.group_consumer(GROUP, "T", on_message, expression)
    consumer.retry_seconds = 0.01
    return consumer


def own(consumer: GroupConsumer) -> list[MessageQueue]:
    """Return the queues of the topic that a member has, without the retry topic's."""
    return [queue for queue in consumer.assigned if queue.topic == "T"]


async def eventually(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.002)

    await asyncio.wait_for(poll(), 10)


def consume(cluster: FakeCluster, count: int, expression: str = "*") -> list[ReceivedMessage]:
    """Be the only member until `count` messages came."""
    received: list[ReceivedMessage] = []

    async def run(client: Client) -> None:
        def on_message(message: ReceivedMessage) -> None:
            received.append(message)
            if len(received) == count:
                consumer.stop()

        consumer = member(client, on_message, expression)
        await consumer.run()

    cluster.ask(run)
    return received


def test_a_new_group_gets_all_messages_from_the_first_one_on_each_queue_in_order(cluster: FakeCluster) -> None:
    fill(cluster)
    received = consume(cluster, 20)
    assert len({message.body for message in received}) == 20
    for name in "ab":
        for queue_id in range(2):
            bodies = [m.body for m in received if (m.broker_name, m.queue_id) == (f"broker-{name}", queue_id)]
            assert bodies == [f"{name}{queue_id}{number}".encode() for number in range(5)]


def test_the_offsets_of_what_was_consumed_are_committed_on_leaving(cluster: FakeCluster) -> None:
    fill(cluster)
    consume(cluster, 13)
    stored = cluster.store_a.offsets | {(g, t + "'", q): o for (g, t, q), o in cluster.store_b.offsets.items()}
    assert sum(stored.values()) == 13


def test_the_next_member_goes_on_where_the_last_one_stopped(cluster: FakeCluster) -> None:
    fill(cluster)
    first, second = consume(cluster, 13), consume(cluster, 7)
    assert len({message.body for message in first + second}) == 20


def test_a_member_is_known_to_masters_and_slaves_while_it_runs_and_to_nobody_after(cluster: FakeCluster) -> None:
    seen: list[list[str]] = []

    async def run(client: Client) -> None:
        consumer = member(client, lambda _: None)
        task = asyncio.create_task(consumer.run())
        await eventually(lambda: len(own(consumer)) == 4)
        seen.append([*cluster.store_a.members[GROUP], *cluster.store_b.members[GROUP]])
        codes = {request.code for request in cluster.slave.requests}
        assert RequestCode.HEART_BEAT in codes
        consumer.stop()
        await task

    cluster.ask(run)
    assert seen == [["10.0.0.9@77#1", "10.0.0.9@77#1"]]
    assert cluster.store_a.members[GROUP] == cluster.store_b.members[GROUP] == {}


def test_a_message_that_arrives_later_is_delivered_at_once(cluster: FakeCluster) -> None:
    received: list[bytes] = []

    async def run(client: Client) -> None:
        consumer = member(client, lambda message: received.append(message.body))
        task = asyncio.create_task(consumer.run())
        await eventually(lambda: len(own(consumer)) == 4)
        await client.producer("p").send(OutgoingMessage(topic="T", body=b"late"))
        await eventually(lambda: received == [b"late"])
        consumer.stop()
        await task

    cluster.ask(run)


def test_two_members_share_the_queues_and_one_takes_over_when_the_other_leaves(cluster: FakeCluster) -> None:
    async def run(client: Client) -> None:
        async with cluster.client(instance=2) as other_client:
            one, other = member(client, lambda _: None), member(other_client, lambda _: None)
            tasks = [asyncio.create_task(one.run())]
            await eventually(lambda: len(own(one)) == 4)
            tasks.append(asyncio.create_task(other.run()))
            await eventually(lambda: len(own(one)) == len(own(other)) == 2)
            assert not set(own(one)) & set(own(other))
            other.stop()
            await tasks[1]
            await eventually(lambda: len(own(one)) == 4)
            one.stop()
            await tasks[0]

    cluster.ask(run)


def test_only_the_wanted_tags_are_delivered(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"one"], tags="A")
    cluster.store_a.fill("T", 0, [b"two"], tags="B")
    cluster.store_a.fill("T", 0, [b"three"], tags="C")
    assert [message.body for message in consume(cluster, 2, "A || C")] == [b"one", b"three"]


def test_messages_to_be_consumed_again_are_delivered(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic(retry_topic(GROUP), 1)
    cluster.store_a.fill(retry_topic(GROUP), 0, [b"again"])
    assert [message.body for message in consume(cluster, 1)] == [b"again"]


def test_consuming_goes_on_from_the_slave_when_the_master_does_not_answer(cluster: FakeCluster) -> None:
    fill(cluster)
    cluster.a.refuse[RequestCode.PULL_MESSAGE] = (14, 1_000)
    received = consume(cluster, 20)
    assert len({message.body for message in received}) == 20


def test_a_failure_of_a_broker_is_survived(cluster: FakeCluster) -> None:
    fill(cluster)
    for server in (cluster.a, cluster.b, cluster.slave):
        for code in (
            RequestCode.HEART_BEAT,
            RequestCode.PULL_MESSAGE,
            RequestCode.QUERY_CONSUMER_OFFSET,
            RequestCode.GET_CONSUMER_LIST_BY_GROUP,
        ):
            server.refuse[code] = (1, 1)
    assert len({message.body for message in consume(cluster, 20)}) == 20


def test_a_member_waits_for_its_topic(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        del store.topics["T"]

    async def run(client: Client) -> None:
        consumer = member(client, lambda _: None)
        task = asyncio.create_task(consumer.run())
        await eventually(lambda: len(cluster.name_server.requests) > 2)
        cluster.store_a.add_topic("T", 2)
        await eventually(lambda: len(own(consumer)) == 2)
        consumer.stop()
        await task

    cluster.ask(run)


def test_a_stop_before_the_topic_is_there_ends_the_wait(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        del store.topics["T"]

    async def run(client: Client) -> None:
        consumer = member(client, lambda _: None)
        task = asyncio.create_task(consumer.run())
        await eventually(lambda: len(cluster.name_server.requests) > 2)
        consumer.stop()
        await task

    cluster.ask(run)


def test_without_any_name_server_at_the_start_consuming_is_given_up(cluster: FakeCluster) -> None:
    cluster.do(cluster.name_server.stop())
    with pytest.raises(Unreachable):
        cluster.ask(lambda client: member(client, lambda _: None).run())


def test_what_the_consumer_itself_raises_ends_the_membership_and_is_raised(cluster: FakeCluster) -> None:
    fill(cluster)

    def on_message(_: ReceivedMessage) -> None:
        raise RuntimeError("a bug in the consumer")

    with pytest.raises(RuntimeError, match="a bug in the consumer"):
        cluster.ask(lambda client: member(client, on_message).run())
    assert cluster.store_a.members[GROUP] == {}
    assert sum(cluster.store_a.offsets.values()) == 0


def test_a_broker_that_missed_the_heartbeat_does_not_decide_who_has_which_queue(cluster: FakeCluster) -> None:
    for server in (cluster.a, cluster.slave):
        server.refuse[RequestCode.HEART_BEAT] = (1, 1_000)

    async def run(client: Client) -> None:
        consumer = member(client, lambda _: None)
        task = asyncio.create_task(consumer.run())
        await eventually(lambda: len(own(consumer)) == 4)
        consumer.stop()
        await task

    cluster.ask(run)
