"""A cluster is removed and comes back with its messages, and is removed with them; at the end it is there again."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from cluster import Cluster
from layout import Daemon, Layout
from playbook_run import PlaybookRun
from waiting import wait_until

TOPIC = "KeptTopic"
UNINSTALL = ("playbooks/uninstall.yml", "-e", "uninstall_confirm=DefaultCluster")
MADE = [
    "/etc/broker-py",
    "/etc/nftables.d",
    "/etc/sysctl.d/60-broker-py.conf",
    "/etc/tmpfiles.d/broker-py.conf",
    "/etc/udev/rules.d/90-broker-py.rules",
    "/opt/broker-py",
    "/run/broker-py",
]
DATA = ["/var/lib/broker-py", "/var/log/broker-py"]

# In the order of this file: each test finds the hosts as the one before left them.
pytestmark = pytest.mark.timeout(900)
Playbook = Callable[..., PlaybookRun]


@pytest.fixture(scope="module", autouse=True)
def sent(layout: Layout, cluster: Cluster) -> dict[Daemon, str]:
    """A message of each master."""
    return {master: cluster.send(TOPIC, master) for master in layout.masters}


def units(host: Host) -> str:
    """Return what systemd knows of our units: those that run, have failed or may be started."""
    patterns = "'mqbroker@*' 'mqnamesrv@*'"
    listings = ("list-units --all --plain", "list-unit-files")
    return "".join(host.run(f"systemctl {listing} --no-legend {patterns}").stdout for listing in listings)


def existing(host: Host, paths: list[str]) -> list[str]:
    return [path for path in paths if host.file(path).exists]


def test_the_name_of_the_cluster_has_to_be_given(layout: Layout, cluster: Cluster, playbook: Playbook) -> None:
    done = playbook(UNINSTALL[0], "-e", "uninstall_data=true")
    assert not done.succeeded
    assert "together with all its messages: set uninstall_confirm to its name" in done.output
    assert {done.changed[host] for host in layout.hosts} == {0}
    assert cluster.is_whole()


def test_everything_goes_but_data_and_their_owner(layout: Layout, hosts: dict[str, Host], playbook: Playbook) -> None:
    done = playbook(*UNINSTALL)
    assert done.succeeded, done.output[-6000:]
    for name in layout.hosts:
        assert units(hosts[name]) == ""
        assert existing(hosts[name], MADE) == []
        assert existing(hosts[name], DATA) == DATA
        assert hosts[name].user("rocketmq").exists
        assert hosts[name].check_output("find /etc -name '*mqbroker@*' -o -name '*mqnamesrv@*'") == ""
        assert "broker" not in hosts[name].check_output("nft list tables; cat /etc/nftables.conf")


def test_a_second_time_changes_nothing(layout: Layout, playbook: Playbook) -> None:
    for words in ((), ("--check",)):
        done = playbook(*UNINSTALL, *words)
        assert done.succeeded, done.output[-6000:]
        assert {host: done.changed[host] for host in layout.hosts} == dict.fromkeys(layout.hosts, 0), done.output


def test_the_cluster_comes_back_with_its_messages(
    cluster: Cluster, sent: dict[Daemon, str], playbook: Playbook
) -> None:
    done = playbook("site.yml")
    assert done.succeeded, done.output[-6000:]
    wait_until(cluster.is_whole, "all name servers report all brokers")
    for master, body in sent.items():
        assert body in cluster.stored(TOPIC, master.broker_name)


def test_asked_twice_it_removes_the_messages_too(layout: Layout, hosts: dict[str, Host], playbook: Playbook) -> None:
    for changes in (True, False):
        done = playbook(*UNINSTALL, "-e", "uninstall_data=true")
        assert done.succeeded, done.output[-6000:]
        assert {done.changed[host] > 0 for host in layout.hosts} == {changes}, done.output[-6000:]
    for name in layout.hosts:
        assert existing(hosts[name], MADE + DATA) == []
        assert not hosts[name].user("rocketmq").exists
        assert not hosts[name].group("rocketmq").exists


def test_hosts_without_a_trace_are_deployed_like_new_ones(cluster: Cluster, playbook: Playbook) -> None:
    done = playbook("site.yml")
    assert done.succeeded, done.output[-6000:]
    wait_until(cluster.is_whole, "all name servers report all brokers")
    assert TOPIC not in str(cluster.mqadmin("topicList"))
