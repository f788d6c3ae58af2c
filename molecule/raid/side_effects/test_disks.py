"""A disk with data is refused, failed ones are replaced while messages flow, and the host reboots: all is still there.

At the end the array has the disks that the inventory names.
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest
from testinfra.host import Host

from cluster import Cluster
from layout import TOP, Daemon, Layout
from playbook_run import PlaybookRun
from tests.support.traffic import TrafficProcess
from waiting import wait_until

BY_ID = "/dev/disk/by-id/virtio-disk"
TOPIC = "DiskTopic"
SLOW_SECONDS = 300
QUICK_REBUILD = ("-e", "raid_rebuild_delay_seconds=2")

pytestmark = pytest.mark.timeout(3600)

Playbook = Callable[..., PlaybookRun]


@pytest.fixture(scope="module")
def machine(layout: Layout, hosts: dict[str, Host]) -> Host:
    return hosts[layout.hosts[0]]


def disks_and_files(machine: Host) -> str:
    """Return what a role for disks could change."""
    return str(
        machine.check_output(
            "lsblk --bytes --output NAME,SIZE,FSTYPE,UUID,MOUNTPOINTS;"
            " cat /proc/mdstat /etc/fstab /etc/mdadm/mdadm.conf;"
            " dd if=/dev/disk/by-id/virtio-disk6 bs=1M count=4 status=none | sha256sum"
        )
    )


def is_complete(machine: Host) -> bool:
    return bool(machine.check_output("cat /sys/block/$(basename $(readlink -f /dev/md/data))/md/degraded") == "0")


def test_a_disk_with_data_is_refused_by_name_and_nothing_is_changed(playbook: Playbook, machine: Host) -> None:
    arrays = [
        {"name": "first", "level": "1", "devices": [f"{BY_ID}5", f"{BY_ID}6"], "mount": "/srv/first"},
        {"name": "second", "level": "01", "devices": [f"{BY_ID}5", f"{BY_ID}6"], "mount": "/srv/second"},
    ]
    before = disks_and_files(machine)
    refused = playbook("playbooks/host.yml", "-e", json.dumps({"raid_arrays": arrays[:1]}))
    assert not refused.succeeded
    assert "first: /dev/vdg is not blank, it carries ext4" in refused.output
    assert refused.changed == {"rocketmq-os1": 0}
    refused = playbook("playbooks/host.yml", "-e", json.dumps({"raid_arrays": arrays[1:]}))
    assert not refused.succeeded
    assert "second: level 01 is a mirror over stripes and not used in production" in refused.output
    assert disks_and_files(machine) == before


def test_a_failed_disk_is_noticed_and_replaced_while_messages_flow(
    playbook: Playbook, machine: Host, layout: Layout, tmp_path: pathlib.Path
) -> None:
    with TrafficProcess(tmp_path, layout.nameserver_addresses, "--rate", "20") as traffic:
        machine.check_output("mdadm /dev/md/data --fail /dev/disk/by-id/virtio-disk2")
        wait_until(
            lambda: "Fail event" in machine.check_output("journalctl --unit mdmonitor.service --no-pager"),
            "mdadm's monitor tells the journal",
            SLOW_SECONDS,
        )
        health = playbook("playbooks/health.yml")
        done = playbook(
            "playbooks/replace_disk.yml",
            *("-e", "raid_array=data", "-e", f"raid_failed={BY_ID}2", "-e", f"raid_new={BY_ID}5", *QUICK_REBUILD),
        )
    assert not health.succeeded
    assert "the array data is degraded: 3 of 4 members have all data" in health.output
    assert done.succeeded, done.output[-4000:]
    assert is_complete(machine)
    assert traffic.report["acknowledged"] > 100, traffic.report
    assert (traffic.report["lost"], traffic.report["failed"]) == (0, 0), traffic.report


def test_a_disk_that_carries_something_replaces_none(playbook: Playbook, machine: Host) -> None:
    before = disks_and_files(machine)
    refused = playbook(
        "playbooks/replace_disk.yml", "-e", "raid_array=data", "-e", f"raid_failed={BY_ID}1", "-e", f"raid_new={BY_ID}6"
    )
    assert not refused.succeeded
    assert "/dev/vdg is not blank, it carries ext4" in refused.output
    assert disks_and_files(machine) == before


def test_a_replacement_that_was_begun_by_hand_is_ended(playbook: Playbook, machine: Host) -> None:
    machine.check_output("wipefs --all --quiet /dev/disk/by-id/virtio-disk2")
    machine.check_output("mdadm /dev/md/data --fail /dev/disk/by-id/virtio-disk5 --remove /dev/disk/by-id/virtio-disk5")
    words = ("-e", "raid_array=data", "-e", f"raid_failed={BY_ID}5", "-e", f"raid_new={BY_ID}2", *QUICK_REBUILD)
    done = playbook("playbooks/replace_disk.yml", *words)
    assert done.succeeded, done.output[-4000:]
    assert is_complete(machine)
    again = playbook("playbooks/replace_disk.yml", *words)
    assert again.succeeded, again.output[-4000:]
    assert again.changed == {"rocketmq-os1": 0}


def test_after_a_reboot_the_array_is_mounted_and_old_messages_are_there(
    machine: Host, broker: Daemon, cluster: Cluster
) -> None:
    body = cluster.send(TOPIC, broker)
    booted = machine.check_output("cat /proc/sys/kernel/random/boot_id")
    rebooted = subprocess.run(
        [sys.executable, "molecule/shared/machines.py", "reboot", broker.host], cwd=TOP, check=False
    )
    assert rebooted.returncode == 0
    assert machine.check_output("cat /proc/sys/kernel/random/boot_id") != booted
    wait_until(lambda: bool(machine.service(broker.unit).is_running), "the broker is ready", SLOW_SECONDS)
    assert machine.mount_point("/var/lib/broker-py").exists
    wait_until(cluster.is_whole, "the name server reports the broker", SLOW_SECONDS)
    assert body in cluster.stored(TOPIC, broker.broker_name)
