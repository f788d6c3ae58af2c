"""Runs that must fail: each says why, and leaves the hosts as they were."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from testinfra.host import Host

from cluster import Cluster
from layout import Layout
from playbook_run import PlaybookRun
from snapshot import snapshot
from waiting import wait_until

FREE_PORT = 12911
pytestmark = pytest.mark.timeout(600)

Refused = Callable[..., None]


@pytest.fixture
def refused(playbook: Callable[..., PlaybookRun], layout: Layout, hosts: dict[str, Host]) -> Refused:
    """Assert that a playbook fails with all these words, and changes nothing."""

    def assert_refused(name: str, variables: dict[str, Any], *words: str) -> None:
        before = snapshot(layout, hosts)
        run = playbook(name, "--extra-vars", json.dumps(variables))
        assert not run.succeeded, run.output[-4000:]
        said = " ".join(run.output.split())
        for word in words:
            assert word in said, run.output[-4000:]
        assert not any(run.changed.values()), run.output[-8000:]
        assert snapshot(layout, hosts) == before

    return assert_refused


@contextmanager
def stopped(host: Host, unit: str) -> Iterator[None]:
    """Stop a unit for a while."""
    host.check_output("systemctl stop %s", unit)
    try:
        yield
    finally:
        host.check_output("systemctl start %s", unit)


def test_a_pair_on_one_host_is_refused(refused: Refused) -> None:
    pins = {"broker_hosts": {"broker-a": ["rocketmq-os1", "rocketmq-os1"]}}
    refused("site.yml", pins, "broker-a has its master and a slave on", "although there are other hosts")


def test_a_misspelled_property_is_refused(refused: Refused) -> None:
    refused("site.yml", {"broker_config": {"flushDiskTyp": "SYNC_FLUSH"}}, "flushDiskTyp", "flushDiskType")


def test_a_port_that_somebody_else_has_is_refused(refused: Refused, hosts: dict[str, Host]) -> None:
    host, unit = hosts["rocketmq-os1"], "squatter.service"
    host.check_output("systemd-run --unit %s python3 -m http.server %s", unit, str(FREE_PORT))
    wait_until(lambda: bool(host.socket(f"tcp://0.0.0.0:{FREE_PORT}").is_listening), "the port is taken")
    try:
        refused("site.yml", {"broker_listen_port": FREE_PORT}, f"rocketmq-os1: needs port {FREE_PORT}", "http.server")
    finally:
        host.check_output("systemctl stop %s", unit)


def test_a_cluster_with_a_dead_slave_does_not_pass_the_gate(
    refused: Refused, layout: Layout, hosts: dict[str, Host], cluster: Cluster
) -> None:
    slave = layout.daemon("broker-a-s")
    with stopped(hosts[slave.host], slave.unit):
        soon = {"broker_gate_retries": 1, "broker_gate_delay_seconds": 1}
        refused("playbooks/gate.yml", soon, "The cluster is not what the inventory says", "broker-a with id 1")
    wait_until(cluster.is_whole, "all name servers report all brokers")
