"""The files that the store holds open: a bounded number for reading, and those it still has to force.

Here is also decided what a read does about bytes that are not in memory, for one thread reads all files and must not
wait for a disk while there is something else to do.
"""

import errno
from enum import Enum

from broker_py.errors import BrokerPyError
from broker_py.seams import File, FileSystem


class NotCached(BrokerPyError):
    """These bytes of a file are not in memory, or may not be: have them read elsewhere, then ask again."""

    def __init__(self, path: str, position: int, size: int) -> None:
        super().__init__(f"{size} bytes of {path} at {position} are not in memory")
        self.path = path
        self.position = position
        self.size = size


class Patience(Enum):
    """What a read does about bytes that may not be in memory."""

    WAIT = "wait for the disk"
    NONE = "be NotCached, also where a file is not open yet"
    LITTLE = "be NotCached where the file system can tell, and read where it can't: they were read a moment ago"


class Handles:
    """Open files by path; the one that was used longest ago is closed when there are too many.

    A held file stays open until it is released: one whose dirty pages are not forced yet must keep the handle that
    wrote them, for that is where the system reports what went wrong.
    """

    def __init__(self, files: FileSystem, capacity: int) -> None:
        self._files = files
        self._capacity = capacity
        self._open: dict[str, File] = {}
        self._held: dict[str, File] = {}
        self.patience = Patience.WAIT

    def get(self, path: str, *, create: bool = False) -> File:
        """Return the open file. OSError when it can't be opened."""
        file = self._held.get(path)
        if file is not None:
            return file
        file = self._open.pop(path, None)
        if file is None:
            file = self._files.open(path, create=create)
        self._open[path] = file
        if len(self._open) > self._capacity:
            self._open.pop(next(iter(self._open))).close()
        return file

    def read(self, path: str, size: int, position: int, *, in_memory: bool) -> bytes:
        """Return up to `size` bytes of a file: as `patience` says, unless they are known to be `in_memory`.

        OSError; NotCached unless patience is to WAIT.
        """
        if in_memory or self.patience is Patience.WAIT:
            return self.get(path).pread(size, position)
        if self.patience is Patience.NONE and path not in self._held and path not in self._open:
            raise NotCached(path, position, size)
        file = self.get(path)
        try:
            data = file.pread_cached(size, position)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            data = file.pread(size, position) if self.patience is Patience.LITTLE else None
        if data is None:
            raise NotCached(path, position, size)
        return data

    def hold(self, path: str) -> File:
        """Return the open file and keep it open until `release`."""
        file = self._held.get(path)
        if file is None:
            file = self._held[path] = self.get(path)
            del self._open[path]
        return file

    def release(self, path: str) -> None:
        """Let a held file be closed when room is needed."""
        file = self._held.pop(path, None)
        if file is not None:
            self._open[path] = file

    def forget(self, path: str) -> None:
        """Close the file, if open, as it is about to be deleted."""
        file = self._held.pop(path, None) or self._open.pop(path, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        """Close all files."""
        for file in (*self._held.values(), *self._open.values()):
            file.close()
        self._held.clear()
        self._open.clear()
