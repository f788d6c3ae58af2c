"""What a backup has comes back, and nothing else is touched."""

import json
from typing import Any

import pytest

from broker_py.model.group import GroupConfig
from broker_py.model.subscription import ConsumerData
from broker_py.model.topic import TopicConfig
from plugins.module_utils.cluster import ClusterFault
from plugins.modules.metadata_restore import (
    TopicStep,
    group_steps,
    offset_steps,
    restore,
    saved_brokers,
    saved_values,
    topic_steps,
    value_steps,
)
from tests.unit.client.fake_cluster import FakeCluster


def topic(queues: int = 8, **others: Any) -> TopicConfig:
    return TopicConfig(topic_name="T", read_queue_nums=queues, write_queue_nums=queues, **others)


def tables(broker_name: str = "broker-a") -> dict[str, str]:
    """Return what a backup has of a broker with the topic T and the group G."""
    contents = {
        "topics": {"topicConfigTable": {name: topic(4).to_json() for name in ("T", "%RETRY%G", "TBW102", "C")}},
        "subscriptionGroup": {
            "subscriptionGroupTable": {
                name: GroupConfig(group_name=name, retry_max_times=3).to_json() for name in ("G", "TOOLS_CONSUMER")
            }
        },
        "consumerOffset": {"offsetTable": {"T@G": {"0": 2}, "Gone@G": {"0": 1}, "T@TOOLS_CONSUMER": {}}},
    }
    return {f"brokers/{broker_name}/{name}.json": json.dumps(content) for name, content in contents.items()}


def test_what_every_broker_makes_by_itself_is_not_restored() -> None:
    saved = saved_brokers(tables(), "C")["broker-a"]
    assert sorted(saved.topics) == ["%RETRY%G", "T"]
    assert sorted(saved.groups) == ["G"]
    assert saved.offsets == {("T", "G"): {0: 2}}


def test_tables_in_the_form_of_java_are_read() -> None:
    files = {**tables(), "brokers/broker-a/consumerOffset.json": '{"offsetTable":{"T@G":{0:2,1:7}}}'}
    assert saved_brokers(files, "C")["broker-a"].offsets == {("T", "G"): {0: 2, 1: 7}}


def test_a_table_that_is_damaged_is_named() -> None:
    with pytest.raises(ClusterFault, match=r"brokers/broker-a/topics\.json of the backup can't be read"):
        saved_brokers({"brokers/broker-a/topics.json": "{"}, "C")


def test_a_topic_that_has_grown_since_keeps_its_queues() -> None:
    assert topic_steps("broker-a", {"T": topic(16)}, {"T": topic(8)}) == []
    [step] = topic_steps("broker-a", {"T": topic(16)}, {"T": topic(8, perm=4)})
    assert step.after == topic(16, perm=4)


def test_attributes_that_differ_are_set_and_no_others() -> None:
    before = topic(attributes={"a": "1", "b": "2"})
    [step] = topic_steps("broker-a", {"T": before}, {"T": topic(attributes={"a": "1", "c": "3"})})
    assert step.attribute_changes == "+c=3"
    assert TopicStep("broker-a", None, topic()).attribute_changes is None


def test_groups_that_are_as_saved_get_no_step() -> None:
    saved = {"G": GroupConfig(group_name="G")}
    assert group_steps("broker-a", saved, saved) == []
    assert [str(step) for step in group_steps("broker-a", {}, saved)] == ["make group G on broker-a"]


def test_an_offset_behind_the_end_of_its_queue_is_left_out() -> None:
    saved = {("T", "G"): {0: 5, 1: 6, 2: 1}}
    steps, left_out = offset_steps("broker-a", {("T", "G"): {2: 1}}, saved, {("T", 0): 5, ("T", 1): 5, ("T", 2): 9})
    assert [(step.queue_id, step.before, step.after) for step in steps] == [(0, None, 5)]
    assert left_out == ["G stood at 6 of queue 1 of T on broker-a, which ends at 5"]


def test_of_name_servers_that_differ_the_first_is_right() -> None:
    files = {
        f"nameservers/{name}/kvConfig.json": json.dumps({"configTable": {"ORDER_TOPIC_CONFIG": values}})
        for name, values in {"os1/nameserver": {"T": "broker-a:4"}, "os2/nameserver": {"T": "old", "U": "x"}}.items()
    }
    values = saved_values(files)
    assert values == {("ORDER_TOPIC_CONFIG", "T"): "broker-a:4", ("ORDER_TOPIC_CONFIG", "U"): "x"}
    current = {("ORDER_TOPIC_CONFIG", "T"): "broker-a:4"}
    assert [str(step) for step in value_steps("os1:9876", current, values)] == [
        "put U of ORDER_TOPIC_CONFIG at os1:9876"
    ]


def ask(cluster: FakeCluster, files: dict[str, str], *, check_mode: bool = False, **params: Any) -> Any:
    usual = {"cluster": "C", "files": files, "brokers": [], "offsets": False}
    return cluster.ask(lambda client: restore(client, {**usual, **params}, check_mode))


def test_a_second_restore_changes_nothing(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 4)
    cluster.store_a.fill("T", 0, [b"1", b"2", b"3"])
    first = ask(cluster, tables(), offsets=True)
    assert first["steps"] == [
        "make topic %RETRY%G on broker-a",
        "make group G on broker-a",
        "have G stand at 2 of queue 0 of T on broker-a",
    ]
    assert cluster.store_a.groups["G"].retry_max_times == 3
    assert cluster.store_a.offsets["G", "T", 0] == 2
    assert ask(cluster, tables(), offsets=True)["changed"] is False


def test_check_mode_tells_the_steps_and_does_none(cluster: FakeCluster) -> None:
    told = ask(cluster, tables(), check_mode=True)
    assert told["changed"] is True
    assert told["diff"]["after"]["make topic T on broker-a"]["read_queues"] == 4
    assert (cluster.store_a.topics, cluster.store_a.groups) == ({}, {})


def test_a_broker_that_the_cluster_does_not_have_stops_it_before_any_change(cluster: FakeCluster) -> None:
    files = {**tables(), **tables("broker-c")}
    with pytest.raises(ClusterFault, match="has no master of broker-c, which the backup has"):
        ask(cluster, files)
    assert cluster.store_a.topics == {}
    ask(cluster, files, brokers=["broker-a"])
    assert "T" in cluster.store_a.topics


def test_a_broker_that_the_backup_does_not_have_is_named(cluster: FakeCluster) -> None:
    with pytest.raises(ClusterFault, match="the backup has no broker-b, it has broker-a"):
        ask(cluster, tables(), brokers=["broker-b"])


def test_a_group_with_members_is_not_set_back(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 4)
    cluster.store_a.fill("T", 0, [b"1", b"2", b"3"])
    cluster.store_a.members["G"] = {"me@1": ConsumerData(group_name="G")}
    with pytest.raises(ClusterFault, match="G has members now"):
        ask(cluster, tables(), offsets=True)
    assert ("G", "T", 0) not in cluster.store_a.offsets
