"""The files that the store holds open: a bounded number for reading, and those it still has to force."""

from broker_py.seams import File, FileSystem


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
