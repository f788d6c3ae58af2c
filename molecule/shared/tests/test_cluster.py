"""The cluster as its clients see it."""

from cluster import Cluster
from layout import Daemon, Layout
from waiting import wait_until

TOPIC = "MoleculeTopic"
CATCH_UP_SECONDS = 30


def test_each_name_server_reports_the_brokers_of_the_layout(
    nameserver: Daemon, cluster: Cluster, layout: Layout
) -> None:
    reported = {
        (row["clusterName"], row["brokerName"], row["brokerId"] != 0, row["brokerAddr"], row["reachable"])
        for row in cluster.reported_by(nameserver)
    }
    assert reported == {
        ("DefaultCluster", broker.broker_name, broker.is_slave, broker.endpoint, True) for broker in layout.brokers
    }


def test_a_message_sent_to_a_master_is_received_from_it(master: Daemon, cluster: Cluster) -> None:
    body = cluster.send(TOPIC, master)
    assert body in cluster.stored(TOPIC, master.broker_name)


def test_a_slave_gets_all_that_its_master_has(slave: Daemon, cluster: Cluster, layout: Layout) -> None:
    master = layout.daemon(slave.broker_name)
    cluster.send(TOPIC, master)
    wanted = cluster.log_end(master)
    wait_until(
        lambda: cluster.log_end(slave) >= wanted, f"{slave.name} has its master's log up to {wanted}", CATCH_UP_SECONDS
    )
