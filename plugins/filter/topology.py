"""Filters that turn few words of an inventory into the instances of a cluster.

Pure functions over plain lists and dictionaries, so that a unit test needs no Ansible. The layout for two hosts,
two broker sets and one slave each is the one that RocketMQ's installation guides draw:

    host 1: name server 9876, broker-a master 10911 in store, broker-b slave 11911 in store-s
    host 2: name server 9876, broker-b master 10911 in store, broker-a slave 11911 in store-s

With m slaves the hosts form blocks of m + 1, in their order; hosts that are left over join the last block. The master
of set i is on host i, modulo the number of hosts, and its slaves follow it around the ring of its block. So nothing
moves when sets are appended, nor when whole blocks of hosts are appended to a cluster that has at most a set per host.
What would move otherwise is pinned: `pins` names the hosts of a set, its master's first. A set that is pinned to no
host at all runs nowhere and only keeps its place, so that removing it moves nothing either.

The n-th master of a host listens on `port + 2n * step`, its n-th slave on `port + (2n + 1) * step`, whatever else runs
there; sets count in their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: topology
short_description: Filters that derive the instances of a cluster from its inventory
version_added: 0.1.0
description:
  - C(host_addresses) maps host names to the address that other hosts and clients use.
  - C(place_nameservers) and C(place_brokers) list the instances, each with host, address, ports and store.
  - C(topology_problems) says in sentences why such a list can't work; empty when it can.
  - C(pin_problems) says why the hosts that sets are pinned to can't be followed.
  - C(cluster_differences) compares what name servers report with what was placed.
  - C(refused_keys) names the properties of a dictionary that the topology decides.
author: [broker-py developers (@broker-py)]
options: {}
"""

Instance = dict[str, Any]

LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,127}")
MASTER = "master"
SLAVE = "slave"


def host_addresses(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Map each host to its advertised address: `common_address`, else `ansible_host`, else its name."""
    return {
        host: str(hostvars[host].get("common_address") or hostvars[host].get("ansible_host") or host) for host in hosts
    }


def place_nameservers(hosts: Sequence[str], addresses: Mapping[str, str], per_host: int, port: int) -> list[Instance]:
    """List the name servers: `per_host` on each host, on `port` and the ports after it."""
    return [
        {
            "name": "nameserver" if number == 0 else f"nameserver-{number + 1}",
            "host": host,
            "address": f"{addresses[host]}:{port + number}",
            "listen_port": port + number,
            "ports": [port + number],
        }
        for host in hosts
        for number in range(per_host)
    ]


def place_brokers(
    hosts: Sequence[str],
    addresses: Mapping[str, str],
    sets: Sequence[str],
    slaves_per_master: int,
    replication: str,
    port: int,
    port_step: int,
    pins: Mapping[str, Sequence[str]] | None = None,
) -> list[Instance]:
    """List the brokers, placed as the module's docstring says.

    Each broker also takes the port two below its listen port (the same handlers) and the one above (replication).
    A pin that `pin_problems` refuses is not followed.
    """
    pins = pins or {}
    placed: dict[tuple[str, str], int] = {}
    instances = []
    for set_number, broker_name in enumerate(sets):
        set_hosts = _derived_hosts(hosts, set_number, slaves_per_master)
        pinned = pins.get(broker_name)
        if pinned and not _pin_problems(broker_name, pinned, hosts, slaves_per_master):
            set_hosts = list(pinned)
        for broker_id, host in enumerate(set_hosts):
            kind = SLAVE if broker_id else MASTER
            number = placed.get((host, kind), 0)
            placed[host, kind] = number + 1
            if pinned is not None and not pinned:
                continue
            listen_port = port + (2 * number + (kind == SLAVE)) * port_step
            instances.append(
                {
                    "name": _instance_name(broker_name, broker_id),
                    "broker_name": broker_name,
                    "broker_id": broker_id,
                    "kind": kind,
                    "role": SLAVE.upper() if broker_id else f"{replication.upper()}_MASTER",
                    "host": host,
                    "address": f"{addresses[host]}:{listen_port}",
                    "listen_port": listen_port,
                    "ports": [listen_port - 2, listen_port, listen_port + 1],
                    "store": _store_name(kind, number),
                }
            )
    return instances


def _derived_hosts(hosts: Sequence[str], set_number: int, slaves: int) -> list[str]:
    """Return the hosts of a set: its master's, then those of its slaves, around the ring of the others of its block."""
    home = set_number % len(hosts)
    size = slaves + 1
    last_start = max(len(hosts) // size - 1, 0) * size
    start = min(home // size * size, last_start)
    end = len(hosts) if start == last_start else start + size
    others = [*hosts[home + 1 : end], *hosts[start:home]] or [hosts[home]]
    return [hosts[home], *(others[slave % len(others)] for slave in range(slaves))]


def _instance_name(broker_name: str, broker_id: int) -> str:
    """Name an instance as RocketMQ names the shipped files: broker-a, broker-a-s, then broker-a-s2."""
    if broker_id == 0:
        return broker_name
    return f"{broker_name}-s" if broker_id == 1 else f"{broker_name}-s{broker_id}"


def _store_name(kind: str, number: int) -> str:
    """Name the store of the `number`-th instance of a kind on its host: store, store-2, store-s, store-s2."""
    stem = "store-s" if kind == SLAVE else "store"
    if number == 0:
        return stem
    return f"{stem}{number + 1}" if kind == SLAVE else f"{stem}-{number + 1}"


def pin_problems(
    pins: Mapping[str, Sequence[str]], sets: Sequence[str], hosts: Sequence[str], slaves_per_master: int
) -> list[str]:
    """Say why the hosts that sets are pinned to (`broker_hosts`) can't be followed; empty when they can."""
    unknown = [f"broker_hosts pins {name}, which broker_sets does not name" for name in pins if name not in sets]
    return [
        *unknown,
        *(problem for name in pins for problem in _pin_problems(name, pins[name], hosts, slaves_per_master)),
    ]


def _pin_problems(name: str, pinned: Sequence[str], hosts: Sequence[str], slaves: int) -> list[str]:
    problems = [
        f"broker_hosts pins {name} to {host}, which is not in the group broker" for host in pinned if host not in hosts
    ]
    if pinned and len(pinned) != slaves + 1:
        problems.append(
            f"broker_hosts pins {name} to {len(pinned)} of the hosts, it needs {slaves + 1}: one for the master and"
            " each of broker_slaves_per_master, or none to keep only its place"
        )
    return problems


def topology_problems(brokers: Sequence[Instance], nameservers: Sequence[Instance]) -> list[str]:
    """Say what keeps these instances from working as a cluster, a sentence each; empty when nothing does."""
    return [
        *_name_problems(brokers),
        *_set_problems(brokers),
        *_separation_problems(brokers, {_machine(instance) for instance in (*nameservers, *brokers)}),
        *_address_problems([*nameservers, *brokers]),
        *_port_problems([*nameservers, *brokers]),
        *_store_problems(brokers),
    ]


def _store_problems(brokers: Sequence[Instance]) -> list[str]:
    owners: dict[tuple[str, str], Instance] = {}
    return [
        f"{owner['name']} and {broker['name']} would both keep their messages in {broker['store']} on"
        f" {_machine(broker)}: name that machine once in the group broker"
        for broker in brokers
        if (owner := owners.setdefault((_machine(broker), broker["store"]), broker)) is not broker
    ]


def _name_problems(brokers: Sequence[Instance]) -> list[str]:
    names = dict.fromkeys(str(broker["broker_name"]) for broker in brokers)
    return [
        f"the broker name '{name}' has other characters than letters, digits, _ and - : rename it in broker_sets"
        for name in names
        if not LEGAL_NAME.fullmatch(name)
    ]


def _by_set(brokers: Sequence[Instance]) -> dict[str, list[Instance]]:
    members: dict[str, list[Instance]] = {}
    for broker in brokers:
        members.setdefault(broker["broker_name"], []).append(broker)
    return members


def _set_problems(brokers: Sequence[Instance]) -> list[str]:
    problems = []
    for broker_name, members in _by_set(brokers).items():
        ids = [member["broker_id"] for member in members]
        masters = [member for member in members if member["role"] != "SLAVE"]
        if len(set(ids)) != len(ids):
            problems.append(f"{broker_name} has the ids {ids}: each must occur once, so name it once in broker_sets")
        if len(masters) != 1:
            problems.append(f"{broker_name} has {len(masters)} masters, it needs exactly one: see broker_sets")
        if any(member["role"] == "SLAVE" and member["broker_id"] == 0 for member in members):
            problems.append(f"{broker_name} has a SLAVE with id 0, which is the master's: see broker_sets")
        if any(master["role"] == "SYNC_MASTER" for master in masters) and len(members) < 2:
            problems.append(
                f"{broker_name} replicates synchronously but has no slave to wait for:"
                " set broker_slaves_per_master to 1 or broker_replication to async"
            )
    return problems


def _machine(instance: Instance) -> str:
    """Return the address without its port: two inventory names of one machine have it in common."""
    return str(instance["address"]).rpartition(":")[0]


def _separation_problems(brokers: Sequence[Instance], machines: set[str]) -> list[str]:
    if len(machines) < 2:
        return []
    problems = []
    for broker_name, members in _by_set(brokers).items():
        masters = {_machine(member) for member in members if member["broker_id"] == 0}
        shared = masters & {_machine(member) for member in members if member["broker_id"] != 0}
        problems += [
            f"{broker_name} has its master and a slave on {machine} although there are other hosts:"
            " order the group broker so that neighbours are different machines, or name others in broker_hosts"
            for machine in sorted(shared)
        ]
    return problems


def _address_problems(instances: Sequence[Instance]) -> list[str]:
    machines = {instance["host"]: _machine(instance) for instance in instances}
    if len(machines) < 2:
        return []
    return [
        f"{host} would advertise {machine}, which other hosts can't reach: set common_address for it"
        for host, machine in machines.items()
        if machine.startswith("127.") or machine in ("localhost", "::1")
    ]


def _port_problems(instances: Sequence[Instance]) -> list[str]:
    problems = []
    owners: dict[tuple[str, int], Instance] = {}
    for instance in instances:
        for port in instance["ports"]:
            if not 0 < port < 65536:
                problems.append(
                    f"{instance['name']} on {instance['host']} would listen on {port}, which is no port:"
                    " lower broker_listen_port, broker_port_step or common_nameserver_port"
                )
            owner = owners.setdefault((_machine(instance), port), instance)
            if owner is not instance:
                problems.append(
                    f"{owner['name']} and {instance['name']} on {instance['host']} would both listen on {port}:"
                    " each broker takes listenPort, listenPort - 2 and listenPort + 1,"
                    " so change broker_listen_port, broker_port_step (4 or more) or common_nameserver_port"
                )
    return problems


def cluster_differences(answers: Sequence[Mapping[str, Any]], cluster: str, brokers: Sequence[Instance]) -> list[str]:
    """Say how the answers of name servers to `mqadmin clusterList -o json` differ from the placed brokers.

    An answer is the result of Ansible's command module; brokers of other clusters than `cluster` don't count.
    """
    if not answers:
        return ["no name server was asked"]
    return [
        f"{answer['cmd'][-3]} says: {difference}"
        for answer in answers
        for difference in _answer_differences(answer, cluster, brokers)
    ]


def _answer_differences(answer: Mapping[str, Any], cluster: str, brokers: Sequence[Instance]) -> list[str]:
    if answer["rc"] != 0:
        return [str(answer["stderr"]).strip()]
    rows = [row for row in json.loads(answer["stdout"]) if row["clusterName"] == cluster]
    found = {(row["brokerName"], row["brokerId"]): row["brokerAddr"] for row in rows}
    wanted = {(broker["broker_name"], broker["broker_id"]): broker["address"] for broker in brokers}
    missing = [
        f"{name} with id {broker_id} should be at {address} and is {found.get((name, broker_id), 'not there')}"
        for (name, broker_id), address in wanted.items()
        if found.get((name, broker_id)) != address
    ]
    unexpected = [
        f"{name} with id {broker_id} is at {address} and not in the inventory"
        for (name, broker_id), address in found.items()
        if (name, broker_id) not in wanted
    ]
    silent = [
        f"{row['brokerName']} with id {row['brokerId']} at {row['brokerAddr']} does not answer"
        for row in rows
        if not row["reachable"]
    ]
    return [*missing, *unexpected, *silent]


def refused_keys(properties: Mapping[str, Any], owned: Sequence[str]) -> list[str]:
    """Return the keys of `properties` that the topology owns, in whatever upper and lower case they are spelt."""
    decided = {key.lower() for key in owned}
    return [key for key in properties if key.lower() in decided]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "host_addresses": host_addresses,
            "place_nameservers": place_nameservers,
            "place_brokers": place_brokers,
            "pin_problems": pin_problems,
            "topology_problems": topology_problems,
            "cluster_differences": cluster_differences,
            "refused_keys": refused_keys,
        }
