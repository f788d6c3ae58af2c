"""What groups have still to consume."""

import pytest

from broker_py.admin.backlog import QueueBacklog, backlogs, hidden_backlogs
from broker_py.model.subscription import ConsumerData, Subscription
from tests.unit.client.fake_cluster import FakeCluster


def backlog(consumed: int | None) -> QueueBacklog:
    return QueueBacklog(group="G", topic="T", queue_id=0, min_offset=10, max_offset=30, consumed=consumed)


@pytest.mark.parametrize(("consumed", "left"), [(30, 0), (25, 5), (10, 20), (3, 20), (None, 20), (31, 0)])
def test_messages_that_are_gone_are_not_left(consumed: int | None, left: int) -> None:
    assert backlog(consumed).left == left


@pytest.fixture(autouse=True)
def _messages(cluster: FakeCluster) -> None:
    store = cluster.store_a
    store.add_topic("T", 2)
    store.add_topic("Empty", 2)
    store.add_topic("rmq_sys_X", 2)
    store.fill("T", 1, [b"1", b"2"])
    store.offsets["G", "T", 1] = 1
    store.offsets["G", "Empty", 0] = 0
    store.offsets["CID_RMQ_SYS_X", "T", 1] = 0


def found(cluster: FakeCluster, also: tuple[str, ...] = ()) -> list[tuple[str, str, int, int | None]]:
    return [
        (each.group, each.topic, each.queue_id, each.consumed)
        for each in cluster.ask(lambda client: backlogs(client, cluster.a.address, also=also))
    ]


def test_queues_with_messages_are_compared_with_the_groups_offsets(cluster: FakeCluster) -> None:
    assert found(cluster) == [("G", "T", 1, 1)]


def test_members_count_even_without_an_offset(cluster: FakeCluster) -> None:
    cluster.store_a.join("c", ConsumerData(group_name="H", subscriptions=(Subscription(topic="T"),)))
    assert found(cluster) == [("G", "T", 1, 1), ("H", "T", 1, None)]


def test_groups_of_other_brokers_can_be_made_to_count(cluster: FakeCluster) -> None:
    assert found(cluster, also=("G", "I")) == [("G", "T", 1, 1), ("I", "T", 1, None)]


def test_queues_that_a_topic_has_no_more_count_where_a_group_once_read_them(cluster: FakeCluster) -> None:
    store = cluster.store_a
    store.fill("T", 5, [b"1", b"2", b"3"])
    store.fill("T", 6, [b"1"])
    store.offsets["G", "T", 5] = 2
    hidden = cluster.ask(lambda client: hidden_backlogs(client, cluster.a.address, "T", 2))
    assert [(each.group, each.queue_id, each.left) for each in hidden] == [("G", 5, 1)]
