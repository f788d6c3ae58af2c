"""Who owns what, and who may read it: code, units and configuration are root's, data and logs the daemons'."""

import re

import pytest
from testinfra.host import Host

from layout import Daemon, Layout


def properties(host: Host, daemon: Daemon) -> dict[str, str]:
    """Return the properties that a daemon was given."""
    lines = host.check_output("cat %s", daemon.properties_file).splitlines()
    pairs = [line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return {key.strip(): value.strip() for key, _, value in pairs}


def owner(host: Host, path: str) -> str:
    """Return such as "root:root 644"."""
    return str(host.check_output("stat -L -c '%%U:%%G %%a' %s", path))


def test_the_service_user_can_not_log_in(host: Host) -> None:
    user = host.user("rocketmq")
    assert user.shell in ("/usr/sbin/nologin", "/bin/false")
    assert user.password.startswith(("!", "*"))
    assert user.uid < 1000


def test_configuration_is_read_by_the_daemons_and_written_by_root(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    assert owner(host, "/etc/broker-py") == "root:rocketmq 750"
    assert owner(host, daemon.properties_file) == "root:rocketmq 640"


def test_units_are_roots(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    files = host.check_output("systemctl show --value --property FragmentPath --property DropInPaths %s", daemon.unit)
    assert files.split()
    assert {owner(host, file) for file in files.split()} == {"root:root 644"}


def test_nothing_of_a_release_is_written_by_anyone_but_root(host: Host) -> None:
    assert host.check_output("find -L /opt/broker-py -xdev ! -user root -o -perm /022 ! -type l | head") == ""


def test_the_current_release_is_named_by_version_and_wheel(host: Host) -> None:
    target = host.check_output("readlink -f /opt/broker-py/current")
    assert re.fullmatch(r"/opt/broker-py/releases/\d+(\.\w+)+-[0-9a-f]{12}", target)


def test_every_daemon_runs_the_current_release(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    release = host.check_output("readlink -f /opt/broker-py/current")
    status = host.check_output("systemctl show --value --property StatusText %s", daemon.unit)
    assert status.endswith(f"program {release}")


@pytest.mark.parametrize("directory", ["/var/lib/broker-py", "/var/log/broker-py"])
def test_data_and_logs_are_for_the_service_user_alone(host: Host, directory: str) -> None:
    found, mode = owner(host, directory).split()
    assert found == "rocketmq:rocketmq"
    assert int(mode, 8) & 0o027 == 0


def test_every_daemon_logs_to_its_own_file(daemon: Daemon, hosts: dict[str, Host]) -> None:
    name = "broker.log" if daemon.is_broker else "namesrv.log"
    assert hosts[daemon.host].file(f"/var/log/broker-py/{daemon.name}/{name}").size > 0


def test_a_broker_is_told_its_place(broker: Daemon, hosts: dict[str, Host], layout: Layout) -> None:
    found = properties(hosts[broker.host], broker)
    assert found["namesrvAddr"] == layout.nameserver_addresses
    assert found["brokerName"] == broker.broker_name
    assert found["brokerIP1"] == broker.address
    assert found["listenPort"] == str(broker.port)
    assert (found["brokerId"] == "0") is (not broker.is_slave)


def test_no_two_brokers_of_a_host_share_a_store(host: Host) -> None:
    stores = host.check_output("grep -h ^storePathRootDir /etc/broker-py/broker-*.properties").splitlines()
    assert len(stores) == len(set(stores))
