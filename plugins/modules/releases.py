#!/usr/bin/python
"""Remove releases of the programs that nothing needs any more."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: releases
short_description: Remove old releases of the programs
version_added: 0.2.0
description:
  - Removes directories of C(releases) below I(install_dir), the oldest first, until I(kept) are left.
  - Never removes one that a link in I(install_dir) points to, or that a process runs from.
author: [broker-py developers (@broker-py)]
options:
  install_dir:
    description: The directory that holds C(releases) and the links C(current), C(previous) and C(wanted).
    type: path
    required: true
  kept:
    description: How many releases to leave.
    type: int
    required: true
"""

EXAMPLES = """
- name: Remove old releases
  broker_py.mq.releases:
    install_dir: /opt/broker-py
    kept: 2
"""

RETURN = """
removed:
  description: The names of the releases that were removed.
  type: list
  elements: str
  returned: always
"""


def obsolete(newest_first: Iterable[str], needed: Iterable[str], kept: int) -> list[str]:
    """Return the names of the releases to remove: those that nothing needs, as far as more than `kept` are there."""
    names, needed_names = list(newest_first), set(needed)
    free = max(kept - len(needed_names & set(names)), 0)
    return [name for name in names if name not in needed_names][free:]


def present(releases: pathlib.Path) -> list[str]:
    """Return the names of the releases, the newest first."""
    found = [path for path in releases.iterdir() if path.is_dir()] if releases.is_dir() else []
    return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)]


def linked(install_dir: pathlib.Path) -> set[str]:
    """Return the names of the releases that links point to."""
    links = (path for path in install_dir.iterdir() if path.is_symlink()) if install_dir.is_dir() else ()
    return {os.path.basename(os.readlink(path)) for path in links}


def running(releases: pathlib.Path, proc: pathlib.Path) -> set[str]:
    """Return the names of the releases that processes run from: their command lines name a file below."""
    names = set()
    for cmdline in proc.glob("[0-9]*/cmdline"):
        try:
            arguments = cmdline.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        paths = [pathlib.PurePath(argument) for argument in arguments]
        names |= {path.relative_to(releases).parts[0] for path in paths if releases in path.parents}
    return names


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"install_dir": {"type": "path", "required": True}, "kept": {"type": "int", "required": True}},
        supports_check_mode=True,
    )
    options: Mapping[str, Any] = module.params
    install_dir = pathlib.Path(options["install_dir"])
    releases = install_dir / "releases"
    needed = linked(install_dir) | running(releases, pathlib.Path("/proc"))
    removed = obsolete(present(releases), needed, options["kept"])
    for name in removed if not module.check_mode else ():
        shutil.rmtree(releases / name)
    module.exit_json(changed=bool(removed), removed=removed)


if __name__ == "__main__":
    main()
