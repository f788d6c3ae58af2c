"""The disk, through file descriptors: no mapping, so that a full or failing disk is an OSError and not a signal."""

import fcntl
import os
import shutil
from typing import Final

from broker_py.seams import File, FileLock

_FILE_MODE: Final = 0o644
_PRIVATE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o755


class DiskFile:
    """One open file, the real `seams.File`."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def pread(self, size: int, position: int) -> bytes:
        """Return up to `size` bytes from `position`; fewer only at the end of the file."""
        data = os.pread(self._fd, size, position)
        if len(data) in {size, 0}:
            return data
        parts = [data]
        got = len(data)
        while got < size and (data := os.pread(self._fd, size - got, position + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    def pread_cached(self, size: int, position: int) -> bytes | None:
        """Return `size` bytes from `position` if the page cache has them; EOPNOTSUPP where it can't be asked."""
        buffer = bytearray(size)
        try:
            got = os.preadv(self._fd, [buffer], position, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        return bytes(buffer) if got == size else None

    def pwrite(self, data: bytes | bytearray | memoryview, position: int) -> None:
        """Write all of `data` at `position`."""
        written = os.pwrite(self._fd, data, position)
        while written < len(data):
            written += os.pwrite(self._fd, memoryview(data)[written:], position + written)

    def truncate(self, size: int) -> None:
        """Cut or sparsely extend the file."""
        os.ftruncate(self._fd, size)

    def size(self) -> int:
        """Length in bytes."""
        return os.fstat(self._fd).st_size

    def fdatasync(self) -> None:
        """Force data and length to disk."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class DiskLock:
    """A lock of this process on a file."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Give the lock up; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class DiskFiles:
    """The real `seams.FileSystem`."""

    def open(self, path: str, *, create: bool = False, write: bool = True, private: bool = False) -> File:
        """Open for reading, and for writing unless told not to."""
        flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        return DiskFile(os.open(path, flags, _PRIVATE_MODE if private else _FILE_MODE))

    def exists(self, path: str) -> bool:
        """True for a file or a directory."""
        return os.path.exists(path)

    def list_dir(self, path: str) -> list[str]:
        """Names in a directory, sorted; none when there is no such directory."""
        try:
            return sorted(os.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def is_dir(self, path: str) -> bool:
        """True for a directory."""
        return os.path.isdir(path)

    def make_dirs(self, path: str) -> None:
        """Make a directory and its parents."""
        os.makedirs(path, _DIRECTORY_MODE, exist_ok=True)

    def remove(self, path: str) -> None:
        """Delete a file."""
        os.unlink(path)

    def remove_dir(self, path: str) -> None:
        """Delete an empty directory."""
        os.rmdir(path)

    def rename(self, source: str, target: str) -> None:
        """Move a file over `target`."""
        os.rename(source, target)

    def sync_dir(self, path: str) -> None:
        """Force the entries of a directory."""
        fd = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def modified_ms(self, path: str) -> int:
        """Time of the last change of a file's content."""
        return os.stat(path).st_mtime_ns // 1_000_000

    def usage(self, path: str) -> tuple[int, int]:
        """(used, free for us) bytes of the file system of `path` or its nearest existing parent."""
        while path and not os.path.exists(path):
            path = os.path.dirname(path) if path != os.path.dirname(path) else ""
        used = shutil.disk_usage(path or "/")
        return used.used, used.free

    def lock(self, path: str) -> FileLock:
        """Take the POSIX record lock on byte 0, the one that Java's `FileChannel.tryLock(0, 1, false)` takes."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
        except OSError:
            os.close(fd)
            raise
        return DiskLock(fd)
