#!/usr/bin/python
"""Read how much memory a host may use: what it has, or less where a control group limits it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: memory_info
short_description: The memory of a host, within the limit of its control group
version_added: 0.1.0
description:
  - Changes nothing. Linux only, as it reads C(/proc) and C(/sys/fs/cgroup), version 1 or 2.
  - The limit counts which is set on process 1 or around it, as a container's is.
author: [broker-py developers (@broker-py)]
options: {}
"""

EXAMPLES = """
- name: Ask for the memory of the host
  broker_py.mq.memory_info:
  register: found

- name: Show what each daemon of the host gets
  ansible.builtin.debug:
    msg: "{{ found.total_bytes | broker_py.mq.memory_shares(instances) }}"
"""

RETURN = """
total_bytes:
  description: What may be used, the smaller one of the following two.
  type: int
  returned: always
machine_bytes:
  description: What the machine has.
  type: int
  returned: always
limit_bytes:
  description: The smallest limit of a control group around process 1; null where there is none.
  type: int
  returned: always
"""


def machine_bytes(root: pathlib.Path) -> int:
    """Return MemTotal of /proc/meminfo."""
    lines = (root / "proc/meminfo").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith("MemTotal:"))
    return int(kib) * 1024


def limit_bytes(root: pathlib.Path) -> int | None:
    """Return the smallest limit from the control group of process 1 up to the outermost one that we see."""
    limits = []
    for file in _limit_files(root):
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):
            continue  # no such group here, as seen from inside a namespace, or the word "max"
    return min(limits, default=None)


def _limit_files(root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield where limits would stand; /proc/1/cgroup has lines `number:controllers:path`, version 2 without names."""
    for line in (root / "proc/1/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        inner = pathlib.PurePosixPath(path.lstrip("/"))
        yield from (top / group / name for group in (inner, *inner.parents))


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    root = pathlib.Path("/")
    machine, limit = machine_bytes(root), limit_bytes(root)
    # Version 1 writes "no limit" as a number beyond any machine.
    limit = None if limit is None or limit >= machine else limit
    module.exit_json(changed=False, total_bytes=limit or machine, machine_bytes=machine, limit_bytes=limit)


if __name__ == "__main__":
    main()
