#!/usr/bin/python
"""Set values of the running kernel and read them back: sysctls by name, files below /sys by path.

Persisting them is the business of files that others write (sysctl.d, tmpfiles.d, udev rules): this module makes them
true now, and says so when the kernel, or the container that it runs in, won't have it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: kernel_settings
short_description: Set values of the running kernel, and read them back
version_added: 0.1.0
description:
  - Sets what differs, then reads everything again. A value that did not take is a failure that names it.
  - What can't be set at all (the kernel has no such setting, or it is read-only) is a failure before anything is
    changed.
  - In a container only C(net.*) is set, as far as it can be, since all else is of the machine below and of others on
    it. What is left to that machine is named in a warning.
  - Nothing is persisted. Linux only.
author: [broker-py developers (@broker-py)]
options:
  settings:
    description:
      - Values by the name of a sysctl (C(vm.swappiness)), or by the path of a file below C(/sys).
      - Where such a file lists all choices, the value is the one that it shows in brackets.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Set what the daemons want of the kernel
  broker_py.mq.kernel_settings:
    settings:
      vm.swappiness: 1
      /sys/kernel/mm/transparent_hugepage/enabled: madvise
"""

RETURN = """
unsettable:
  description: Why each setting was left as it is, by name. Only a container can have any.
  type: dict
  returned: always
  sample: {vm.swappiness: is set for the whole machine, net.core.somaxconn: is read-only}
"""

CONTAINER_MARKS = ("run/systemd/container", ".dockerenv", "run/.containerenv")
SELECTED = re.compile(r"\[(\S+)\]")


class Kernel:
    """The files through which a kernel is set, below the directory that stands for `/`."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root

    def read(self, path: str) -> str | None:
        """Return the value of a setting; none if there is no such setting."""
        try:
            text = (self._root / path).read_text()
        except FileNotFoundError:
            return None
        chosen = SELECTED.search(text)
        return chosen[1] if chosen else normal(text)

    def writable(self, path: str) -> bool:
        """Whether we may write it, for which root needs a file system that is not mounted read-only."""
        return os.access(self._root / path, os.W_OK)

    def write(self, path: str, value: str) -> None:
        """Set a value."""
        (self._root / path).write_text(value)

    def in_container(self) -> bool:
        """Whether this is another machine's kernel."""
        return any((self._root / mark).exists() for mark in CONTAINER_MARKS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """One value, as wanted and as found."""

    name: str
    path: str  # below the root
    wanted: str
    found: str | None
    writable: bool
    shared: bool  # with whoever else is on the machine below this container

    @property
    def obstacle(self) -> str:
        """Say why it can't become what is wanted; empty when it can, or already is."""
        if self.found == self.wanted:
            return ""
        if self.found is None:
            return "is unknown to this kernel"
        if self.shared:
            return "is set for the whole machine"
        return "" if self.writable else "is read-only"


def normal(value: Any) -> str:
    """Return a value as the kernel would show it: whatever separates several numbers is one blank."""
    return " ".join(str(int(value) if isinstance(value, bool) else value).split())


def path_of(name: str) -> str:
    """Return the file of a setting, relative to the root."""
    return name.lstrip("/") if name.startswith("/") else "proc/sys/" + name.replace(".", "/")


def look_up(kernel: Kernel, settings: Mapping[str, Any]) -> list[Setting]:
    """Compare what is wanted with what the kernel has, in the order of names."""
    contained = kernel.in_container()
    return [
        Setting(
            name=name,
            path=path_of(name),
            wanted=normal(wanted),
            found=kernel.read(path_of(name)),
            writable=kernel.writable(path_of(name)),
            shared=contained and not name.startswith("net."),
        )
        for name, wanted in sorted(settings.items())
    ]


def unsettable(settings: Sequence[Setting]) -> dict[str, str]:
    """Return the obstacle of each setting that has one, by name."""
    return {setting.name: setting.obstacle for setting in settings if setting.obstacle}


def changes(settings: Sequence[Setting]) -> list[Setting]:
    """Return the settings to write."""
    return [setting for setting in settings if setting.found != setting.wanted and not setting.obstacle]


def apply(kernel: Kernel, settings: Sequence[Setting]) -> list[str]:
    """Write what differs; return in sentences what did not take.

    All are read again once all are written, the right ones too: one setting can undo another (vm.dirty_ratio and
    vm.dirty_bytes do).
    """
    problems = {}
    for setting in changes(settings):
        try:
            kernel.write(setting.path, setting.wanted)
        except OSError as error:
            problems[setting.name] = f"{setting.name}: the kernel refuses '{setting.wanted}' ({error.strerror})"
    for setting in settings:
        now = kernel.read(setting.path)
        if not setting.obstacle and now != setting.wanted:
            problems.setdefault(setting.name, f"{setting.name} is '{now}' although '{setting.wanted}' was set")
    return list(problems.values())


def described(settings: Sequence[Setting], *, after: bool) -> str:
    """Return what changes, as one side of a diff."""
    return "".join(f"{s.name} = {s.wanted if after else s.found}\n" for s in changes(settings))


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec={"settings": {"type": "dict", "required": True}}, supports_check_mode=True)
    kernel = Kernel(pathlib.Path("/"))
    settings = look_up(kernel, module.params["settings"])
    left = unsettable(settings)
    named = ", ".join(f"{name} {obstacle}" for name, obstacle in left.items())
    if left and not kernel.in_container():
        module.fail_json(msg=f"Nothing was set, as the kernel can't be set to all that is wanted: {named}.")
    if left:
        module.warn(f"A container can't set all that its daemons want; the machine below has to: {named}.")
    if not module.check_mode:
        problems = apply(kernel, settings)
        if problems:
            module.fail_json(msg=f"The kernel is not set as it was told: {'; '.join(problems)}.")
    module.exit_json(
        changed=bool(changes(settings)),
        unsettable=left,
        diff={"before": described(settings, after=False), "after": described(settings, after=True)},
    )


if __name__ == "__main__":
    main()
