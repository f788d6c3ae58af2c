"""The array as an operator sees it, after the disks were replaced and the host has rebooted."""

import pytest
from testinfra.host import Host

from waiting import wait_until

MOUNT = "/var/lib/broker-py"


@pytest.fixture
def detail(host: Host) -> dict[str, str]:
    lines = host.check_output("mdadm --detail --export /dev/md/data").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_array_is_a_stripe_over_mirrors_of_the_disks_of_the_inventory(host: Host, detail: dict[str, str]) -> None:
    wanted = {host.check_output("readlink -f /dev/disk/by-id/virtio-disk%s", str(number)) for number in range(1, 5)}
    assert (detail["MD_LEVEL"], detail["MD_DEVICES"]) == ("raid10", "4")
    assert {value for name, value in detail.items() if name.endswith("_DEV")} == wanted


def test_boot_assembles_the_array_by_its_uuid(host: Host, detail: dict[str, str]) -> None:
    line = f"ARRAY /dev/md/data metadata=1.2 UUID={detail['MD_UUID']}"
    assert line in host.file("/etc/mdadm/mdadm.conf").content_string.splitlines()
    unpacked = host.check_output("unmkinitramfs /initrd.img /tmp/initrd && cat /tmp/initrd/etc/mdadm/mdadm.conf")
    host.check_output("rm -r /tmp/initrd")
    assert line in unpacked.splitlines()


def test_the_store_is_on_the_array(host: Host) -> None:
    array = host.check_output("readlink -f /dev/md/data")
    assert host.check_output("findmnt --noheadings --output SOURCE --target %s/store/commitlog", MOUNT) == array


def test_the_file_system_is_mounted_by_uuid_and_a_boot_goes_on_without_it(host: Host) -> None:
    uuid = host.check_output("blkid --match-tag UUID --output value /dev/md/data")
    (line,) = [line for line in host.file("/etc/fstab").content_string.splitlines() if MOUNT in line]
    assert line.split() == [f"UUID={uuid}", MOUNT, "ext4", "noatime,nofail,x-systemd.device-timeout=600", "0", "2"]
    assert "noatime" in host.mount_point(MOUNT).options


def test_nobody_writes_to_the_mount_point_while_nothing_is_mounted(host: Host) -> None:
    host.check_output("mkdir -p /tmp/root && mount --bind / /tmp/root")
    try:
        assert host.check_output("stat -c '%%U %%a' /tmp/root%s", MOUNT) == "root 755"
        assert host.check_output("ls -A /tmp/root%s", MOUNT) == ""
    finally:
        host.check_output("umount /tmp/root && rmdir /tmp/root")


def test_the_monitor_watches_and_writes_to_the_journal(host: Host) -> None:
    monitor = host.service("mdmonitor.service")
    assert monitor.is_running
    assert "--syslog" in host.check_output("systemctl show --value --property ExecStart mdmonitor.service")


def test_the_metrics_tell_that_no_member_is_missing(host: Host) -> None:
    metrics = host.file("/var/lib/metrics/broker_py_raid.prom")
    wait_until(
        lambda: 'broker_py_raid_missing_members{array="data"} 0' in metrics.content_string.splitlines(),
        "the metrics say that all members are there",
        seconds=90,
    )
    assert 'broker_py_raid_active{array="data"} 1' in metrics.content_string.splitlines()
    assert metrics.mode == 0o644


def test_the_disk_that_carried_something_still_does(host: Host) -> None:
    assert host.check_output("blkid --match-tag TYPE --output value /dev/disk/by-id/virtio-disk6") == "ext4"
