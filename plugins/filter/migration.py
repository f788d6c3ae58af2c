"""Filters that judge whether a cluster of Java RocketMQ can become ours, host by host, and who runs where.

Pure functions over what modules `host_info`, `java_store` and `java_info` found and over the placed instances. Each
problem is a sentence that names what was found, what is needed and what to set; an empty list means that nothing is in
the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: migration
short_description: Filters that judge the move of a Java cluster to ours and back
version_added: 0.2.0
description:
  - C(daemon_side) says who listens for an instance, C(java), C(ours) or C(none).
  - C(named_problems) compares the instances with those that were described for the move.
  - C(store_problems) judges the store of one broker, C(running_problems) a broker by who runs and whose the store is.
  - C(property_problems) judges the properties of a running Java broker.
  - C(kv_problems) judges the properties of a running Java name server.
author: [broker-py developers (@broker-py)]
options: {}
"""

Instance = Mapping[str, Any]
Found = Mapping[str, Any]

JAVA, OURS, NONE, BOTH = "java", "ours", "none", "both"

# What ours takes for properties that it is not given, as RocketMQ does.
_LOG_FILE_BYTES = 1 << 30
_QUEUE_FILE_BYTES = 6_000_000
_QUEUE_UNIT_BYTES = 20
# What has to be the same on both sides, as messages would be deleted or delivered earlier, refused, or less safe: the
# default and what to set.
_SAME = {
    "fileReservedTime": ("72", "fileReservedTime in broker_config"),
    "maxMessageSize": (str(4 << 20), "maxMessageSize in broker_config"),
    "flushDiskType": ("ASYNC_FLUSH", "broker_flush_disk_type"),
    "messageDelayLevel": (
        "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h",
        "messageDelayLevel in broker_config",
    ),
}
# What a Java broker may do and ours can't.
_REFUSED = {
    "enableDLegerCommitLog": "keeps its log by DLedger",
    "enableControllerMode": "is run by controllers",
}
# What Java does and ours has to do then: what ours does if it is not told, and what to set.
_NEEDED = {
    "aclEnable": (
        "false",
        "broker_acl_enable to true, and broker_acl_from to its directory conf",
    ),
    "enablePropertyFilter": ("false", "enablePropertyFilter in broker_config"),
    "timerWheelEnable": ("true", "timerWheelEnable in broker_config"),
}
# What ProtectHome= of the units hides.
_HIDDEN = ("/home/", "/root/", "/run/user/")


def daemon_side(listeners: Sequence[Found], instance: Instance, config_file: str) -> str:
    """Say who listens on an instance's port: ours is known by the file that it runs with."""
    found = [each["argv"] for each in listeners if each["port"] == instance["listen_port"]]
    if not found:
        return NONE
    return OURS if found[0][-1:] == [config_file] else JAVA


def named_problems(named: Mapping[str, Any], names: Sequence[str], variable: str, known: Sequence[str]) -> list[str]:
    """Say which instances of a host are not described in a variable, and what it describes that is nowhere.

    `known` has the names of all instances of the kind.
    """
    missing = [
        f"{variable} does not say how Java's {name} is stopped and started" for name in names if name not in named
    ]
    return [*missing, *(f"{variable} has {name}, which the inventory does not" for name in named if name not in known)]


def running_problems(name: str, store: Found, daemon: str) -> list[str]:
    """Say why it is not clear how to go on with a broker, by whose its store is and who runs.

    Nobody may run where a move was interrupted, so that whose the store is says who has to.
    """
    side = store["side"]
    if side in (JAVA, OURS) and daemon not in (side, NONE):
        return [f"{name} runs as {_of(daemon)}, and its store is {_of(side)}: stop it, and start what the store is of"]
    if side == JAVA and daemon == NONE and not store["begun"]:
        return [f"{name} of Java does not run: start it first"]
    return []


def _of(side: str) -> str:
    return "Java's" if side == JAVA else side


def store_problems(
    name: str, store: Found, java: str, ours: str, properties: Mapping[str, Any], unit: bool
) -> list[str]:
    """Say why the store of a Java broker can't be taken over.

    `properties` are those that ours will run with, `unit` says whether it is a unit, which sees no home directories.
    """
    if store["side"] == NONE:
        return [
            f"{name} has no store in {java}: set store in migration_brokers to its storePathRootDir; where"
            f" storePathCommitLog is another place, stop Java, move that to {java}/commitlog and remove the property"
        ]
    if store["side"] == BOTH:
        return [
            f"{name} has a store in {java} and one in {ours}: remove that with no messages of the cluster, or set"
            " common_data_dir"
        ]
    if store["side"] == OURS:
        return []
    problems = []
    if store["link"]:
        problems.append(
            f"{name} has {java} or its commitlog as a link: name in migration_brokers what it links to, or stop Java"
            " and move that there, as one rename has to move the store"
        )
    if not store["movable"]:
        problems.append(
            f"{name} has its store in {java}, which can't be renamed to {ours}, as they are not below one mount"
            " point, or are one: set common_data_dir to a directory of the same mounted file system"
        )
    if unit and f"{_path(ours)}/".startswith(_HIDDEN):
        problems.append(f"{name} would have its store in {ours}, which its unit does not see: set common_data_dir")
    if not store["empty"]:
        problems.append(f"{name} would have its store in {ours}, which is not empty: empty it, or set common_data_dir")
    queue_bytes = -(-int(properties.get("mappedFileSizeConsumeQueue", _QUEUE_FILE_BYTES)) // _QUEUE_UNIT_BYTES)
    wanted = {
        "mappedFileSizeCommitLog": (
            store["log_file_bytes"],
            int(properties.get("mappedFileSizeCommitLog", _LOG_FILE_BYTES)),
        ),
        "mappedFileSizeConsumeQueue": (store["queue_file_bytes"], queue_bytes * _QUEUE_UNIT_BYTES),
    }
    problems += [
        f"{name} has files of {_listed(found)} bytes in {java}, and would have {size}: set"
        f" {key} to {found[0]} in broker_config"
        for key, (found, size) in wanted.items()
        if found and found != [size]
    ]
    return problems


def _listed(sizes: Sequence[int]) -> str:
    return " and ".join(map(str, sizes))


def property_problems(name: str, java: str, running: Mapping[str, str], properties: Mapping[str, Any]) -> list[str]:
    """Say what a Java broker runs with that ours, with `properties`, would not do or do otherwise."""
    problems = [
        f"{name} {what} ({key}), which ours does not: it can't be moved"
        for key, what in _REFUSED.items()
        if running.get(key, "false").lower() == "true"
    ]
    root = running.get("storePathRootDir", java)
    if _path(root) != _path(java):
        problems.append(f"{name} of Java has its store in {root}: set store in migration_brokers, which is {java}")
    log = running.get("storePathCommitLog") or f"{root}/commitlog"
    if _path(log) != _path(f"{root}/commitlog"):
        problems.append(
            f"{name} of Java has its log in {log}: stop it, move that to {java}/commitlog, and remove"
            " storePathCommitLog from its properties"
        )
    problems += [
        f"{name} of Java has {key}={running[key]}, and ours would have {properties.get(key, default)}: set {where}"
        for key, (default, where) in _SAME.items()
        if key in running and running[key].split() != str(properties.get(key, default)).split()
    ]
    problems += [
        f"{name} of Java has {key}=true, and ours would have false: set {where}"
        for key, (default, where) in _NEEDED.items()
        if running.get(key, "false").lower() == "true" and str(properties.get(key, default)).lower() != "true"
    ]
    return problems


def _path(text: str) -> str:
    return "/" + "/".join(part for part in text.split("/") if part)


def kv_problems(name: str, kv_config: str, running: Mapping[str, str]) -> list[str]:
    """Say so where a Java name server has its KV configurations elsewhere than was said."""
    found = running.get("kvConfigPath", kv_config)
    if _path(found) == _path(kv_config):
        return []
    return [f"{name} of Java has kvConfigPath {found}: set kv_config in migration_nameservers, which is {kv_config}"]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "daemon_side": daemon_side,
            "named_problems": named_problems,
            "running_problems": running_problems,
            "store_problems": store_problems,
            "property_problems": property_problems,
            "kv_problems": kv_problems,
        }
