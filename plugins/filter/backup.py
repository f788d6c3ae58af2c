"""Filters that write and read the list of checksums by which a backup is known to be whole."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

DOCUMENTATION = """
name: backup
short_description: Filters that write and read the list of checksums by which a backup is known to be whole
version_added: 0.2.0
description:
  - All are given a directory of the controller.
  - C(checksum_list) makes the list of all files in it, as C(sha256sum) does, so that this can check it too.
  - C(backup_problems) says in sentences why the backup is not what was written.
  - C(backup_tables) maps the names of the tables in it to their texts, for module C(metadata_restore).
author: [broker-py developers (@broker-py)]
options: {}
"""

CHECKSUMS = "SHA256SUMS"
TABLES = ".json"


def checksum_list(directory: str) -> str:
    """Return a line for each file: its SHA-256 and its name."""
    return "".join(f"{checksum}  {name}\n" for name, checksum in sorted(_found(directory).items()))


def backup_problems(directory: str) -> list[str]:
    """Say which files of the backup are missing, changed, or were never part of it."""
    wanted, found = _listed(directory), _found(directory)
    return [
        *(f"{name} is missing" for name in sorted(wanted.keys() - found.keys())),
        *(f"{name} does not belong to it" for name in sorted(found.keys() - wanted.keys())),
        *(f"{name} has changed" for name in sorted(wanted.keys() & found.keys()) if wanted[name] != found[name]),
        *([] if any(name.endswith(TABLES) for name in wanted) else ["it has no tables"]),
    ]


def backup_tables(directory: str) -> dict[str, str]:
    """Return the texts of the tables by their names in the backup."""
    return {
        name: pathlib.Path(directory, name).read_text(encoding="utf-8")
        for name in sorted(_listed(directory))
        if name.endswith(TABLES)
    }


def _listed(directory: str) -> dict[str, str]:
    lines = pathlib.Path(directory, CHECKSUMS).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("  ", 1) for line in lines)
    return {name: checksum for checksum, name in pairs}


def _found(directory: str) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in pathlib.Path(directory).rglob("*")
        if path.is_file() and path.name != CHECKSUMS
    }


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "checksum_list": checksum_list,
            "backup_problems": backup_problems,
            "backup_tables": backup_tables,
        }
