"""Properties of running brokers."""

from typing import Any

import pytest

from broker_py.admin.targets import NotKnown
from plugins.module_utils.cluster import ClusterFault
from plugins.modules.broker_config import bring, not_taken, plan
from tests.unit.client.fake_cluster import FakeCluster


def ask(cluster: FakeCluster, /, *, check_mode: bool = False, **params: Any) -> Any:
    usual = {"address": None, "broker_name": None, "cluster": None, "slaves": False}
    wanted = {"properties": {"fileReservedTime": 72}}
    return cluster.ask(lambda client: bring(client, {**usual, **wanted, **params}, check_mode))


def test_only_what_differs_is_changed() -> None:
    current = {"h:1": {"a": "1", "b": "true"}, "h:2": {"a": "2", "b": "true"}}
    steps = plan(current, {"a": 2, "b": True})
    assert [str(step) for step in steps] == ["change a from 1 to 2 at h:1"]


def test_a_property_that_a_broker_does_not_have_is_refused() -> None:
    with pytest.raises(ClusterFault, match="the broker h:1 has no property fileReservdTime"):
        plan({"h:1": {"fileReservedTime": "72"}}, {"fileReservdTime": 48})


def test_a_value_that_did_not_take_is_told() -> None:
    [step] = plan({"h:1": {"a": "1"}}, {"a": "2"})
    assert not_taken(step, {"a": "2"}) == []
    assert not_taken(step, {"a": "1"}) == ["a is 1 and not 2"]


def test_one_broker_is_changed_and_a_second_run_changes_nothing(cluster: FakeCluster) -> None:
    changed = ask(cluster, address=cluster.a.address)
    assert changed["diff"] == {
        "before": {cluster.a.address: {"fileReservedTime": "48"}},
        "after": {cluster.a.address: {"fileReservedTime": "72"}},
    }
    assert (cluster.store_a.config["fileReservedTime"], cluster.store_b.config["fileReservedTime"]) == ("72", "48")
    assert ask(cluster, address=cluster.a.address)["changed"] is False


def test_check_mode_changes_nothing(cluster: FakeCluster) -> None:
    assert ask(cluster, cluster="C", check_mode=True)["changed"] is True
    assert cluster.store_a.config["fileReservedTime"] == "48"


def test_a_cluster_means_its_masters_and_on_demand_its_slaves(cluster: FakeCluster) -> None:
    assert ask(cluster, cluster="C", check_mode=True)["brokers"] == [cluster.a.address, cluster.b.address]
    assert ask(cluster, broker_name="broker-a", slaves=True, check_mode=True)["brokers"] == [
        cluster.a.address,
        cluster.slave.address,
    ]


def test_an_unknown_broker_is_named(cluster: FakeCluster) -> None:
    with pytest.raises(NotKnown, match="no name server knows a master of broker-z now"):
        ask(cluster, broker_name="broker-z")


def test_a_value_that_the_broker_keeps_to_itself_is_a_failure(cluster: FakeCluster) -> None:
    cluster.store_a.config["brokerId"] = "0"
    with pytest.raises(ClusterFault, match="took the change and yet brokerId is 0 and not 7"):
        ask(cluster, address=cluster.a.address, properties={"brokerId": 7})
