#!/usr/bin/python
"""Keep one daemon of ours running without a service manager: the lab's processes, and hosts before they have units.

A process is known by its command line, as /proc shows it, so nothing is started twice and a pid file that a crash
left behind misleads nobody. It is ready when its own pid stands in the pid file, which the daemon writes once it
listens. What it was started with (the digest of the files it reads at start) travels in its environment, so the
answer to "does it run the present configuration" survives a play that died half-way.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: process
short_description: Keep a daemon running, stop it or restart it
version_added: 0.1.0
description:
  - Starts a command detached from the play, and waits until it has written its pid to I(pid_file).
  - A process is recognised by its whole command line, so I(argv) has to be unique on the host.
  - Linux only, as it reads C(/proc).
author: [broker-py developers (@broker-py)]
options:
  argv:
    description: The command and its arguments; the first one is an absolute path.
    type: list
    elements: str
    required: true
  state:
    description:
      - C(started) starts the command if it does not run, and leaves a running one alone.
      - C(current) does that too, and restarts one that was started with other contents of I(watch_files) or from
        another I(release_dir).
      - C(restarted) stops and starts it. C(stopped) stops it.
    type: str
    choices: [started, current, restarted, stopped]
    default: started
  pid_file:
    description: Where the daemon writes its pid when it is ready.
    type: path
    required: true
  output_file:
    description: Where standard output and standard error of the daemon are appended.
    type: path
    required: true
  watch_files:
    description: Files that the daemon reads only at its start; missing ones count as empty.
    type: list
    elements: path
    default: []
  release_dir:
    description: The virtual environment that the daemon should run from, or a link to it. Not compared when missing.
    type: path
  start_timeout_seconds:
    description: How long a start may last until the daemon is ready, recovery of its store included.
    type: float
    default: 60
  stop_timeout_seconds:
    description: How long a stop may last. A process that needs longer is left alone, never killed.
    type: float
    default: 60
"""

EXAMPLES = """
- name: Start a name server
  broker_py.mq.process:
    argv: [/opt/broker-py/current/bin/mqnamesrv, -c, /etc/broker-py/nameserver.properties]
    pid_file: /run/broker-py/nameserver.pid
    output_file: /var/log/broker-py/nameserver/output.log
    watch_files: [/etc/broker-py/nameserver.properties]
"""

RETURN = """
pid:
  description: The pid of the running process; absent when it does not run.
  type: int
  returned: when it runs
outdated:
  description: Whether the running process was started with other contents of I(watch_files).
  type: bool
  returned: always
"""

DIGEST_VARIABLE = "BROKER_PY_STARTED_WITH"
POLL_SECONDS = 0.05
SHOWN_LOG_LINES = 15


class ProcessError(Exception):
    """A start or a stop did not succeed; the text is a sentence for the operator."""


def find_pids(argv: Sequence[str]) -> list[int]:
    """Return the pids whose command line ends in `argv`, without the children that they forked.

    It only has to end so, since the kernel puts the interpreter of a script in front.
    """
    wanted = [os.fsencode(part) for part in argv]
    pids = [pid for pid in _all_pids() if _read(pid, "cmdline").split(b"\0")[:-1][-len(wanted) :] == wanted]
    return [pid for pid in pids if _parent(pid) not in pids]


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _read(pid: int, name: str) -> bytes:
    """Return a file of /proc/<pid>; empty when the process has gone or belongs to somebody else."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    """Return the parent's pid: the second field behind the name in parentheses, which may hold blanks itself."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def started_with(pid: int) -> str:
    """Return the digest that a process was started with; empty when it has none."""
    prefix = DIGEST_VARIABLE.encode() + b"="
    for variable in _read(pid, "environ").split(b"\0"):
        if variable.startswith(prefix):
            return variable[len(prefix) :].decode()
    return ""


def digest_of(paths: Sequence[str], release_dir: str | None) -> str:
    """Return one digest of the contents of all files, in their order, and of where the program is."""
    total = hashlib.sha256()
    if release_dir and os.path.exists(release_dir):
        total.update(os.fsencode(os.path.realpath(release_dir)))
    for path in paths:
        try:
            content = pathlib.Path(path).read_bytes()
        except FileNotFoundError:
            content = b""
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def is_ready(pid: int, pid_file: pathlib.Path) -> bool:
    """Say whether the daemon has reported itself ready."""
    try:
        return pid_file.read_text().strip() == str(pid)
    except OSError:
        return False


def start(
    argv: Sequence[str], pid_file: pathlib.Path, output_file: pathlib.Path, digest: str, timeout_seconds: float
) -> int:
    """Start the daemon in a session of its own, wait until it is ready, and return its pid."""
    pid_file.unlink(missing_ok=True)
    output_from = output_file.stat().st_size if output_file.exists() else 0
    with output_file.open("ab") as output:
        try:
            daemon = subprocess.Popen(  # noqa: S603 - the command is what the module is for
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, DIGEST_VARIABLE: digest},
            )
        except OSError as error:
            raise ProcessError(f"{argv[0]} can't be started: {error.strerror}") from error
    deadline = time.monotonic() + timeout_seconds
    while not is_ready(daemon.pid, pid_file):
        status = daemon.poll()
        if status is not None:
            raise ProcessError(f"{' '.join(argv)} ended at once with status {status}: {tail(output_file, output_from)}")
        if time.monotonic() > deadline:
            raise ProcessError(
                f"{' '.join(argv)} was not ready after {timeout_seconds:g} s and goes on starting as pid {daemon.pid}:"
                f" {tail(output_file, output_from)}"
            )
        time.sleep(POLL_SECONDS)
    return daemon.pid


def wait_ready(pid: int, argv: Sequence[str], pid_file: pathlib.Path, timeout_seconds: float) -> None:
    """Wait until a daemon that was found running is ready; at once when it is."""
    deadline = time.monotonic() + timeout_seconds
    while not is_ready(pid, pid_file):
        if pid not in find_pids(argv):
            raise ProcessError(f"{' '.join(argv)} was starting as pid {pid} and ended")
        if time.monotonic() > deadline:
            raise ProcessError(
                f"{' '.join(argv)} runs as pid {pid} but has not reported itself ready in {pid_file}"
                f" after {timeout_seconds:g} s"
            )
        time.sleep(POLL_SECONDS)


def stop(pids: Sequence[int], argv: Sequence[str], timeout_seconds: float) -> None:
    """Ask the processes to end and wait until they have."""
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_seconds
    while left := set(pids) & set(find_pids(argv)):
        if time.monotonic() > deadline:
            raise ProcessError(
                f"{' '.join(argv)} still runs as pid {min(left)}, {timeout_seconds:g} s after it was asked to end"
            )
        time.sleep(POLL_SECONDS)


def tail(path: pathlib.Path, position: int) -> str:
    """Return the last lines that were written behind `position`, for a message."""
    with path.open("rb") as file:
        file.seek(position)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-SHOWN_LOG_LINES:]) or f"it wrote nothing to {path}"


def apply(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the process into the wanted state and return what to report; in check mode only report it."""
    argv: list[str] = options["argv"]
    pid_file = pathlib.Path(options["pid_file"])
    digest = digest_of(options["watch_files"], options["release_dir"])
    pids = find_pids(argv)
    outdated = any(started_with(pid) != digest for pid in pids)
    state = options["state"]
    stops = bool(pids) and (state in ("stopped", "restarted") or (state == "current" and outdated))
    starts = state != "stopped" and (stops or not pids)
    result: dict[str, Any] = {"changed": stops or starts, "outdated": outdated and (check_mode or not stops)}
    if check_mode:
        return result
    if stops:
        stop(pids, argv, options["stop_timeout_seconds"])
    if starts:
        output_file = pathlib.Path(options["output_file"])
        result["pid"] = start(argv, pid_file, output_file, digest, options["start_timeout_seconds"])
    elif state != "stopped":
        result["pid"] = pids[0]
        wait_ready(pids[0], argv, pid_file, options["start_timeout_seconds"])
    return result


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str", "required": True},
            "state": {
                "type": "str",
                "choices": ["started", "current", "restarted", "stopped"],
                "default": "started",
            },
            "pid_file": {"type": "path", "required": True},
            "output_file": {"type": "path", "required": True},
            "watch_files": {"type": "list", "elements": "path", "default": []},
            "release_dir": {"type": "path"},
            "start_timeout_seconds": {"type": "float", "default": 60},
            "stop_timeout_seconds": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**apply(module.params, module.check_mode))
    except ProcessError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
