"""Upgrades, one that fails and a rollback while a client sends and consumes; at the end all runs the new release."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

from cluster import Cluster
from layout import Layout
from playbook_run import PlaybookRun
from tests.support.traffic import TrafficProcess
from tests.support.wheels import make_wheel

OLD, BROKEN = "0.0.9", "9.0.0"
# The full wait of 35 s is in the first upgrade. Sends to a broker that stops before all clients know go elsewhere.
HURRIED = ("-e", "broker_drain_seconds=1", "-e", "broker_drain_quiet_seconds=0")

pytestmark = pytest.mark.timeout(1800)

Playbook = Callable[..., PlaybookRun]


def releases(layout: Layout, hosts: dict[str, Host]) -> dict[str, str]:
    """Return the version that each daemon says it runs."""
    found = {}
    for daemon in layout.daemons:
        status = hosts[daemon.host].check_output("systemctl show --value --property StatusText %s", daemon.unit)
        match = re.search(r"program .*/releases/([^/-]+)-", status)
        assert match is not None, status
        found[f"{daemon.host} {daemon.name}"] = match[1]
    return found


def permissions(cluster: Cluster) -> set[str]:
    """Return the permissions of all masters."""
    return {
        cluster.mqadmin("getBrokerConfig", "-b", master.endpoint)["brokerPermission"]
        for master in cluster.layout.masters
    }


def assert_unharmed(report: dict[str, Any]) -> None:
    assert report["acknowledged"] > 1000, report
    assert (report["lost"], report["failed"]) == (0, 0), report


def test_an_upgrade_loses_nothing_and_fails_no_send(
    layout: Layout, hosts: dict[str, Host], cluster: Cluster, playbook: Playbook, tmp_path: pathlib.Path
) -> None:
    assert set(releases(layout, hosts).values()) == {OLD}
    with TrafficProcess(tmp_path, layout.nameserver_addresses) as traffic:
        done = playbook("playbooks/upgrade.yml")
    assert done.succeeded, done.output[-6000:]
    assert_unharmed(traffic.report)
    assert OLD not in releases(layout, hosts).values()
    assert permissions(cluster) == {"6"}
    assert cluster.is_whole()


def test_a_release_that_does_not_start_is_taken_back_and_the_play_fails(
    layout: Layout, hosts: dict[str, Host], cluster: Cluster, playbook: Playbook, tmp_path: pathlib.Path
) -> None:
    before = releases(layout, hosts)
    wheel = make_wheel(tmp_path / "wheels", BROKEN, broken_command="mqbroker")
    with TrafficProcess(tmp_path, layout.nameserver_addresses) as traffic:
        done = playbook("playbooks/upgrade.yml", "-e", f"runtime_wheel={wheel}", *HURRIED)
    assert not done.succeeded
    assert "could not be restarted and runs as before" in done.output
    assert "this release can't start" in done.output
    assert_unharmed(traffic.report)
    after = releases(layout, hosts)
    assert {name: after[name] for name in after if "nameserver" not in name} == {
        name: before[name] for name in before if "nameserver" not in name
    }
    assert permissions(cluster) == {"6"}
    assert cluster.is_whole()


def test_a_rollback_loses_nothing_and_fails_no_send(
    layout: Layout, hosts: dict[str, Host], cluster: Cluster, playbook: Playbook, tmp_path: pathlib.Path
) -> None:
    release = hosts[layout.hosts[0]].check_output("ls /opt/broker-py/releases | grep ^%s-", OLD)
    with TrafficProcess(tmp_path, layout.nameserver_addresses) as traffic:
        done = playbook("playbooks/rollback.yml", "-e", f"rollback_release={release}", *HURRIED)
    assert done.succeeded, done.output[-6000:]
    assert_unharmed(traffic.report)
    assert set(releases(layout, hosts).values()) == {OLD}
    assert cluster.is_whole()


def test_a_cluster_that_was_rolled_back_can_be_upgraded_again(
    layout: Layout, hosts: dict[str, Host], playbook: Playbook
) -> None:
    done = playbook("playbooks/upgrade.yml", *HURRIED)
    assert done.succeeded, done.output[-6000:]
    assert OLD not in releases(layout, hosts).values()
    again = playbook("playbooks/upgrade.yml", *HURRIED)
    assert again.succeeded, again.output[-6000:]
    assert set(again.changed.values()) == {0}, again.output[-6000:]


def test_the_release_that_could_not_start_is_gone_and_the_one_before_is_kept(host: Host) -> None:
    found = host.check_output("ls /opt/broker-py/releases").split()
    assert len(found) == 2
    assert OLD in {name.rpartition("-")[0] for name in found}
