"""Accounts and certificates change under daemons that run, and daemons are restarted with access rules and TLS on."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from testinfra.host import Host

from cluster import Cluster
from layout import TOP, Layout
from playbook_run import PlaybookRun
from tests.support.certificates import PASSWORD
from waiting import wait_until

pytestmark = pytest.mark.timeout(1800)
Playbook = Callable[..., PlaybookRun]
RELOAD_SECONDS = 20
NEW_SECRET = "another secret of the orders"
SHOWN = ("secret of the", "pass: w", "PRIVATE KEY")
MQADMIN = "/opt/broker-py/current/bin/mqadmin"


def processes(layout: Layout, hosts: Mapping[str, Host]) -> dict[str, str]:
    """Return the process of each daemon."""
    return {
        daemon.endpoint: hosts[daemon.host].check_output("systemctl show --value --property MainPID %s", daemon.unit)
        for daemon in layout.daemons
    }


def ran(playbook: Playbook, name: str, variables: Mapping[str, Any]) -> PlaybookRun:
    """Run a playbook as loudly as can be, see that it succeeded, and that it showed no secret."""
    done = playbook(name, "--diff", "-vvv", "--extra-vars", json.dumps(variables))
    assert done.succeeded, done.output[-6000:]
    assert [secret for secret in SHOWN if secret in done.output] == []
    return done


def sends(layout: Layout, host: Host, secret: str) -> bool:
    """Say whether orders-app may send with a secret."""
    host.check_output("printf 'accessKey: orders-app\nsecretKey: %%s\n' %s > /root/orders.yml", secret)
    words = "sendMessage --credentials /root/orders.yml --tls /etc/broker-py/tls.properties -t Orders -p x -n"
    return bool(host.run(f"{MQADMIN} {words} '{layout.nameserver_addresses}'").rc == 0)


def test_a_changed_account_counts_without_a_restart(
    layout: Layout, hosts: dict[str, Host], cluster: Cluster, playbook: Playbook
) -> None:
    host = hosts[layout.hosts[0]]
    cluster.mqadmin("updateTopic", "-t", "Orders", "-b", layout.masters[0].endpoint)
    assert sends(layout, host, "secret of the orders")
    before = processes(layout, hosts)
    changed = {"accessKey": "orders-app", "secretKey": NEW_SECRET, "topicPerms": ["Orders=PUB|SUB"]}
    ran(playbook, "site.yml", {"broker_acl_accounts": [changed]})
    wait_until(lambda: sends(layout, host, NEW_SECRET), "the new secret counts", RELOAD_SECONDS)
    assert not sends(layout, host, "secret of the orders")
    ran(playbook, "site.yml", {})
    wait_until(lambda: sends(layout, host, "secret of the orders"), "the former secret counts again", RELOAD_SECONDS)
    assert processes(layout, hosts) == before


def test_rules_that_are_not_sound_are_refused_and_nothing_is_changed(
    hosts: dict[str, Host], playbook: Playbook
) -> None:
    rules = "sha256sum /etc/broker-py/plain_acl.yml"
    before = {name: host.check_output(rules) for name, host in hosts.items()}
    done = playbook("site.yml", "--extra-vars", json.dumps({"broker_acl_white_addresses": ["nowhere"]}))
    assert not done.succeeded
    assert {name: host.check_output(rules) for name, host in hosts.items()} == before


def shown_certificate(host: Host, endpoint: str) -> str:
    """Return the subject and the number of the certificate that a daemon shows."""
    script = (
        "import ssl, sys; c = ssl._create_unverified_context(); "
        "c.load_cert_chain('/etc/broker-py/tls/certificate.pem', '/etc/broker-py/tls/key.pem', sys.argv[3]); "
        "import socket; s = c.wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2])))); "
        "import hashlib; print(hashlib.sha256(s.getpeercert(True)).hexdigest())"
    )
    address, _, port = endpoint.rpartition(":")
    return str(host.check_output("python3 -c %s %s %s %s", script, address, port, PASSWORD))


def test_a_renewed_certificate_is_shown_without_a_restart(
    layout: Layout, hosts: dict[str, Host], playbook: Playbook
) -> None:
    directory = layout.state / "tls"
    before = processes(layout, hosts)
    host = hosts[layout.hosts[0]]
    former = {daemon.endpoint: shown_certificate(host, daemon.endpoint) for daemon in layout.daemons}
    subprocess.run(
        [sys.executable, "-m", "tests.support.certificates", str(directory), *layout.hosts],
        cwd=TOP,
        check=True,
    )
    ran(playbook, "site.yml", {})
    for daemon in layout.daemons:
        wait_until(
            lambda endpoint=daemon.endpoint: shown_certificate(host, endpoint) != former[endpoint],  # type: ignore[misc]
            f"{daemon.name} shows its new certificate",
            RELOAD_SECONDS,
        )
    assert processes(layout, hosts) == before


def test_the_secret_of_replication_is_not_changed_under_brokers_that_run(playbook: Playbook) -> None:
    done = playbook("site.yml", "--extra-vars", json.dumps({"broker_ha_secret": "another secret of the replicas"}))
    assert not done.succeeded
    assert "can't be changed while brokers of" in " ".join(done.output.split())


def test_a_step_of_tls_is_not_left_out(playbook: Playbook) -> None:
    done = playbook("playbooks/preflight.yml", "--extra-vars", json.dumps({"common_tls": "offered"}))
    assert not done.succeeded
    assert "with common_tls: enforced and would get offered" in " ".join(done.output.split())


def test_daemons_are_rolled_with_access_rules_and_tls_on(
    layout: Layout, hosts: dict[str, Host], cluster: Cluster, playbook: Playbook
) -> None:
    body = cluster.send("Rolled", layout.masters[0])
    before = processes(layout, hosts)
    ran(playbook, "playbooks/restart.yml", {"broker_drain_seconds": 2, "broker_drain_quiet_seconds": 1})
    assert not before.items() & processes(layout, hosts).items()
    assert body in cluster.stored("Rolled", layout.masters[0].broker_name)
    ran(playbook, "playbooks/health.yml", {})
