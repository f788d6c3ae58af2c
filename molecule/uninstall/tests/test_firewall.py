"""The firewall of common_firewall: clients are let in, and to replication only the hosts of the cluster."""

import socket

from testinfra.host import Host

from layout import Daemon

REFUSED_SECONDS = 2


def is_reached(address: str, port: int) -> bool:
    """Say whether this machine, which is no host of the cluster, gets a connection."""
    try:
        socket.create_connection((address, port), REFUSED_SECONDS).close()
    except TimeoutError:
        return False
    return True


def test_a_client_reaches_the_daemon(daemon: Daemon) -> None:
    assert is_reached(daemon.address, daemon.port)


def test_replication_is_for_the_hosts_of_the_cluster(broker: Daemon, hosts: dict[str, Host]) -> None:
    replication = broker.port + 1
    assert not is_reached(broker.address, replication)
    for host in hosts.values():
        host.check_output(f"timeout {REFUSED_SECONDS} bash -c '< /dev/tcp/{broker.address}/{replication}'")


def test_the_rules_are_loaded_now_and_at_boot(host: Host) -> None:
    assert host.service("nftables.service").is_enabled
    host.check_output("nft --check --file /etc/nftables.conf")
    tables, loaded = (host.check_output(words) for words in ("nft list tables", "cat /etc/nftables.conf"))
    for service in ("broker", "nameserver"):
        assert f"table inet broker_py_{service}" in tables.splitlines()
        assert f'include "/etc/nftables.d/broker-py-{service}.nft"' in loaded.splitlines()
