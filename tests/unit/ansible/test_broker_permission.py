"""Write permission of a broker, and the proof that clients can know it."""

from typing import Any

import pytest

from broker_py.admin.permission import unlike_routes
from broker_py.admin.targets import BrokerAddress, NotKnown
from plugins.module_utils.cluster import ClusterFault
from plugins.modules.broker_permission import bring, permission_of
from tests.unit.client.fake_cluster import FakeCluster


@pytest.fixture(autouse=True)
def _topics(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("T")
        store.add_topic("ReadOnly", perm=4)


def ask(cluster: FakeCluster, write: bool, check_mode: bool = False, address: str = "", wait_seconds: float = 0) -> Any:
    params = {"address": address or cluster.a.address, "read": True, "write": write, "wait_seconds": wait_seconds}
    return cluster.ask(lambda client: bring(client, params, check_mode))


def test_the_property_is_the_sum_of_what_is_permitted() -> None:
    assert [permission_of(read, write) for read in (False, True) for write in (False, True)] == [0, 2, 4, 6]


def test_write_permission_is_taken_and_given_back(cluster: FakeCluster) -> None:
    taken = ask(cluster, write=False)
    assert (taken["changed"], taken["broker_name"], taken["previous_permission"]) == (True, "broker-a", 6)
    assert cluster.store_a.config["brokerPermission"] == "4"
    assert cluster.store_b.config["brokerPermission"] == "6"
    assert ask(cluster, write=True)["permission"] == 6
    assert cluster.store_a.config["brokerPermission"] == "6"


def test_a_second_run_changes_nothing_and_looks_at_the_routes_all_the_same(cluster: FakeCluster) -> None:
    ask(cluster, write=False)
    cluster.name_server.requests.clear()
    assert ask(cluster, write=False)["changed"] is False
    assert {request.ext["topic"] for request in cluster.name_server.requests} == {"T", "ReadOnly"}


def test_check_mode_says_what_would_change_and_changes_nothing(cluster: FakeCluster) -> None:
    would = ask(cluster, write=False, check_mode=True)
    assert (would["changed"], would["diff"]["after"]) == (True, "brokerPermission=4\n")
    assert cluster.store_a.config["brokerPermission"] == "6"


def test_a_name_server_that_still_sends_clients_there_is_a_failure(cluster: FakeCluster) -> None:
    ask(cluster, write=False)
    cluster.name_server.permission_shown = 6
    with pytest.raises(ClusterFault, match=r"gives out T on broker-a with perm 6 and not 4"):
        ask(cluster, write=False)


def test_a_name_server_that_is_away_is_a_failure_although_the_broker_changed(cluster: FakeCluster) -> None:
    cluster.do(cluster.name_server.stop())
    with pytest.raises(ClusterFault, match="has brokerPermission 4, but after 0 s not all clients can know it"):
        ask(cluster, write=False)
    assert cluster.store_a.config["brokerPermission"] == "4"


def test_the_wait_ends_as_soon_as_routes_follow(cluster: FakeCluster) -> None:
    cluster.name_server.refuse[105] = (1, 1)
    assert ask(cluster, write=False, wait_seconds=10)["changed"] is True


def test_a_route_without_the_broker_is_not_a_route_with_its_permission(cluster: FakeCluster) -> None:
    stranger = BrokerAddress(cluster="C", broker_name="broker-z", broker_id=0, address=cluster.a.address)
    [fault] = cluster.ask(lambda client: unlike_routes(client, stranger, 6))
    assert "has no queues of T on broker-z" in fault


def test_a_slave_is_refused(cluster: FakeCluster) -> None:
    with pytest.raises(NotKnown, match="is a slave of broker-a: its master's permission counts"):
        ask(cluster, write=False, address=cluster.slave.address)
