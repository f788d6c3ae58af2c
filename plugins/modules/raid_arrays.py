#!/usr/bin/python
"""Make RAID arrays with file systems out of blank disks, and leave those alone that are there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.raid_host import Host
from ..module_utils.raid_plan import (
    WITHOUT_REDUNDANCY,
    Plan,
    Step,
    Wanted,
    array_named,
    kernel_level,
    mount_problems,
    mount_unit,
    plan_arrays,
    plan_filesystems,
    warnings,
)
from ..module_utils.raid_state import Array

DOCUMENTATION = """
module: raid_arrays
short_description: RAID arrays with file systems, made out of blank disks
version_added: 0.1.0
description:
  - Looks at all arrays and disks first. With one problem nothing is done, and all problems are told.
  - A disk that carries anything is refused unless O(arrays[].wipe) names it. A disk in use is always refused.
  - An array of that name is kept. If it has another shape than wanted, that is a problem; it is never rebuilt.
  - Does not mount anything.
author: [broker-py developers (@broker-py)]
options:
  arrays:
    description: The arrays. Others on the host stay as they are.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The array is C(/dev/md/NAME).
        type: str
        required: true
      level:
        description: C(0), C(1), C(10), C(5), C(6), C(linear) or its other name C(jbod).
        type: str
        required: true
      devices:
        description: The disks, best by C(/dev/disk/by-id/...), as C(/dev/vdb) may be another one after a reboot.
        type: list
        elements: path
        required: true
      spares:
        description: Disks that replace a failed one at once.
        type: list
        elements: path
        default: []
      filesystem:
        description: Made on an array that has none.
        type: str
        choices: [ext4, xfs]
        default: ext4
      mount:
        description: Where it is to be mounted; other things mounted or stored there are a problem.
        type: path
        required: true
      mount_options:
        description: Returned as they are, for C(/etc/fstab).
        type: list
        elements: str
        default: [noatime]
      metadata:
        description: The version of the superblocks.
        type: str
        choices: ['1.0', '1.1', '1.2']
        default: '1.2'
      chunk_kib:
        description: Size of a stripe's piece on one disk, if not mdadm's default.
        type: int
      wipe:
        description: Those of the disks that may lose what they carry.
        type: list
        elements: path
        default: []
"""

EXAMPLES = """
- name: Make a stripe over mirrors for the store
  broker_py.mq.raid_arrays:
    arrays:
      - name: data
        level: 10
        devices: [/dev/vdb, /dev/vdc, /dev/vdd, /dev/vde]
        mount: /var/lib/broker-py
"""

RETURN = """
arrays:
  description: The arrays as they are now, in the order of the option.
  type: list
  elements: dict
  returned: success
  sample:
    - name: data
      uuid: 8deb85ec:5b7361a6:2bd07c78:1dd28530
      level: raid10
      redundant: true
      metadata: '1.2'
      filesystem: ext4
      filesystem_uuid: fd0c4905-ec55-44b7-8701-88c5beb92531
      mount: /var/lib/broker-py
      mount_options: [noatime]
      mount_unit: var-lib-broker\\x2dpy.mount
      mounted: false
steps:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
problems:
  description: Why nothing was done.
  type: list
  elements: str
  returned: failure
"""

ARRAY_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "level": {"type": "str", "required": True},
    "devices": {"type": "list", "elements": "path", "required": True},
    "spares": {"type": "list", "elements": "path", "default": []},
    "filesystem": {"type": "str", "choices": ["ext4", "xfs"], "default": "ext4"},
    "mount": {"type": "path", "required": True},
    "mount_options": {"type": "list", "elements": "str", "default": ["noatime"]},
    "metadata": {"type": "str", "choices": ["1.0", "1.1", "1.2"], "default": "1.2"},
    "chunk_kib": {"type": "int"},
    "wipe": {"type": "list", "elements": "path", "default": []},
}


def wanted_from(options: Mapping[str, Any]) -> Wanted:
    """Return what is wanted, with links to disks followed; ValueError for a level that is not offered."""
    return Wanted(
        name=options["name"],
        level=kernel_level(options["name"], options["level"], len(options["devices"])),
        devices=_real(options["devices"]),
        spares=_real(options["spares"]),
        filesystem=options["filesystem"],
        mount=options["mount"],
        mount_options=tuple(options["mount_options"]),
        metadata=options["metadata"],
        chunk_kib=options["chunk_kib"],
        wipe=_real(options["wipe"]),
    )


def _real(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(os.path.realpath(path) for path in paths)


def _wanted(module: Any) -> list[Wanted]:
    wanted, problems = [], []
    for options in module.params["arrays"]:
        try:
            wanted.append(wanted_from(options))
        except ValueError as error:
            problems.append(str(error))
    _refuse(module, problems)
    return wanted


def _refuse(module: Any, problems: Sequence[str]) -> None:
    if problems:
        module.fail_json(msg=f"The arrays can't be made: {'; '.join(problems)}.", problems=problems)


def _contents(host: Host, wanted: Sequence[Wanted], arrays: Sequence[Array]) -> dict[str, dict[str, str]]:
    """Return the signatures on those of the arrays that are there, by name."""
    found = {array.name: array_named(array.name, arrays) for array in wanted}
    return {name: host.signatures(array.path) for name, array in found.items() if array}


def _undo(host: Host, wanted: Sequence[Wanted], names: Collection[str]) -> None:
    """Take arrays apart that were made just now, so that their disks are blank again."""
    for array in wanted:
        if array.name in names:
            host.run(Step(f"stop {array.name} again", ("mdadm", "--stop", array.path)))
            host.run(Step("make its disks blank again", ("mdadm", "--zero-superblock", *array.disks)))


def apply(host: Host, wanted: Sequence[Wanted], steps: Sequence[Step], missing: Collection[str]) -> Plan:
    """Run the steps, then those for the file systems, which depend on what the new arrays show; return these.

    With a problem there the arrays of `missing` are taken apart again.
    """
    for step in steps:
        host.run(step)
    plan = plan_filesystems(wanted, _contents(host, wanted, host.arrays()), fresh=missing)
    if plan.problems:
        _undo(host, wanted, missing)
    for step in plan.steps:
        host.run(step)
    return plan


def _returned(host: Host, wanted: Sequence[Wanted], arrays: Sequence[Array]) -> Iterator[dict[str, Any]]:
    contents = _contents(host, wanted, arrays)
    mounts = host.mounts()
    for array in wanted:
        existing = array_named(array.name, arrays)
        yield {
            "name": array.name,
            "uuid": existing.uuid if existing else "",
            "level": array.level,
            "redundant": array.level not in WITHOUT_REDUNDANCY,
            "metadata": array.metadata,
            "filesystem": array.filesystem,
            "filesystem_uuid": contents.get(array.name, {}).get(array.filesystem, ""),
            "mount": array.mount,
            "mount_options": array.mount_options,
            "mount_unit": mount_unit(array.mount),
            "mounted": array.mount in mounts,
        }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "arrays": {"type": "list", "elements": "dict", "required": True, "options": ARRAY_OPTIONS},
        },
        supports_check_mode=True,
    )
    host = Host(module)
    wanted = _wanted(module)
    for sentence in warnings(wanted):
        module.warn(sentence)
    arrays = host.arrays()
    missing = {array.name for array in wanted if not array_named(array.name, arrays)}
    filled = {array.mount for array in wanted if os.path.isdir(array.mount) and os.listdir(array.mount)}
    plan = plan_arrays(wanted, arrays, {path: host.disk(path) for array in wanted for path in array.disks})
    filesystems = plan_filesystems(wanted, _contents(host, wanted, arrays))
    mounts = list(mount_problems(wanted, arrays, host.mounts(), filled))
    _refuse(module, [*plan.problems, *filesystems.problems, *mounts])
    steps = [*plan.steps]
    if module.check_mode:
        steps += filesystems.steps
    else:
        applied = apply(host, wanted, plan.steps, missing)
        _refuse(module, applied.problems)
        steps += applied.steps
        arrays = host.arrays()
    meanings = [step.meaning for step in steps]
    module.exit_json(
        changed=bool(steps),
        steps=meanings,
        arrays=list(_returned(host, wanted, arrays)),
        diff={"before": "", "after": "".join(f"{meaning}\n" for meaning in meanings)},
    )


if __name__ == "__main__":
    main()
