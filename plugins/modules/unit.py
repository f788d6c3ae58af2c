#!/usr/bin/python
"""Keep one daemon of ours running as a systemd unit, and know whether it runs what it should.

A daemon tells systemd in its status which configuration it read and which program it is, and ends that line with

    configuration sha256:<digest of the file's bytes>, program <directory of its virtual environment>

Compared with the file and with the release that is wanted, this says whether a restart is due, even when a play died
between the change and the restart. Nothing has to be remembered for it.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: unit
short_description: Keep the unit of a daemon running, stop it or restart it
version_added: 0.2.0
description:
  - Starts a unit whose daemon reports itself ready (C(Type=notify)), and waits as long as the unit's own limits allow.
  - Says whether the daemon runs the present configuration, the wanted release and the present unit files.
  - Reloads systemd when unit files have changed.
author: [broker-py developers (@broker-py)]
options:
  name:
    description: The unit, such as C(mqbroker@broker-a.service).
    type: str
    required: true
  state:
    description:
      - C(started) starts the unit if it does not run, and leaves a running one alone.
      - C(current) does that too, and restarts one that is outdated.
      - C(restarted) stops and starts it. C(stopped) stops it.
    type: str
    choices: [started, current, restarted, stopped]
    default: started
  enabled:
    description: Whether the unit is started at boot. Left as it is when not given.
    type: bool
  config_file:
    description: The file that the daemon reads at its start.
    type: path
    required: true
  release_dir:
    description: The virtual environment that the daemon should run from, or a link to it. Not compared when missing.
    type: path
"""

EXAMPLES = """
- name: Start a broker
  broker_py.mq.unit:
    name: mqbroker@broker-a.service
    enabled: true
    config_file: /etc/broker-py/broker-a.properties
    release_dir: /opt/broker-py/wanted

- name: Ask whether it has to be restarted
  broker_py.mq.unit:
    name: mqbroker@broker-a.service
    state: current
    config_file: /etc/broker-py/broker-a.properties
    release_dir: /opt/broker-py/wanted
  check_mode: true
  register: broker
"""

RETURN = """
outdated:
  description: Whether the daemon runs with something else than is wanted, when the module has done its work.
  type: bool
  returned: always
reasons:
  description: What it was that a restart is or was due for, a sentence each.
  type: list
  elements: str
  returned: always
active_state:
  description: systemd's word for the state of the unit.
  type: str
  returned: always
status:
  description: What the daemon says of itself.
  type: str
  returned: always
"""

SHOWN = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "StatusText",
    "FragmentPath",
    "DropInPaths",
    "ExecMainStartTimestampMonotonic",
)
REPORT = re.compile(r"configuration (?:sha256:(?P<digest>[0-9a-f]{64})|none), program (?P<program>/.*)$")
SHOWN_JOURNAL_LINES = 20

Run = Callable[[Sequence[str]], tuple[int, str, str]]


class UnitError(Exception):
    """A start or a stop did not succeed; the text is a sentence for the operator."""


@dataclass(frozen=True)
class Wanted:
    """What a daemon should have been started with."""

    digest: str | None  # of its configuration; None when the file is not there yet
    program: str | None  # None when it doesn't matter
    units_changed_at: float  # when the newest of its unit files was written


def properties_of(shown: str) -> dict[str, str]:
    """Return the properties in the output of `systemctl show`, a `Name=value` each line."""
    pairs = (line.partition("=") for line in shown.splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}


def outdated_reasons(status: str, started_at: float, wanted: Wanted) -> list[str]:
    """Say what a running daemon was started with that is not wanted any more, a sentence each."""
    report = REPORT.search(status)
    if report is None:
        return [f"it does not say what it runs but '{status}'"]
    reasons = []
    if report["digest"] != wanted.digest:
        reasons.append("its configuration has changed since it was started")
    if wanted.program is not None and report["program"] != wanted.program:
        reasons.append(f"it runs {report['program']} and {wanted.program} is wanted")
    if wanted.units_changed_at > started_at:
        reasons.append("its unit files have changed since it was started")
    return reasons


def plan(state: str, active_state: str, outdated: bool) -> str | None:
    """Return systemd's word for what has to be done, None when nothing has.

    A unit that waits for its next start after a failure is started at once; one that is starting is waited for.
    """
    runs = active_state in ("active", "reloading")
    if state == "stopped":
        return "stop" if active_state not in ("inactive", "failed") else None
    if not runs:
        return "start"
    return "restart" if state == "restarted" or (state == "current" and outdated) else None


class Unit:
    """One unit, and what its daemon should run."""

    def __init__(self, name: str, config_file: str, release_dir: str | None, run: Run) -> None:
        self._name, self._config_file, self._release_dir, self._run = name, config_file, release_dir, run
        self._shown: dict[str, str] = {}

    def load(self, reload: bool) -> None:
        """Ask systemd for the unit, after it has read the unit files again if they changed and `reload` allows."""
        self._show()
        stale = self._shown["NeedDaemonReload"] == "yes" or self._shown["LoadState"] == "not-found"
        if reload and stale:
            self._systemctl("daemon-reload")
            self._show()
        if reload and self._shown["LoadState"] != "loaded":
            raise UnitError(f"{self._name} can't be loaded ({self._shown['LoadState']}): install its unit file first")

    def _show(self) -> None:
        command = ["systemctl", "show", self._name, *(f"--property={name}" for name in SHOWN)]
        status, output, error = self._run(command)
        if status != 0:
            raise UnitError(f"systemd does not answer for {self._name}: {error.strip() or output.strip()}")
        self._shown = dict.fromkeys(SHOWN, "") | properties_of(output)

    @property
    def active_state(self) -> str:
        """systemd's word: active, activating, inactive, failed, ..."""
        return self._shown["ActiveState"]

    @property
    def status(self) -> str:
        """What the daemon said last."""
        return self._shown["StatusText"]

    def is_enabled(self) -> bool:
        """Say whether the unit is started at boot."""
        return self._shown["UnitFileState"] == "enabled"

    def reasons(self) -> list[str]:
        """Say why a restart is due; nothing for a unit that does not run, which a start brings up to date."""
        if self.active_state != "active":
            return []
        return outdated_reasons(self.status, self._started_at(), self._wanted())

    def _started_at(self) -> float:
        """Return when the daemon was started, by the clock of files: systemd's monotonic clock is Python's too."""
        monotonic = int(self._shown["ExecMainStartTimestampMonotonic"] or 0) / 1_000_000
        return time.time() - time.monotonic() + monotonic

    def _wanted(self) -> Wanted:
        config, release = pathlib.Path(self._config_file), self._release_dir
        paths = [self._shown["FragmentPath"], *self._shown["DropInPaths"].split()]
        return Wanted(
            digest=hashlib.sha256(config.read_bytes()).hexdigest() if config.exists() else None,
            program=os.path.realpath(release) if release and os.path.exists(release) else None,
            units_changed_at=max((os.stat(path).st_mtime for path in paths if os.path.exists(path)), default=0),
        )

    def enable(self, wanted: bool) -> None:
        """Have the unit started at boot, or not."""
        self._systemctl("enable" if wanted else "disable", self._name)

    def act(self, word: str) -> None:
        """Start, stop or restart, and wait until that is done or failed."""
        self._systemctl(word, self._name)
        self._show()

    def _systemctl(self, *words: str) -> None:
        status, output, error = self._run(["systemctl", *words])
        if status != 0:
            said = (error.strip() or output.strip()).partition("\n")[0]
            raise UnitError(f"systemctl {' '.join(words)} failed: {said}\n{self._journal()}")

    def _journal(self) -> str:
        lines = ["journalctl", f"--unit={self._name}", f"--lines={SHOWN_JOURNAL_LINES}", "--no-pager", "--output=cat"]
        _, output, _ = self._run(lines)
        return f"The last lines of its journal:\n{output.strip()}"


def apply(unit: Unit, state: str, enabled: bool | None, check_mode: bool) -> dict[str, Any]:
    """Bring the unit into the wanted state and return what to report; in check mode only report it."""
    unit.load(reload=not check_mode and state != "stopped")
    reasons = unit.reasons()
    word = plan(state, unit.active_state, bool(reasons))
    enables = enabled is not None and enabled != unit.is_enabled()
    if enables and not check_mode:
        unit.enable(bool(enabled))
    if word is not None and not check_mode:
        unit.act(word)
    left = reasons if check_mode else unit.reasons()
    if left and state == "current" and not check_mode:  # or it would be restarted for ever
        raise UnitError(f"The unit was restarted, and still: {'; '.join(left)}")
    return {
        "changed": enables or word is not None,
        "outdated": bool(left),
        "reasons": reasons,
        "active_state": unit.active_state,
        "status": unit.status,
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {
                "type": "str",
                "choices": ["started", "current", "restarted", "stopped"],
                "default": "started",
            },
            "enabled": {"type": "bool"},
            "config_file": {"type": "path", "required": True},
            "release_dir": {"type": "path"},
        },
        supports_check_mode=True,
    )
    options: Mapping[str, Any] = module.params
    unit = Unit(options["name"], options["config_file"], options["release_dir"], module.run_command)
    try:
        module.exit_json(**apply(unit, options["state"], options["enabled"], module.check_mode))
    except UnitError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
