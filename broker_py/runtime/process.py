"""Daemons as processes of the host: the pid file of this one, and finding the others.

A daemon is found by its command line in /proc, since it may run without a pid file:

    /path/python /path/bin/mqbroker -c broker.properties        the console script
    python3 -m broker_py.cli.mqbroker -c broker.properties      the module
"""

import os
import re
from collections.abc import Sequence
from typing import Final

from broker_py.errors import ConfigError

_PROC: Final = "/proc"
_PYTHON: Final = re.compile(r"(python|pypy)[0-9.]*")
_MODULES: Final = "broker_py.cli."
# Options of the interpreter whose value is the next argument.
_WITH_VALUE: Final = frozenset({"-W", "-X", "--check-hash-based-pycs"})
# Options of a daemon with which it prints something and ends.
_NO_DAEMON: Final = frozenset({"-h", "--help", "-p", "-m", "--check"})


class PidFile:
    """Says that this process is ready: `path` holds its pid from `write` to `remove`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self) -> None:
        """Write the file, whole or not at all; ConfigError when it can't be."""
        temporary = f"{self._path}.{os.getpid()}.tmp"
        try:
            os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
            with open(temporary, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
            os.replace(temporary, self._path)
        except OSError as error:
            raise ConfigError(f"pidFile: {self._path} can't be written: {error.strerror or error}") from None

    def remove(self) -> None:
        """Remove the file if it is ours: a successor may have written its own by now."""
        if read_pid(self._path) == os.getpid():
            os.remove(self._path)


def read_pid(path: str) -> int | None:
    """Return the pid in a pid file; None when there is no file or no pid in it."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(32).strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def find_daemons(command: str, proc: str = _PROC) -> list[int]:
    """Return the pids of the running daemons of a kind ("mqbroker"), lowest first.

    Only those of this user, unless it is root; processes that a daemon forked are left out.
    """
    pids = [int(name) for name in os.listdir(proc) if name.isdecimal()]
    found = {pid for pid in pids if _is_ours(pid, proc) and runs_daemon(_argv(pid, proc), command)}
    return sorted(pid for pid in found if _parent(pid, proc) not in found)


def runs_daemon(argv: Sequence[str], command: str) -> bool:
    """True when a command line is that of the daemon `command`, run by a Python interpreter."""
    if not argv or not _PYTHON.fullmatch(os.path.basename(argv[0])):
        return False
    index = 1
    while index < len(argv):
        argument = argv[index]
        if argument in ("-", "-c"):
            return False
        if not argument.startswith("-"):
            return os.path.basename(argument) == command and _NO_DAEMON.isdisjoint(argv[index + 1 :])
        if argument[1] != "-" and argument.endswith("m"):
            rest = argv[index + 1 :]
            return rest[:1] == [_MODULES + command] and _NO_DAEMON.isdisjoint(rest)
        index += 2 if argument in _WITH_VALUE else 1
    return False


def _is_ours(pid: int, proc: str) -> bool:
    user = os.geteuid()
    try:
        return pid != os.getpid() and (user == 0 or os.stat(f"{proc}/{pid}").st_uid == user)
    except OSError:
        return False


def _argv(pid: int, proc: str) -> list[str]:
    """Return a process's command line; empty when it has ended, as one that nobody has waited for."""
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            return [os.fsdecode(part) for part in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


def _parent(pid: int, proc: str) -> int:
    """Return the parent's pid: the second field behind the name in parentheses, which may hold blanks itself."""
    try:
        with open(f"{proc}/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0
