"""The state of a cluster's brokers, and changes at single brokers and name servers."""

import pytest

from broker_py.admin.brokers import add_write_perm, cluster_config, update_broker_config, wipe_write_perm
from broker_py.admin.clusters import BrokerState, cluster_list
from broker_py.admin.targets import BrokerAddress, NotKnown
from broker_py.errors import Unreachable
from broker_py.wire.codes import RequestCode
from tests.unit.client.fake_cluster import FakeCluster


def test_every_broker_is_listed_with_what_it_does(cluster: FakeCluster) -> None:
    states = cluster.ask(cluster_list)
    assert [(state.broker.broker_name, state.broker.broker_id) for state in states] == [
        ("broker-a", 0),
        ("broker-a", 1),
        ("broker-b", 0),
    ]
    assert (states[0].version, states[0].active, states[0].disk_ratio) == ("V5_1_0", True, 0.25)
    assert (states[0].number("putTps"), states[0].number("noSuchKey")) == (12.5, 0.0)


def test_a_silent_broker_is_listed_with_the_reason(cluster: FakeCluster) -> None:
    cluster.do(cluster.slave.stop())
    states = cluster.ask(cluster_list)
    assert [isinstance(state.error, Unreachable) for state in states] == [False, True, False]


def test_an_unknown_cluster_is_refused_by_naming_the_known_ones(cluster: FakeCluster) -> None:
    with pytest.raises(NotKnown, match=r"there is no cluster D \(known: C\)"):
        cluster.ask(lambda client: cluster_list(client, "D"))


def state(**runtime: str) -> BrokerState:
    broker = BrokerAddress(cluster="C", broker_name="b", broker_id=0, address="h:1")
    return BrokerState(broker=broker, runtime=runtime)


def test_the_age_of_the_oldest_message_is_zero_without_messages() -> None:
    assert state(earliestMessageTimeStamp="3600000").hours(9 * 3_600_000) == 8.0
    assert state(earliestMessageTimeStamp="-1").hours(9) == 0.0


def test_rates_that_are_not_known_yet_are_zero() -> None:
    assert state(putTps="").number("putTps") == state(putTps="  ").number("putTps") == 0.0
    assert state(putTps="many 1 2").number("putTps") == 0.0


def test_totals_are_differences_of_counters() -> None:
    counters = state(msgPutTotalTodayMorning="25", msgPutTotalTodayNow="125")
    assert counters.grown("msgPutTotal", "TodayMorning", "TodayNow") == 100


def test_properties_of_a_cluster_come_with_their_brokers(cluster: FakeCluster) -> None:
    found = cluster.ask(lambda client: cluster_config(client, "C"))
    assert [each.address for each in found] == [cluster.a.address, cluster.slave.address, cluster.b.address]
    assert found[0].properties["fileReservedTime"] == "48"


@pytest.mark.parametrize("slaves_too", [False, True])
def test_a_property_is_changed_on_masters_and_if_wanted_on_slaves(cluster: FakeCluster, slaves_too: bool) -> None:
    changes = {"fileReservedTime": "72"}
    outcomes = cluster.ask(lambda c: update_broker_config(c, changes, cluster="C", slaves_too=slaves_too))
    assert len(outcomes) == (3 if slaves_too else 2)
    assert cluster.store_a.config["fileReservedTime"] == cluster.store_b.config["fileReservedTime"] == "72"
    asked = [request.code for request in cluster.slave.requests]
    assert (RequestCode.UPDATE_BROKER_CONFIG in asked) is slaves_too


def test_a_refusal_by_one_broker_does_not_keep_the_change_from_the_others(cluster: FakeCluster) -> None:
    cluster.a.refuse[RequestCode.UPDATE_BROKER_CONFIG] = (1, 1)
    outcomes = cluster.ask(lambda c: update_broker_config(c, {"fileReservedTime": "72"}, cluster="C"))
    assert [outcome.error is None for outcome in outcomes] == [False, True]
    assert cluster.store_b.config["fileReservedTime"] == "72"


def test_write_permission_is_taken_and_given_back_at_name_servers(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T")
    [outcome] = cluster.ask(lambda client: wipe_write_perm(client, "broker-a"))
    assert (outcome.count, cluster.store_a.topics["T"].perm) == (1, 4)
    [outcome] = cluster.ask(lambda client: add_write_perm(client, "broker-a"))
    assert (outcome.count, cluster.store_a.topics["T"].perm) == (1, 6)


def test_a_broker_that_the_name_server_does_not_know_is_an_outcome_with_an_error(cluster: FakeCluster) -> None:
    [outcome] = cluster.ask(lambda client: wipe_write_perm(client, "broker-z"))
    assert str(outcome.error) == "no broker broker-z is registered there"
