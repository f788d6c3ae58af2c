"""Filters that turn few words of an inventory into the instances of a cluster.

Pure functions over plain lists and dictionaries, so that a unit test needs no Ansible. The layout for two hosts,
two broker sets and one slave each is the one that RocketMQ's installation guides draw:

    host 1: name server 9876, broker-a master 10911 in store, broker-b slave 11911 in store-s
    host 2: name server 9876, broker-b master 10911 in store, broker-a slave 11911 in store-s

An instance keeps its host, ports and store when a broker set is appended: the n-th master of a host listens on
`port + 2n * step`, its n-th slave on `port + (2n + 1) * step`, whatever else runs there.
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
  - C(cluster_differences) compares what name servers report with what was placed.
  - C(refused_keys) names the properties of a dictionary that the topology decides.
  - C(foreign_listeners) leaves those who listen on a port and are none of our daemons.
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
) -> list[Instance]:
    """List the brokers: masters go round the hosts, the slaves of a set on the hosts that follow its master's.

    With one host everything is there. Listen ports are those of the module's docstring; each broker also takes the
    port two below (the same handlers) and the one above (replication).
    """
    placed: dict[tuple[str, str], int] = {}
    instances = []
    for set_number, broker_name in enumerate(sets):
        for broker_id in range(slaves_per_master + 1):
            host = _host_of(hosts, set_number, broker_id)
            kind = SLAVE if broker_id else MASTER
            number = placed.get((host, kind), 0)
            placed[host, kind] = number + 1
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


def _host_of(hosts: Sequence[str], set_number: int, broker_id: int) -> str:
    """Return the host of a member of a set: the master's, or for slaves one after it in the ring of the others."""
    home = set_number % len(hosts)
    if broker_id == 0 or len(hosts) == 1:
        return hosts[home]
    return hosts[(home + 1 + (broker_id - 1) % (len(hosts) - 1)) % len(hosts)]


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


def topology_problems(brokers: Sequence[Instance], nameservers: Sequence[Instance]) -> list[str]:
    """Say what keeps these instances from working as a cluster, a sentence each; empty when nothing does."""
    return [
        *_name_problems(brokers),
        *_set_problems(brokers),
        *_separation_problems(brokers, {_machine(instance) for instance in (*nameservers, *brokers)}),
        *_address_problems([*nameservers, *brokers]),
        *_port_problems([*nameservers, *brokers]),
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
            " order the group broker so that neighbours are different machines"
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


def foreign_listeners(listeners: Sequence[Mapping[str, Any]], conf_dir: str) -> list[str]:
    """Say of each of the `listeners` of `host_info` which is not a daemon run with a file of ours what it is."""
    return [
        f"port {listener['port']} is taken by {_described(listener)}"
        for listener in listeners
        if not any(str(argument).startswith(f"{conf_dir}/") for argument in listener["argv"][-1:])
    ]


def _described(listener: Mapping[str, Any]) -> str:
    if not listener["argv"]:
        return "a process of another user"
    return f"'{' '.join(listener['argv'])}' with pid {listener['pid']}"


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
            "topology_problems": topology_problems,
            "cluster_differences": cluster_differences,
            "foreign_listeners": foreign_listeners,
            "refused_keys": refused_keys,
        }
