"""What the service manager is told of this daemon: the datagrams of sd_notify(3), nothing where none asks for them.

READY=1  STATUS=...         it serves
EXTEND_TIMEOUT_USEC=...     it is still at it, even if the unit's time limit is over
WATCHDOG=1                  its loop turns
STOPPING=1                  it ends
"""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from broker_py.seams import Clock

log = logging.getLogger(__name__)

_SEND_SECONDS: Final = 1.0
_PROGRESS_EVERY_SECONDS: Final = 2.0
# The next step, as forcing a large file, may take so long before it is taken for hung.
_PATIENCE_SECONDS: Final = 120
_STOPPING_EVERY_SECONDS: Final = 5.0
# A flush of all that memory can hold ends before this on any disk; a stop that hangs must end some time.
_LONGEST_STOP_SECONDS: Final = 1800


class ServiceManager:
    """The other end of `$NOTIFY_SOCKET` in `environment`. Each method returns soon, whether anybody listens or not."""

    def __init__(self, environment: Mapping[str, str], clock: Clock) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # @ in front: an abstract socket, which has a zero byte there and is no file.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_seconds = _watchdog_seconds(environment) if address else 0.0
        self._clock = clock
        self._next_progress = 0.0
        self._status = ""
        self._fault: str | None = None
        self._unreachable = False

    def tell(self, *assignments: str) -> None:
        """Send `NAME=value` assignments in one datagram. A manager that takes none is logged once and left alone."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_SEND_SECONDS)
                sender.sendto("\n".join(assignments).encode(errors="replace"), self._address)
        except OSError as error:
            if not self._unreachable:
                log.warning("the service manager at %s can't be told: %s", self._address.replace("\0", "@"), error)
            self._unreachable = True
        else:
            self._unreachable = False

    def ready(self, status: str) -> None:
        """The daemon serves."""
        self._status = status
        self.tell("READY=1", self._status_line())

    def status(self, status: str) -> None:
        """What the daemon is, or does, in a line for people and tools."""
        self._status = status
        self.tell(self._status_line())

    def fault(self, fault: str | None) -> None:
        """What keeps the daemon from all it should do, which its status begins with; None when that is over."""
        self._fault = fault
        if self._status:
            self.tell(self._status_line())

    def _status_line(self) -> str:
        if self._fault is None:
            return f"STATUS={self._status}"
        return f"STATUS={' '.join(self._fault.split())}; {self._status}"

    def progress(self, status: str) -> None:
        """A long start gets on: ask for more time. Call it as often as you like."""
        now = self._clock.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + _PROGRESS_EVERY_SECONDS
            self.tell(_patience(_PATIENCE_SECONDS), f"STATUS={status}")

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Within it the daemon ends. More time is asked for all along, by a thread: a flush may hold up the loop."""
        self.tell("STOPPING=1", "STATUS=stopping: answering what waits, flushing what is stored")
        if not self._address:
            yield
            return
        ended = Event()
        thread = Thread(target=self._ask_for_time, args=(ended,), name="notify", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _ask_for_time(self, ended: Event) -> None:
        until = self._clock.monotonic() + _LONGEST_STOP_SECONDS
        while self._clock.monotonic() < until:
            self.tell(_patience(_PATIENCE_SECONDS))
            if ended.wait(_STOPPING_EVERY_SECONDS):
                return

    async def watch(self) -> None:
        """Say that the loop turns, twice as often as the manager wants to hear it, until cancelled."""
        while self._watchdog_seconds:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 2)


def _patience(seconds: int) -> str:
    return f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}"


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Return how often the manager wants to hear of this process; 0 when it does not."""
    period, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not period.isdecimal() or pid not in ("", str(os.getpid())):
        return 0.0
    return int(period) / 1_000_000
