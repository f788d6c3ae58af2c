"""System calls of a running process that fail as if the disk did: strace(1), attached for a while."""

import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final

import pytest

_PATIENCE_SECONDS: Final = 20.0

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


class FailingCalls:
    """For a block, each of the `calls` (`fdatasync`, `rename,renameat2`) of a process fails with `error`.

    Nothing reaches the kernel, so what a real failure would drop stays in the page cache. The test is skipped where
    this user may not trace the process. `when` is strace's: `3+` lets each thread's first two calls through.
    """

    def __init__(self, pid: int, calls: str, directory: Path, error: str = "EIO", when: str = "1+") -> None:
        self._log = directory / f"strace-{calls.partition(',')[0]}"
        self._messages = directory / f"{self._log.name}.messages"
        inject = f"inject={calls}:error={error}:when={when}"
        self._argv = ["strace", "-f", "-o", str(self._log), "-e", f"trace={calls}", "-e", inject, "-p", str(pid)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "FailingCalls":
        with open(self._messages, "wb") as messages:
            self._process = subprocess.Popen(self._argv, stderr=messages)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while "attached" not in self._messages.read_text():
            if self._process.poll() is not None:
                pytest.skip(f"the process can't be traced: {self._messages.read_text().strip()}")
            assert time.monotonic() < deadline, self._messages.read_text()
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(_PATIENCE_SECONDS)

    @property
    def failed(self) -> int:
        """How many calls have failed so far."""
        return self._log.read_text().count("(INJECTED)")
