"""A file system in memory that can lose what was not synced, run full and fail.

What is on disk and what programs see are kept apart. A file has its durable bytes and the operations since the last
`fdatasync`; a directory has its durable names and the changes since the last `sync_dir`. `crash` decides for each
operation whether it got to disk, and returns the file system that the next start would find. Every operation that
changes something counts as one `step`, before which `on_step` may take a crash image.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

SECTOR = 512
PAGE = 4096


@dataclass(slots=True)
class _Inode:
    """One file or directory: what programs see, what is on disk, and what lies between."""

    directory: bool
    data: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)
    names: "dict[str, _Inode]" = field(default_factory=dict)
    durable_names: "dict[str, _Inode]" = field(default_factory=dict)
    name_changes: "list[dict[str, _Inode | None]]" = field(default_factory=list)
    modified_ms: int = 0
    locked: bool = False
    cold: set[int] = field(default_factory=set)


@dataclass(slots=True)
class CrashPolicy:
    """Chances of what was not synced to be on disk all the same.

    `keep_change`: all operations on a sector; `tear`: if not all, some. `in_order`: the operations of a file, the last
    one perhaps in part, and not each sector for itself.
    """

    keep_change: float = 0.5
    tear: float = 0.5
    keep_names: float = 0.5
    in_order: bool = False


NOTHING_KEPT = CrashPolicy(0.0, 0.0, 0.0)
EVERYTHING_KEPT = CrashPolicy(1.0, 0.0, 1.0)


class MemoryFile:
    """`seams.File`."""

    def __init__(self, files: "MemoryFiles", inode: _Inode, path: str) -> None:
        self._files = files
        self._inode = inode
        self._path = path
        self.closed = False

    def _usable(self) -> _Inode:
        if self.closed:
            raise OSError(errno.EBADF, "the file is closed", self._path)
        return self._inode

    def pread(self, size: int, position: int) -> bytes:
        """Return up to `size` bytes from `position`, which are warm from then on."""
        inode = self._usable()
        if inode.cold:
            inode.cold.difference_update(_pages(position, size))
        return bytes(inode.data[position : position + size])

    def pread_cached(self, size: int, position: int) -> bytes | None:
        """Return `size` bytes, unless some are cold or the test wants no answer."""
        inode = self._usable()
        if self._files.can_not_tell:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported", self._path)
        if any(page in inode.cold for page in _pages(position, size)):
            return None
        data = inode.data[position : position + size]
        return bytes(data) if len(data) == size else None

    def pwrite(self, data: bytes | bytearray | memoryview, position: int) -> None:
        """Write all of `data`, or some sectors of it and fail as the test wants."""
        inode = self._usable()
        self._files._step(f"pwrite {self._path} {position}+{len(data)}")
        room, error = self._files._allowed(len(data))
        if error is not None:
            room = max(0, room - (position + room) % SECTOR)  # whole blocks are written, or nothing of one
        self._files._change(inode, position, bytes(data[:room]))
        if error is not None:
            raise error

    def truncate(self, size: int) -> None:
        """Cut or extend with zeros."""
        inode = self._usable()
        self._files._step(f"truncate {self._path} {size}")
        self._files._change(inode, size, None)

    def size(self) -> int:
        """Length in bytes."""
        return len(self._usable().data)

    def fdatasync(self) -> None:
        """Make what was written durable, or fail as the test wants: then it stays off the disk for good."""
        inode = self._usable()
        self._files._step(f"fdatasync {self._path}")
        self._files._sync(inode)

    def close(self) -> None:
        """Make later calls fail."""
        self.closed = True


class MemoryLock:
    """`seams.FileLock`."""

    def __init__(self, inode: _Inode) -> None:
        self._inode = inode

    def release(self) -> None:
        """Give the lock up."""
        self._inode.locked = False


class MemoryFiles:
    """`seams.FileSystem`.

    `fail_after_bytes`: so many more bytes can be written, then writes fail with ENOSPC, the last one in part.
    `fail_sync_number`: the n-th fdatasync from now fails with EIO. `fail_writes`: every write fails with this errno.
    `can_not_tell`: what is in memory, like some file systems.
    """

    def __init__(self) -> None:
        self._root = _Inode(directory=True)
        self.steps = 0
        self.on_step: Callable[[str], None] | None = None
        self.fail_after_bytes: int | None = None
        self.fail_sync_number: int | None = None
        self.fail_writes: int | None = None
        self.now_ms = 1_700_000_000_000
        self.used_bytes = 10
        self.free_bytes = 90
        self.open_files: list[MemoryFile] = []
        self.can_not_tell = False

    # Faults and the journal

    def _step(self, what: str) -> None:
        self.steps += 1
        if self.on_step is not None:
            self.on_step(what)

    def _allowed(self, size: int) -> tuple[int, OSError | None]:
        if self.fail_writes is not None:
            return size // 2, OSError(self.fail_writes, "injected")
        if self.fail_after_bytes is None:
            return size, None
        room = min(size, self.fail_after_bytes)
        self.fail_after_bytes -= room
        return room, None if room == size else OSError(errno.ENOSPC, "No space left on device")

    def _change(self, inode: _Inode, position: int, data: bytes | None) -> None:
        _apply(inode.data, position, data)
        inode.changes.append((position, data))
        inode.modified_ms = self.now_ms

    def _sync(self, inode: _Inode) -> None:
        if self.fail_sync_number is not None:
            self.fail_sync_number -= 1
            if self.fail_sync_number == 0:
                inode.changes.clear()
                raise OSError(errno.EIO, "injected: pages were dropped")
        for position, data in inode.changes:
            _apply(inode.durable, position, data)
        inode.changes.clear()

    # Paths

    def _find(self, path: str) -> _Inode | None:
        inode: _Inode | None = self._root
        for name in path.split("/"):
            if name and inode is not None:
                inode = inode.names.get(name) if inode.directory else None
        return inode

    def _get(self, path: str) -> _Inode:
        inode = self._find(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return inode

    def _directory_of(self, path: str) -> tuple[_Inode, str]:
        directory, _, name = path.rpartition("/")
        return self._get(directory), name

    def _rename_entry(self, directory: _Inode, changes: "dict[str, _Inode | None]") -> None:
        for name, inode in changes.items():
            if inode is None:
                directory.names.pop(name, None)
            else:
                directory.names[name] = inode
        directory.name_changes.append(changes)

    # seams.FileSystem

    def open(self, path: str, *, create: bool = False, write: bool = True, private: bool = False) -> MemoryFile:
        """Open, or make the file."""
        inode = self._find(path)
        if inode is None and create:
            directory, name = self._directory_of(path)
            self._step(f"create {path}")
            inode = _Inode(directory=False, modified_ms=self.now_ms)
            self._rename_entry(directory, {name: inode})
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        if inode.directory:
            raise IsADirectoryError(errno.EISDIR, "Is a directory", path)
        file = MemoryFile(self, inode, path)
        self.open_files.append(file)
        return file

    def exists(self, path: str) -> bool:
        """True for a file or a directory."""
        return self._find(path) is not None

    def list_dir(self, path: str) -> list[str]:
        """Names in a directory, sorted."""
        inode = self._find(path)
        return sorted(inode.names) if inode is not None and inode.directory else []

    def is_dir(self, path: str) -> bool:
        """True for a directory."""
        inode = self._find(path)
        return inode is not None and inode.directory

    def directories(self, path: str) -> list[str]:
        """Paths of a directory and of all below it, the innermost first; none where there is no such directory."""
        if not self.is_dir(path):
            return []
        below = [self.directories(f"{path}/{name}") for name in self.list_dir(path)]
        return [*(each for paths in below for each in paths), path]

    def make_dirs(self, path: str) -> None:
        """Make a directory and its parents."""
        parent = self._root
        for name in filter(None, path.split("/")):
            if name not in parent.names:
                self._step(f"mkdir {name} of {path}")
                self._rename_entry(parent, {name: _Inode(directory=True)})
            parent = parent.names[name]

    def remove(self, path: str) -> None:
        """Delete a file."""
        directory, name = self._directory_of(path)
        if self._get(path).directory:
            raise IsADirectoryError(errno.EISDIR, "Is a directory", path)
        self._step(f"remove {path}")
        self._rename_entry(directory, {name: None})

    def remove_dir(self, path: str) -> None:
        """Delete an empty directory."""
        directory, name = self._directory_of(path)
        if self._get(path).names:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", path)
        self._step(f"rmdir {path}")
        self._rename_entry(directory, {name: None})

    def rename(self, source: str, target: str) -> None:
        """Move a file over another, in one directory."""
        inode = self._get(source)
        directory, name = self._directory_of(source)
        target_directory, target_name = self._directory_of(target)
        assert directory is target_directory, "only renames in one directory are modelled"
        self._step(f"rename {source} {target}")
        self._rename_entry(directory, {name: None, target_name: inode})

    def sync_dir(self, path: str) -> None:
        """Make the names in a directory durable."""
        directory = self._get(path)
        self._step(f"sync_dir {path}")
        directory.durable_names = dict(directory.names)
        directory.name_changes.clear()

    def modified_ms(self, path: str) -> int:
        """Time of the last change."""
        return self._get(path).modified_ms

    def usage(self, path: str) -> tuple[int, int]:
        """What the test says: `used_bytes`, `free_bytes`."""
        return self.used_bytes, self.free_bytes

    def lock(self, path: str) -> MemoryLock:
        """Take the lock; it is left behind by no crash."""
        self.open(path, create=True).close()
        inode = self._get(path)
        if inode.locked:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable", path)
        inode.locked = True
        return MemoryLock(inode)

    def cool(self, path: str) -> None:
        """Have nothing of a file in memory: reads have to wait for the disk."""
        inode = self._get(path)
        inode.cold = set(_pages(0, len(inode.data)))

    # Crashes

    def crash(self, random: Random, policy: CrashPolicy) -> "MemoryFiles":
        """Return what a power cut now would leave; this file system stays as it is."""
        image = MemoryFiles()
        image.now_ms = self.now_ms
        image._root = _crashed(self._root, random, policy, {})
        return image

    def kill(self) -> "MemoryFiles":
        """Return what the end of the process now would leave: everything written, but no lock.

        What was not synced stays so: the system still has it in memory only. Nor does a failed sync come right: the
        next process reads the pages that it dropped, no sync saves them, and a power cut loses them.
        """
        left = MemoryFiles()
        left.now_ms = self.now_ms
        left._root = _left(self._root, {})
        return left

    def dump(self) -> dict[str, bytes]:
        """Content of all files by path."""
        return dict(_walk(self._root, ""))


def _pages(position: int, size: int) -> range:
    return range(position // PAGE, (position + size + PAGE - 1) // PAGE)


def _apply(data: bytearray, position: int, change: bytes | None) -> None:
    if change is None:
        if position < len(data):
            del data[position:]
        else:
            data.extend(bytes(position - len(data)))
    else:
        if position > len(data):
            data.extend(bytes(position - len(data)))
        data[position : position + len(change)] = change


def _crashed(inode: _Inode, random: Random, policy: CrashPolicy, done: "dict[int, _Inode]") -> _Inode:
    """Return the inode as it is on disk; one that has two names stays one."""
    if id(inode) in done:
        return done[id(inode)]
    image = done[id(inode)] = _Inode(directory=inode.directory, modified_ms=inode.modified_ms)
    if inode.directory:
        names = dict(inode.durable_names)
        for changes in inode.name_changes:
            if random.random() < policy.keep_names:
                for name, child in changes.items():
                    if child is None:
                        names.pop(name, None)
                    else:
                        names[name] = child
            elif policy.in_order:
                break
        image.names = {name: _crashed(child, random, policy, done) for name, child in names.items()}
        image.durable_names = dict(image.names)
    else:
        image.data = _crashed_data(inode, random, policy)
        image.durable = bytearray(image.data)
    return image


def _left(inode: _Inode, done: "dict[int, _Inode]") -> _Inode:
    """Return a copy of the inode and of all that it holds, without locks; one that has two names stays one."""
    if id(inode) in done:
        return done[id(inode)]
    copy = done[id(inode)] = _Inode(
        inode.directory,
        bytearray(inode.data),
        bytearray(inode.durable),
        list(inode.changes),
        modified_ms=inode.modified_ms,
    )
    copy.names = {name: _left(child, done) for name, child in inode.names.items()}
    copy.durable_names = {name: _left(child, done) for name, child in inode.durable_names.items()}
    copy.name_changes = [
        {name: child and _left(child, done) for name, child in changes.items()} for changes in inode.name_changes
    ]
    return copy


def _crashed_data(inode: _Inode, random: Random, policy: CrashPolicy) -> bytearray:
    """Return the bytes on disk: each sector, and the length, as it was after some of the operations on it.

    So a sector never holds a later write without an earlier one, but any two sectors may differ in how far they came.
    """
    changes = inode.changes
    unit = random.choice((SECTOR, PAGE))
    common = _kept(random, policy, len(changes)) if policy.in_order else None
    length_kept = common if common is not None else _kept(random, policy, len(changes))
    kept: dict[int, int] = {}
    data, length = bytearray(inode.durable), len(inode.durable)
    for number, (position, change) in enumerate(changes):
        end = position + len(change) if change is not None else max(position, len(data))
        if number < length_kept:
            length = position if change is None else max(length, end)
        data.extend(bytes(max(0, end - len(data))))
        for start in _borders(position, end, unit):
            stop = min(end, start - start % unit + unit)
            sector = start // unit
            if sector not in kept:
                kept[sector] = _kept(random, policy, len(changes)) if common is None else common + random.randrange(2)
            if number < kept[sector]:
                data[start:stop] = bytes(stop - start) if change is None else change[start - position : stop - position]
    del data[length:]
    data.extend(bytes(length - len(data)))
    return data


def _borders(position: int, end: int, unit: int) -> list[int]:
    """Where the parts begin that a range has in each unit."""
    return [position, *range(position - position % unit + unit, end, unit)] if position < end else []


def _kept(random: Random, policy: CrashPolicy, count: int) -> int:
    """How many of so many operations reached the disk."""
    if random.random() < policy.keep_change:
        return count
    return random.randrange(count + 1) if random.random() < policy.tear else 0


def _walk(inode: _Inode, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for name, child in sorted(inode.names.items()):
        found += _walk(child, f"{path}/{name}") if child.directory else [(f"{path}/{name}", bytes(child.data))]
    return found
