"""Which process has a port, and which a lock."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from broker_py.runtime.holdings import listens, lock_holder

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX, 1, 0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_process_listens_on_its_own_ports_only(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as own:
        try:
            own.bind((address, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port: int = own.getsockname()[1]
        assert not listens(os.getpid(), port), "bound, but not listening"
        own.listen()
        assert listens(os.getpid(), port)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            assert not listens(other.pid, port)
            other.communicate(b"\n")
        assert not listens(other.pid, port), "a process that is gone"


def test_who_has_a_lock_is_known_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock_holder(str(path)) is None, "there is no file"
    argv = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        assert lock_holder(str(path)) == holder.pid
        holder.communicate()
    assert lock_holder(str(path)) is None
    with open(path, "w", encoding="ascii") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
