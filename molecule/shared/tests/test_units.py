"""The units as systemd and the kernel see them."""

import re
import socket

from testinfra.host import Host

from layout import Daemon

SCORE = re.compile(r"Overall exposure level for \S+: (\d+\.\d+)")


def shown(host: Host, unit: str, word: str) -> str:
    """Return a property of a unit."""
    return str(host.check_output("systemctl show --value --property %s %s", word, unit))


def test_a_unit_runs_and_comes_back_at_boot(daemon: Daemon, hosts: dict[str, Host]) -> None:
    unit = hosts[daemon.host].service(daemon.unit)
    assert unit.is_running
    assert unit.is_enabled


def test_no_unit_has_failed(host: Host) -> None:
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_no_daemon_runs_that_the_inventory_does_not_place_there(host: Host, daemons_of: dict[str, set[str]]) -> None:
    listed = host.check_output("systemctl list-units --no-legend --plain 'mqbroker@*' 'mqnamesrv@*'")
    assert {line.split()[0] for line in listed.splitlines()} == daemons_of[host.backend.hostname]


def test_a_unit_has_told_that_it_is_ready(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    assert shown(host, daemon.unit, "Type") == "notify"
    digest = host.check_output("sha256sum %s", daemon.properties_file).split()[0]
    assert f"configuration sha256:{digest}" in shown(host, daemon.unit, "StatusText")


def test_a_unit_is_confined(daemon: Daemon, hosts: dict[str, Host]) -> None:
    report = hosts[daemon.host].run("systemd-analyze security --no-pager %s", daemon.unit).stdout
    found = SCORE.search(report)
    assert found, report
    assert float(found[1]) < 3


def test_a_daemon_runs_as_a_user_of_its_own(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    assert host.check_output("stat -c %%U:%%G /proc/%s", shown(host, daemon.unit, "MainPID")) == "rocketmq:rocketmq"


def open_files(host: Host, process: str) -> int:
    """Return how many files a process may open at most."""
    found = re.search(r"Max open files\s+\d+\s+(\d+)", host.check_output("cat /proc/%s/limits", process))
    assert found
    return int(found[1])


def test_a_broker_may_open_as_many_files_as_its_host_allows(broker: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[broker.host]
    asked = int(shown(host, broker.unit, "LimitNOFILE"))
    assert asked >= 655_350
    # Nobody, not even systemd, gives more in a container than the container was given.
    assert open_files(host, shown(host, broker.unit, "MainPID")) == min(asked, open_files(host, "1"))


def test_no_daemon_may_take_all_memory(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    memory_kib = int(host.check_output("awk '/^MemTotal:/ {print $2}' /proc/meminfo"))
    assert 0 < int(shown(host, daemon.unit, "MemoryMax")) < memory_kib * 1024


def test_a_unit_that_is_killed_is_started_again(daemon: Daemon, hosts: dict[str, Host]) -> None:
    assert shown(hosts[daemon.host], daemon.unit, "Restart") == "on-failure"


def test_a_unit_waits_for_the_disk_of_its_data(broker: Daemon, hosts: dict[str, Host]) -> None:
    assert "/var/lib/broker-py" in shown(hosts[broker.host], broker.unit, "RequiresMountsFor")


def test_the_daemon_of_the_unit_answers_at_its_port(daemon: Daemon, hosts: dict[str, Host]) -> None:
    host = hosts[daemon.host]
    listening = host.check_output(
        "ss --no-header --listening --tcp --numeric --processes sport = :%s", str(daemon.port)
    )
    assert f"pid={shown(host, daemon.unit, 'MainPID')}," in listening
    socket.create_connection((daemon.address, daemon.port), timeout=5).close()
