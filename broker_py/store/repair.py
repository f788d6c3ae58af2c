"""What becomes of the log after a write that failed: the torn place is made zeros, and room is waited for."""

import logging
from collections.abc import Callable

from broker_py.store.admission import Admission, is_full
from broker_py.store.commit_log import CommitLog
from broker_py.store.retention import Retention

_logger = logging.getLogger(__name__)


class LogRepair:
    """Keeps the `admission` true about the log. `flush` forces the log here and now, and raises StoreError."""

    def __init__(self, log: CommitLog, retention: Retention, admission: Admission, flush: Callable[[], None]) -> None:
        self._log = log
        self._retention = retention
        self._admission = admission
        self._flush = flush

    def require_log(self) -> None:
        """Repair what a write left that found no room; LogFull or StoreError when the log stays unwritable."""
        admission = self._admission
        if admission.broken is None and admission.log_full is not None:
            self._repair()
        admission.require_log()

    def _repair(self) -> None:
        """Make sure that there is room again, and that what the failed write left is zeros, durably."""
        if self._log.unclean:
            self._cut()
        if self._log.unclean:
            return
        try:
            self._log.probe_room()
        except OSError as error:
            if not is_full(error):
                self.failed_write(error)
            return
        self._flush()
        self._admission.log_full = None
        self._admission.judge()

    def _cut(self) -> None:
        """Make what a failed write left zeros: no CRC covers properties, so half a record may pass for a whole one."""
        try:
            self._log.cut(self._log.written)
        except OSError as error:
            _logger.error("what a failed write left at %d can't be cut: %s", self._log.written, error)

    def failed_write(self, error: OSError) -> None:
        """A disk without room may have some later. One that fails otherwise is not trusted with another write."""
        self._cut()
        if is_full(error):
            self._admission.log_full = f"there is no room for the log: {error}"
            self.measure()
        else:
            self._admission.breaks(f"the log could not be written, restart the broker: {error}")

    def measure(self) -> None:
        """Measure the disks, and judge anew."""
        try:
            self._retention.check_disks()
        except OSError as error:
            _logger.error("the disks can't be measured: %s", error)
        self._admission.judge()
