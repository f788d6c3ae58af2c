"""What happens to clients and units when a master is killed or stopped; at the end all is as it was."""

from testinfra.host import Host

from cluster import Cluster
from layout import Daemon, Layout
from waiting import wait_until

TOPIC = "FailureTopic"


def number(host: Host, daemon: Daemon, word: str) -> int:
    """Return a number that systemd knows of a unit."""
    return int(host.check_output("systemctl show --value --property %s %s", word, daemon.unit))


def test_a_master_that_is_killed_is_back_with_its_messages(
    layout: Layout, hosts: dict[str, Host], cluster: Cluster
) -> None:
    master = layout.daemon("broker-a")
    host = hosts[master.host]
    body = cluster.send(TOPIC, master)
    killed, restarts = number(host, master, "MainPID"), number(host, master, "NRestarts")
    host.check_output("kill -KILL %s", str(killed))
    wait_until(lambda: number(host, master, "NRestarts") == restarts + 1, "systemd starts the master again")
    wait_until(lambda: bool(host.service(master.unit).is_running), "the master is ready")
    assert number(host, master, "MainPID") != killed
    wait_until(cluster.is_whole, "all name servers report all brokers")
    assert body in cluster.stored(TOPIC, master.broker_name)


def test_the_slave_serves_readers_while_its_master_is_stopped(
    layout: Layout, hosts: dict[str, Host], cluster: Cluster
) -> None:
    master, slave = layout.daemon("broker-b"), layout.daemon("broker-b-s")
    host = hosts[master.host]
    body = cluster.send(TOPIC, master)
    end = cluster.log_end(master)
    wait_until(lambda: cluster.log_end(slave) >= end, "the slave has the message")
    host.check_output("systemctl stop %s", master.unit)
    try:
        assert not host.service(master.unit).is_running
        assert body in cluster.stored(TOPIC, master.broker_name)
    finally:
        host.check_output("systemctl start %s", master.unit)
    wait_until(cluster.is_whole, "all name servers report all brokers")
