"""How far timed messages are enqueued and delivered (store timer/TimerCheckpoint).

config/timercheck, 4096 bytes   next tick to deliver, in ms i64 | end of the timer log i64 | next queue offset to
                                enqueue i64 | the same of the master i64 | version: i64, ms i64, counter i64
"""

from dataclasses import dataclass, replace
from struct import Struct
from typing import Final

from broker_py.errors import StoreError
from broker_py.seams import FileSystem, read_file, replace_file
from broker_py.store.directories import make_durable_directory
from broker_py.store.timer_wheel import FILE_BYTES

CHECKPOINT_FILE_BYTES: Final = 4096
_CHECKPOINT: Final = Struct(">7q")


@dataclass(frozen=True)
class TimerCheckpoint:
    """What `timercheck` says."""

    read_ms: int = 0
    log_end: int = 0
    queue_offset: int = 0
    master_queue_offset: int = 0
    state_version: int = 0
    version_ms: int = 0
    version_counter: int = 0

    def encode(self) -> bytes:
        """Return the bytes, as the file begins and as request 60 is answered."""
        return _CHECKPOINT.pack(
            self.read_ms,
            self.log_end,
            self.queue_offset,
            self.master_queue_offset,
            self.state_version,
            self.version_ms,
            self.version_counter,
        )

    def changed(self, now_ms: int) -> "TimerCheckpoint":
        """Return it with the next version."""
        return replace(self, version_ms=now_ms, version_counter=self.version_counter + 1)


def decode_checkpoint(data: bytes) -> TimerCheckpoint:
    """Return the checkpoint of a file's or an answer's bytes; StoreError when there are too few."""
    if len(data) < _CHECKPOINT.size:
        raise StoreError(f"a timer's checkpoint has {_CHECKPOINT.size} bytes, not {len(data)}")
    return TimerCheckpoint(*_CHECKPOINT.unpack_from(data))


def read_timer_checkpoint(files: FileSystem, path: str) -> TimerCheckpoint | None:
    """Return what the file says, None without one. StoreError, OSError."""
    try:
        return decode_checkpoint(read_file(files, path))
    except FileNotFoundError:
        return None


class TimerWork:
    """A snapshot: forces the units, then the slots, then says so. `run` it anywhere."""

    def __init__(
        self,
        files: FileSystem,
        dirty: tuple[set[str], set[str]],
        wheel_path: str,
        slots: list[tuple[int, bytes]],
        checkpoint_path: str,
        checkpoint: TimerCheckpoint,
    ) -> None:
        self._files = files
        self.dirty = dirty
        self._wheel_path = wheel_path
        self._slots = sorted(slots)
        self._checkpoint_path = checkpoint_path
        self.checkpoint = checkpoint

    def run(self) -> None:
        """Do it. OSError."""
        paths, directories = self.dirty
        for path in sorted(paths):
            file = self._files.open(path)
            try:
                file.fdatasync()
            finally:
                file.close()
        for directory in sorted(directories):
            self._files.sync_dir(directory)
        if self._slots:
            self._write_slots()
        data = self.checkpoint.encode().ljust(CHECKPOINT_FILE_BYTES, b"\0")
        make_durable_directory(self._files, self._checkpoint_path.rpartition("/")[0])
        replace_file(self._files, self._checkpoint_path, data)

    def _write_slots(self) -> None:
        new = not self._files.exists(self._wheel_path)
        file = self._files.open(self._wheel_path, create=True)
        try:
            if file.size() != FILE_BYTES:
                file.truncate(FILE_BYTES)
            for position, data in self._slots:
                file.pwrite(data, position)
            file.fdatasync()
        finally:
            file.close()
        if new:
            self._files.sync_dir(self._wheel_path.rpartition("/")[0])
