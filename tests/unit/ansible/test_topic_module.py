"""Topics as code: made, changed, deleted, and never shrunk by the way."""

from dataclasses import replace
from typing import Any

import pytest

from broker_py.admin.targets import NotKnown
from broker_py.errors import Unreachable
from broker_py.model.topic import TopicConfig
from plugins.module_utils.cluster import ClusterFault
from plugins.module_utils.settings import Settings
from plugins.modules.topic import attribute_changes, bring, order_wanted, plan
from tests.unit.client.fake_cluster import FakeCluster

NOTHING: dict[str, Any] = {
    "queues": None,
    "read_queues": None,
    "write_queues": None,
    "perm": None,
    "order": None,
    "attributes": {},
}


def settings(queues: int = 8, **others: Any) -> Settings:
    return {"read_queues": queues, "write_queues": queues, "perm": 6, "order": False, "attributes": {}, **others}


def steps(current: dict[str, Settings | None], **wanted: Any) -> list[str]:
    return [str(step) for step in plan("T", current, {**NOTHING, **wanted})]


def test_a_new_topic_has_what_is_given_and_else_what_mqadmin_would_give() -> None:
    assert steps({"broker-a": None}) == ["make T on broker-a with 8 read and 8 write queues, perm 6"]
    assert steps({"broker-a": None}, queues=4, perm=4) == ["make T on broker-a with 4 read and 4 write queues, perm 4"]


def test_only_brokers_that_differ_get_a_step() -> None:
    assert steps({"broker-a": settings(16), "broker-b": settings(8)}, queues=16) == [
        "change T on broker-b: read_queues from 8 to 16, write_queues from 8 to 16"
    ]


def test_what_is_not_given_stays() -> None:
    there = settings(4, perm=2, order=True, attributes={"message.type": "FIFO"})
    assert steps({"broker-a": there}) == []
    [step] = plan("T", {"broker-a": there}, {**NOTHING, "perm": 6})
    assert step.after == {**there, "perm": 6}


@pytest.mark.parametrize("fewer", [{"queues": 8}, {"read_queues": 8, "write_queues": 8}, {"write_queues": 15}])
def test_taking_queues_away_is_refused_with_the_way_that_is_safe(fewer: dict[str, int]) -> None:
    with pytest.raises(ClusterFault, match=r"use playbooks/queue_shrink\.yml"):
        steps({"broker-a": settings(16)}, **fewer)


def test_a_shrink_that_was_begun_can_be_given_up() -> None:
    assert steps({"broker-a": settings(16, write_queues=8)}, queues=16) == [
        "change T on broker-a: write_queues from 8 to 16"
    ]


def test_queues_that_are_written_and_never_read_are_refused() -> None:
    with pytest.raises(ClusterFault, match="would have 16 write_queues and only 8 read_queues"):
        steps({"broker-a": settings(8)}, write_queues=16)


def test_a_topic_without_queues_is_refused() -> None:
    with pytest.raises(ClusterFault, match="write_queues is 0"):
        steps({"broker-a": None}, write_queues=0)


def test_attributes_are_added_changed_and_with_an_empty_value_taken_away() -> None:
    there = settings(attributes={"message.type": "FIFO", "queue.type": "SimpleCQ"})
    [step] = plan("T", {"broker-a": there}, {**NOTHING, "attributes": {"message.type": "NORMAL", "queue.type": ""}})
    assert step.after["attributes"] == {"message.type": "NORMAL"}
    assert attribute_changes(there["attributes"], step.after["attributes"]) == "+message.type=NORMAL,-queue.type"
    assert attribute_changes({"a": "1"}, {"a": "1"}) is None


def test_the_order_configuration_has_ordered_brokers_and_loses_the_others_only_when_told() -> None:
    mixed = {"broker-a": settings(4, order=True), "broker-b": settings(4)}
    assert order_wanted(mixed, order=None) == {"broker-a": 4}
    assert order_wanted(mixed, order=False) == {"broker-a": 4, "broker-b": None}


def ask(cluster: FakeCluster, /, *, check_mode: bool = False, **params: Any) -> Any:
    usual = {**NOTHING, "name": "T", "state": "present", "cluster": "C", "brokers": None, "force": False}
    return cluster.ask(lambda client: bring(client, {**usual, **params}, check_mode))


def test_a_topic_is_made_on_all_masters_and_a_second_run_changes_nothing(cluster: FakeCluster) -> None:
    made = ask(cluster, queues=4)
    assert (made["changed"], len(made["steps"])) == (True, 2)
    assert made["diff"]["before"] == {}
    assert made["diff"]["after"] == {"broker-a": settings(4), "broker-b": settings(4)}
    wanted = TopicConfig(topic_name="T", read_queue_nums=4, write_queue_nums=4)
    assert cluster.store_a.topics["T"] == cluster.store_b.topics["T"] == wanted
    assert ask(cluster, queues=4) == {
        "changed": False,
        "steps": [],
        "diff": {**made["diff"], "before": made["diff"]["after"]},
    }


def test_one_broker_may_be_meant(cluster: FakeCluster) -> None:
    ask(cluster, cluster=None, brokers=["broker-b"])
    assert ("T" in cluster.store_a.topics, "T" in cluster.store_b.topics) == (False, True)


def test_what_a_module_does_not_manage_stays_as_it_is(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.topics["T"] = TopicConfig(topic_name="T", topic_sys_flag=1)
    ask(cluster, perm=4)
    assert cluster.store_a.topics["T"] == TopicConfig(topic_name="T", topic_sys_flag=1, perm=4)


def test_check_mode_tells_the_steps_and_does_none(cluster: FakeCluster) -> None:
    assert ask(cluster, check_mode=True, order=True)["changed"] is True
    assert (cluster.store_a.topics, cluster.name_server.order_conf) == ({}, {})


def test_a_refusal_comes_before_any_change(cluster: FakeCluster) -> None:
    cluster.store_b.add_topic("T", 16)
    with pytest.raises(ClusterFault, match="queue_shrink"):
        ask(cluster, queues=8)
    assert "T" not in cluster.store_a.topics


def test_a_broker_without_its_master_is_not_passed_by(cluster: FakeCluster) -> None:
    cluster.name_server.forget(cluster.a)
    with pytest.raises(NotKnown, match="no name server knows a master of broker-a now"):
        ask(cluster)
    assert cluster.store_b.topics == {}


def test_a_name_that_is_none_is_refused(cluster: FakeCluster) -> None:
    with pytest.raises(ClusterFault, match=r"'a b' can't be the name of a topic\. .*illegal characters"):
        ask(cluster, name="a b")


def test_an_ordered_topic_keeps_its_order_configuration_in_step(cluster: FakeCluster) -> None:
    ask(cluster, queues=4, order=True)
    assert cluster.name_server.order_conf == {"T": "broker-a:4;broker-b:4"}
    assert ask(cluster, queues=4, order=True)["changed"] is False
    ask(cluster, queues=8)
    assert cluster.name_server.order_conf == {"T": "broker-a:8;broker-b:8"}
    ask(cluster, order=False)
    assert cluster.name_server.order_conf == {}


def test_a_run_that_ended_before_the_name_servers_were_told_is_made_good(cluster: FakeCluster) -> None:
    ask(cluster, queues=4, order=True)
    cluster.name_server.order_conf.clear()
    again = ask(cluster, queues=4, order=True)
    assert again["steps"] == [f"order configuration at {cluster.namesrv}: 'broker-a:4;broker-b:4' in place of ''"]
    assert cluster.name_server.order_conf == {"T": "broker-a:4;broker-b:4"}


def test_an_order_configuration_made_by_hand_is_left_alone(cluster: FakeCluster) -> None:
    cluster.name_server.order_conf["T"] = "broker-a:2"
    ask(cluster, queues=4)
    assert cluster.name_server.order_conf == {"T": "broker-a:2"}


def test_a_topic_is_deleted_everywhere_and_a_second_run_changes_nothing(cluster: FakeCluster) -> None:
    ask(cluster, queues=4, order=True)
    deleted = ask(cluster, state="absent")
    assert deleted["steps"][:3] == ["delete T on broker-a", "delete T on broker-b", f"have {cluster.namesrv} forget T"]
    assert (cluster.store_a.topics, cluster.store_b.topics, cluster.name_server.order_conf) == ({}, {}, {})
    assert cluster.name_server.forgotten == ["T of C"]
    assert ask(cluster, state="absent")["changed"] is False


def test_deleting_in_check_mode_deletes_nothing(cluster: FakeCluster) -> None:
    ask(cluster, queues=4)
    assert ask(cluster, state="absent", check_mode=True)["changed"] is True
    assert "T" in cluster.store_a.topics


def test_a_topic_that_a_group_has_not_consumed_is_not_deleted_unless_forced(cluster: FakeCluster) -> None:
    cluster.store_b.add_topic("T", 1)
    cluster.store_b.fill("T", 0, [b"1", b"2"])
    cluster.store_b.offsets["G", "T", 0] = 1
    with pytest.raises(ClusterFault, match=r"groups have not consumed \(G 1\)"):
        ask(cluster, state="absent")
    cluster.store_b.offsets["G", "T", 0] = 2
    assert ask(cluster, state="absent")["changed"] is True


def test_force_deletes_what_is_not_consumed(cluster: FakeCluster) -> None:
    cluster.store_b.add_topic("T", 1)
    cluster.store_b.fill("T", 0, [b"1"])
    cluster.store_b.offsets["G", "T", 0] = 0
    ask(cluster, state="absent", force=True)
    assert cluster.store_b.topics == {}


@pytest.mark.parametrize("topic", ["TBW102", "rmq_sys_X", "C", "broker-a", "%RETRY%G"])
def test_topics_of_the_brokers_themselves_are_not_deleted(cluster: FakeCluster, topic: str) -> None:
    cluster.store_a.add_topic(topic)
    with pytest.raises(ClusterFault, match="belongs to the brokers themselves"):
        ask(cluster, name=topic, state="absent")


def test_a_broker_that_does_not_delete_is_named(cluster: FakeCluster) -> None:
    ask(cluster, queues=4)
    cluster.a.refuse[215] = (1, 1)
    with pytest.raises(ClusterFault, match=f"T is not deleted everywhere: {cluster.a.address}: code 1: refused"):
        ask(cluster, state="absent")
    assert ask(cluster, state="absent")["steps"][0] == "delete T on broker-a"


def test_a_broker_that_is_down_is_an_error_before_any_change(cluster: FakeCluster) -> None:
    cluster.do(cluster.b.stop())
    with pytest.raises(Unreachable):
        ask(cluster)
    assert cluster.store_a.topics == {}


def test_steps_say_all_that_changes() -> None:
    before = settings(4)
    [step] = plan("T", {"broker-a": before}, {**NOTHING, "queues": 8, "order": True})
    assert str(replace(step, before=None)) == "make T on broker-a with 8 read and 8 write queues, perm 6"
    assert str(step).endswith("read_queues from 4 to 8, write_queues from 4 to 8, order from False to True")
