import hashlib
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import pytest

from plugins.modules.unit import Unit, UnitError, Wanted, apply, outdated_reasons, plan, properties_of

NAME = "mqbroker@broker-a.service"
DIGEST = "a" * 64
READY = f"The broker[broker-a] boot success.; configuration sha256:{DIGEST}, program /opt/broker-py/releases/1"
STARTED_AT = 1000.0
WANTED = Wanted(digest=DIGEST, program="/opt/broker-py/releases/1", units_changed_at=STARTED_AT - 1)


class Systemd:
    """systemctl and journalctl for one unit; `reports` is what its daemon says when it was started."""

    def __init__(self, unit_file: pathlib.Path) -> None:
        self.shown = {
            "LoadState": "loaded",
            "ActiveState": "inactive",
            "UnitFileState": "disabled",
            "NeedDaemonReload": "no",
            "FragmentPath": str(unit_file),
            "DropInPaths": "",
        }
        self.reports = ""
        self.refuses: str | None = None
        self.done: list[str] = []

    def run(self, command: Sequence[str]) -> tuple[int, str, str]:
        if command[0] == "journalctl":
            return 0, "listenPort 'abc' is not a whole number\n", ""
        word = command[1]
        if word == "show":
            return 0, "".join(f"{name}={value}\n" for name, value in self.shown.items()), ""
        self.done.append(word)
        if self.refuses == word:
            self.shown["ActiveState"] = "activating"
            return 1, "", f"Job for {NAME} failed because the control process exited with error code.\nSee more."
        if word == "daemon-reload":
            self.shown |= {"NeedDaemonReload": "no", "LoadState": "loaded"}
        elif word in ("enable", "disable"):
            self.shown["UnitFileState"] = f"{word}d"
        elif word == "stop":
            self.shown |= {"ActiveState": "inactive", "StatusText": ""}
        else:
            started = str(int(time.monotonic() * 1_000_000))
            self.shown |= {
                "ActiveState": "active",
                "StatusText": self.reports,
                "ExecMainStartTimestampMonotonic": started,
            }
        return 0, "", ""


class Host:
    """A unit with its files in a directory, and the release that is wanted."""

    def __init__(self, top: pathlib.Path) -> None:
        self.config, self.release, self.unit_file = (
            top / "broker-a.properties",
            top / "wanted",
            top / "mqbroker@.service",
        )
        self.config.write_text("listenPort=10911\n")
        (top / "1").mkdir()
        self.release.symlink_to("1")
        self.unit_file.write_text("[Service]\n")
        os.utime(self.unit_file, (0, 0))
        self.systemd = Systemd(self.unit_file)
        self.report()

    def report(self) -> None:
        """Have the next start report what is there now."""
        digest = hashlib.sha256(self.config.read_bytes()).hexdigest()
        self.systemd.reports = f"ready; configuration sha256:{digest}, program {self.release.resolve()}"

    def ask(self, state: str, enabled: bool | None = None, check_mode: bool = False) -> dict[str, Any]:
        self.systemd.done.clear()
        unit = Unit(NAME, str(self.config), str(self.release), self.systemd.run)
        return apply(unit, state, enabled, check_mode)


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def test_properties_are_read_up_to_the_first_equals_sign() -> None:
    assert properties_of("ActiveState=active\nStatusText=a=b\n\n") == {"ActiveState": "active", "StatusText": "a=b"}


def test_a_daemon_that_reports_what_is_wanted_is_not_outdated() -> None:
    assert outdated_reasons(READY, STARTED_AT, WANTED) == []


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted("b" * 64, WANTED.program, 0), "its configuration has changed since it was started"),
        (Wanted(None, WANTED.program, 0), "its configuration has changed since it was started"),
        (
            Wanted(DIGEST, "/opt/broker-py/releases/2", 0),
            "it runs /opt/broker-py/releases/1 and /opt/broker-py/releases/2 is wanted",
        ),
        (Wanted(DIGEST, WANTED.program, STARTED_AT + 1), "its unit files have changed since it was started"),
    ],
)
def test_each_thing_that_differs_is_a_reason(wanted: Wanted, reason: str) -> None:
    assert outdated_reasons(READY, STARTED_AT, wanted) == [reason]


def test_a_program_that_does_not_matter_is_not_compared() -> None:
    assert outdated_reasons(READY, STARTED_AT, Wanted(DIGEST, None, 0)) == []


def test_a_daemon_that_does_not_say_what_it_runs_is_outdated() -> None:
    assert outdated_reasons("", STARTED_AT, WANTED) == ["it does not say what it runs but ''"]


@pytest.mark.parametrize(
    ("state", "active_state", "outdated", "word"),
    [
        ("started", "inactive", False, "start"),
        ("started", "failed", False, "start"),
        ("started", "activating", False, "start"),
        ("started", "active", True, None),
        ("current", "active", True, "restart"),
        ("current", "active", False, None),
        ("current", "inactive", False, "start"),
        ("restarted", "active", False, "restart"),
        ("restarted", "inactive", False, "start"),
        ("stopped", "active", False, "stop"),
        ("stopped", "activating", False, "stop"),
        ("stopped", "inactive", False, None),
        ("stopped", "failed", False, None),
    ],
)
def test_what_is_done_follows_from_the_wanted_and_the_found_state(
    state: str, active_state: str, outdated: bool, word: str | None
) -> None:
    assert plan(state, active_state, outdated) == word


def test_a_unit_is_started_and_enabled_once(host: Host) -> None:
    first = host.ask("started", enabled=True)
    assert (first["changed"], first["outdated"], first["active_state"]) == (True, False, "active")
    assert host.systemd.done == ["enable", "start"]
    assert not host.ask("started", enabled=True)["changed"]
    assert host.systemd.done == []


def test_a_changed_configuration_is_reported_by_started_and_restarted_by_current(host: Host) -> None:
    host.ask("started")
    host.config.write_text("listenPort=10921\n")
    host.report()
    assert host.ask("started")["outdated"]
    assert host.systemd.done == []
    restarted = host.ask("current")
    assert (restarted["changed"], restarted["outdated"]) == (True, False)
    assert restarted["reasons"] == ["its configuration has changed since it was started"]
    assert not host.ask("current")["changed"]


def test_a_link_that_has_moved_and_a_newer_unit_file_make_a_unit_outdated(host: Host) -> None:
    host.ask("started")
    (host.release.parent / "2").mkdir()
    host.release.unlink()
    host.release.symlink_to("2")
    (reason,) = host.ask("started")["reasons"]
    assert reason.endswith("2 is wanted")
    host.report()
    host.ask("current")
    os.utime(host.unit_file, (time.time() + 5, time.time() + 5))
    assert host.ask("started")["reasons"] == ["its unit files have changed since it was started"]


def test_check_mode_says_what_it_found_and_does_nothing(host: Host) -> None:
    assert host.ask("started", enabled=True, check_mode=True)["changed"]
    host.ask("started")
    host.config.write_text("listenPort=10921\n")
    planned = host.ask("current", check_mode=True)
    assert (planned["changed"], planned["outdated"]) == (True, True)
    assert host.systemd.done == []


def test_check_mode_works_before_the_unit_is_installed(host: Host) -> None:
    host.systemd.shown |= {"LoadState": "not-found", "FragmentPath": ""}
    assert host.ask("started", enabled=True, check_mode=True)["changed"]
    assert not host.ask("stopped", check_mode=True)["changed"]


def test_changed_unit_files_are_loaded_before_anything_is_started(host: Host) -> None:
    host.systemd.shown["NeedDaemonReload"] = "yes"
    host.ask("started")
    assert host.systemd.done == ["daemon-reload", "start"]


def test_a_unit_that_is_not_there_is_named(host: Host) -> None:
    host.systemd.shown["LoadState"] = "masked"
    with pytest.raises(UnitError, match=r"mqbroker@broker-a.service can't be loaded \(masked\)"):
        host.ask("started")


def test_stopping_what_is_not_installed_changes_nothing(host: Host) -> None:
    host.systemd.shown["LoadState"] = "not-found"
    assert not host.ask("stopped")["changed"]


def test_a_start_that_fails_is_told_with_the_journal(host: Host) -> None:
    host.systemd.refuses = "start"
    with pytest.raises(UnitError) as failure:
        host.ask("started")
    lines = str(failure.value).splitlines()
    assert lines[0].endswith("failed because the control process exited with error code.")
    assert lines[-1] == "listenPort 'abc' is not a whole number"


def test_current_fails_when_the_restart_did_not_help_since_it_would_restart_for_ever(host: Host) -> None:
    host.ask("started")
    host.config.write_text("listenPort=10921\n")
    with pytest.raises(UnitError, match="still: its configuration has changed"):
        host.ask("current")


def test_started_leaves_it_to_the_next_roll_that_the_current_release_is_not_the_wanted_one(host: Host) -> None:
    (host.release.parent / "2").mkdir()
    host.release.unlink()
    host.release.symlink_to("2")
    assert host.ask("started")["outdated"]
