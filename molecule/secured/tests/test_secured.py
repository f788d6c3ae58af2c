"""Who is let in and who is not, and who may read what keeps them out."""

import json

import pytest
from testinfra.host import Host

from cluster import BIN, Cluster
from layout import Daemon, Layout
from waiting import wait_until

SIGNED = "--credentials /etc/broker-py/tools.yml"
TLS = "--tls /etc/broker-py/tls.properties"


def topics(host: Host, broker: Daemon, layout: Layout, options: str) -> tuple[int, str]:
    """Return the exit status of a request to a broker that takes an admin, and what was said."""
    done = host.run(f"{BIN}/mqadmin brokerStatus -b {broker.endpoint} -n '{layout.nameserver_addresses}' {options}")
    return done.rc, done.stderr


def test_a_signed_request_by_tls_is_accepted(broker: Daemon, hosts: dict[str, Host], layout: Layout) -> None:
    assert topics(hosts[broker.host], broker, layout, f"{SIGNED} {TLS}") == (0, "")


def test_an_unsigned_request_is_refused(broker: Daemon, hosts: dict[str, Host], layout: Layout) -> None:
    status, said = topics(hosts[broker.host], broker, layout, TLS)
    assert status == 1
    assert "No accessKey" in said


def test_a_plain_connection_is_refused(daemon: Daemon, hosts: dict[str, Host]) -> None:
    script = (
        "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10); s.settimeout(10)\n"
        's.sendall(bytes([0, 0, 0, 20, 0, 0, 0, 16]) + b\'{"code":105,"a":1}\')\n'
        "try:\n    print(len(s.recv(100)))\nexcept ConnectionResetError:\n    print(0)\n"
    )
    said = hosts[daemon.host].check_output("python3 -c %s %s %s", script, daemon.address, str(daemon.port))
    assert said == "0"


def test_a_client_without_a_certificate_is_refused(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    host.check_output("echo tls.client.trustCertPath=/etc/broker-py/tls/ca.pem > /root/stranger.properties")
    done = host.run(f"{BIN}/mqadmin clusterList -n {daemon.endpoint} --tls /root/stranger.properties {SIGNED}")
    assert done.rc != 0


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("plain_acl.yml", "rocketmq:rocketmq 600"),
        ("tools.yml", "rocketmq:rocketmq 600"),
        ("tls.properties", "rocketmq:rocketmq 600"),
        ("ha.secret", "rocketmq:rocketmq 600"),
        ("tls/key.pem", "rocketmq:rocketmq 600"),
        ("tls/certificate.pem", "root:rocketmq 640"),
        ("tls", "root:rocketmq 750"),
    ],
)
def test_what_is_secret_is_for_the_service_user_alone(host: Host, file: str, wanted: str) -> None:
    assert host.check_output("stat -c '%%U:%%G %%a' %s", f"/etc/broker-py/{file}") == wanted


def test_the_rules_can_not_be_changed_by_tools(master: Daemon, cluster: Cluster, hosts: dict[str, Host]) -> None:
    done = hosts[master.host].run(
        f"{BIN}/mqadmin deleteAclConfig -b {master.endpoint} -a orders-app -n '{cluster.layout.nameserver_addresses}'"
        f" {SIGNED} {TLS}"
    )
    assert done.rc == 1
    assert "orders-app" in hosts[master.host].check_output("cat /etc/broker-py/plain_acl.yml")


def test_the_slave_follows_by_tls_and_signs(slave: Daemon, layout: Layout, cluster: Cluster) -> None:
    master = layout.daemon(slave.broker_name)

    def follows() -> bool:
        return '"inSync": true' in json.dumps(cluster.mqadmin("haStatus", "-b", master.endpoint))

    wait_until(follows, "the slave is in sync")
    cluster.send("Followed", master)
    wait_until(
        lambda: "Followed" in json.dumps(cluster.mqadmin("topicStatus", "-t", "Followed")),
        "the topic is known",
    )


def test_no_secret_is_in_a_log(host: Host) -> None:
    # sudo notes the command lines of these tests, of which this is one.
    journal = "journalctl --no-pager | grep -v ' sudo\\['"
    found = host.run(f"grep -rl 'secret of the' /var/log/broker-py; {journal} | grep -c 'secret of the'")
    assert found.stdout.split() == ["0"]
