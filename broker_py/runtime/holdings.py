"""What a process of this host has that no other can have then: ports it listens on, locks on files. Linux only.

/proc/<pid>/net/tcp    sl local_address rem_address st ... inode    the sockets of its network, 0A is listening
/proc/<pid>/fd/7       socket:[<inode>]                            its own
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from typing import Final

_LISTENING: Final = "0A"
# struct flock: type, whence, start, length, pid.
_FLOCK: Final = struct.Struct("@hhqqi")


def listens(pid: int, port: int) -> bool:
    """True when a process listens on a port, and also where we may not see that: the process of another user."""
    try:
        own = set(_socket_inodes(pid))
    except PermissionError:
        return True
    except OSError:
        return False
    return not own.isdisjoint(_listening_inodes(pid, port))


def _socket_inodes(pid: int) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    for name in os.listdir(directory):
        try:
            target = os.readlink(f"{directory}/{name}")
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _listening_inodes(pid: int, port: int) -> Iterator[str]:
    for protocol in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{protocol}", encoding="ascii") as table:
                lines = table.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def lock_holder(path: str) -> int | None:
    """Return who has the POSIX record lock on byte 0 of a file, without taking it; None when nobody has.

    0 is a process that we can't see, as in another container. A file that can't be opened tells nothing: None.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, wanted))
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else pid
