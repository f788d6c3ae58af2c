"""What the role tuning decides: sysctls from a table and overrides, schedulers and read-ahead from the disks found."""

import os
import pathlib
import re
from typing import Any

import pytest

from plugins.filter.tuning import device_settings, sysctl_problems, sysctl_rows, sysfs_values
from plugins.modules.block_info import Devices, NoBlockDevice, udev_match, udev_properties
from tests.unit.ansible.role_readme import ROLES, load

DEFAULTS = [
    {"key": "vm.swappiness", "value": 1, "reason": "Because."},
    {"key": "net.core.somaxconn", "value": 4096, "reason": "Because."},
]


def test_an_override_changes_a_row_a_null_removes_one_and_others_are_added() -> None:
    rows = sysctl_rows(DEFAULTS, {"vm.swappiness": 10, "net.core.somaxconn": None, "fs.aio-max-nr": 65536})
    assert rows == [
        {"key": "vm.swappiness", "value": 10, "reason": "Set by tuning_sysctl."},
        {"key": "fs.aio-max-nr", "value": 65536, "reason": "Set by tuning_sysctl."},
    ]


def test_a_null_for_what_is_not_set_anyway_is_no_row() -> None:
    assert sysctl_rows(DEFAULTS, {"vm.laptop_mode": None}) == DEFAULTS


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"swappiness": 1}, "swappiness is no name of a sysctl"),
        ({"vm.swappiness = 1": 1}, "vm.swappiness = 1 is no name of a sysctl"),
        ({"vm.drop_caches": 1}, "vm.drop_caches is an action and not a setting"),
        (
            {"vm.dirty_bytes": 1, "vm.dirty_ratio": 50},
            "vm.dirty_bytes and vm.dirty_ratio exclude one another: set one of them to null",
        ),
    ],
)
def test_sysctls_that_can_not_be_kept_are_refused(overrides: dict[str, Any], problem: str) -> None:
    assert sysctl_problems(sysctl_rows(DEFAULTS, overrides)) == [problem]


def test_the_defaults_of_the_role_have_no_problem() -> None:
    assert sysctl_problems(load("tuning", "vars/main.yml")["__tuning_sysctl_defaults"]) == []


def device(name: str, *schedulers: str, carries: bool = False) -> dict[str, Any]:
    return {"name": name, "match": f'KERNEL=="{name}"', "carries": carries, "schedulers": list(schedulers)}


def attributes(devices: list[dict[str, Any]], scheduler: str = "auto", read_ahead_kib: int = 2048) -> dict[str, Any]:
    return {row["name"]: row["attributes"] for row in device_settings(devices, scheduler, read_ahead_kib)}


def test_the_members_of_an_array_schedule_and_the_array_reads_ahead() -> None:
    array = [device("md0", carries=True), device("vdb", "none", "mq-deadline"), device("vdc", "none", "mq-deadline")]
    assert attributes(array) == {
        "md0": {"read_ahead_kb": "2048"},
        "vdb": {"scheduler": "mq-deadline"},
        "vdc": {"scheduler": "mq-deadline"},
    }


def test_nvme_is_not_scheduled_unless_the_inventory_says_so() -> None:
    disk = device("nvme0n1", "none", "mq-deadline", carries=True)
    assert attributes([disk]) == {"nvme0n1": {"scheduler": "none", "read_ahead_kb": "2048"}}
    assert attributes([disk], scheduler="kyber")["nvme0n1"]["scheduler"] == "kyber"


def test_a_volume_without_a_choice_of_schedulers_gets_none() -> None:
    assert attributes([device("dm-0", "none", carries=True)], scheduler="bfq") == {"dm-0": {"read_ahead_kb": "2048"}}


def test_devices_for_which_nothing_is_to_be_set_are_left_out() -> None:
    disk = device("vdb", "none", "mq-deadline", carries=True)
    assert attributes([disk], scheduler="keep", read_ahead_kib=0) == {}


def test_attributes_are_files_below_the_queue_of_a_device() -> None:
    settings = device_settings([device("vdb", "none", "mq-deadline", carries=True)], "auto", 2048)
    assert sysfs_values(settings) == {
        "/sys/block/vdb/queue/scheduler": "mq-deadline",
        "/sys/block/vdb/queue/read_ahead_kb": "2048",
    }


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Devices:
    """A host with an array of the whole disk sdb and the partition sdc1, as /sys shows it."""
    block, numbers = tmp_path / "sys/class/block", tmp_path / "sys/dev/block"
    disks = tmp_path / "sys/devices"
    for path in ("md0/slaves", "md0/queue", "sdb/slaves", "sdb/queue", "sdc/slaves", "sdc/queue", "sdc/sdc1"):
        (disks / path).mkdir(parents=True)
    for directory in (block, numbers):
        directory.mkdir(parents=True)
    (disks / "sdc/sdc1/partition").write_text("1\n")
    (disks / "sdb/queue/scheduler").write_text("none [mq-deadline] kyber\n")
    for number, path in (("9:0", "md0"), ("8:16", "sdb"), ("8:32", "sdc"), ("8:33", "sdc/sdc1")):
        (block / pathlib.PurePath(path).name).symlink_to(disks / path)
        (numbers / number).symlink_to(disks / path)
    for member in ("sdb", "sdc/sdc1"):
        (disks / "md0/slaves" / pathlib.PurePath(member).name).symlink_to(disks / member)
    return Devices(tmp_path)


def test_a_partition_counts_as_its_disk(host: Devices) -> None:
    assert host.numbered(os.makedev(8, 33)) == "sdc"
    assert host.numbered(os.makedev(9, 0)) == "md0"


def test_what_is_on_no_block_device_has_no_name(host: Devices) -> None:
    assert host.numbered(os.makedev(0, 42)) is None


def test_the_bottom_of_an_array_are_its_disks(host: Devices) -> None:
    assert list(host.bottom("md0")) == ["sdb", "sdc"]
    assert list(host.bottom("sdb")) == ["sdb"]


def test_schedulers_are_those_that_the_kernel_offers(host: Devices) -> None:
    assert host.schedulers("sdb") == ["none", "mq-deadline", "kyber"]
    assert host.schedulers("md0") == []


def test_a_device_that_is_none_is_named(host: Devices, tmp_path: pathlib.Path) -> None:
    with pytest.raises(NoBlockDevice, match="missing does not exist"):
        host.named(str(tmp_path / "missing"))
    (tmp_path / "file").touch()
    with pytest.raises(NoBlockDevice, match="file is no block device"):
        host.named(str(tmp_path / "file"))


def test_udev_knows_a_device_again_by_what_does_not_depend_on_the_order_of_discovery() -> None:
    disk = udev_properties("DEVNAME=/dev/vdb\nID_PATH=pci-0000:00:05.0\nID_SERIAL=disk=1\n")
    assert udev_match("vdb", disk) == 'ENV{ID_SERIAL}=="disk=1"'
    assert udev_match("vdb", {"ID_PATH": "pci-0000:00:05.0"}) == 'ENV{ID_PATH}=="pci-0000:00:05.0"'
    assert udev_match("md0", {"MD_UUID": "a:b", "ID_SERIAL": "x"}) == 'ENV{MD_UUID}=="a:b"'
    assert udev_match("vdb", {}) == 'KERNEL=="vdb"'


def test_the_readme_gives_the_reason_of_each_sysctl_that_the_role_sets() -> None:
    docs = (ROLES / "tuning/docs.md").read_text()
    written = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| [^|]+ \| (.+) \|$", docs, re.MULTILINE))
    rows = load("tuning", "vars/main.yml")["__tuning_sysctl_defaults"]
    assert written == {row["key"]: row["reason"] for row in rows}
