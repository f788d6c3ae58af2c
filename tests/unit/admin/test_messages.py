"""Looking at messages."""

import pytest

from broker_py.admin.messages import Selection, message_at, read_messages
from broker_py.admin.targets import NotKnown
from broker_py.model.message_queue import MessageQueue
from tests.unit.client.fake_cluster import FakeCluster
from tests.unit.client.fake_store import FIRST_STORED_MS


@pytest.fixture(autouse=True)
def _messages(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 2)
    cluster.store_a.fill("T", 0, [f"a{number:02}".encode() for number in range(50)])
    cluster.store_a.fill("T", 1, [f"b{number:02}".encode() for number in range(50)])


def bodies(cluster: FakeCluster, selection: Selection) -> list[str]:
    return [m.body.decode() for m in cluster.ask(lambda client: read_messages(client, selection))]


def test_all_messages_come_queue_by_queue(cluster: FakeCluster) -> None:
    expected = [f"{queue}{number:02}" for queue in "ab" for number in range(50)]
    assert bodies(cluster, Selection(topic="T")) == expected


def test_the_count_limits_over_all_queues(cluster: FakeCluster) -> None:
    assert bodies(cluster, Selection(topic="T", count=51))[-2:] == ["a49", "b00"]


def test_one_queue_from_an_offset_on(cluster: FakeCluster) -> None:
    selection = Selection(topic="T", broker_name="broker-a", queue_id=1, queue_offset=48)
    assert bodies(cluster, selection) == ["b48", "b49"]


def test_times_include_both_ends(cluster: FakeCluster) -> None:
    selection = Selection(topic="T", begin_ms=FIRST_STORED_MS + 10, end_ms=FIRST_STORED_MS + 12)
    assert bodies(cluster, selection) == ["a10", "a11", "a12"]


def test_looking_moves_no_offsets(cluster: FakeCluster) -> None:
    bodies(cluster, Selection(topic="T"))
    assert cluster.store_a.offsets == {}


def test_a_queue_that_is_not_there_is_named(cluster: FakeCluster) -> None:
    with pytest.raises(NotKnown, match="no such queue"):
        bodies(cluster, Selection(topic="T", broker_name="broker-z"))


def test_the_message_at_a_place(cluster: FakeCluster) -> None:
    queue = MessageQueue("T", "broker-a", 1)
    assert cluster.ask(lambda client: message_at(client, queue, 7)).body == b"b07"


def test_a_place_without_message_is_answered_with_those_there_are(cluster: FakeCluster) -> None:
    queue = MessageQueue("T", "broker-a", 1)
    with pytest.raises(NotKnown, match=r"no message 50 in queue 1 of T; it keeps 0 up to 50"):
        cluster.ask(lambda client: message_at(client, queue, 50))
