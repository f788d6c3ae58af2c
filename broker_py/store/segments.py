"""A run of bytes cut into files of one size (`store/MappedFileQueue`).

    <directory>/00000000000000000000  00000000000000001024  00000000000000002048 ...

A file is named by the offset of its first byte and has its full length from the start (sparse, zeros), whatever
was written. The first file may start at any multiple of the size.
"""

from typing import Final

from broker_py.errors import LogCorrupt, StoreError
from broker_py.seams import FileSystem
from broker_py.store.directories import make_directory
from broker_py.store.handles import Handles

_NAME_DIGITS: Final = 20


class Segments:
    """The files of one directory, read and written by offset.

    `dirty` has the paths with writes that were not forced, `dirty_directories` those with new or lost names; whoever
    forces them empties these. `first` is the offset of the first file, `end` the one behind the last. `has_gap` says
    that `load` found files behind a missing one.
    """

    def __init__(self, files: FileSystem, handles: Handles, directory: str, segment_size: int) -> None:
        self._files = files
        self._handles = handles
        self.directory = directory
        self.segment_size = segment_size
        self.first = 0
        self.end = 0
        self.has_gap = False
        self.dirty: set[str] = set()
        self.dirty_directories: set[str] = set()

    def path(self, start: int) -> str:
        """Path of the file that starts at `start`."""
        return f"{self.directory}/{start:020d}"

    def start_of(self, offset: int) -> int:
        """Start of the file that `offset` lies in."""
        return offset - offset % self.segment_size

    @property
    def empty(self) -> bool:
        """True when there is no file."""
        return self.first == self.end

    def load(self, *, after_crash: bool, durable_end: int = 0) -> None:
        """Look at the directory. StoreError for a file that can't be one of ours, as the store would lose its place.

        After a crash a file may be shorter than it should (it was made or cut, and its length not forced) and is
        extended with zeros; and files behind a missing one are removed, if they lie behind all that was forced. The
        names may be in memory only, so the directory counts as dirty.
        """
        starts = sorted(self._start_in(name) for name in self._file_names())
        kept = [start for i, start in enumerate(starts) if start == starts[0] + i * self.segment_size]
        self.has_gap = len(kept) < len(starts)
        if self.has_gap:
            missing, found = self.path(kept[-1] + self.segment_size), self.path(starts[len(kept)])
            if not after_crash or starts[len(kept)] < durable_end:
                raise LogCorrupt(f"{missing} is missing, but {found} is there: give it back, as from a slave or a copy")
            for start in reversed(starts[len(kept) :]):
                self._files.remove(self.path(start))
        if after_crash and kept:
            self.dirty_directories.add(self.directory)
        for start in kept:
            self._check_length(self.path(start), after_crash)
        if kept:
            self.first, self.end = kept[0], kept[-1] + self.segment_size

    def _file_names(self) -> list[str]:
        names = self._files.list_dir(self.directory)
        return [name for name in names if not self._files.is_dir(f"{self.directory}/{name}")]

    def _start_in(self, name: str) -> int:
        path = f"{self.directory}/{name}"
        if not (name.isascii() and name.isdecimal() and len(name) == _NAME_DIGITS):
            raise StoreError(f"{path} is no file of the store: move it away")
        start = int(name)
        if start % self.segment_size:
            raise StoreError(f"{path} does not start at a multiple of the configured file size {self.segment_size}")
        return start

    def _check_length(self, path: str, after_crash: bool) -> None:
        file = self._files.open(path)
        try:
            size = file.size()
            if size < self.segment_size and after_crash:
                file.truncate(self.segment_size)
                self.dirty.add(path)
            elif size != self.segment_size:
                raise StoreError(
                    f"{path} has {size} bytes, but the configured file size is {self.segment_size}: configure the size "
                    "that the files have; a file that was cut gets its length back, not its content, with truncate -s"
                )
        finally:
            file.close()

    def read(self, offset: int, size: int, *, in_memory: bool = False) -> bytes:
        """Return up to `size` bytes from `offset`, fewer when the files end before; see `Handles.read`."""
        if not self.first <= offset < self.end:
            return b""
        position = offset % self.segment_size
        path = self.path(offset - position)
        if position + size <= self.segment_size:
            return self._handles.read(path, size, position, in_memory=in_memory)
        head = self._handles.read(path, self.segment_size - position, position, in_memory=in_memory)
        return head + self.read(offset - position + self.segment_size, size - len(head), in_memory=in_memory)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write `data` at `offset`, making the files it needs. On OSError any part may have been written."""
        view = memoryview(data)
        while view:
            position = offset % self.segment_size
            part = view[: self.segment_size - position]
            path = self.path(offset - position)
            if not self.first <= offset < self.end:
                self._add(offset - position)
            self.dirty.add(path)
            self._handles.get(path).pwrite(part, position)
            offset += len(part)
            view = view[len(part) :]

    def _add(self, start: int) -> None:
        assert self.empty or start == self.end, f"{self.path(start)} would leave a gap behind {self.end}"
        self.dirty_directories |= make_directory(self._files, self.directory)
        path = self.path(start)
        self.dirty_directories.add(self.directory)
        self.dirty.add(path)
        file = self._handles.get(path, create=True)
        if self.empty:
            self.first = start
        self.end = (
            start + self.segment_size
        )  # even if the next step fails: the file is there, and `truncate` removes it
        file.truncate(self.segment_size)

    def truncate(self, offset: int) -> None:
        """Remove the files behind `offset` and make the rest of the one that holds it zeros.

        Zeros because a later recovery would take the old bytes for records. The cut is made by shortening and
        extending the file, which needs no space even on a full disk.
        """
        while self.end > self.first and self.end - self.segment_size >= max(offset, self.first):
            self._remove(self.end - self.segment_size)
            self.end -= self.segment_size
        if self.first < offset < self.end:
            path = self.path(self.end - self.segment_size)
            file = self._handles.get(path)
            self.dirty.add(path)
            file.truncate(offset % self.segment_size)
            file.truncate(self.segment_size)

    def remove_first(self) -> None:
        """Delete the first file, durably: a later one must not be gone after a crash when this one is back."""
        self._remove(self.first)
        self.first += self.segment_size
        self._files.sync_dir(self.directory)

    def _remove(self, start: int) -> None:
        path = self.path(start)
        self._handles.forget(path)
        self.dirty.discard(path)
        self.dirty_directories.add(self.directory)
        self._files.remove(path)
