"""Whether the store takes messages, and why not: what is over by itself, and what only a restart makes good."""

import errno
from collections.abc import Callable
from typing import Final

from broker_py.errors import LogFull, StoreError
from broker_py.store.retention import Retention

_DISK_FULL_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """True when a write failed for want of room alone: it may work later."""
    return error.errno in _DISK_FULL_ERRORS


class Admission:
    """The reasons against taking messages; `writable` is True without any.

    `closed`: the store is not open. `broken`: a disk did not take what it was given, and only a restart, with its
    recovery, helps. `log_full`: a write to the log found no room. Beside these the consume queues may be unwritable,
    and `retention` find a disk too full. `on_fault` is called when `fault` changes: as soon as messages are refused,
    for another reason, or taken again.
    """

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._queue_fault: str | None = None
        self._queues_full = False
        self._told: str | None = None
        self.closed: str | None = "the store is not open"
        self.broken: str | None = None
        self.log_full: str | None = None
        self.on_fault: Callable[[], None] = lambda: None
        self.writable = False

    @property
    def fault(self) -> str | None:
        """Why messages are refused, or None when they are not."""
        return self._log_fault or self._queue_fault or self._retention.disk_full

    @property
    def _log_fault(self) -> str | None:
        return self.closed or self.broken or self.log_full

    @property
    def queue_fault(self) -> str | None:
        """Why the consume queues can't be written."""
        return self._queue_fault

    @property
    def queues_full(self) -> bool:
        """True when that is for want of room alone."""
        return self._queues_full

    @property
    def full(self) -> bool:
        """True when messages are refused for want of room alone; they are taken again once there is some."""
        no_room = self.log_full is not None or self._queues_full or self._retention.disk_full is not None
        return no_room and self.closed is None and self.broken is None

    def judge(self) -> None:
        """Tell who listens if the reasons have changed; called whenever one of them may have."""
        fault = self.fault
        self.writable = fault is None
        if fault != self._told:
            self._told = fault
            self.on_fault()

    def breaks(self, reason: str) -> None:
        """Refuse messages until a restart; the first reason counts."""
        self.broken = self.broken or reason
        self.judge()

    def queues_written(self, error: OSError | None) -> None:
        """Take note of how writing the consume queues went."""
        self._queue_fault = None if error is None else f"the consume queues can't be written: {error}"
        self._queues_full = error is not None and is_full(error)
        self.judge()

    def refusal(self) -> StoreError:
        """Return what a sender is told."""
        fault = self.fault or ""
        if not self.full:
            return StoreError(fault)
        return LogFull(f"the broker's disk is full [{self._retention.disk_ratios}]: {fault}")

    def require_log(self) -> None:
        """LogFull or StoreError when the log itself takes nothing, whatever its queues and disks are like."""
        if self._log_fault is not None:
            raise self.refusal()

    def require(self) -> None:
        """LogFull or StoreError when messages are refused."""
        if self.fault is not None:
            raise self.refusal()
