#!/usr/bin/python
"""Read the state of a host's RAID arrays."""

from __future__ import annotations

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.raid_host import Host
from ..module_utils.raid_repair import array_problems

DOCUMENTATION = """
module: raid_info
short_description: The RAID arrays of a host, and what is wrong with them
version_added: 0.1.0
description:
  - Changes nothing. Reads C(/proc/mdstat), and C(mdadm --detail) where there are arrays.
author: [broker-py developers (@broker-py)]
options:
  names:
    description: Arrays that have to be there; a missing one is a problem.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Look at the arrays
  broker_py.mq.raid_info:
    names: [data]
  register: found
"""

RETURN = """
arrays:
  description: The arrays that the kernel has.
  type: list
  elements: dict
  returned: always
  sample:
    - path: /dev/md127
      name: data
      uuid: 8deb85ec:5b7361a6:2bd07c78:1dd28530
      level: raid1
      active: true
      degraded: false
      in_sync: [true, true]
      members: [{path: /dev/vdb, slot: 0, failed: false}, {path: /dev/vdc, slot: 1, failed: false}]
      rebuilt_percent: null
problems:
  description: One sentence for each thing that is wrong. A degraded array is one, also while it is rebuilt.
  type: list
  elements: str
  returned: always
"""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str", "default": []}}, supports_check_mode=True
    )
    arrays = Host(module).arrays()
    module.exit_json(
        changed=False,
        arrays=[asdict(array) | {"degraded": array.degraded} for array in arrays],
        problems=array_problems(arrays, module.params["names"]),
    )


if __name__ == "__main__":
    main()
