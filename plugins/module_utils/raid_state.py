"""What the kernel and the disks say about arrays and disks, as values. Only parsers: nothing is read or run here."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ARRAY_LINE = re.compile(r"^(?P<kernel_name>md\S*) : (?P<state>active|inactive)(?: \([^)]*\))*(?P<rest>.*)$")
MEMBER = re.compile(r"(?P<kernel_name>[^\s\[]+)\[\d+\](?P<flags>(?:\([A-Z]\))*)")
IN_SYNC = re.compile(r"\[([U_]+)\]")
PROGRESS = re.compile(r"(?:recovery|resync|reshape) *= *([\d.]+)%")
EXPORTED_MEMBER = re.compile(r"^MD_DEVICE_(?P<key>\w+)_(?P<field>ROLE|DEV)$")


@dataclass(frozen=True)
class Member:
    """A disk of an array."""

    path: str
    slot: int | None = None  # its place in the array; a spare and a failed disk have none
    failed: bool = False


@dataclass(frozen=True)
class Array:
    """An array that the kernel has."""

    path: str
    name: str  # without the host that made it
    uuid: str
    level: str
    active: bool
    in_sync: tuple[bool, ...]  # one for each slot
    members: tuple[Member, ...]
    rebuilt_percent: float | None = None

    @property
    def degraded(self) -> bool:
        """Whether a slot has no disk that holds all of its data."""
        return not all(self.in_sync)


@dataclass(frozen=True)
class Disk:
    """A block device that is asked about, and why it isn't blank: what it holds, and who uses it now."""

    path: str
    kind: str  # disk, part, raid10, lvm, ...; empty when there is no such device
    size_bytes: int = 0
    carries: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def kernel_names(mdstat: str) -> list[str]:
    """Return the kernel's names of all arrays in the text of /proc/mdstat."""
    return [match["kernel_name"] for match in map(ARRAY_LINE.match, mdstat.splitlines()) if match]


def arrays_in(mdstat: str, details: Mapping[str, str]) -> list[Array]:
    """Return the arrays in the text of /proc/mdstat; `details` is `mdadm --detail --export` by kernel name."""
    return [_array(match, body, details[match["kernel_name"]]) for match, body in _blocks(mdstat)]


def _blocks(mdstat: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield the line that begins an array and the text of those behind it."""
    for block in re.split(r"\n(?=\S)", mdstat):
        first, _, body = block.partition("\n")
        match = ARRAY_LINE.match(first)
        if match:
            yield match, body


def _array(match: re.Match[str], body: str, detail: str) -> Array:
    exported = dict(line.split("=", 1) for line in detail.splitlines() if "=" in line)
    slots = int(exported.get("MD_DEVICES", 0))
    in_sync = IN_SYNC.search(body)
    progress = PROGRESS.search(body)
    return Array(
        path=f"/dev/{match['kernel_name']}",
        name=exported.get("MD_NAME", "").rpartition(":")[2],
        uuid=exported.get("MD_UUID", ""),
        level=exported.get("MD_LEVEL", ""),
        active=match["state"] == "active",
        # Levels without redundancy show no such list: they run only when all is there.
        in_sync=tuple(mark == "U" for mark in in_sync[1]) if in_sync else (True,) * slots,
        members=tuple(_members(match["rest"], exported)),
        rebuilt_percent=float(progress[1]) if progress else None,
    )


def _members(line: str, exported: Mapping[str, str]) -> Iterator[Member]:
    fields: dict[str, dict[str, str]] = {}
    for name, value in exported.items():
        match = EXPORTED_MEMBER.match(name)
        if match:
            fields.setdefault(match["key"], {})[match["field"]] = value
    roles = {field["DEV"]: field["ROLE"] for field in fields.values() if "DEV" in field and "ROLE" in field}
    for member in MEMBER.finditer(line):
        path = f"/dev/{member['kernel_name']}"
        role = roles.get(path, "")
        yield Member(path, int(role) if role.isdigit() else None, failed="(F)" in member["flags"])


def parts_in(lsblk: str) -> list[str]:
    """Return the partitions in what lsblk tells of a device, as `disk_in` gets it."""
    (tree,) = json.loads(lsblk)["blockdevices"]
    return [child["path"] for child in tree.get("children", []) if child["type"] == "part"]


def disk_in(lsblk: str, signatures: Mapping[str, Collection[str]], fstab: Mapping[str, str]) -> Disk:
    """Return the disk that `lsblk --json --bytes --output NAME,PATH,TYPE,SIZE,MOUNTPOINTS` tells of.

    `signatures` is what wipefs finds, and `fstab` the mount points, both by device.
    """
    (tree,) = json.loads(lsblk)["blockdevices"]
    parts = parts_in(lsblk)
    return Disk(
        path=tree["path"],
        kind=tree["type"],
        size_bytes=int(tree["size"]),
        carries=(*_contents(tree["path"], signatures, fstab), *_parts_contents(parts, signatures, fstab)),
        in_use=tuple(_uses(tree)),
        parts=tuple(parts),
    )


def _contents(path: str, signatures: Mapping[str, Collection[str]], fstab: Mapping[str, str]) -> Iterator[str]:
    yield from signatures.get(path, ())
    if path in fstab:
        yield f"a line of /etc/fstab for {fstab[path]}"


def _parts_contents(
    parts: Sequence[str], signatures: Mapping[str, Collection[str]], fstab: Mapping[str, str]
) -> Iterator[str]:
    for part in parts:
        contents = list(_contents(part, signatures, fstab))
        yield f"partition {part}" + (f" with {' and '.join(contents)}" if contents else "")


def _uses(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield who uses a device now: mounts and holders, of its partitions too."""
    for mount in filter(None, tree.get("mountpoints", [])):
        yield f"{tree['path']} is used as swap" if mount == "[SWAP]" else f"{tree['path']} is mounted at {mount}"
    for child in tree.get("children", []):
        if child["type"] == "part":
            yield from _uses(child)
        else:
            yield f"{tree['path']} is held by {child['path']} ({child['type']})"


def signatures_in(wipefs: str) -> dict[str, str]:
    """Return what `wipefs --json --no-act` found (file systems, partition tables, members of arrays) with its UUID."""
    found = json.loads(wipefs)["signatures"] if wipefs.strip() else []
    return {signature["type"]: signature["uuid"] or "" for signature in found}


def fstab_in(text: str) -> dict[str, str]:
    """Return the mount points in the text of /etc/fstab by what is mounted (a path, UUID=..., LABEL=...)."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {fields[0]: fields[1] for fields in lines if len(fields) > 1}
