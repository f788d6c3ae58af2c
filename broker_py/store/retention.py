"""Which log files to delete, and when a disk is too full to write on (`DefaultMessageStore.CleanCommitLogService`)."""

import logging
from datetime import datetime
from typing import Final

from broker_py.seams import FileSystem
from broker_py.store.commit_log import CommitLog
from broker_py.store.config import StoreConfig

_HOUR_MS: Final = 3_600_000
_logger = logging.getLogger(__name__)


def used_percent(files: FileSystem, path: str) -> int:
    """Return how full the disk of `path` is for us, as `df` rounds it: up. OSError."""
    used, usable = files.usage(path)
    total = used + usable
    return -(-used * 100 // total) if total > 0 else 0


def is_hour_to_delete(delete_when: str, now_ms: int) -> bool:
    """True all through the local hours that `delete_when` lists: `04` or `04;16`."""
    hours = {int(hour) for hour in delete_when.split(";") if hour.strip().isdecimal()}
    return datetime.fromtimestamp(now_ms / 1000).hour in hours


class Retention:
    """Deletes the log's oldest files, at most one a step; `disk_full` says why writes are to be refused, if so.

    `held` is True when the last step kept a file that is due since no checkpoint vouches for its queues yet.
    """

    def __init__(self, config: StoreConfig, files: FileSystem, log: CommitLog) -> None:
        self.config = config
        self._files = files
        self._log = log
        self._left_in_run = 0
        self._forced_runs = 0
        self.held = False
        self.disk_full: str | None = None
        self.log_disk_percent = 0
        self.queue_disk_percent = 0
        self.index_disk_percent = 0

    @property
    def disk_ratios(self) -> str:
        """How full the disks of log, queues and index were when last measured, 1 being full, as Java's replies say it.

        Source: broker processor/SendMessageProcessor.diskUtil.
        """
        percents = (self.log_disk_percent, self.queue_disk_percent, self.index_disk_percent)
        return "CL: {:5.2f} CQ: {:5.2f} INDEX: {:5.2f}".format(*(percent / 100 for percent in percents))

    def delete_soon(self, runs: int) -> None:
        """Delete expired files in the next runs, whatever the hour and the disks (the manual trigger)."""
        self._forced_runs = runs

    def step(self, now_ms: int, safe_end: int, copied_end: int) -> int:
        """Delete a file if one is due; return the milliseconds until the next step.

        Files that end behind `safe_end`, or are not durable, are kept, and so is the last. Those that a slave has still
        to copy, behind `copied_end`, are kept until room has to be made. OSError.
        """
        if self._left_in_run == 0:
            self._left_in_run = self.config.delete_file_batch_max
        deleted = self._delete_one(now_ms, safe_end, copied_end)
        self._left_in_run = self._left_in_run - 1 if deleted else 0
        if self._left_in_run > 0:
            return self.config.delete_commit_log_files_interval
        self._forced_runs = max(0, self._forced_runs - 1)
        return self.config.clean_resource_interval

    def _delete_one(self, now_ms: int, safe_end: int, copied_end: int) -> bool:
        at_once = self.check_disks()
        log, config = self._log, self.config
        end = log.segment_end(log.min_offset)
        self.held = False
        if log.empty or end > min(log.settled_end, log.segment_start(log.written)):
            return False
        due = (
            is_hour_to_delete(config.delete_when, now_ms)
            or self._forced_runs > 0
            or max(self.log_disk_percent, self.queue_disk_percent) > config.disk_max_used_space_ratio
        )
        expired = log.modified_ms(log.min_offset) + config.file_reserved_time * _HOUR_MS <= now_ms
        forced = at_once and config.clean_file_forcibly_enable
        if not forced and not (due and expired and end <= copied_end):
            return False
        if end > safe_end:
            self.held = True
            return False
        if end > copied_end:
            _logger.warning(
                "the log's file at %d is deleted to make room, though a slave that is connected has to copy from %d on",
                log.min_offset,
                copied_end,
            )
        log.remove_first()
        return True

    def check_disks(self) -> bool:
        """Measure the disks; return True when files are to be deleted before their time. OSError."""
        config = self.config
        self.log_disk_percent = used_percent(self._files, config.commit_log_directory)
        self.queue_disk_percent = used_percent(self._files, config.consume_queue_directory)
        self.index_disk_percent = used_percent(self._files, config.index_directory)
        path, percent = config.commit_log_directory, self.log_disk_percent
        if self.queue_disk_percent > percent:
            path, percent = config.consume_queue_directory, self.queue_disk_percent
        if percent > config.disk_space_warning_level_ratio:
            # Told once: each further percent would be another reason, to be logged and registered.
            self.disk_full = self.disk_full or (
                f"the disk of {path} is {percent} % full, more than the {config.disk_space_warning_level_ratio} % of "
                "diskSpaceWarningLevelRatio"
            )
        elif percent <= config.disk_space_clean_forcibly_ratio:
            self.disk_full = None
        return percent > config.disk_space_clean_forcibly_ratio
