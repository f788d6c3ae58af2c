"""Directories that survive a crash."""

from broker_py.seams import FileSystem


def make_directory(files: FileSystem, path: str) -> set[str]:
    """Make a directory and its parents; return those that got a new name in them, which are to be forced. OSError."""
    changed: set[str] = set()
    missing = path
    while missing and not files.exists(missing):
        missing = missing.rpartition("/")[0]
        changed.add(missing)
    if changed:
        files.make_dirs(path)
    return changed


def make_durable_directory(files: FileSystem, path: str) -> None:
    """Make a directory and its parents, and force their names. OSError."""
    for directory in sorted(make_directory(files, path)):
        files.sync_dir(directory)
