#!/usr/bin/python
"""Replace a member of a RAID array by a blank disk."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.raid_host import Host
from ..module_utils.raid_plan import array_named
from ..module_utils.raid_repair import plan_replacement

DOCUMENTATION = """
module: raid_member
short_description: Replace a member of a RAID array
version_added: 0.1.0
description:
  - Marks one disk as failed, removes it and adds another, as far as that is not done yet. It does not wait for the
    rebuild; M(broker_py.mq.raid_info) tells when that has ended.
  - Refused are a new disk that carries anything or is too small, and taking out what the array can't lose.
author: [broker-py developers (@broker-py)]
options:
  array:
    description: Name of the array.
    type: str
    required: true
  failed:
    description: The disk that goes. It may be gone already; then it is named as C(/proc/mdstat) did, C(/dev/vdc).
    type: path
    required: true
  new:
    description: The disk that comes.
    type: path
    required: true
"""

EXAMPLES = """
- name: Replace a disk
  broker_py.mq.raid_member:
    array: data
    failed: /dev/vdc
    new: /dev/disk/by-id/virtio-disk5
"""

RETURN = """
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


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "array": {"type": "str", "required": True},
            "failed": {"type": "path", "required": True},
            "new": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    host = Host(module)
    name, failed, new = _params(module)
    arrays = host.arrays()
    array = array_named(name, arrays)
    paths = [new, *(member.path for member in array.members)] if array else [new]
    plan = plan_replacement(name, arrays, failed, new, {path: host.disk(path) for path in paths})
    if plan.problems:
        module.fail_json(msg=f"The disk can't be replaced: {'; '.join(plan.problems)}.", problems=plan.problems)
    if not module.check_mode:
        for step in plan.steps:
            host.run(step)
    meanings = [step.meaning for step in plan.steps]
    module.exit_json(
        changed=bool(meanings),
        steps=meanings,
        diff={"before": "", "after": "".join(f"{meaning}\n" for meaning in meanings)},
    )


def _params(module: Any) -> tuple[str, str, str]:
    params = module.params
    return params["array"], os.path.realpath(params["failed"]), os.path.realpath(params["new"])


if __name__ == "__main__":
    main()
