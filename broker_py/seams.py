"""What the pure half of the code base asks of the world: a clock and files.

`runtime` has the real ones, `tests/support` those that tests drive (a manual clock, files in memory that
can lose what was not synced).
"""

from typing import Protocol


class Clock(Protocol):
    """Time, in the two forms that are not interchangeable."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since the epoch. May jump."""

    def monotonic(self) -> float:
        """Seconds since some start. Never goes back."""


class File(Protocol):
    """One open file. Every method may raise OSError."""

    def pread(self, size: int, position: int) -> bytes:
        """Return up to `size` bytes from `position`; fewer at the end of the file."""

    def pread_cached(self, size: int, position: int) -> bytes | None:
        """As `pread`, without waiting for the disk: None unless all `size` bytes are in memory.

        OSError with EOPNOTSUPP where the file system can't tell.
        """

    def pwrite(self, data: bytes | bytearray | memoryview, position: int) -> None:
        """Write all of `data` at `position`; on OSError any part of it may have been written."""

    def truncate(self, size: int) -> None:
        """Cut or (sparsely) extend the file to `size` bytes."""

    def size(self) -> int:
        """Length in bytes."""

    def fdatasync(self) -> None:
        """Force data and length to disk. After an OSError what was dirty may be lost for good."""

    def close(self) -> None:
        """Release the file."""


class FileLock(Protocol):
    """An advisory lock that is held until `release` or the end of the process."""

    def release(self) -> None:
        """Give the lock up."""


class FileSystem(Protocol):
    """The operations on paths that the store and the metadata need. All may raise OSError."""

    def open(self, path: str, *, create: bool = False, write: bool = True, private: bool = False) -> File:
        """Open for reading, and for writing unless told not to.

        `create` makes a missing file, else it is FileNotFoundError; `private` makes it for this user alone.
        """

    def exists(self, path: str) -> bool:
        """True for a file or a directory."""

    def list_dir(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty when there is no such directory."""

    def is_dir(self, path: str) -> bool:
        """True for a directory."""

    def make_dirs(self, path: str) -> None:
        """Make a directory and its parents; existing ones are fine."""

    def remove(self, path: str) -> None:
        """Delete a file."""

    def remove_dir(self, path: str) -> None:
        """Delete an empty directory."""

    def rename(self, source: str, target: str) -> None:
        """Move a file over `target`, atomically."""

    def sync_dir(self, path: str) -> None:
        """Force the entries of a directory to disk."""

    def modified_ms(self, path: str) -> int:
        """Time of the last change of a file's content, milliseconds since the epoch."""

    def usage(self, path: str) -> tuple[int, int]:
        """(used, free for us) bytes of the file system that holds `path` or its nearest existing parent."""

    def lock(self, path: str) -> FileLock:
        """Take the process lock on byte 0 of `path`, made if missing; OSError when another process has it."""


def replace_file(files: FileSystem, path: str, data: bytes, *, private: bool = False) -> None:
    """Make `data` the content of `path`, durably: after a crash there is the old content or the new, whole.

    Written to `<path>.tmp`, forced, renamed, and the directory forced. OSError leaves the old content in place.
    What is `private` nobody but this user can read.
    """
    directory = path.rpartition("/")[0]
    temporary = path + ".tmp"
    if private and files.exists(temporary):
        files.remove(temporary)  # one that others can read stays so
    file = files.open(temporary, create=True, private=private)
    try:
        file.truncate(0)
        file.pwrite(data, 0)
        file.fdatasync()
    finally:
        file.close()
    files.rename(temporary, path)
    files.sync_dir(directory)


def read_file(files: FileSystem, path: str) -> bytes:
    """Return the whole content of `path`, which need not be writable; OSError when it can't be read."""
    file = files.open(path, write=False)
    try:
        return file.pread(file.size(), 0)
    finally:
        file.close()
