"""Who has the store: one process at a time, and it leaves a file behind that says whether it has left in order."""

from broker_py.errors import StoreError
from broker_py.seams import FileLock, FileSystem
from broker_py.store.config import StoreConfig


class Tenancy:
    """The lock and the `abort` file, which is there while a process has the store, and after one that crashed."""

    def __init__(self, config: StoreConfig, files: FileSystem, process_id: int) -> None:
        self._lock_path = config.lock_path
        self._abort_path = config.abort_path
        self._files = files
        self._process_id = process_id
        self._lock: FileLock | None = None

    @property
    def held(self) -> bool:
        """True from `begin` to `end`."""
        return self._lock is not None

    def begin(self) -> bool:
        """Take the lock; True when the process before crashed. StoreError when another has it, OSError."""
        try:
            self._lock = self._files.lock(self._lock_path)
        except OSError as error:
            raise StoreError(f"{self._lock_path} is locked by another process: {error}") from error
        return self._files.exists(self._abort_path)

    def write_abort(self) -> None:
        """From here on the end of the process is a crash. OSError."""
        file = self._files.open(self._abort_path, create=True)
        try:
            file.pwrite(str(self._process_id).encode(), 0)
            file.fdatasync()
        finally:
            file.close()
        self._sync()

    def remove_abort(self) -> None:
        """All is on disk: the end of the process is none. OSError."""
        self._files.remove(self._abort_path)
        self._sync()

    def _sync(self) -> None:
        self._files.sync_dir(self._abort_path.rpartition("/")[0])

    def end(self) -> None:
        """Let another process have the store."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
