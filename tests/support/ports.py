"""Ports of this machine that tests may listen on."""

import random
import socket
from typing import Final

_LOOPBACK: Final = "127.0.0.1"
# Below the ports that the system gives to clients, so that no connection takes one between two starts of a daemon.
_PORTS: Final = range(21_000, 32_000)
_taken: Final[set[int]] = set()
BROKER_PORTS: Final = (-2, 1)
"""What a broker listens on beside its port: the one for urgent requests below it, and the one for slaves."""


def free_port(neighbours: tuple[int, ...] = ()) -> int:
    """Return a port that nobody listens on, as nobody does on those so far from it; it is given out once."""
    for _ in range(1000):
        port = random.choice(_PORTS)
        ports = {port, *(port + distance for distance in neighbours)}
        if _taken.isdisjoint(ports) and all(map(_is_free, ports)):
            _taken.update(ports)
            return port
    raise AssertionError(f"no free port found in {_PORTS}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
