"""Topics as operators see and change them."""

from dataclasses import replace

import pytest

from broker_py.admin.targets import NotKnown
from broker_py.admin.topics import (
    capped_order_conf,
    delete_topic,
    is_own_topic,
    order_conf,
    topic_list,
    topic_status,
    topic_uses,
    update_topic,
    update_topic_perm,
)
from broker_py.errors import RequestFailed
from broker_py.model.topic import TopicConfig
from broker_py.wire.codes import RequestCode
from tests.unit.client.fake_cluster import FakeCluster

CONFIG = TopicConfig(topic_name="T", read_queue_nums=4, write_queue_nums=3)


def test_a_topic_is_made_on_all_masters_of_a_cluster(cluster: FakeCluster) -> None:
    outcomes = cluster.ask(lambda client: update_topic(client, CONFIG, cluster="C"))
    assert [outcome.address for outcome in outcomes] == [cluster.a.address, cluster.b.address]
    assert cluster.store_a.topics["T"] == cluster.store_b.topics["T"] == CONFIG
    assert cluster.slave.requests == []


def test_a_topic_is_made_on_one_broker_with_attributes(cluster: FakeCluster) -> None:
    change = "+message.type=FIFO"
    cluster.ask(lambda client: update_topic(client, CONFIG, attributes=change, address=cluster.b.address))
    assert "T" not in cluster.store_a.topics
    assert cluster.store_b.topics["T"].attributes == {"changes": change}


def test_an_ordered_topic_gets_its_order_configuration(cluster: FakeCluster) -> None:
    ordered = replace(CONFIG, order=True)
    cluster.ask(lambda client: update_topic(client, ordered, cluster="C"))
    assert cluster.name_server.order_conf == {"T": "broker-a:3;broker-b:3"}


def test_an_ordered_topic_on_one_broker_keeps_the_order_configuration_of_the_others(cluster: FakeCluster) -> None:
    cluster.name_server.order_conf["T"] = "broker-a:8;broker-b:8"
    ordered = replace(CONFIG, order=True)
    cluster.ask(lambda client: update_topic(client, ordered, address=cluster.b.address))
    assert cluster.name_server.order_conf == {"T": "broker-a:8;broker-b:3"}


def test_an_ordered_topic_on_a_broker_that_no_name_server_knows_is_an_error(cluster: FakeCluster) -> None:
    hostname = cluster.b.address.replace("127.0.0.1", "localhost")
    with pytest.raises(NotKnown, match="no order configuration"):
        cluster.ask(lambda client: update_topic(client, replace(CONFIG, order=True), address=hostname))


def test_permission_changes_and_nothing_else(cluster: FakeCluster) -> None:
    cluster.store_a.topics["T"] = replace(CONFIG, order=True)
    [change] = cluster.ask(lambda client: update_topic_perm(client, "T", 4, cluster="C"))
    assert (change.old_perm, change.outcome.address) == (6, cluster.a.address)
    assert cluster.store_a.topics["T"] == replace(CONFIG, order=True, perm=4)
    assert "T" not in cluster.store_b.topics


def test_permission_of_a_topic_that_is_nowhere_is_an_error_of_every_master(cluster: FakeCluster) -> None:
    changes = cluster.ask(lambda client: update_topic_perm(client, "T", 4, cluster="C"))
    assert len([change for change in changes if change.outcome.error]) == 2


def test_a_topic_is_deleted_on_masters_and_then_forgotten(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T")
    outcomes = cluster.ask(lambda client: delete_topic(client, "T", "C"))
    assert [outcome.address for outcome in outcomes] == [cluster.a.address, cluster.b.address, cluster.namesrv]
    assert cluster.store_a.topics == {}
    assert cluster.name_server.forgotten == ["T of C"]


def test_a_topic_that_a_broker_still_has_is_not_forgotten(cluster: FakeCluster) -> None:
    cluster.a.refuse[RequestCode.DELETE_TOPIC_IN_BROKER] = (1, 1)
    outcomes = cluster.ask(lambda client: delete_topic(client, "T", "C"))
    assert [outcome.error is None for outcome in outcomes] == [False, True]
    assert cluster.name_server.forgotten == []


def test_all_topics_are_listed_sorted(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("B")
    cluster.store_b.add_topic("A")
    assert cluster.ask(topic_list) == ["A", "B"]


def test_topics_are_listed_with_cluster_and_groups_but_without_retry_and_dead_letter_topics(
    cluster: FakeCluster,
) -> None:
    for topic in ("T", "%RETRY%G", "%DLQ%G"):
        cluster.store_a.add_topic(topic)
    cluster.store_a.offsets["G", "T", 0] = 1
    [use] = cluster.ask(topic_uses)
    assert (use.topic, use.cluster, use.groups) == ("T", "C", ("G",))


def test_topics_are_listed_even_when_their_broker_is_down(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T")
    cluster.do(cluster.a.stop())
    [use] = cluster.ask(topic_uses)
    assert (use.topic, use.cluster, use.groups) == ("T", "C", ())


def test_the_state_of_a_topic_covers_all_its_brokers(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 2)
    cluster.store_b.add_topic("T", 1)
    cluster.store_b.fill("T", 0, [b"x", b"y"])
    queues = cluster.ask(lambda client: topic_status(client, "T"))
    assert [(queue.broker_name, queue.queue_id, queue.max_offset) for queue in queues] == [
        ("broker-a", 0, 0),
        ("broker-a", 1, 0),
        ("broker-b", 0, 2),
    ]


def test_the_state_of_a_topic_that_is_nowhere_is_refused_by_code_17(cluster: FakeCluster) -> None:
    with pytest.raises(RequestFailed) as caught:
        cluster.ask(lambda client: topic_status(client, "T"))
    assert caught.value.code == 17


def test_an_order_configuration_is_set_broker_by_broker() -> None:
    assert order_conf("", {"b": 4, "a": 8}) == "a:8;b:4"
    assert order_conf("a:8;b:4", {"a": 16}) == "a:16;b:4"
    assert order_conf("a:8;b:4", {"a": None, "z": None}) == "b:4"
    assert order_conf("a:8", {"a": None}) == ""


def test_an_order_configuration_is_capped_for_some_brokers() -> None:
    assert capped_order_conf("a:8;b:4;c:8", 6, ["a", "b"]) == "a:6;b:4;c:8"


def test_the_order_configuration_of_a_cluster_is_its_masters_as_for_mqadmin(cluster: FakeCluster) -> None:
    cluster.name_server.order_conf["T"] = "broker-old:8"
    cluster.ask(lambda client: update_topic(client, replace(CONFIG, order=True), cluster="C"))
    assert cluster.name_server.order_conf == {"T": "broker-a:3;broker-b:3"}


@pytest.mark.parametrize("topic", ["TBW102", "C", "C_REPLY_TOPIC", "broker-a", "%RETRY%G", "%DLQ%G", "rmq_sys_X"])
def test_topics_that_brokers_make_by_themselves_are_known(topic: str) -> None:
    assert is_own_topic(topic, "C", "broker-a")
    assert not is_own_topic(f"my-{topic}", "C", "broker-a")
