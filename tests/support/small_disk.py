"""A disk of a few MiB for one daemon: a tmpfs that only its process sees, and that ends with it."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.cluster import Daemon

_UNSHARE: Final = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
_MOUNT_AND_RUN: Final = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"'


@cache
def _why_not(directory: Path) -> str | None:
    if shutil.which("unshare") is None:
        return "unshare is not installed"
    argv = [*_UNSHARE, "sh", "-c", _MOUNT_AND_RUN, "sh", "1m", str(directory), "true"]
    tried = subprocess.run(argv, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"a tmpfs can't be mounted here: {tried.stderr.strip()}"


class SmallDisk:
    """The disk of a daemon's store, of `size` bytes; the test is skipped where that can't be mounted."""

    def __init__(self, daemon: Daemon, size: int) -> None:
        self._daemon = daemon
        daemon.store.mkdir()
        reason = _why_not(daemon.directory)
        if reason is not None:
            pytest.skip(reason)
        daemon.wrapper = [*_UNSHARE, "sh", "-c", _MOUNT_AND_RUN, "sh", str(size), str(daemon.store)]

    @property
    def path(self) -> Path:
        """Where we see the disk while the daemon runs."""
        assert self._daemon.process is not None
        return Path(f"/proc/{self._daemon.process.pid}/root{self._daemon.store}")

    @property
    def used_percent(self) -> float:
        """How full it is."""
        disk = os.statvfs(self.path)
        return 100 * (disk.f_blocks - disk.f_bfree) / disk.f_blocks

    def fill(self, percent: float) -> None:
        """Make it so full by a file of ours, which is there already if need be."""
        ballast = self.path / "ballast"
        ballast.unlink(missing_ok=True)
        disk = os.statvfs(self.path)
        missing = int(disk.f_blocks * percent / 100) - (disk.f_blocks - disk.f_bfree)
        if missing > 0:
            ballast.write_bytes(bytes(missing * disk.f_frsize))

    def free(self) -> None:
        """Take our file away."""
        (self.path / "ballast").unlink()
