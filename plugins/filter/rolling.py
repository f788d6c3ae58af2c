"""Filters that decide when a rolling operation may go on: pure functions over what module `cluster_info` returned.

An instance is what `place_brokers` makes of the inventory; `info` is what the cluster says. Every check first asks who
answered: a broker that no name server reports is a problem, and never an empty list that nothing was wrong with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: rolling
short_description: Filters that decide when a rolling operation may go on
version_added: 0.1.0
description:
  - C(instance_problems) says in sentences how running brokers differ from placed ones; empty when they don't.
  - C(gate_problems) does so for the set of one instance that came back, and compares it with what it was before.
  - C(uncaught_slaves) names the slaves of a set that don't hold all that their master wrote.
  - C(drained_master) is the master that must get no messages while an instance is down, if there has to be one.
  - C(without_peers) says whether nobody else can take messages while an instance is down.
  - C(forgotten_brokers) names the brokers that a name server which came back does not report.
  - C(rollback_target) finds the release that the hosts had before the last upgrade.
  - C(joining_sets) names the sets of the inventory that don't take part in the cluster yet.
  - C(settings_to_copy) lists the topics and groups that a new master lacks.
  - C(masterless_set) says whether a set has lost its master.
  - C(ordered_topics_of) names the topics of a set that keep their order by the order configuration.
  - C(left_brokers) lists the brokers of a set that some name server still reports.
  - C(health_problems) adds disks and groups over their limits to the problems of a cluster.
author: [broker-py developers (@broker-py)]
options: {}
"""

Instance = Mapping[str, Any]
Info = Mapping[str, Any]

WRITE = 2  # the bit of brokerPermission


def instance_problems(
    info: Info, instances: Sequence[Instance], nameservers: Sequence[str], lag_bytes: int
) -> list[str]:
    """Say what keeps the cluster from being the placed `instances`, known to all of `nameservers`."""
    problems = [problem for instance in instances for problem in _own_problems(info, instance, nameservers)]
    for broker_name in dict.fromkeys(instance["broker_name"] for instance in instances):
        slaves = [each for each in instances if each["broker_name"] == broker_name and each["broker_id"] != 0]
        problems += _slave_problems(info, broker_name, slaves, lag_bytes)
    return problems


def _own_problems(info: Info, instance: Instance, nameservers: Sequence[str]) -> list[str]:
    name, address = instance["name"], instance["address"]
    found = _found(info, instance)
    if found is None:
        return [f"{name} should be registered as {address}, and no name server reports it there"]
    silent = sorted(set(nameservers) - set(found["name_servers"]))
    problems = [f"{name} is not registered at the name server {each}" for each in silent]
    if not found["reachable"]:
        return [*problems, f"{name} at {address} does not answer"]
    if found["role"] != instance["role"]:
        problems.append(f"{name} runs as {found['role']} and should be {instance['role']}")
    return problems


def _found(info: Info, instance: Instance) -> Mapping[str, Any] | None:
    """Return what the cluster says of an instance, by everything that its clients know it by."""
    for broker in info["brokers"]:
        if all(broker[key] == instance[key] for key in ("broker_name", "broker_id", "address")):
            return broker  # type: ignore[no-any-return]
    return None


def _slave_problems(info: Info, broker_name: str, slaves: Sequence[Instance], lag_bytes: int) -> list[str]:
    lags = _lags(info, broker_name)
    problems = []
    for slave in slaves:
        lag = lags.get(slave["address"])
        if lag is None:
            problems.append(f"{slave['name']} does not follow the master of {broker_name}")
        elif lag > lag_bytes:
            problems.append(f"{slave['name']} is {lag} bytes behind its master, at most {lag_bytes} are fine")
    return problems


def _lags(info: Info, broker_name: str) -> dict[str, int | None]:
    slaves = info["sets"].get(broker_name, {}).get("slaves", [])
    return {slave["address"]: slave["lag_bytes"] for slave in slaves}


def gate_problems(
    info: Info,
    before: Info,
    instance: Instance,
    instances: Sequence[Instance],
    nameservers: Sequence[str],
    lag_bytes: int,
) -> list[str]:
    """Say what is missing until an instance that was restarted does all it did before."""
    problems = instance_problems(info, _set_of(instance, instances), nameservers, lag_bytes)
    now, then = _found(info, instance), _found(before, instance)
    if now is not None and then is not None and (now["log_end"] or 0) < (then["log_end"] or 0):
        problems.append(
            f"{instance['name']} lost messages: its log ends at {now['log_end']} and ended at {then['log_end']} before"
        )
    lost = _topics(before, instance) - _topics(info, instance)
    return [*problems, *(f"{instance['name']} has lost the topic {topic}" for topic in sorted(lost))]


def _topics(info: Info, instance: Instance) -> set[str]:
    return set(info["topics"].get(instance["broker_name"], {}))


def uncaught_slaves(
    info: Info, instance: Instance, instances: Sequence[Instance], drained: Instance | None, lag_bytes: int
) -> list[str]:
    """Name the slaves of an instance's set, but not itself, that don't hold what their master wrote.

    That is all of it where nothing is written any more, and else all but `lag_bytes`.
    """
    slaves = [each for each in _set_of(instance, instances) if each["broker_id"] != 0]
    others = [each for each in slaves if each["name"] != instance["name"]]
    return _slave_problems(info, instance["broker_name"], others, 0 if drained else lag_bytes)


def _set_of(instance: Instance, instances: Sequence[Instance]) -> list[Instance]:
    return [each for each in instances if each["broker_name"] == instance["broker_name"]]


def without_peers(instance: Instance, instances: Sequence[Instance]) -> bool:
    """Say whether no other set could take the messages of this one."""
    return all(each["broker_name"] == instance["broker_name"] for each in instances)


def drained_master(instance: Instance, instances: Sequence[Instance]) -> Instance | None:
    """Return the master that must get no messages while an instance is down, None if there has to be none.

    That is a master itself, and that of a slave where a send needs this very slave to be acknowledged. Nobody where
    the messages could not go elsewhere: turning them away earlier would only make the gap longer.
    """
    if without_peers(instance, instances):
        return None
    members = _set_of(instance, instances)
    master = next(each for each in members if each["broker_id"] == 0)
    needs_this_slave = master["role"] == "SYNC_MASTER" and len(members) == 2
    return master if instance["broker_id"] == 0 or needs_this_slave else None


def forgotten_brokers(info: Info, before: Info, nameserver: str) -> list[str]:
    """Say which brokers that were reported before one name server does not report."""
    keys = ("broker_name", "broker_id", "address")
    reported = [
        tuple(broker[key] for key in keys) for broker in info["brokers"] if nameserver in broker["name_servers"]
    ]
    return [
        f"the name server {nameserver} does not report {broker['broker_name']} with id {broker['broker_id']}"
        f" at {broker['address']}, which was there before"
        for broker in before["brokers"]
        if tuple(broker[key] for key in keys) not in reported
    ]


def rollback_target(releases: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the release to go back to, `{"release": ..., "problem": ...}`, one of them empty.

    `releases` says for each host what the links `current` and `previous` point to. It is what was there before the last
    upgrade, whether that reached all hosts or stopped half-way.
    """
    candidates = sorted({each["previous"] for each in releases if each["previous"]})
    fitting = [
        candidate
        for candidate in candidates
        if all(candidate in (each["current"], each["previous"]) for each in releases)
        and any(candidate != each["current"] for each in releases)
    ]
    if len(fitting) == 1:
        return {"release": fitting[0], "problem": ""}
    shown = "; ".join(f"{each['current']} (before: {each['previous'] or 'none'})" for each in releases)
    return {"release": "", "problem": f"It is not clear what to go back to, as the hosts have {shown}"}


def joining_sets(info: Info, instances: Sequence[Instance]) -> list[str]:
    """Name the placed sets that don't take part yet, in the order of their names in the inventory.

    A set takes part when its master is there, may be written to, and has topics if any master has. So one whose
    joining was interrupted joins again.
    """
    some_topics = any(info["topics"].values())
    masters = {broker["broker_name"]: broker for broker in info["brokers"] if broker["broker_id"] == 0}
    return [
        name
        for name in dict.fromkeys(str(instance["broker_name"]) for instance in instances)
        if name not in masters
        or not (masters[name]["permission"] or 0) & WRITE
        or (some_topics and not info["topics"].get(name))
    ]


def settings_to_copy(info: Info, source: str, target: str) -> dict[str, list[dict[str, Any]]]:
    """List what the master of one set has and that of another lacks, by kind: groups, topics and ordered topics.

    Each is a dictionary of the options of module `subscription_group` or `topic`. A topic that the target has stays as
    it is there, but an ordered one has to be ordered on it too.
    """
    own_groups, own_topics = info["subscription_groups"].get(target, {}), info["topics"].get(target, {})
    groups, topics = info["subscription_groups"][source], info["topics"][source]
    missing = [{"name": name, **topic} for name, topic in topics.items() if name not in own_topics]
    unordered = [name for name, topic in topics.items() if topic["order"] and not own_topics.get(name, {}).get("order")]
    return {
        "groups": [{"name": name, **group} for name, group in groups.items() if name not in own_groups],
        "topics": missing,
        "ordered": [{"name": name} for name in unordered],
    }


def masterless_set(info: Info, broker_name: str) -> list[str]:
    """Say so when a set has brokers and none of them is a master that answers."""
    members = [broker for broker in info["brokers"] if broker["broker_name"] == broker_name]
    masters = [broker for broker in members if broker["broker_id"] == 0 and broker["reachable"]]
    return [f"{broker_name} has no master that answers: start it first"] if members and not masters else []


def ordered_topics_of(info: Info, broker_name: str) -> list[str]:
    """Name the topics of a set that are ordered there or anywhere.

    A run before may have ended when the set's topic was not ordered any more, and name servers still said it was.
    """
    ordered = {name for topics in info["topics"].values() for name, topic in topics.items() if topic["order"]}
    return sorted(ordered & set(info["topics"].get(broker_name, {})))


def left_brokers(info: Info, broker_name: str) -> list[str]:
    """List the brokers of a set that are still reported, and by whom."""
    return [
        f"{broker['address']} is still reported by {', '.join(broker['name_servers'])}"
        for broker in info["brokers"]
        if broker["broker_name"] == broker_name and broker["name_servers"]
    ]


def health_problems(info: Info, disk_ratio: float, group_lag: int, ignored_groups: Sequence[str]) -> list[str]:
    """Say what is wrong with a cluster, and which disks and groups are over their limits."""
    disks = [
        f"the disk of {broker['address']} ({broker['broker_name']}) is {broker['disk_ratio']:.0%} full,"
        f" {disk_ratio:.0%} is the limit"
        for broker in info["brokers"]
        if (broker["disk_ratio"] or 0) > disk_ratio
    ]
    groups = [
        f"the group {group} is {left} messages of {topic} behind, {group_lag} are the limit"
        for group, topics in info["groups"].items()
        for topic, left in topics.items()
        if left > group_lag and group not in ignored_groups
    ]
    return [*info["problems"], *disks, *groups]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "instance_problems": instance_problems,
            "gate_problems": gate_problems,
            "uncaught_slaves": uncaught_slaves,
            "without_peers": without_peers,
            "drained_master": drained_master,
            "forgotten_brokers": forgotten_brokers,
            "rollback_target": rollback_target,
            "joining_sets": joining_sets,
            "settings_to_copy": settings_to_copy,
            "masterless_set": masterless_set,
            "ordered_topics_of": ordered_topics_of,
            "left_brokers": left_brokers,
            "health_problems": health_problems,
        }
