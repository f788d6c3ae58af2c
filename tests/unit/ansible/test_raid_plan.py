"""Arrays are made of blank disks only, all of them or none, and what is there is kept."""

from dataclasses import replace

import pytest

from plugins.module_utils.raid_plan import (
    Plan,
    Wanted,
    kernel_level,
    mount_problems,
    mount_unit,
    plan_arrays,
    plan_filesystems,
    warnings,
)
from plugins.module_utils.raid_state import Array, Disk, Member

DISKS = ("/dev/vdb", "/dev/vdc", "/dev/vdd", "/dev/vde")
BLANK = {path: Disk(path, "disk", 1 << 28) for path in (*DISKS, "/dev/vdf", "/dev/vdg")}
DATA = Wanted("data", "raid10", DISKS, mount="/data")
MADE = Array("/dev/md127", "data", "8deb:85ec", "raid10", True, (True,) * 4, tuple(map(Member, DISKS, range(4))), None)


def problems_with(wanted: Wanted, arrays: list[Array] | None = None, **disks: Disk) -> tuple[str, ...]:
    known = BLANK | {f"/dev/{name}": disk for name, disk in disks.items()}
    return plan_arrays([wanted], arrays or [], known).problems


def test_a_missing_array_is_made_with_a_bitmap_and_without_a_question() -> None:
    plan = plan_arrays([replace(DATA, spares=("/dev/vdf",), chunk_kib=256)], [], BLANK)
    (step,) = plan.steps
    assert " ".join(step.argv) == (
        "mdadm --create /dev/md/data --run --name=data --metadata=1.2 --level=raid10 --raid-devices=4"
        " --bitmap=internal --spare-devices=1 --chunk=256 /dev/vdb /dev/vdc /dev/vdd /dev/vde /dev/vdf"
    )
    assert step.meaning == "make data, raid10 of /dev/vdb, /dev/vdc, /dev/vdd, /dev/vde with the spares /dev/vdf"


@pytest.mark.parametrize("level", ["linear", "raid0"])
def test_an_array_without_redundancy_gets_no_bitmap(level: str) -> None:
    (step,) = plan_arrays([replace(DATA, level=level)], [], BLANK).steps
    assert "--bitmap=internal" not in step.argv


def test_nothing_is_ever_forced() -> None:
    wiped = replace(DATA, wipe=DISKS)
    used = {path: replace(BLANK[path], carries=("ext4",)) for path in DISKS}
    steps = plan_arrays([wiped], [], used).steps + plan_filesystems([wiped], {"data": ["xfs"]}, ["data"]).steps
    assert len(steps) == 7
    assert not {word for step in steps for word in step.argv} & {"--force", "-f", "-F"}


def test_an_array_that_is_there_is_kept() -> None:
    held = {path: Disk(path, "disk", 1, ("linux_raid_member",), (f"{path} is held by /dev/md127",)) for path in DISKS}
    assert plan_arrays([DATA], [MADE], held) == Plan()


def test_an_array_whose_spare_took_over_is_kept() -> None:
    wanted = replace(DATA, spares=("/dev/vdf",))
    members = (*MADE.members[:3], Member("/dev/vdf", 3), Member("/dev/vde", None, failed=True))
    assert plan_arrays([wanted], [replace(MADE, members=members)], BLANK) == Plan()


def test_a_degraded_array_is_kept_and_its_lost_disk_left_alone() -> None:
    degraded = replace(MADE, in_sync=(True, True, True, False), members=MADE.members[:3])
    assert plan_arrays([DATA], [degraded], BLANK) == Plan()


def test_a_new_spare_is_added_to_an_array_that_is_there() -> None:
    (step,) = plan_arrays([replace(DATA, spares=("/dev/vdf",))], [MADE], BLANK).steps
    assert step.argv == ("mdadm", "/dev/md127", "--add", "/dev/vdf")


def test_an_array_of_another_shape_is_refused_and_not_rebuilt() -> None:
    assert problems_with(replace(DATA, level="raid5"), [MADE]) == (
        "data is a raid10, raid5 is wanted: an array is never rebuilt, set its level",
    )
    assert problems_with(replace(DATA, devices=(*DISKS, "/dev/vdf", "/dev/vdg")), [MADE]) == (
        "data has places for 4 devices, 6 are wanted: an array is never reshaped, set its devices",
        "data is complete without /dev/vdf, /dev/vdg: set devices to its members",
    )
    assert problems_with(replace(DATA, devices=(*DISKS[:3], "/dev/vdf")), [MADE]) == (
        "data has the members /dev/vde, which neither devices nor spares name: set them",
        "data is complete without /dev/vdf: set devices to its members",
    )
    assert problems_with(DATA, [replace(MADE, active=False)]) == (
        "data is there but does not run: look at /proc/mdstat, and start it with mdadm --run",
    )


def test_a_disk_that_carries_something_is_refused_by_name_and_content() -> None:
    disk = Disk("/dev/vdc", "disk", 1 << 28, ("gpt", "partition /dev/vdc1 with ext4"))
    assert problems_with(DATA, vdc=disk) == (
        "data: /dev/vdc is not blank, it carries gpt, partition /dev/vdc1 with ext4."
        " Take another disk, or name it in wipe if all of that may go",
    )


def test_one_refused_disk_keeps_all_arrays_from_being_made() -> None:
    other = Wanted("other", "raid1", ("/dev/vdf", "/dev/vdg"), mount="/other")
    disks = BLANK | {"/dev/vdg": Disk("/dev/vdg", "disk", 1 << 28, ("xfs",))}
    plan = plan_arrays([DATA, other], [], disks)
    assert plan.steps == ()
    assert len(plan.problems) == 1


def test_a_disk_that_may_be_wiped_is_wiped_first_with_its_partitions() -> None:
    disk = Disk("/dev/vdc", "disk", 1 << 28, ("gpt", "partition /dev/vdc1 with ext4"), parts=("/dev/vdc1",))
    plan = plan_arrays([replace(DATA, wipe=("/dev/vdc",))], [], BLANK | {"/dev/vdc": disk})
    assert [step.argv[:3] for step in plan.steps] == [
        ("wipefs", "--all", "/dev/vdc1"),
        ("mdadm", "--create", "/dev/md/data"),
    ]
    assert plan.steps[0].argv[-1] == "/dev/vdc"


def test_a_member_of_an_array_that_is_there_is_never_wiped() -> None:
    held = {path: Disk(path, "disk", 1, ("linux_raid_member",), (f"{path} is held by /dev/md127",)) for path in DISKS}
    assert plan_arrays([replace(DATA, wipe=DISKS)], [MADE], held) == Plan()


def test_a_disk_in_use_is_refused_even_if_it_may_be_wiped() -> None:
    disk = Disk("/dev/vdc", "disk", 1 << 28, ("ext4",), ("/dev/vdc is mounted at /mnt",))
    assert problems_with(replace(DATA, wipe=("/dev/vdc",)), vdc=disk) == (
        "data: /dev/vdc is in use: /dev/vdc is mounted at /mnt. Release it first, or take another disk",
    )


def test_a_disk_that_is_not_there_is_refused() -> None:
    assert problems_with(DATA, vdc=Disk("/dev/vdc", "")) == ("data: there is no device /dev/vdc",)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (replace(DATA, devices=DISKS[:3]), "data: raid10 needs 4 devices or more, 3 are given"),
        (replace(DATA, level="raid6", devices=DISKS[:3]), "data: raid6 needs 4 devices or more, 3 are given"),
        (
            replace(DATA, level="raid0", spares=("/dev/vdf",)),
            "data: raid0 can't use spares, as it has nothing to rebuild from: set spares: []",
        ),
        (replace(DATA, spares=("/dev/vdb",)), "the disk /dev/vdb is wanted 2 times"),
        (
            replace(DATA, wipe=("/dev/vda",)),
            "data: wipe names /dev/vda, which is not among its devices and spares",
        ),
        (replace(DATA, name="my data"), "'my data' can't be the name of an array: use letters, digits, - and _"),
        (replace(DATA, mount="data"), "data: mount has to be an absolute path, and is 'data'"),
    ],
)
def test_what_can_not_work_on_any_host_is_refused(wanted: Wanted, problem: str) -> None:
    assert problems_with(wanted) == (problem,)


def test_two_arrays_of_one_name_or_mount_are_refused() -> None:
    other = replace(DATA, devices=("/dev/vdf", "/dev/vdg"), level="raid1")
    assert plan_arrays([DATA, other], [], BLANK).problems == (
        "the name data is wanted 2 times",
        "the mount /data is wanted 2 times",
    )


def test_jbod_is_linear_and_levels_may_be_written_as_raid10() -> None:
    assert [kernel_level("data", level, 4) for level in ("jbod", "linear", "0", "10", "RAID10", "raid5", "6")] == [
        *("linear", "linear", "raid0", "raid10", "raid10", "raid5", "raid6")
    ]


@pytest.mark.parametrize("level", ["01", "raid01", "0+1"])
def test_01_is_refused_with_its_reason_and_10_recommended(level: str) -> None:
    with pytest.raises(ValueError, match=r"not used in production.* level: 10, a stripe over mirrors.*often swapped"):
        kernel_level("data", level, 4)


def test_a_mirror_of_four_is_refused_since_yaml_reads_01_as_1() -> None:
    with pytest.raises(ValueError, match="unquoted 01 as the number 1"):
        kernel_level("data", "1", 4)
    assert kernel_level("data", "1", 3) == "raid1"


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no level 7: set one of linear, jbod, 0, 1, 5, 6, 10"):
        kernel_level("data", "7", 4)


def test_parity_is_allowed_with_a_warning_about_its_writes() -> None:
    assert warnings([DATA]) == []
    (five,) = warnings([replace(DATA, level="raid5")])
    assert "level raid5: each small write reads and writes" in five
    assert "4 disk operations" in five
    assert "6 disk operations" in warnings([replace(DATA, level="raid6")])[0]


def test_a_file_system_is_made_only_where_there_is_none() -> None:
    assert [step.argv for step in plan_filesystems([DATA], {}).steps] == [("mkfs.ext4", "-q", "/dev/md/data")]
    assert plan_filesystems([DATA], {"data": ["ext4"]}) == Plan()
    assert plan_filesystems([replace(DATA, filesystem="xfs")], {"data": ["ext4"]}).problems == (
        "data carries ext4, and not xfs: set what is there",
    )


def test_what_a_new_array_shows_of_an_earlier_one_is_not_taken_for_its_file_system() -> None:
    assert plan_filesystems([DATA], {"data": ["ext4"]}, fresh=["data"]).problems == (
        "data: its disks seemed blank, but together they show ext4 of an earlier array;"
        " name all of them in wipe if that may go",
    )


def test_what_a_new_array_shows_goes_if_all_of_its_disks_may_be_wiped() -> None:
    steps = plan_filesystems([replace(DATA, wipe=DISKS)], {"data": ["ext4"]}, fresh=["data"]).steps
    assert [step.argv[0] for step in steps] == ["wipefs", "mkfs.ext4"]


def test_a_mount_point_of_something_else_or_with_files_is_refused() -> None:
    assert list(mount_problems([DATA], [MADE], {"/data": "/dev/md127"}, ["/data"])) == []
    assert list(mount_problems([DATA], [MADE], {"/data": "/dev/sda1"}, [])) == [
        "data: /dev/sda1 is mounted at /data already, unmount it or set another mount"
    ]
    assert list(mount_problems([DATA], [], {}, ["/data"])) == [
        "data: /data has files, which the mount would hide: move them or set another mount"
    ]


def test_the_unit_of_a_mount_point_is_named_as_systemd_escape_does() -> None:
    assert mount_unit("/var/lib/broker-py") == r"var-lib-broker\x2dpy.mount"
    assert mount_unit("/data/") == "data.mount"
