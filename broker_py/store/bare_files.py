"""The files of a log or a queue, opened to be read and for nothing else: what inspections look at.

A store may be in use meanwhile, lie on a read-only disk, or belong to a Java broker. So nothing is made, extended or
locked, and the file size is that of the files there are.
"""

from collections import Counter
from typing import Final

from broker_py.seams import File, FileSystem

_NAME_DIGITS: Final = 20


class BareHandles:
    """A bounded number of files, open for reading."""

    def __init__(self, files: FileSystem, capacity: int = 64) -> None:
        self._files = files
        self._capacity = capacity
        self._open: dict[str, File] = {}

    def get(self, path: str) -> File:
        """Return the open file. OSError when it can't be opened."""
        file = self._open.pop(path, None)
        if file is None:
            file = self._files.open(path, write=False)
        self._open[path] = file
        if len(self._open) > self._capacity:
            self._open.pop(next(iter(self._open))).close()
        return file

    def close(self) -> None:
        """Close all files."""
        for file in self._open.values():
            file.close()
        self._open.clear()


class BareFiles:
    """Files named by the offset of their first byte, read by offset; a hole reads as nothing.

    `starts` are those there are, `segment_size` the length of most of them, `sizes` each one's, `strange` the names
    that are none of theirs.
    """

    def __init__(self, files: FileSystem, handles: BareHandles, directory: str) -> None:
        self._handles = handles
        self.directory = directory
        self.sizes: dict[int, int] = {}
        self.strange: list[str] = []
        for name in files.list_dir(directory):
            path = f"{directory}/{name}"
            if files.is_dir(path):
                continue
            if name.isascii() and name.isdecimal() and len(name) == _NAME_DIGITS:
                file = files.open(path, write=False)
                self.sizes[int(name)] = file.size()
                file.close()
            else:
                self.strange.append(name)
        self.starts = sorted(self.sizes)
        self.segment_size = self._common_size()

    def _common_size(self) -> int:
        """The length of most files of which all starts are multiples; the least distance of two is one, too."""
        counts = Counter(size for size in self.sizes.values() if size > 0)
        for before, after in zip(self.starts, self.starts[1:], strict=False):
            counts[after - before] += 1
        fitting = [size for size in counts if all(start % size == 0 for start in self.starts)]
        return max(fitting, key=lambda size: (counts[size], size), default=0)

    @property
    def first(self) -> int:
        """Offset of the first byte."""
        return self.starts[0] if self.starts else 0

    @property
    def end(self) -> int:
        """Offset behind the last file."""
        return self.starts[-1] + self.segment_size if self.starts else 0

    def path(self, start: int) -> str:
        """Path of the file that starts at `start`."""
        return f"{self.directory}/{start:020d}"

    def gaps(self) -> list[tuple[int, int]]:
        """Return (start, end) of what is missing between files."""
        size = self.segment_size
        pairs = zip(self.starts, self.starts[1:], strict=False)
        return [(before + size, after) for before, after in pairs if before + size < after]

    def wrong_sizes(self) -> list[tuple[str, int]]:
        """Return (path, length) of the files that are longer or shorter than the others."""
        return [(self.path(start), size) for start, size in self.sizes.items() if size != self.segment_size]

    def segment_start(self, offset: int) -> int:
        """Start of the file that `offset` lies in."""
        return offset - offset % self.segment_size

    def segment_end(self, offset: int) -> int:
        """End of the file that `offset` lies in."""
        return offset - offset % self.segment_size + self.segment_size

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes, never beyond the end of the file that `offset` lies in. OSError."""
        start = self.segment_start(offset) if self.segment_size else 0
        if start not in self.sizes:
            return b""
        try:
            file = self._handles.get(self.path(start))
        except FileNotFoundError:  # deleted meanwhile: it has expired
            return b""
        return file.pread(min(size, start + self.segment_size - offset), offset - start)
