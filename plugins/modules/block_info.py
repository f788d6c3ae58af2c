#!/usr/bin/python
"""Find the block devices that carry a directory: the one with the file system, and the disks at the bottom."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: block_info
short_description: The block devices under a directory
version_added: 0.1.0
description:
  - Changes nothing. Linux only, as it reads C(/sys), and what udev knows of a device.
  - Of an array or a logical volume it lists the volume and the disks which it is made of.
author: [broker-py developers (@broker-py)]
options:
  path:
    description: A directory; where it does not exist yet, its nearest existing parent counts.
    type: path
    required: true
  devices:
    description: Device files to look at instead of those under I(path).
    type: list
    elements: path
    default: []
"""

EXAMPLES = """
- name: Find what the stores are on
  broker_py.mq.block_info:
    path: /var/lib/broker-py
  register: found
"""

RETURN = """
devices:
  description:
    - Whole devices, without partitions; those with the file system come first.
    - Empty, with a warning, where there are none, or no udev that could know them again after a reboot.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: md0, match: 'ENV{MD_UUID}=="5b1c2e4a:3f"', carries: true, schedulers: []}
    - {name: vdb, match: 'ENV{ID_SERIAL}=="disk-1"', carries: false, schedulers: [none, mq-deadline]}
"""

# What stays the same when the kernel names its devices otherwise after a reboot, best first.
IDENTITIES = ("MD_UUID", "DM_UUID", "ID_SERIAL", "ID_PATH")


class NoBlockDevice(Exception):
    """A path that is not what the caller takes it for."""


class Devices:
    """The devices of a host, in sysfs below the directory that stands for `/`."""

    def __init__(self, root: pathlib.Path) -> None:
        self._sys = root / "sys"

    def holding(self, path: str) -> list[str]:
        """Return the name of the whole device whose file system holds `path`; none on overlay, NFS, tmpfs, ..."""
        place = pathlib.Path(path).absolute()
        while not place.exists():
            place = place.parent
        name = self.numbered(place.stat().st_dev)
        return [] if name is None else [name]

    def named(self, device: str) -> str:
        """Return the name of the whole device behind a device file or a link to one."""
        try:
            name = self.numbered(os.stat(device).st_rdev)
        except FileNotFoundError:
            raise NoBlockDevice(f"{device} does not exist") from None
        if name is None:
            raise NoBlockDevice(f"{device} is no block device")
        return name

    def numbered(self, number: int) -> str | None:
        """Return the name of the whole device with a number, or whose partition has it."""
        link = self._sys / f"dev/block/{os.major(number)}:{os.minor(number)}"
        if not link.exists():
            return None
        device = link.resolve()
        return (device.parent if (device / "partition").exists() else device).name

    def bottom(self, name: str) -> Iterator[str]:
        """Yield the disks that a device is made of: itself, if it is made of nothing else."""
        slaves = sorted((self._sys / "class/block" / name / "slaves").glob("*"))
        if not slaves:
            yield name
        for slave in slaves:
            device = slave.resolve()
            yield from self.bottom((device.parent if (device / "partition").exists() else device).name)

    def schedulers(self, name: str) -> list[str]:
        """Return the I/O schedulers that the kernel offers for a device; none for one that has no queue of its own."""
        try:
            text = (self._sys / "class/block" / name / "queue/scheduler").read_text()
        except FileNotFoundError:
            return []
        return text.replace("[", "").replace("]", "").split()


def udev_properties(output: str) -> dict[str, str]:
    """Return the properties that `udevadm info --query=property` prints, a line `NAME=value` each."""
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def udev_match(name: str, properties: Mapping[str, str]) -> str:
    """Return how a udev rule knows a device again."""
    for identity in IDENTITIES:
        if properties.get(identity):
            return f'ENV{{{identity}}}=="{properties[identity]}"'
    return f'KERNEL=="{name}"'


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "devices": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    host = Devices(pathlib.Path("/"))
    path = module.params["path"]
    try:
        carrying = [host.named(device) for device in module.params["devices"]]
    except NoBlockDevice as error:
        module.fail_json(msg=f"tuning_devices names what can't be tuned: {error}.")
    if not module.params["devices"]:
        carrying = host.holding(path)
    names = list(dict.fromkeys([*carrying, *(disk for name in carrying for disk in host.bottom(name))]))
    udevadm = module.get_bin_path("udevadm")
    if not names:
        module.warn(f"No block device is under {path} here, so no I/O scheduler or read-ahead is set for it.")
    elif udevadm is None:
        module.warn(f"There is no udev here, so no I/O scheduler or read-ahead is set for {', '.join(names)}.")
        names = []
    module.exit_json(
        changed=False,
        devices=[
            {
                "name": name,
                "match": udev_match(name, _properties(module, udevadm, name)),
                "carries": name in carrying,
                "schedulers": host.schedulers(name),
            }
            for name in names
        ],
    )


def _properties(module: AnsibleModule, udevadm: str, name: str) -> dict[str, str]:
    _, output, _ = module.run_command([udevadm, "info", "--query=property", f"--name={name}"], check_rc=True)
    return udev_properties(output)


if __name__ == "__main__":
    main()
