"""Filters that judge what was found on the hosts before anything is changed there.

Pure functions over plain lists and dictionaries. Each problem is a sentence that names what was found, what is needed
and what to set; an empty list means that nothing is in the way. The checks have names, by which they can be left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DOCUMENTATION = """
name: preflight
short_description: Filters that say what keeps hosts from running what is placed on them
version_added: 0.1.0
description:
  - C(host_problems) judges one host by its facts and by what C(host_info), C(memory_info) and C(port_probe) found.
  - C(cluster_problems) compares what C(host_info) found on all hosts.
  - C(variable_problems) judges the names of a host's variables.
  - C(probe_addresses) lists the addresses that a host has to reach on other hosts.
author: [broker-py developers (@broker-py)]
options: {}
"""

Instance = Mapping[str, Any]

MIB = 1 << 20


@dataclass(frozen=True)
class Host:
    """What was found on one host, what is placed there, and what is needed for that."""

    facts: Mapping[str, Any]
    found: Mapping[str, Any]
    memory_bytes: int
    unanswered: Mapping[str, str]
    nameservers: Sequence[Instance]
    brokers: Sequence[Instance]
    needs: Mapping[str, Any]

    @property
    def stores(self) -> Iterator[tuple[Instance, Mapping[str, Any]]]:
        """Each broker with what was found of its store."""
        found = {store["path"]: store for store in self.found["stores"]}
        for broker in self.brokers:
            yield broker, found[f"{self.needs['data_dir']}/{broker['store']}"]

    @property
    def config_files(self) -> dict[str, str]:
        """The instances by the file that they are run with, which is how a process of ours is known."""
        conf_dir = self.needs["conf_dir"]
        return {f"{conf_dir}/{one['name']}.properties": one["name"] for one in (*self.nameservers, *self.brokers)}


def host_problems(
    facts: Mapping[str, Any],
    found: Mapping[str, Any],
    memory_bytes: int,
    unanswered: Mapping[str, str],
    nameservers: Sequence[Instance],
    brokers: Sequence[Instance],
    needs: Mapping[str, Any],
    skip: Sequence[str],
) -> list[str]:
    """Say what keeps a host from running the instances that are placed on it."""
    host = Host(facts, found, memory_bytes, unanswered, nameservers, brokers, needs)
    return [problem for name, check in HOST_CHECKS.items() if name not in skip for problem in check(host)]


def _architecture(host: Host) -> Iterator[str]:
    bits = host.facts["userspace_bits"]
    if bits != "64":
        yield f"has a {bits}-bit user space, 64 bit is needed: install a 64-bit system"


def _os(host: Host) -> Iterator[str]:
    """Packages and units are of a system; processes that somebody starts run anywhere."""
    systems: Mapping[str, Sequence[str]] = host.needs["systems"]
    name, version = host.facts["distribution"], str(host.facts["distribution_version"])
    supported = systems.get(name, [])
    if host.needs["service_manager"] == "systemd" and not any(
        version == one or version.startswith(f"{one}.") for one in supported
    ):
        tested = ", ".join(f"{system} {one}" for system, versions in systems.items() for one in versions)
        yield f"runs {name} {version}, tested are {tested}: add os to preflight_skip to try it nevertheless"


def _python(host: Host) -> Iterator[str]:
    version, needed = host.facts["python_version"], host.needs["python"]
    if _numbers(version) < _numbers(needed):
        yield (
            f"has Python {version} at {host.facts['python']['executable']}, {needed} or newer is needed:"
            " set ansible_python_interpreter"
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")[:2]]


def _systemd(host: Host) -> Iterator[str]:
    if host.needs["service_manager"] == "systemd" and not host.found["systemd"]:
        yield (
            f"was started by {host.found['init'] or 'something unknown'} and not by systemd, which has to run the"
            " daemons: use a host with systemd, or set common_service_manager to process for a trial"
        )


def _memory(host: Host) -> Iterator[str]:
    shares: Mapping[str, int] = host.needs["memory_bytes"]
    needed = shares["system"] + len(host.nameservers) * shares["nameserver"]
    needed += sum(shares[broker["kind"]] for broker in host.brokers)
    if host.memory_bytes < needed:
        names = ", ".join([one["name"] for one in (*host.nameservers, *host.brokers)])
        yield (
            f"has {host.memory_bytes // MIB} MiB of memory, {needed // MIB} MiB are needed for {names} and the"
            " system: place less on it with broker_hosts, or lower preflight_memory_<kind>_bytes"
        )


def _disk(host: Host) -> Iterator[str]:
    """What a store uses already counts as its own; one whose array is still to be mounted can't be judged."""
    devices: dict[str, list[Mapping[str, Any]]] = {}
    for _, store in host.stores:
        if not any(_is_below(store["path"], mount) and mount != store["mount"] for mount in host.needs["raid_mounts"]):
            devices.setdefault(store["device"], []).append(store)
    for stores in devices.values():
        needed = sum(max(host.needs["disk_free_bytes"] - store["used_bytes"], 0) for store in stores)
        free = min(store["free_bytes"] for store in stores)
        if free < needed:
            yield (
                f"has {free // MIB} MiB free in {stores[0]['mount']}, {needed // MIB} MiB are needed for"
                f" {', '.join(store['path'] for store in stores)}: make room, move common_data_dir or lower"
                " preflight_disk_free_bytes"
            )


def _is_below(path: str, mount: str) -> bool:
    return path == mount or path.startswith(f"{mount.rstrip('/')}/")


def _ports(host: Host) -> Iterator[str]:
    for listener in host.found["listeners"]:
        if not _is_ours(listener, host.config_files):
            of_nameserver = any(listener["port"] in one["ports"] for one in host.nameservers)
            yield (
                f"needs port {listener['port']}, which is taken by {_described(listener)}: stop that or set"
                f" {'common_nameserver_port' if of_nameserver else 'broker_listen_port'}"
            )


def _is_ours(process: Mapping[str, Any], config_files: Mapping[str, str]) -> bool:
    """Say whether a daemon runs with a file of ours, which is the last argument of its command."""
    return any(argument in config_files for argument in process["argv"][-1:])


def _described(process: Mapping[str, Any]) -> str:
    if not process["argv"]:
        return "a process of another user"
    return f"'{' '.join(process['argv'])}' with pid {process['pid']}"


def _reachability(host: Host) -> Iterator[str]:
    ports: dict[tuple[str, str], list[str]] = {}
    for address, reason in host.unanswered.items():
        machine, _, port = address.rpartition(":")
        ports.setdefault((machine, reason), []).append(port)
    for (machine, reason), closed in ports.items():
        yield (
            f"can't reach {machine} on {'port' if len(closed) == 1 else 'the ports'} {', '.join(closed)} ({reason}):"
            f" open them in the firewalls between, or set common_address of {machine}"
        )


def _stores(host: Host) -> Iterator[str]:
    users: dict[str, Instance] = {}
    for broker, store in host.stores:
        path, name = store["path"], broker["name"]
        wanted = {"brokerClusterName": host.needs["cluster_name"], "brokerName": broker["broker_name"]}
        owner = {key: store["owner"].get(key, "") for key in wanted}
        if store["owner"] and owner != wanted:
            yield (
                f"has a store of broker {owner['brokerName']} of cluster {owner['brokerClusterName']} in {path}, where"
                f" {name} of cluster {host.needs['cluster_name']} would be: set common_data_dir, or remove"
                f" {path}/owner.json to hand the store over"
            )
        if store["holder"] and host.config_files.get(*store["holder"]["argv"][-1:] or [""]) != name:
            yield (
                f"has a store in {path} that is in use by {_described(store['holder'])}: stop that or set"
                " common_data_dir"
            )
        if store["identity"] and (user := users.setdefault(store["identity"], broker)) is not broker:
            yield f"has one directory behind the stores of {user['name']} and {name}, {path}: give each its own"


HOST_CHECKS: dict[str, Callable[[Host], Iterator[str]]] = {
    "architecture": _architecture,
    "os": _os,
    "python": _python,
    "systemd": _systemd,
    "memory": _memory,
    "disk": _disk,
    "ports": _ports,
    "reachability": _reachability,
    "stores": _stores,
}


@dataclass(frozen=True)
class Cluster:
    """What was found on all hosts, and what the inventory says."""

    found: Mapping[str, Mapping[str, Any]]
    brokers: Sequence[Instance]
    addresses: Mapping[str, str]
    answered_seconds: float
    clock_skew_seconds: float
    data_dir: str


def cluster_problems(
    found: Mapping[str, Mapping[str, Any]],
    brokers: Sequence[Instance],
    addresses: Mapping[str, str],
    answered_seconds: float,
    clock_skew_seconds: float,
    data_dir: str,
    skip: Sequence[str],
) -> list[str]:
    """Say where hosts contradict each other or the inventory.

    `found` is what `host_info` returned, by host; `answered_seconds` is a time of the asking machine's clock at which
    all of it was there.
    """
    cluster = Cluster(found, brokers, addresses, answered_seconds, clock_skew_seconds, data_dir)
    return [problem for name, check in CLUSTER_CHECKS.items() if name not in skip for problem in check(cluster)]


def _clocks(cluster: Cluster) -> Iterator[str]:
    """Compare the clocks with the middle one.

    A host read its clock between the question and the answer, so how far that is ahead of the asker's lies between
    `read - answered` and `read - asked`. Two clocks are proven apart by what is between two such intervals. A slow
    network widens them and hides small differences; it never accuses a clock that is right.
    """
    bounds = {
        host: (clock["read_seconds"] - cluster.answered_seconds, clock["read_seconds"] - clock["asked_seconds"])
        for host, clock in ((host, found["clock"]) for host, found in cluster.found.items())
    }
    middle = sorted(bounds, key=lambda host: sum(bounds[host]))[(len(bounds) - 1) // 2]
    least, most = bounds[middle]
    for host, (low, high) in bounds.items():
        ahead, behind = low - most, least - high
        if max(ahead, behind) > cluster.clock_skew_seconds:
            yield (
                f"{host}: its clock is at least {max(ahead, behind):.1f} s {'ahead of' if ahead > behind else 'behind'}"
                f" that of {middle}, {cluster.clock_skew_seconds:g} s are allowed: have both follow a time server, or"
                " set preflight_clock_skew_seconds"
            )


def _addresses(cluster: Cluster) -> Iterator[str]:
    for host, found in cluster.found.items():
        advertised, own = cluster.addresses[host], found["addresses"]
        if _is_address(advertised):
            if advertised not in own and not _is_loopback(advertised):
                yield (
                    f"{host}: advertises {advertised}, which none of its interfaces has ({', '.join(own)}): set"
                    " common_address, or add addresses to preflight_skip where an address is translated on the way"
                )
            continue
        for asker, answer in cluster.found.items():
            resolved = answer["names"].get(advertised, [])
            usable = [one for one in resolved if one in own or (asker == host and _is_loopback(one))]
            if not resolved or usable != resolved:
                yield (
                    f"{asker}: resolves {advertised}, which {host} advertises, to {', '.join(resolved) or 'nothing'};"
                    f" {host} has {', '.join(own)}: correct the name service or /etc/hosts, or set common_address"
                )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _moved(cluster: Cluster) -> Iterator[str]:
    """Find brokers that exist elsewhere than they are placed: they would start empty there, and serve twice."""
    placed = {broker["name"]: broker for broker in cluster.brokers}
    homes: dict[str, str] = {name: host for host, found in cluster.found.items() for name in found["configured"]}
    for host, found in cluster.found.items():
        for name, properties in found["configured"].items():
            broker = placed.get(name)
            if broker is None:
                yield (
                    f"{host}: has {name}, which the inventory no longer does: put it back (broker_sets, broker_hosts,"
                    " broker_slaves_per_master), and take a set away with playbooks/scale_in.yml"
                )
                continue
            members = [one for one in cluster.brokers if one["broker_name"] == broker["broker_name"]]
            pin = ", ".join(homes.get(one["name"], str(one["host"])) for one in members)
            store = f"{cluster.data_dir}/{broker['store']}"
            if broker["host"] != host:
                yield (
                    f"{host}: has {name}, which the inventory places on {broker['host']}: keep it with broker_hosts:"
                    f" {{{broker['broker_name']}: [{pin}]}}"
                )
            elif properties["storePathRootDir"] not in ("", store):
                yield (
                    f"{host}: has the messages of {name} in {properties['storePathRootDir']}, the inventory says"
                    f" {store}: restore common_data_dir and the order of broker_sets, where a set that is gone keeps"
                    " its place with broker_hosts: {its name: []}"
                )


CLUSTER_CHECKS: dict[str, Callable[[Cluster], Iterator[str]]] = {
    "clocks": _clocks,
    "addresses": _addresses,
    "moved": _moved,
}


def variable_problems(
    variables: Sequence[str], renamed: Mapping[str, str], refused: Mapping[str, Sequence[str]]
) -> list[str]:
    """Say which of a host's variables were renamed, and which properties it sets although the inventory decides them.

    `renamed` has the successors of old names, `refused` the properties that are set by the variable that sets them.
    """
    return [
        *(f"has the variable {name}, which was renamed: set {renamed[name]}" for name in variables if name in renamed),
        *(
            f"sets {', '.join(keys)}, which the inventory decides: remove it from {name}, and use the variables of the"
            " roles common, nameserver and broker"
            for name, keys in refused.items()
            if keys
        ),
    ]


def probe_addresses(
    host: str, nameservers: Sequence[Instance], brokers: Sequence[Instance], hosts: Sequence[str]
) -> list[str]:
    """List what `host` has to reach on the other ones of `hosts`.

    These are all name servers and brokers, as brokers register and operators ask from any host, and the replication
    ports of the masters whose slaves are on `host`.
    """
    followed = {broker["broker_name"] for broker in brokers if broker["host"] == host and broker["kind"] == "slave"}
    addresses = [one["address"] for one in (*nameservers, *brokers) if one["host"] != host and one["host"] in hosts]
    addresses += [
        f"{broker['address'].rpartition(':')[0]}:{broker['listen_port'] + 1}"
        for broker in brokers
        if broker["host"] != host and broker["host"] in hosts
        if broker["kind"] == "master" and broker["broker_name"] in followed
    ]
    return addresses


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "host_problems": host_problems,
            "cluster_problems": cluster_problems,
            "variable_problems": variable_problems,
            "probe_addresses": probe_addresses,
        }
