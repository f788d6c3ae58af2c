"""Filters that decide what the kernel and the disks under a store are set to.

Pure functions over what the role declares and what `broker_py.mq.block_info` found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: tuning
short_description: Filters that decide what the kernel and the disks under a store are set to
version_added: 0.1.0
description:
  - C(sysctl_rows) lists key, value and reason of each sysctl, from the role's defaults and the inventory's overrides.
  - C(sysctl_problems) says in sentences why such a list can't work; empty when it can.
  - C(device_settings) adds to each block device the attributes to set below its C(queue) directory.
  - C(sysfs_values) maps the files in C(/sys) of those attributes to their values.
author: [broker-py developers (@broker-py)]
options: {}
"""

Row = dict[str, Any]

KEEP = "keep"
AUTO = "auto"
SYSCTL_NAME = re.compile(r"[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+")
ACTIONS = ("vm.drop_caches", "vm.compact_memory")
# The kernel takes one of each pair and sets the other one to 0.
EXCLUSIVE = (("vm.dirty_bytes", "vm.dirty_ratio"), ("vm.dirty_background_bytes", "vm.dirty_background_ratio"))


def sysctl_rows(defaults: Sequence[Row], overrides: Mapping[str, Any]) -> list[Row]:
    """Return the rows of `defaults` with the values of `overrides`, then what else these name; null removes a row."""
    rows = {row["key"]: row for row in defaults}
    rows |= {key: {"key": key, "value": value, "reason": "Set by tuning_sysctl."} for key, value in overrides.items()}
    return [row for row in rows.values() if row["value"] is not None]


def sysctl_problems(rows: Sequence[Row]) -> list[str]:
    """Say of each row why it can't be what a kernel is set to at every boot."""
    keys = {row["key"] for row in rows}
    return [
        *(f"{key} is no name of a sysctl" for key in sorted(keys) if not SYSCTL_NAME.fullmatch(key)),
        *(f"{key} is an action and not a setting" for key in ACTIONS if key in keys),
        *(
            f"{in_bytes} and {ratio} exclude one another: set one of them to null"
            for in_bytes, ratio in EXCLUSIVE
            if {in_bytes, ratio} <= keys
        ),
    ]


def device_settings(devices: Sequence[Row], scheduler: str, read_ahead_kib: int) -> list[Row]:
    """Return the devices that something is set for, with their `attributes`.

    Disks schedule, whatever is on top of them; the device with the file system is the one that reads ahead.
    """
    settings = []
    for device in devices:
        attributes: dict[str, str] = {}
        chosen = _scheduler(device, scheduler)
        if chosen:
            attributes["scheduler"] = chosen
        if device["carries"] and read_ahead_kib:
            attributes["read_ahead_kb"] = str(read_ahead_kib)
        if attributes:
            settings.append({**device, "attributes": attributes})
    return settings


def _scheduler(device: Row, wanted: str) -> str:
    """Return the scheduler to set for a device; empty leaves it alone, as it is for one without a choice."""
    if wanted == KEEP or len(device["schedulers"]) < 2:  # a volume shows only "none", and takes nothing else
        return ""
    if wanted != AUTO:
        return wanted
    return "none" if device["name"].startswith("nvme") or "mq-deadline" not in device["schedulers"] else "mq-deadline"


def sysfs_values(devices: Sequence[Row]) -> dict[str, str]:
    """Map the file of each attribute to its value."""
    return {
        f"/sys/block/{device['name']}/queue/{attribute}": value
        for device in devices
        for attribute, value in device["attributes"].items()
    }


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "sysctl_rows": sysctl_rows,
            "sysctl_problems": sysctl_problems,
            "device_settings": device_settings,
            "sysfs_values": sysfs_values,
        }
