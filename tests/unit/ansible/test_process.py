import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from plugins.modules.process import ProcessError, apply, find_pids

# Argument 1 is the pid file, argument 2 how it behaves: good, dies, quiet (never ready) or stubborn (does not end).
DAEMON = f"""#!{sys.executable}
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("starting", flush=True)
if sys.argv[2] == "dies":
    sys.exit("broker.conf line 7: listenPort is 'abc', not a whole number")
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[2] != "quiet":
    pathlib.Path(sys.argv[1]).write_text(f"{{os.getpid()}}\\n")
while True:
    signal.pause()
"""


class Daemon:
    """The options of the module for one daemon in a directory."""

    def __init__(self, top: pathlib.Path) -> None:
        self.program, self.pid_file, self.config = top / "mqdaemon", top / "ready.pid", top / "daemon.properties"
        self.output, self.release = top / "output.log", top / "current"
        self.program.write_text(DAEMON)
        self.program.chmod(0o755)
        self.config.write_text("listenPort=1\n")

    def options(self, state: str, behaviour: str = "good", timeout_seconds: float = 10) -> dict[str, Any]:
        return {
            "argv": [str(self.program), str(self.pid_file), behaviour],
            "state": state,
            "pid_file": str(self.pid_file),
            "output_file": str(self.output),
            "watch_files": [str(self.config)],
            "release_dir": str(self.release),
            "start_timeout_seconds": timeout_seconds,
            "stop_timeout_seconds": timeout_seconds,
        }

    def ask(self, state: str, check_mode: bool = False) -> dict[str, Any]:
        return apply(self.options(state), check_mode)

    def pids(self, behaviour: str = "good") -> list[int]:
        return find_pids(self.options("started", behaviour)["argv"])


@pytest.fixture
def daemon(tmp_path: pathlib.Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    for behaviour in ("good", "quiet", "stubborn"):
        for pid in daemon.pids(behaviour):
            subprocess.run(["kill", "-9", str(pid)], check=True)


def test_a_daemon_is_started_once_and_left_alone_after(daemon: Daemon) -> None:
    first = daemon.ask("started")
    assert first == {"changed": True, "outdated": False, "pid": daemon.pids()[0]}
    assert daemon.ask("started") == {**first, "changed": False}
    assert daemon.pids() == [first["pid"]]


def test_a_started_daemon_leads_a_session_of_its_own_and_so_outlives_the_play(daemon: Daemon) -> None:
    pid = daemon.ask("started")["pid"]
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[3]) == pid


def test_check_mode_says_what_would_change_and_starts_nothing(daemon: Daemon) -> None:
    assert daemon.ask("started", check_mode=True)["changed"]
    assert daemon.pids() == []
    daemon.ask("started")
    assert daemon.ask("stopped", check_mode=True)["changed"]
    assert not daemon.ask("started", check_mode=True)["changed"]
    assert len(daemon.pids()) == 1


def test_a_pid_file_that_a_crash_left_behind_misleads_nobody(daemon: Daemon) -> None:
    daemon.pid_file.write_text("1\n")
    assert daemon.ask("started")["pid"] == daemon.pids()[0]


def test_a_daemon_whose_pid_file_was_lost_is_not_started_twice(daemon: Daemon) -> None:
    pid = daemon.ask("started")["pid"]
    daemon.pid_file.unlink()
    with pytest.raises(ProcessError, match=f"runs as pid {pid} but has not reported itself ready"):
        apply(daemon.options("started", timeout_seconds=0.1), check_mode=False)
    assert daemon.pids() == [pid]


def test_a_daemon_that_dies_at_start_fails_with_what_it_said_this_time(daemon: Daemon) -> None:
    daemon.output.write_text("something old\n")
    with pytest.raises(ProcessError) as failure:
        apply(daemon.options("started", "dies"), check_mode=False)
    assert "ended at once with status 1: starting\nbroker.conf line 7: listenPort is 'abc'" in str(failure.value)
    assert "something old" not in str(failure.value)


def test_a_daemon_that_does_not_get_ready_fails_and_is_named(daemon: Daemon) -> None:
    with pytest.raises(ProcessError, match=r"was not ready after 0\.2 s and goes on starting as pid"):
        apply(daemon.options("started", "quiet", timeout_seconds=0.2), check_mode=False)


def test_a_program_that_is_not_there_fails_with_a_sentence(daemon: Daemon) -> None:
    daemon.program.unlink()
    with pytest.raises(ProcessError, match="mqdaemon can't be started: No such file or directory"):
        daemon.ask("started")


def test_stopping_ends_the_daemon_and_a_second_stop_changes_nothing(daemon: Daemon) -> None:
    daemon.ask("started")
    assert daemon.ask("stopped")["changed"]
    assert daemon.pids() == []
    assert not daemon.ask("stopped")["changed"]


def test_a_daemon_that_does_not_end_is_named_and_never_killed(daemon: Daemon) -> None:
    apply(daemon.options("started", "stubborn"), check_mode=False)
    with pytest.raises(ProcessError, match="still runs as pid"):
        apply(daemon.options("stopped", "stubborn", timeout_seconds=0.1), check_mode=False)
    assert len(daemon.pids("stubborn")) == 1


def test_restarting_replaces_the_process(daemon: Daemon) -> None:
    before = daemon.ask("started")["pid"]
    assert daemon.ask("restarted")["pid"] != before
    assert len(daemon.pids()) == 1


def test_a_daemon_that_runs_with_an_older_file_is_reported_and_left_alone_by_started(daemon: Daemon) -> None:
    pid = daemon.ask("started")["pid"]
    daemon.config.write_text("listenPort=2\n")
    assert daemon.ask("started") == {"changed": False, "outdated": True, "pid": pid}


def test_current_restarts_only_a_daemon_that_runs_with_an_older_file(daemon: Daemon) -> None:
    pid = daemon.ask("started")["pid"]
    assert daemon.ask("current") == {"changed": False, "outdated": False, "pid": pid}
    daemon.config.write_text("listenPort=2\n")
    planned = daemon.ask("current", check_mode=True)
    assert planned == {"changed": True, "outdated": True}
    restarted = daemon.ask("current")
    assert restarted["changed"]
    assert restarted["pid"] != pid
    assert not daemon.ask("current")["changed"]


def test_current_restarts_a_daemon_when_the_link_to_the_release_has_moved(daemon: Daemon) -> None:
    for name in ("old", "new"):
        daemon.release.with_name(name).mkdir()
    daemon.release.symlink_to("old")
    daemon.ask("started")
    assert not daemon.ask("current")["changed"]
    daemon.release.unlink()
    daemon.release.symlink_to("new")
    assert daemon.ask("current")["changed"]


def test_current_starts_what_does_not_run(daemon: Daemon) -> None:
    assert daemon.ask("current")["changed"]
    assert len(daemon.pids()) == 1


def test_a_daemon_with_other_arguments_is_another_one(daemon: Daemon) -> None:
    daemon.ask("started")
    assert find_pids([str(daemon.program), "elsewhere.pid", "good"]) == []
