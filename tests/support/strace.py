"""System calls of a running process that fail as if the disk did: strace(1), attached for a while."""

import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import pytest

_PATIENCE_SECONDS: Final = 20.0
_Self = TypeVar("_Self", bound="TracedCalls")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


class TracedCalls:
    """The `calls` (`fdatasync`, `rename,renameat2`) that a process makes during a block; afterwards they are all known.

    The test is skipped where this user may not trace the process. `options` are further ones of strace.
    """

    def __init__(self, pid: int, calls: str, directory: Path, *options: str) -> None:
        self._log = directory / f"strace-{calls.partition(',')[0]}"
        self._messages = directory / f"{self._log.name}.messages"
        self._argv = ["strace", "-f", "-o", str(self._log), "-e", f"trace={calls}", *options, "-p", str(pid)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self: _Self) -> _Self:
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

    def by_threads(self) -> dict[int, list[str]]:
        """The calls by the id of the thread that made them, as strace prints them."""
        found: dict[int, list[str]] = {}
        for line in self._log.read_text().splitlines():
            thread, _, call = line.partition(" ")
            found.setdefault(int(thread), []).append(call.strip())
        return found


class FailingCalls(TracedCalls):
    """For a block, each of the `calls` of a process fails with `error`.

    Nothing reaches the kernel, so what a real failure would drop stays in the page cache. `when` is strace's: `3+` lets
    each thread's first two calls through.
    """

    def __init__(self, pid: int, calls: str, directory: Path, error: str = "EIO", when: str = "1+") -> None:
        super().__init__(pid, calls, directory, "-e", f"inject={calls}:error={error}:when={when}")

    @property
    def failed(self) -> int:
        """How many calls have failed so far."""
        return self._log.read_text().count("(INJECTED)")
