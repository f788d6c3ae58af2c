"""Consumer groups as code."""

from typing import Any

import pytest

from broker_py.model.group import GroupConfig
from broker_py.model.subscription import ConsumerData
from plugins.module_utils.cluster import ClusterFault
from plugins.module_utils.settings import settings_of_group
from plugins.modules.subscription_group import SETTINGS_OPTIONS, bring, plan
from tests.unit.client.fake_cluster import FakeCluster

NOTHING: dict[str, Any] = dict.fromkeys(SETTINGS_OPTIONS)
DEFAULTS = settings_of_group(GroupConfig(group_name="G"))


def ask(cluster: FakeCluster, /, *, check_mode: bool = False, **params: Any) -> Any:
    usual = {"name": "G", "state": "present", "cluster": "C", "brokers": None, "clean_offsets": False, "force": False}
    return cluster.ask(lambda client: bring(client, {**NOTHING, **usual, **params}, check_mode))


def test_every_setting_of_a_group_is_an_option() -> None:
    assert set(SETTINGS_OPTIONS) == set(DEFAULTS)


def test_a_new_group_has_what_is_given_and_else_the_defaults() -> None:
    [step] = plan("G", {"broker-a": None}, DEFAULTS, {**NOTHING, "retry_max_times": 3})
    assert step.after == {**DEFAULTS, "retry_max_times": 3}
    assert str(step) == "make G on broker-a"


def test_what_is_not_given_stays() -> None:
    there = {**DEFAULTS, "retry_max_times": 5}
    assert plan("G", {"broker-a": there}, DEFAULTS, NOTHING) == []
    [step] = plan("G", {"broker-a": there}, DEFAULTS, {**NOTHING, "consume_enable": False})
    assert step.after == {**there, "consume_enable": False}
    assert str(step) == "change G on broker-a: consume_enable from True to False"


def test_a_group_is_made_on_all_masters_and_a_second_run_changes_nothing(cluster: FakeCluster) -> None:
    made = ask(cluster, retry_max_times=3)
    assert made["steps"] == ["make G on broker-a", "make G on broker-b"]
    wanted = GroupConfig(group_name="G", retry_max_times=3)
    assert cluster.store_a.groups["G"] == cluster.store_b.groups["G"] == wanted
    assert ask(cluster, retry_max_times=3)["changed"] is False


def test_check_mode_makes_nothing(cluster: FakeCluster) -> None:
    assert ask(cluster, check_mode=True)["changed"] is True
    assert cluster.store_a.groups == {}


def test_one_broker_may_be_meant(cluster: FakeCluster) -> None:
    ask(cluster, cluster=None, brokers=["broker-b"])
    assert ("G" in cluster.store_a.groups, "G" in cluster.store_b.groups) == (False, True)


def test_a_group_is_deleted_with_its_topics_and_keeps_its_offsets_unless_told(cluster: FakeCluster) -> None:
    ask(cluster)
    cluster.store_a.add_topic("%RETRY%G", 1)
    cluster.store_a.offsets["G", "T", 0] = 5
    deleted = ask(cluster, state="absent")
    assert deleted["steps"] == ["delete G on broker-a", "delete G on broker-b", "delete the topic %RETRY%G"]
    assert (cluster.store_a.groups, cluster.store_a.topics) == ({}, {})
    assert cluster.store_a.offsets == {("G", "T", 0): 5}
    assert ask(cluster, state="absent")["changed"] is False
    cleaned = ask(cluster, state="absent", clean_offsets=True)
    assert cleaned["steps"] == ["forget where G stands on broker-a"]
    assert cluster.store_a.offsets == {}


def test_deleting_in_check_mode_deletes_nothing(cluster: FakeCluster) -> None:
    ask(cluster)
    assert ask(cluster, state="absent", check_mode=True)["changed"] is True
    assert "G" in cluster.store_a.groups


def test_a_group_with_members_is_not_deleted_unless_forced(cluster: FakeCluster) -> None:
    ask(cluster)
    cluster.store_a.join("10.0.0.9@1#1", ConsumerData(group_name="G"))
    with pytest.raises(ClusterFault, match=r"G has members now \(10\.0\.0\.9@1#1\)"):
        ask(cluster, state="absent")
    assert ask(cluster, state="absent", force=True)["changed"] is True


def test_a_group_with_dead_letters_is_not_deleted_unless_forced(cluster: FakeCluster) -> None:
    cluster.store_b.add_topic("%DLQ%G", 1)
    cluster.store_b.fill("%DLQ%G", 0, [b"1", b"2"])
    with pytest.raises(ClusterFault, match="G has 2 dead letters"):
        ask(cluster, state="absent")
    assert ask(cluster, state="absent", force=True)["steps"] == ["delete the topic %DLQ%G"]


def test_a_group_that_every_broker_has_is_not_deleted(cluster: FakeCluster) -> None:
    with pytest.raises(ClusterFault, match="TOOLS_CONSUMER belongs to the brokers themselves"):
        ask(cluster, name="TOOLS_CONSUMER", state="absent")
