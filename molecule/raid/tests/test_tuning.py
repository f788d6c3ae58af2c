"""The kernel and the disks under the store are as the role tuning says, also after the reboot of this scenario."""

import pytest
from testinfra.host import Host

DATA = "/var/lib/broker-py"
MIB = 1 << 20


def selected(host: Host, path: str) -> str:
    """Return what a file in /sys has chosen: the word in brackets, or all of it."""
    text = str(host.file(path).content_string).strip()
    return text.partition("[")[2].partition("]")[0] if "[" in text else text


def array(host: Host) -> str:
    """Return the kernel's name of the array that the store is on."""
    source = host.check_output("findmnt --noheadings --output SOURCE --target %s", DATA)
    return str(host.check_output("basename $(readlink -f %s)", source))


def members(host: Host) -> list[str]:
    """Return the names of the array's disks."""
    return str(host.check_output("ls /sys/block/%s/slaves", array(host))).split()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vm.swappiness", 1),
        ("vm.watermark_scale_factor", 100),
        ("net.core.somaxconn", 4096),
        ("net.ipv4.tcp_max_syn_backlog", 4096),
        ("net.ipv4.tcp_slow_start_after_idle", 0),
    ],
)
def test_a_sysctl_has_the_value_of_the_role(host: Host, name: str, value: int) -> None:
    assert host.sysctl(name) == value


def test_the_write_cache_has_a_limit_in_bytes_of_a_tenth_of_the_memory_at_most(host: Host) -> None:
    total = int(host.check_output("awk '/^MemTotal:/ {print $2}' /proc/meminfo")) * 1024
    limit = host.sysctl("vm.dirty_bytes")
    assert 64 * MIB <= limit <= max(total // 10, 64 * MIB)
    assert 16 * MIB <= host.sysctl("vm.dirty_background_bytes") <= limit // 4
    assert host.sysctl("vm.dirty_ratio") == 0


def test_huge_pages_are_for_those_who_ask(host: Host) -> None:
    assert selected(host, "/sys/kernel/mm/transparent_hugepage/enabled") == "madvise"


def test_the_disks_of_the_array_are_scheduled_and_the_array_reads_ahead(host: Host) -> None:
    assert len(members(host)) >= 4
    assert {selected(host, f"/sys/block/{disk}/queue/scheduler") for disk in members(host)} == {"mq-deadline"}
    assert selected(host, f"/sys/block/{array(host)}/queue/read_ahead_kb") == "2048"


def test_a_disk_or_an_array_that_appears_is_set_by_udev(host: Host) -> None:
    disk, volume = members(host)[0], array(host)
    host.check_output("echo none > /sys/block/%s/queue/scheduler", disk)
    host.check_output("echo 128 > /sys/block/%s/queue/read_ahead_kb", volume)
    host.check_output("udevadm trigger --settle --action=change /sys/block/%s /sys/block/%s", disk, volume)
    assert selected(host, f"/sys/block/{disk}/queue/scheduler") == "mq-deadline"
    assert selected(host, f"/sys/block/{volume}/queue/read_ahead_kb") == "2048"


def test_no_unit_failed_over_the_settings(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
