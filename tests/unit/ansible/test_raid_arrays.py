"""Steps are run in order, and arrays that turn out not to be blank are taken apart again."""

import pathlib
from typing import cast

import pytest

from plugins.module_utils.raid_host import Host
from plugins.module_utils.raid_plan import Step, Wanted, plan_arrays
from plugins.module_utils.raid_state import Array, Disk
from plugins.modules.raid_arrays import apply, wanted_from

DATA = Wanted("data", "raid1", ("/dev/vdb", "/dev/vdc"), mount="/data")
BLANK = {path: Disk(path, "disk", 1 << 28) for path in DATA.disks}


class MemoryHost:
    """A host whose new array shows what its disks hold together."""

    def __init__(self, remains: str = "") -> None:
        self.ran: list[str] = []
        self._remains = {remains: "uuid"} if remains else {}

    def arrays(self) -> list[Array]:
        return [Array("/dev/md127", "data", "8deb:85ec", "raid1", True, (True, True), ())]

    def signatures(self, path: str) -> dict[str, str]:
        assert path == "/dev/md127"
        return self._remains

    def run(self, step: Step) -> None:
        self.ran.append(" ".join(step.argv[:2]))


def test_a_file_system_is_made_after_its_array() -> None:
    host = MemoryHost()
    plan = apply(cast(Host, host), [DATA], plan_arrays([DATA], [], BLANK).steps, {"data"})
    assert host.ran == ["mdadm --create", "mkfs.ext4 -q"]
    assert [step.meaning for step in plan.steps] == ["make ext4 on data"]


def test_a_new_array_that_shows_an_old_file_system_is_taken_apart_and_refused() -> None:
    host = MemoryHost(remains="ext4")
    plan = apply(cast(Host, host), [DATA], plan_arrays([DATA], [], BLANK).steps, {"data"})
    assert host.ran == ["mdadm --create", "mdadm --stop", "mdadm --zero-superblock"]
    assert "they show ext4 of an earlier array" in plan.problems[0]


def test_an_array_that_was_there_is_not_touched() -> None:
    host = MemoryHost(remains="ext4")
    apply(cast(Host, host), [DATA], [], set())
    assert host.ran == []


def test_links_to_disks_are_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "virtio-disk1").symlink_to("/dev/null")
    options = {
        "name": "data",
        "level": "jbod",
        "devices": [str(tmp_path / "virtio-disk1")],
        "spares": [],
        "filesystem": "xfs",
        "mount": "/data",
        "mount_options": ["noatime"],
        "metadata": "1.2",
        "chunk_kib": None,
        "wipe": [str(tmp_path / "virtio-disk1")],
    }
    wanted = wanted_from(options)
    assert wanted.devices == wanted.wipe == ("/dev/null",)
    assert wanted.level == "linear"
    with pytest.raises(ValueError, match="level 01"):
        wanted_from(options | {"level": "01"})
