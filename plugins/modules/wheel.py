#!/usr/bin/python
"""Build the wheel that hosts install, on the controller.

The release of a host is named after the wheel's digest, so the same source has to give the same bytes: it is built
from a copy with fixed file modes and times, by a fixed version of the build tool, and kept under the digest of the
source, so that it is built once.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: wheel
short_description: Build the wheel of this project, with those that it depends on
version_added: 0.2.0
description:
  - Runs on the controller. Needs a package index only when the source was not built there before.
author: [broker-py developers (@broker-py)]
options:
  source:
    description: The repository to build from. One of this and I(wheel) is needed.
    type: path
  wheel:
    description: A wheel that is there already, or a directory with it and with those that it depends on.
    type: path
  python:
    description: The interpreter whose C(pip) builds.
    type: path
    required: true
  cache_dir:
    description: Where built wheels are kept.
    type: path
    default: ~/.cache/broker-py/wheels
"""

EXAMPLES = """
- name: Build the wheel
  broker_py.mq.wheel:
    source: "{{ playbook_dir }}"
    python: "{{ ansible_playbook_python }}"
  delegate_to: localhost
  run_once: true
  register: built
"""

RETURN = """
release:
  description: The version and the first 12 digits of the wheel's digest, which name the release on hosts.
  type: str
  returned: always
  sample: 0.1.0-0123456789ab
version:
  description: The version of the wheel.
  type: str
  returned: always
files:
  description: The wheels, that of this project first; C(name), C(path) and C(sha256) of each.
  type: list
  elements: dict
  returned: always
"""

PROJECT = "broker_py"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", f"{PROJECT}/**/*.py")
BUILD_TOOL = "setuptools==80.9.0"  # another version writes other metadata, and so another digest
EPOCH = "1700000000"  # the time of all files in the wheel
WHEEL_NAME = re.compile(PROJECT + r"-(?P<version>[^-]+)-[^-]+-[^-]+-[^-]+\.whl")

Run = Callable[[Sequence[str], Mapping[str, str]], tuple[int, str, str]]


class WheelError(Exception):
    """There is no wheel; the text is a sentence for the operator."""


def source_files(source: pathlib.Path) -> list[pathlib.Path]:
    """Return the files that make the wheel, sorted."""
    found = sorted({path for pattern in SOURCES for path in source.glob(pattern) if path.is_file()})
    if source / "pyproject.toml" not in found:
        raise WheelError(f"{source} has no pyproject.toml to build a wheel from: set runtime_wheel to a wheel")
    return found


def digest_of_source(source: pathlib.Path) -> str:
    """Return one digest of the build tool and of the names and contents of all source files."""
    total = hashlib.sha256(BUILD_TOOL.encode())
    for path in source_files(source):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(source)} {content}\n".encode())
    return total.hexdigest()


def build(source: pathlib.Path, cache_dir: pathlib.Path, python: str, run: Run) -> pathlib.Path:
    """Return the directory with the wheels of a source, which are built if they were not before."""
    kept = cache_dir / digest_of_source(source)
    if kept.exists():
        return kept
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir) as name:
        work = pathlib.Path(name)
        copy, wheels, constraints = work / "source", work / "wheels", work / "constraints.txt"
        _copy_source(source, copy)
        constraints.write_text(f"{BUILD_TOOL}\n")
        limits = {"PIP_CONSTRAINT": str(constraints), "PIP_BUILD_CONSTRAINT": str(constraints)}
        command = [python, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir", str(wheels)]
        status, output, error = run([*command, str(copy)], {"SOURCE_DATE_EPOCH": EPOCH, **limits})
        if status != 0:
            raise WheelError(f"pip could not build the wheel of {source}: {error.strip() or output.strip()}")
        try:
            wheels.rename(kept)
        except OSError:  # somebody else has built the same meanwhile
            if not kept.exists():
                raise
    return kept


def _copy_source(source: pathlib.Path, copy: pathlib.Path) -> None:
    for path in source_files(source):
        target = copy / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o644)


def describe(place: pathlib.Path) -> dict[str, Any]:
    """Return what is known of a wheel, or of a directory with the wheel and those that it depends on."""
    paths = sorted(place.glob("*.whl")) if place.is_dir() else [place]
    own = [path for path in paths if WHEEL_NAME.fullmatch(path.name)]
    if len(own) != 1 or not own[0].is_file():
        raise WheelError(f"{place} holds {len(own)} wheels of {PROJECT}, 1 is needed: set runtime_wheel to it")
    match = WHEEL_NAME.fullmatch(own[0].name)
    assert match is not None
    ordered = [own[0], *(path for path in paths if path != own[0])]
    files = [
        {"name": path.name, "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in ordered
    ]
    return {"release": f"{match['version']}-{files[0]['sha256'][:12]}", "version": match["version"], "files": files}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path"},
            "wheel": {"type": "path"},
            "python": {"type": "path", "required": True},
            "cache_dir": {"type": "path", "default": "~/.cache/broker-py/wheels"},
        },
        required_one_of=[("source", "wheel")],
        mutually_exclusive=[("source", "wheel")],
        supports_check_mode=True,
    )
    options: Mapping[str, Any] = module.params
    os.umask(0o022)

    def run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
        status, output, error = module.run_command(list(command), environ_update=dict(environment))
        return int(status), str(output), str(error)

    try:
        if options["wheel"]:
            place = pathlib.Path(options["wheel"])
        else:
            place = build(pathlib.Path(options["source"]), pathlib.Path(options["cache_dir"]), options["python"], run)
        module.exit_json(changed=False, **describe(place))
    except WheelError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
