"""What name servers and brokers say for themselves."""

from broker_py.admin.survey import survey
from broker_py.client.brokers import ReplicationStatus
from broker_py.wire.codes import RequestCode
from tests.unit.client.fake_cluster import FakeCluster


def test_every_name_server_and_every_broker_is_asked(cluster: FakeCluster) -> None:
    found = cluster.ask(survey)
    [name_server] = found.name_servers
    assert [(each.broker_name, each.broker_id) for each in name_server.brokers] == [
        ("broker-a", 0),
        ("broker-a", 1),
        ("broker-b", 0),
    ]
    assert set(found.brokers) == {cluster.a.address, cluster.slave.address, cluster.b.address}
    assert found.brokers[cluster.a.address].properties["brokerName"] == "broker-a"


def test_brokers_of_other_clusters_are_left_alone(cluster: FakeCluster) -> None:
    found = cluster.ask(lambda client: survey(client, "D"))
    assert (found.name_servers[0].brokers, found.name_servers[0].error, found.brokers) == ((), "", {})


def test_silence_is_an_answer_too(cluster: FakeCluster) -> None:
    cluster.do(cluster.b.stop())
    assert "can't be connected to" in cluster.ask(survey).brokers[cluster.b.address].error
    cluster.do(cluster.name_server.stop())
    found = cluster.ask(survey)
    assert ("can't be connected to" in found.name_servers[0].error, found.brokers) == (True, {})


def test_a_broker_that_knows_nothing_of_replication_tells_the_rest(cluster: FakeCluster) -> None:
    cluster.a.refuse[RequestCode.GET_BROKER_HA_STATUS] = (3, 1)
    answer = cluster.ask(survey).brokers[cluster.a.address]
    assert (answer.replication, answer.error, answer.runtime["brokerVersionDesc"]) == (None, "", "V5_1_0")


def test_a_slave_tells_of_its_master(cluster: FakeCluster) -> None:
    own = {"masterAddr": "10.0.0.1:10912", "maxOffset": 70, "transferredByteInSecond": 5}
    cluster.slave.replication = {"master": False, "haClientRuntimeInfo": own}
    assert cluster.ask(survey).brokers[cluster.slave.address].replication == ReplicationStatus(
        is_master=False, log_end=70, master_address="10.0.0.1:10912", bytes_per_second=5
    )


def test_a_slave_is_asked_after_its_master_so_that_it_is_not_blamed_for_what_came_since(cluster: FakeCluster) -> None:
    cluster.slave.runtime["commitLogMaxOffset"] = "50"
    cluster.a.before_runtime_info = lambda: cluster.slave.runtime.update(commitLogMaxOffset="500")
    assert cluster.ask(survey).brokers[cluster.slave.address].runtime["commitLogMaxOffset"] == "500"
