"""How far consumer groups are."""

import pytest

from broker_py.admin.groups import consumer_progress, group_list
from broker_py.admin.targets import NotKnown
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import ConsumerData
from tests.unit.client.fake_cluster import FakeCluster


@pytest.fixture(autouse=True)
def _group(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("T", 1)
        store.fill("T", 0, [b"1", b"2", b"3"])
        store.join("10.0.0.9@1#1", ConsumerData(group_name="G"))
    cluster.store_a.offsets["G", "T", 0] = 1
    cluster.store_b.offsets["G", "T", 0] = 3
    cluster.store_b.offsets["G", "U", 0] = 0


def test_progress_covers_all_brokers_and_topics(cluster: FakeCluster) -> None:
    progress = cluster.ask(lambda client: consumer_progress(client, "G"))
    assert [(each.topic, each.broker_name, each.diff, each.inflight) for each in progress.queues] == [
        ("T", "broker-a", 2, 1),
        ("T", "broker-b", 0, 1),
        ("U", "broker-b", 0, 1),
    ]
    assert (progress.diff_total, progress.inflight_total, progress.consume_tps) == (2, 3, 3.0)


def test_progress_in_one_topic(cluster: FakeCluster) -> None:
    progress = cluster.ask(lambda client: consumer_progress(client, "G", "U"))
    assert [each.topic for each in progress.queues] == ["U"]


def test_clients_are_asked_for_their_queues_on_demand(cluster: FakeCluster) -> None:
    queue = MessageQueue("T", "broker-a", 0)
    cluster.a.queues_of_clients["10.0.0.9@1#1"] = [queue]
    assert cluster.ask(lambda client: consumer_progress(client, "G")).clients == {}
    progress = cluster.ask(lambda client: consumer_progress(client, "G", with_clients=True))
    assert progress.clients == {queue: "10.0.0.9"}


def test_a_group_that_no_broker_knows_is_named(cluster: FakeCluster) -> None:
    with pytest.raises(NotKnown, match="no broker knows the consumer group H"):
        cluster.ask(lambda client: consumer_progress(client, "H"))


def test_all_groups_are_listed_those_with_members_first(cluster: FakeCluster) -> None:
    cluster.store_a.join("x", ConsumerData(group_name="Empty"))
    cluster.store_a.members["Empty"].clear()
    groups = cluster.ask(group_list)
    assert [(each.group, each.connections is not None, each.diff_total) for each in groups] == [
        ("G", True, 2),
        ("Empty", False, 0),
    ]


def test_groups_are_listed_even_when_their_brokers_are_down(cluster: FakeCluster) -> None:
    cluster.do(cluster.a.stop())
    cluster.do(cluster.b.stop())
    [group] = cluster.ask(group_list)
    assert (group.group, group.connections, group.diff_total) == ("G", None, 0)
