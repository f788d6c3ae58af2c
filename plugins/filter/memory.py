"""Filters that divide the memory of a host among the daemons placed there, and size its write cache.

Pure functions. Where Java's start scripts have a heap to edit, a daemon here has a share of the host: what its unit
may use, page cache of its own files included, since the kernel charges that to the unit which reads or writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: memory
short_description: Filters that divide the memory of a host among its daemons
version_added: 0.1.0
description:
  - C(memory_shares) maps the name of each instance to C(high) and C(max), for MemoryHigh and MemoryMax of its unit.
  - C(write_cache) sizes C(background) and C(limit), for vm.dirty_background_bytes and vm.dirty_bytes.
  - All are bytes, and whole MiB. The input is what C(broker_py.mq.memory_info) returns as C(total_bytes).
author: [broker-py developers (@broker-py)]
options: {}
"""

MIB = 1 << 20
RESERVE_LEAST = 256 * MIB  # kernel, systemd, sshd, the journal, and Ansible's own modules
NAMESERVER_LEAST, NAMESERVER_MOST = 96 * MIB, 256 * MIB  # measured: 16 MiB, growing with topics and connections
BROKER_LEAST = 256 * MIB  # measured: 150 MiB after load at most, then the least write cache, then the gap
GAP_LEAST = 32 * MIB  # between being slowed down (high) and being killed (max)
WRITE_CACHE_LEAST, WRITE_CACHE_MOST = 64 * MIB, 1024 * MIB


def memory_shares(total_bytes: int, instances: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Map each instance of a host to its `high` and `max` bytes; together they leave an eighth to the system.

    Brokers (which have a `kind`) get equal shares of all that name servers don't: a slave writes what its master
    does, and is the one that is read when the master falls behind.
    """
    rest = _steady(total_bytes) - max(_steady(total_bytes) // 8, RESERVE_LEAST)
    brokers = [instance["name"] for instance in instances if "kind" in instance]
    nameservers = [instance["name"] for instance in instances if "kind" not in instance]
    nameserver = _clamped(rest // 16, NAMESERVER_LEAST, NAMESERVER_MOST)
    broker = (rest - nameserver * len(nameservers)) // max(len(brokers), 1)
    if rest < nameserver * len(nameservers) or (brokers and broker < BROKER_LEAST):
        raise ValueError(
            f"{total_bytes // MIB} MiB are too little for {', '.join([*nameservers, *brokers])}: a name server needs"
            f" {NAMESERVER_LEAST // MIB} MiB, a broker {BROKER_LEAST // MIB} MiB, and the system an eighth of all,"
            f" {RESERVE_LEAST // MIB} MiB at least. Place fewer instances there, or give the host more memory"
        )
    return {name: _share(nameserver) for name in nameservers} | {name: _share(broker) for name in brokers}


def write_cache(total_bytes: int) -> dict[str, int]:
    """Return from how many unwritten bytes on the kernel writes in the `background`, and at which `limit` writers wait.

    A tenth of the memory, up to 1 GiB: what fsync may find waiting in front of it has to be written within a second
    or two by the disk, however much memory there is.
    """
    limit = _clamped(_steady(total_bytes) // 10, WRITE_CACHE_LEAST, WRITE_CACHE_MOST)
    return {"background": _whole(limit // 4), "limit": _whole(limit)}


def _share(most: int) -> dict[str, int]:
    return {"high": _whole(most - max(most // 8, GAP_LEAST)), "max": _whole(most)}


def _steady(total_bytes: int) -> int:
    """Round down by up to a 32nd: another kernel reports some MiB more or less, which shall not change any unit."""
    return total_bytes >> (shift := max(total_bytes.bit_length() - 6, 0)) << shift


def _clamped(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _whole(value: int) -> int:
    return value // MIB * MIB


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"memory_shares": memory_shares, "write_cache": write_cache}
