"""What a run of mutations costs and leaves: how many there are, memory, and the time of the slowest.

`MUTATIONS` says how many there are of all kinds together, `MUTATIONS_SEED` where the random numbers begin.
"""

import gc
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TOTAL: Final = int(os.environ.get("MUTATIONS", "10000"))
SEED: Final = int(os.environ.get("MUTATIONS_SEED", "1"))
# Thousandths of all. An access file costs twenty times what a request does, as YAML is read by Python code.
SHARES: Final = {
    "frames": 200,
    "broker requests": 300,
    "name server requests": 150,
    "signed requests": 50,
    "replication": 100,
    "SQL expressions": 100,
    "address patterns": 30,
    "access files": 20,
    "sockets": 50,
}
assert sum(SHARES.values()) == 1000
MAX_GROWTH_KIB: Final = 32 * 1024
MAX_CPU_SECONDS: Final = 1.0
"""Of one mutation: so long, nobody else is served."""
MAX_REASON_CHARACTERS: Final = 1000


def resident_kib(pid: int | str = "self") -> int:
    """Memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def check_reason(error: Exception | None) -> None:
    """A refusal is a sentence, whatever it is about."""
    assert len(str(error)) < MAX_REASON_CHARACTERS, str(error)[:300]


class Complaints(logging.Handler):
    """Keeps what only a bug writes into a log: traces, lines that can't be formatted, and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            self.found.append(text + "\n" + "".join(traceback.format_exception(record.exc_info[1])))
        elif record.levelno >= logging.ERROR:
            self.found.append(text)


@contextmanager
def listening() -> Iterator[Complaints]:
    """Have all that this program logs looked at, and nothing printed."""
    logger = logging.getLogger("broker_py")
    complaints = Complaints()
    level, propagates = logger.level, logger.propagate
    logger.addHandler(complaints)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield complaints
    finally:
        logger.removeHandler(complaints)
        logger.setLevel(level)
        logger.propagate = propagates


class Meter:
    """Counts the mutations of one kind, and looks at memory after a tenth and at the end."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.count = max(20, TOTAL * SHARES[kind] // 1000)
        self.slowest = 0.0
        self._slowest_of = b""
        self._began = time.process_time()
        self._early = 0

    def each(self) -> Iterator[int]:
        """Give the number of each mutation; after the last, AssertionError when memory has grown."""
        for number in range(self.count):
            if number == self.count // 10:
                gc.collect()
                self._early = resident_kib()
            yield number
        gc.collect()
        self._end(resident_kib())

    @contextmanager
    def timed(self, what: bytes) -> Iterator[None]:
        """Measure one."""
        began = time.thread_time()
        yield
        seconds = time.thread_time() - began
        if seconds > self.slowest:
            self.slowest, self._slowest_of = seconds, what

    def _end(self, late: int) -> None:
        seconds = time.process_time() - self._began
        sys.stdout.write(
            f"{self.count} {self.kind}: {seconds:.0f} s, slowest {self.slowest * 1000:.0f} ms; "
            f"resident KiB {self._early} after a tenth, {late} at the end\n"
        )
        assert late - self._early < MAX_GROWTH_KIB, f"{self.kind}: memory grows from {self._early} KiB to {late}"
        assert self.slowest < MAX_CPU_SECONDS, f"{self.slowest:.2f} s for {self._slowest_of[:300]!r}"
