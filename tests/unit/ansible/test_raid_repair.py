"""A failed disk is replaced step by step, never one that the array can't lose."""

from dataclasses import replace

import pytest

from plugins.module_utils.raid_plan import Plan
from plugins.module_utils.raid_repair import array_problems, plan_replacement, survives_without
from plugins.module_utils.raid_state import Array, Disk, Member

DISKS = ("/dev/vdb", "/dev/vdc", "/dev/vdd", "/dev/vde")
BLANK = {path: Disk(path, "disk", 1 << 28) for path in (*DISKS, "/dev/vdf")}
WHOLE = Array("/dev/md127", "data", "8deb:85ec", "raid10", True, (True,) * 4, tuple(map(Member, DISKS, range(4))), None)
FAILED = replace(
    WHOLE,
    in_sync=(True, False, True, True),
    members=(WHOLE.members[0], Member("/dev/vdc", None, failed=True), *WHOLE.members[2:]),
)
REMOVED = replace(FAILED, members=(WHOLE.members[0], *WHOLE.members[2:]))
REBUILDING = replace(REMOVED, members=(*REMOVED.members, Member("/dev/vdf", 1)), rebuilt_percent=16.8)


def replacement(array: Array, failed: str = "/dev/vdc", disks: dict[str, Disk] | None = None) -> Plan:
    return plan_replacement("data", [array], failed, "/dev/vdf", disks or BLANK)


def commands(plan: Plan) -> list[str]:
    return [" ".join(step.argv) for step in plan.steps]


def test_a_member_is_marked_removed_and_replaced() -> None:
    assert commands(replacement(WHOLE)) == [
        "mdadm /dev/md127 --fail vdc",
        "mdadm /dev/md127 --remove vdc",
        "mdadm /dev/md127 --add /dev/vdf",
    ]


def test_a_replacement_goes_on_where_it_was_interrupted() -> None:
    assert commands(replacement(FAILED)) == commands(replacement(WHOLE))[1:]
    assert commands(replacement(REMOVED)) == commands(replacement(WHOLE))[2:]
    assert replacement(REBUILDING) == Plan()


def test_once_it_is_done_there_is_nothing_to_do() -> None:
    assert replacement(replace(REBUILDING, in_sync=(True,) * 4)) == Plan()


def test_a_disk_that_was_pulled_out_is_removed_by_its_old_name() -> None:
    gone = BLANK | {"/dev/vdc": Disk("/dev/vdc", "")}
    assert commands(replacement(FAILED, disks=gone))[0] == "mdadm /dev/md127 --remove vdc"


def test_the_last_copy_is_not_taken_out() -> None:
    (problem,) = replacement(FAILED, failed="/dev/vdb").problems
    assert problem == (
        "data, a raid10, would not survive without /dev/vdb: nothing else has its data now."
        " Wait until a rebuild has ended, or restore from a slave or a backup"
    )


@pytest.mark.parametrize(
    ("level", "in_sync", "survives"),
    [
        ("raid0", (True, True), False),
        ("linear", (True, True), False),
        ("raid1", (True, True), True),
        ("raid1", (True, False), False),
        ("raid1", (True, False, True), True),
        ("raid10", (True, True, True, True), True),
        ("raid10", (True, False, True, True), False),
        ("raid10", (True, True, True, False), True),
        ("raid10", (True, True, True), True),
        ("raid10", (True, True, False), False),
        ("raid5", (True, True, True), True),
        ("raid5", (True, False, True), False),
        ("raid6", (True, False, True, True), True),
        ("raid6", (True, False, False, True), False),
    ],
)
def test_whether_an_array_survives_without_its_first_member(
    level: str, in_sync: tuple[bool, ...], survives: bool
) -> None:
    array = replace(WHOLE, level=level, in_sync=in_sync)
    assert survives_without(array, Member("/dev/vdb", 0)) == survives


def test_a_spare_can_always_be_taken_out() -> None:
    assert survives_without(replace(WHOLE, level="raid5", in_sync=(True, False, True)), Member("/dev/vdf"))


def test_a_new_disk_that_carries_something_is_refused() -> None:
    (problem,) = replacement(FAILED, disks=BLANK | {"/dev/vdf": Disk("/dev/vdf", "disk", 1 << 28, ("xfs",))}).problems
    assert problem == (
        "data: /dev/vdf is not blank, it carries xfs. Take another disk, or wipe it by hand if all of that may go"
    )


def test_a_new_disk_that_is_smaller_than_the_others_is_refused() -> None:
    assert replacement(FAILED, disks=BLANK | {"/dev/vdf": Disk("/dev/vdf", "disk", 1 << 27)}).problems == (
        "data: /dev/vdf has 134217728 bytes, 268435456 are needed: take a larger disk",
    )


def test_a_disk_that_is_no_member_of_a_complete_array_is_refused() -> None:
    (problem,) = replacement(WHOLE, failed="/dev/vdg").problems
    assert problem == (
        "data: /dev/vdg is no member, and no place is free: its members are /dev/vdb, /dev/vdc, /dev/vdd, /dev/vde"
    )


def test_a_disk_can_not_replace_itself() -> None:
    plan = plan_replacement("data", [WHOLE], "/dev/vdc", "/dev/vdc", BLANK)
    assert plan.problems == ("data: /dev/vdc can't replace itself",)


def test_an_unknown_array_is_refused() -> None:
    assert plan_replacement("log", [WHOLE], "/dev/vdc", "/dev/vdf", BLANK).problems == (
        "there is no array log here, only: data",
    )


def test_a_healthy_array_has_no_problem() -> None:
    assert array_problems([WHOLE], ["data"]) == []


def test_a_degraded_array_and_its_failed_member_are_problems() -> None:
    assert array_problems([FAILED]) == [
        "the array data is degraded: 3 of 4 members have all data",
        "/dev/vdc of the array data has failed: replace it",
    ]
    assert array_problems([REBUILDING]) == ["the array data is degraded: 3 of 4 members have all data, 16.8 % rebuilt"]


def test_an_array_that_is_missing_or_does_not_run_is_a_problem() -> None:
    assert array_problems([replace(WHOLE, active=False)], ["data", "log"]) == [
        "the array log is not there",
        "the array data does not run",
    ]
