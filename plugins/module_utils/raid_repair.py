"""How a failed member of an array is replaced, whether the array survives that, and what is wrong with an array."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from .raid_plan import Plan, Step, array_named, refusals
from .raid_state import Array, Disk, Member


def plan_replacement(name: str, arrays: Sequence[Array], failed: str, new: str, disks: Mapping[str, Disk]) -> Plan:
    """Return the steps that are left of taking `failed` out of the array and `new` in.

    A run that was interrupted is continued: what is done already is no step any more. `disks` are those of the array
    and the new one, by path; a disk that was pulled out is missing there.
    """
    array = array_named(name, arrays)
    if array is None:
        known = ", ".join(found.name for found in arrays) or "none"
        return Plan(problems=(f"there is no array {name} here, only: {known}",))
    members = {member.path: member for member in array.members}
    problems = list(_problems(array, members, failed, new, disks))
    if problems:
        return Plan(problems=tuple(problems))
    steps = list(_removal(array, members[failed])) if failed in members else []
    if new not in members:
        steps.append(Step(f"add {new} to {name}", ("mdadm", array.path, "--add", new)))
    return Plan(tuple(steps))


def survives_without(array: Array, member: Member) -> bool:
    """Whether all data is still there when a member is taken out."""
    if member.slot is None or not array.in_sync[member.slot]:
        return True  # a spare, a failed one, or one that is being rebuilt: the others have it all
    others = [ok for slot, ok in enumerate(array.in_sync) if slot != member.slot]
    if array.level == "raid1":
        return any(others)
    if array.level == "raid10":
        # Two near copies: slots 0 and 1 are a mirror, 2 and 3, and so on. With an odd number they overlap.
        return array.in_sync[member.slot ^ 1] if len(array.in_sync) % 2 == 0 else all(others)
    if array.level == "raid5":
        return all(others)
    return array.level == "raid6" and others.count(False) <= 1


def array_problems(arrays: Sequence[Array], expected: Collection[str] = ()) -> list[str]:
    """Return a sentence for each thing that is wrong; `expected` are names of arrays that have to be there."""
    missing = sorted(set(expected) - {array.name for array in arrays})
    problems = [f"the array {name} is not there" for name in missing]
    return problems + [problem for array in arrays for problem in _faults(array)]


def _problems(
    array: Array, members: Mapping[str, Member], failed: str, new: str, disks: Mapping[str, Disk]
) -> Iterator[str]:
    if failed == new:
        yield f"{array.name}: {failed} can't replace itself"
    elif failed not in members and new not in members and not array.degraded:
        yield f"{array.name}: {failed} is no member, and no place is free: its members are {', '.join(members)}"
    elif failed in members and not survives_without(array, members[failed]):
        yield (
            f"{array.name}, a {array.level}, would not survive without {failed}: nothing else has its data now."
            f" Wait until a rebuild has ended, or restore from a slave or a backup"
        )
    if new not in members:
        yield from refusals(disks[new], array.name)
        yield from _too_small(array, failed, disks[new], disks)


def _too_small(array: Array, failed: str, new: Disk, disks: Mapping[str, Disk]) -> Iterator[str]:
    # An array uses of each disk as much as its smallest has, so whatever is as large as a remaining one will do.
    sizes = [disks[member.path].size_bytes for member in array.members if member.path != failed]
    if new.kind and sizes and new.size_bytes < min(sizes):
        yield f"{array.name}: {new.path} has {new.size_bytes} bytes, {min(sizes)} are needed: take a larger disk"


def _removal(array: Array, member: Member) -> Iterator[Step]:
    # By the kernel's name, as the device of a disk that was pulled out is gone.
    name = member.path.rpartition("/")[2]
    if not member.failed:
        yield Step(f"mark {member.path} in {array.name} as failed", ("mdadm", array.path, "--fail", name))
    yield Step(f"remove {member.path} from {array.name}", ("mdadm", array.path, "--remove", name))


def _faults(array: Array) -> Iterator[str]:
    label = f"the array {array.name or array.path}"
    if not array.active:
        yield f"{label} does not run"
    elif array.degraded:
        left = sum(array.in_sync)
        rebuilt = f", {array.rebuilt_percent} % rebuilt" if array.rebuilt_percent is not None else ""
        yield f"{label} is degraded: {left} of {len(array.in_sync)} members have all data{rebuilt}"
    for member in array.members:
        if member.failed:
            yield f"{member.path} of {label} has failed: replace it"
