"""Say in one sentence what keeps `make lab` from working on this machine, before anything is installed or changed.

    prerequisites.py .lab

Only what a newcomer runs into: disk and ports. The playbooks check these and more again, host by host.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence

NEEDED_BYTES = 2 << 30
NAMESERVERS = 2
BROKERS = 4
DEFAULT_NAMESERVER_PORT = 9876
DEFAULT_BROKER_PORT, DEFAULT_STEP = 10911, 1000
BASED_BROKER_PORT, BASED_STEP = 11, 10  # behind PORT_BASE
PORTS_FROM_BASE = 50


def port_base(environment: Mapping[str, str]) -> int | None:
    """Return PORT_BASE, None when it is not set; ValueError when it is no port to start from."""
    text = environment.get("PORT_BASE", "")
    if not text:
        return None
    highest = 65535 - PORTS_FROM_BASE
    if not text.isdecimal() or not 1024 <= int(text) <= highest:
        raise ValueError(f"PORT_BASE is '{text}': set it to a number from 1024 to {highest}.")
    return int(text)


def lab_ports(base: int | None) -> list[int]:
    """Return the ports that the lab listens on: those of inventories/lab, which a test compares."""
    first_nameserver = base or DEFAULT_NAMESERVER_PORT
    first_broker = base + BASED_BROKER_PORT if base else DEFAULT_BROKER_PORT
    step = BASED_STEP if base else DEFAULT_STEP
    brokers = [first_broker + number * step for number in range(BROKERS)]
    around = [port for listen_port in brokers for port in (listen_port - 2, listen_port, listen_port + 1)]
    return [*range(first_nameserver, first_nameserver + NAMESERVERS), *around]


def is_free(port: int) -> bool:
    """Say whether we could listen on a port, on loopback and on all interfaces."""
    for address in ("127.0.0.1", ""):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def is_running(lab: pathlib.Path) -> bool:
    """Say whether a process of this lab runs: then ports may be its own, which the playbooks tell apart."""
    for pid_file in lab.glob("run/*.pid"):
        command = pathlib.Path("/proc", pid_file.read_text().strip() or "0", "cmdline")
        if command.exists() and os.fsencode(lab.resolve()) in command.read_bytes():
            return True
    return False


def problems(free_bytes: int, taken_ports: Iterable[int]) -> list[str]:
    """Return a sentence for each thing that is missing, with what to do about it."""
    found = []
    if free_bytes < NEEDED_BYTES:
        found.append(
            f"Only {free_bytes >> 20} MiB are free here and the lab needs {NEEDED_BYTES >> 20}:"
            " make room, or put the clone on a larger disk."
        )
    taken = ", ".join(map(str, taken_ports))
    if taken:
        found.append(
            f"Port {taken} is taken by another process: stop it ('ss -ltnp' shows it)"
            " or choose other ports with 'make lab PORT_BASE=20000'."
        )
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the problems and return the exit status."""
    lab = pathlib.Path(arguments[0])
    try:
        ports = [] if is_running(lab) else lab_ports(port_base(os.environ))
    except ValueError as error:
        found = [str(error)]
    else:
        place = lab if lab.exists() else lab.absolute().parent
        found = problems(shutil.disk_usage(place).free, [port for port in ports if not is_free(port)])
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
