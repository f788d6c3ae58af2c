"""Asks a host for its arrays and disks, and runs the steps of a plan there."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any

from .raid_plan import Step
from .raid_state import Array, Disk, arrays_in, disk_in, fstab_in, kernel_names, parts_in, signatures_in

TAGS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}


class Host:
    """The host that a module runs on."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def arrays(self) -> list[Array]:
        """Return the arrays that the kernel has."""
        mdstat = pathlib.Path("/proc/mdstat")
        if not mdstat.exists():
            return []  # the kernel's module comes with the first array
        text = mdstat.read_text(encoding="ascii")
        export = ["mdadm", "--detail", "--export"]
        return arrays_in(text, {name: self._output([*export, f"/dev/{name}"]) for name in kernel_names(text)})

    def disk(self, path: str) -> Disk:
        """Return what is known of a block device."""
        if not pathlib.Path(path).is_block_device():
            return Disk(path, kind="")
        lsblk = self._output(["lsblk", "--json", "--bytes", "--output", "NAME,PATH,TYPE,SIZE,MOUNTPOINTS", path])
        return disk_in(lsblk, {name: self.signatures(name) for name in (path, *parts_in(lsblk))}, self._fstab())

    def signatures(self, path: str) -> dict[str, str]:
        """Return what a block device holds, with its UUID."""
        return signatures_in(self._output(["wipefs", "--json", "--no-act", path]))

    def mounts(self) -> dict[str, str]:
        """Return what is mounted, by mount point."""
        lines = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
        return {_plain(fields[1]): os.path.realpath(_plain(fields[0])) for fields in lines}

    def run(self, step: Step) -> None:
        """Run a step, and wait until the links to devices are those that it makes."""
        self._output(list(step.argv), meaning=step.meaning)
        self._output(["udevadm", "settle"])

    def _fstab(self) -> dict[str, str]:
        path = pathlib.Path("/etc/fstab")
        entries = fstab_in(path.read_text(encoding="utf-8")) if path.exists() else {}
        return {_device(source): mount for source, mount in entries.items()}

    def _output(self, argv: list[str], meaning: str = "") -> str:
        code, output, errors = self._module.run_command(argv)
        if code:
            purpose = f" to {meaning}" if meaning else ""
            self._module.fail_json(msg=f"{' '.join(argv)}{purpose} failed with {code}: {(errors or output).strip()}")
        return str(output)


def _device(source: str) -> str:
    """Return the path of a device of fstab, which may be named by a tag."""
    tag, _, value = source.partition("=")
    path = f"/dev/disk/{TAGS[tag]}/{value.strip(chr(34))}" if tag in TAGS else source
    return os.path.realpath(path)


def _plain(field: str) -> str:
    r"""Return a field of the kernel's table of mounts without its escapes (`\040` is a blank)."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
