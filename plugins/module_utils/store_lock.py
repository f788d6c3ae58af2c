"""Who uses a store: the lock that a broker, be it ours or Java's, takes on it at its start."""

from __future__ import annotations

import fcntl
import os
import pathlib
import struct

LOCK = "hhqqi"  # struct flock: type, whence, start, length, pid


def lock_holder(path: pathlib.Path) -> int | None:
    """Return the pid of the process that has the lock on the first byte of a file; None when nobody has.

    0 is a process that can't be seen, as in another container. A file that is not there is locked by nobody.
    """
    try:
        with path.open("rb") as file:
            question = struct.pack(LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            kind, _, _, _, pid = struct.unpack(LOCK, fcntl.fcntl(file, fcntl.F_GETLK, question))
    except OSError:
        return None
    return None if kind == fcntl.F_UNLCK else int(pid)
