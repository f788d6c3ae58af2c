"""What the machine is: its name, its address towards the others, its memory."""

import os
import socket
from collections.abc import Iterable
from typing import Final

from broker_py.model.address import split_address

_CGROUP_LIMIT: Final = "/sys/fs/cgroup/memory.max"
_DEFAULT_MEMORY_BYTES: Final = 4 << 30


def host_name() -> str:
    """The machine's name, without its domain."""
    return socket.gethostname().partition(".")[0] or "localhost"


def local_ip(peers: Iterable[str]) -> str:
    """Return the address that this machine uses towards the first of `peers` (host:port) it has a route to.

    Nothing is sent: connecting a datagram socket only chooses a route. Without peers or a route, the address towards
    everywhere else, and 127.0.0.1 on a machine without network.
    """
    targets = [split_address(peer) for peer in peers]
    for host, port in [*targets, ("192.0.2.1", 9)]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((host, port))
                ip: str = probe.getsockname()[0]
                return ip
        except OSError:
            continue
    return "127.0.0.1"


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or the limit of its control group when that is less."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        total = _DEFAULT_MEMORY_BYTES
    try:
        with open(_CGROUP_LIMIT, encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return total
    return min(total, int(text)) if text.isdecimal() else total
