"""What has to be done so that a host has the arrays that are wanted, or why nothing may be done."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .raid_state import Array, Disk

NAME = re.compile(r"[A-Za-z0-9_-]+")
LEVELS = {"linear": "linear", "jbod": "linear", "0": "raid0", "1": "raid1", "5": "raid5", "6": "raid6", "10": "raid10"}
LEAST_DISKS = {"linear": 2, "raid0": 2, "raid1": 2, "raid5": 3, "raid6": 4, "raid10": 4}
WITHOUT_REDUNDANCY = ("linear", "raid0")
WITH_PARITY = ("raid5", "raid6")
MOST_COPIES = 3
MKFS = {"ext4": ("mkfs.ext4", "-q"), "xfs": ("mkfs.xfs", "-q")}

MIRROR_OF_STRIPES = (
    "level 01 is a mirror over stripes and not used in production: its first failed disk takes a whole stripe along, so"
    " a second one in the other stripe loses everything. Set level: 10, a stripe over mirrors, which needs as many"
    " disks, is as fast, and survives a failure in each mirror. (Pictures that show the two are often swapped.)"
)
MANY_COPIES = (
    f"level 1 over more than {MOST_COPIES} disks keeps one more copy per disk and gives the room of one. Set level: 10"
    " for a stripe over mirrors. (YAML reads an unquoted 01 as the number 1; 01 is not offered either.)"
)
PARITY_COSTS = (
    "has level {level}: each small write reads and writes a data and a parity block ({times} disk operations instead"
    " of the 2 of a mirror), and a rebuild reads every disk. For a broker's store level 10 is the recommendation."
)


@dataclass(frozen=True)
class Wanted:
    """An array that the inventory asks for; all devices are real paths (/dev/vdb), not links."""

    name: str
    level: str  # the kernel's word: raid10, linear, ...
    devices: tuple[str, ...]
    spares: tuple[str, ...] = ()
    filesystem: str = "ext4"
    mount: str = ""
    mount_options: tuple[str, ...] = ()
    metadata: str = "1.2"
    chunk_kib: int | None = None
    wipe: tuple[str, ...] = ()

    @property
    def disks(self) -> tuple[str, ...]:
        """All disks of the array."""
        return self.devices + self.spares

    @property
    def path(self) -> str:
        """The device of the array, once it is there."""
        return f"/dev/md/{self.name}"


@dataclass(frozen=True)
class Step:
    """A command, and what it is good for."""

    meaning: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Steps that lead to what is wanted. With problems there are none: all or nothing."""

    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()


def kernel_level(name: str, level: str, count: int) -> str:
    """Return the kernel's word for a level; ValueError with a sentence for one that is not offered."""
    word = level.lower().removeprefix("raid")
    if word in ("01", "0+1"):
        raise ValueError(f"{name}: {MIRROR_OF_STRIPES}")
    if word not in LEVELS:
        raise ValueError(f"{name}: there is no level {level}: set one of {', '.join(LEVELS)}")
    if word == "1" and count > MOST_COPIES:
        raise ValueError(f"{name}: {MANY_COPIES}")
    return LEVELS[word]


def warnings(wanted: Sequence[Wanted]) -> list[str]:
    """Return what is allowed and seldom wise."""
    operations = {"raid5": 4, "raid6": 6}
    return [
        f"{array.name} {PARITY_COSTS.format(level=array.level, times=operations[array.level])}"
        for array in wanted
        if array.level in WITH_PARITY
    ]


def array_named(name: str, arrays: Sequence[Array]) -> Array | None:
    """Return the array of that name."""
    return next((array for array in arrays if array.name == name), None)


def plan_arrays(wanted: Sequence[Wanted], arrays: Sequence[Array], disks: Mapping[str, Disk]) -> Plan:
    """Return the steps that make the missing arrays out of blank disks; `disks` are all that are wanted, by path."""
    problems = list(_contradictions(wanted))
    steps: list[Step] = []
    for array in wanted:
        existing = array_named(array.name, arrays)
        if existing:
            problems += _differences(array, existing)
            new = tuple(path for path in array.spares if path not in _paths(existing))
        else:
            new = array.disks
        problems += [problem for path in new for problem in refusals(disks[path], array.name, array.wipe)]
        steps += _wiping(disks[path] for path in new)
        steps += [_adding(existing, path) for path in new] if existing else [_creation(array)]
    return Plan(problems=tuple(problems)) if problems else Plan(tuple(steps))


def refusals(disk: Disk, name: str, wipe: Collection[str] | None = None) -> Iterator[str]:
    """Yield why a disk can't become a member of the array `name`; what it carries may go if `wipe` has the disk."""
    if not disk.kind:
        yield f"{name}: there is no device {disk.path}"
    elif disk.in_use:
        yield f"{name}: {disk.path} is in use: {', '.join(disk.in_use)}. Release it first, or take another disk"
    elif disk.carries and disk.path not in (wipe or ()):
        way_out = "wipe it by hand" if wipe is None else "name it in wipe"
        yield (
            f"{name}: {disk.path} is not blank, it carries {', '.join(disk.carries)}."
            f" Take another disk, or {way_out} if all of that may go"
        )


def plan_filesystems(
    wanted: Sequence[Wanted], contents: Mapping[str, Collection[str]], fresh: Collection[str] = ()
) -> Plan:
    """Return the steps that give each array its file system; `contents` are the signatures on the arrays by name.

    What shows on an array of `fresh` ones, made just now, is left of an earlier array of the same disks.
    """
    problems: list[str] = []
    steps: list[Step] = []
    for array in wanted:
        found = list(contents.get(array.name, ()))
        make = Step(f"make {array.filesystem} on {array.name}", (*MKFS[array.filesystem], array.path))
        if not found:
            steps.append(make)
        elif array.name in fresh:
            if set(array.disks) <= set(array.wipe):
                steps += [Step(f"wipe {' and '.join(found)} from {array.name}", ("wipefs", "--all", array.path)), make]
            else:
                problems.append(
                    f"{array.name}: its disks seemed blank, but together they show {', '.join(found)} of an earlier"
                    f" array; name all of them in wipe if that may go"
                )
        elif found != [array.filesystem]:
            problems.append(f"{array.name} carries {', '.join(found)}, and not {array.filesystem}: set what is there")
    return Plan(problems=tuple(problems)) if problems else Plan(tuple(steps))


def mount_unit(mount: str) -> str:
    """Return the name of systemd's unit for a mount point, as systemd-escape makes it."""
    escaped = [mark if mark.isalnum() or mark in ":_." else f"\\x{ord(mark):02x}" for mark in mount.strip("/")]
    return "".join("-" if mark == "\\x2f" else mark for mark in escaped) + ".mount"


def mount_problems(
    wanted: Sequence[Wanted], arrays: Sequence[Array], mounted: Mapping[str, str], filled: Collection[str]
) -> Iterator[str]:
    """Yield why an array can't be mounted: `mounted` is what is mounted by mount point, `filled` has directories."""
    for array in wanted:
        existing = array_named(array.name, arrays)
        source = mounted.get(array.mount)
        if source and (existing is None or source != existing.path):
            yield f"{array.name}: {source} is mounted at {array.mount} already, unmount it or set another mount"
        elif not source and array.mount in filled:
            yield f"{array.name}: {array.mount} has files, which the mount would hide: move them or set another mount"


def _contradictions(wanted: Sequence[Wanted]) -> Iterator[str]:
    """Yield what can't work whatever the host has."""
    for what, values in (
        ("name", [array.name for array in wanted]),
        ("mount", [array.mount for array in wanted]),
        ("disk", [path for array in wanted for path in array.disks]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield f"the {what} {value} is wanted {count} times"
    for array in wanted:
        if not NAME.fullmatch(array.name):
            yield f"{array.name!r} can't be the name of an array: use letters, digits, - and _"
        if not array.mount.startswith("/"):
            yield f"{array.name}: mount has to be an absolute path, and is {array.mount!r}"
        least = LEAST_DISKS[array.level]
        if len(array.devices) < least:
            yield f"{array.name}: {array.level} needs {least} devices or more, {len(array.devices)} are given"
        if array.spares and array.level in WITHOUT_REDUNDANCY:
            yield f"{array.name}: {array.level} can't use spares, as it has nothing to rebuild from: set spares: []"
        strangers = [path for path in array.wipe if path not in array.disks]
        if strangers:
            yield f"{array.name}: wipe names {', '.join(strangers)}, which is not among its devices and spares"


def _differences(array: Wanted, existing: Array) -> Iterator[str]:
    """Yield where an array that is there has another shape than wanted: it is never rebuilt."""
    if not existing.active:
        yield f"{array.name} is there but does not run: look at /proc/mdstat, and start it with mdadm --run"
        return
    if existing.level != array.level:
        yield f"{array.name} is a {existing.level}, {array.level} is wanted: an array is never rebuilt, set its level"
    if len(existing.in_sync) != len(array.devices):
        yield (
            f"{array.name} has places for {len(existing.in_sync)} devices, {len(array.devices)} are wanted:"
            f" an array is never reshaped, set its devices"
        )
    strangers = sorted(_paths(existing) - set(array.disks))
    if strangers:
        yield f"{array.name} has the members {', '.join(strangers)}, which neither devices nor spares name: set them"
    missing = sorted(set(array.devices) - _paths(existing))
    if missing and not existing.degraded:
        yield f"{array.name} is complete without {', '.join(missing)}: set devices to its members"


def _paths(array: Array) -> set[str]:
    return {member.path for member in array.members}


def _wiping(disks: Iterator[Disk]) -> list[Step]:
    """Partitions first, as they would come back with the next table of the same shape."""
    return [
        Step(f"wipe {disk.path}, which carries {', '.join(disk.carries)}", ("wipefs", "--all", *disk.parts, disk.path))
        for disk in disks
        if disk.carries
    ]


def _adding(array: Array, path: str) -> Step:
    return Step(f"add the spare {path} to {array.name}", ("mdadm", array.path, "--add", path))


def _creation(array: Wanted) -> Step:
    # --run: mdadm asks nothing, as everything it could ask about has been looked at.
    argv = ["mdadm", "--create", array.path, "--run", f"--name={array.name}", f"--metadata={array.metadata}"]
    argv += [f"--level={array.level}", f"--raid-devices={len(array.devices)}"]
    if array.level not in WITHOUT_REDUNDANCY:
        argv.append("--bitmap=internal")  # after a crash only what was being written is compared
    if array.spares:
        argv.append(f"--spare-devices={len(array.spares)}")
    if array.chunk_kib:
        argv.append(f"--chunk={array.chunk_kib}")
    meaning = f"make {array.name}, {array.level} of {', '.join(array.devices)}"
    if array.spares:
        meaning += f" with the spares {', '.join(array.spares)}"
    return Step(meaning, (*argv, *array.disks))
