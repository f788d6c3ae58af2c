#!/usr/bin/python
"""Tell what a cluster says of itself: every name server and every broker asked alone, silence counted as a problem."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, Params, Result, run
from ..module_utils.settings import settings_of_group, settings_of_topic

if TYPE_CHECKING:
    from broker_py.admin.survey import BrokerAnswer, Survey
    from broker_py.admin.targets import BrokerAddress
    from broker_py.client.client import Client

DOCUMENTATION = """
module: cluster_info
short_description: Tell the brokers, roles, offsets and lag of a cluster
version_added: 0.1.0
description:
  - Asks every name server which brokers there are, and every one of these how it is. Changes nothing.
  - Who does not answer is reported as a problem and not as a failure, so that a gate can wait until there are none.
author: [broker-py developers (@broker-py)]
options:
  cluster:
    description: Only the brokers of this cluster; those of all clusters when it is empty.
    type: str
    default: ""
  broker_name:
    description: Only the brokers of this name; all when it is empty.
    type: str
    default: ""
  groups:
    description: Also return what the consumer groups have still to consume.
    type: bool
    default: false
  settings:
    description: Also return the topics and the consumer groups of each master, as the modules that make them take them.
    type: bool
    default: false
extends_documentation_fragment: [broker_py.mq.cluster]
"""

EXAMPLES = """
- name: Wait until the cluster is well
  broker_py.mq.cluster_info:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
  register: cluster_now
  until: cluster_now.problems | length == 0
  retries: 30
  delay: 2
"""

RETURN = """
name_servers:
  description: The name servers that were asked. C(brokers) is how many of the brokers each of them reports.
  type: list
  elements: dict
  returned: always
  sample: [{address: "192.168.56.11:9876", brokers: 4, reachable: true}]
brokers:
  description:
    - The brokers that any name server reports, sorted by name and id. Of a broker that does not answer, what only it
      could tell is null.
    - C(log_end) and C(log_min) are offsets in the commit log. C(put_total) counts the messages stored since its start.
  type: list
  elements: dict
  returned: always
  sample:
    - {address: "192.168.56.11:10911", broker_id: 0, broker_name: broker-a, cluster: DefaultCluster, disk_ratio: 0.2,
       log_end: 4096, log_min: 0, name_servers: ["192.168.56.11:9876"], permission: 6, put_total: 12, reachable: true,
       role: ASYNC_MASTER, version: V5_1_0}
sets:
  description:
    - The same by broker name. C(lag_bytes) is what a slave lacks of its master's log, null when one of them is silent.
    - A slave is C(in_sync) when that is less than the master's C(haMaxGapNotInSync) and, where the master tells, it is
      connected.
  type: dict
  returned: always
  sample:
    broker-a: {cluster: DefaultCluster, master: "192.168.56.11:10911",
               slaves: [{address: "192.168.56.12:11911", broker_id: 1, in_sync: true, lag_bytes: 0}]}
problems:
  description: What is wrong, a sentence each.
  type: list
  elements: str
  returned: always
  sample: ["no slave of broker-a is in sync"]
groups:
  description: Messages that a group has still to consume, by group and topic, over all masters reported.
  type: dict
  returned: when I(groups) is true
  sample: {orders: {TopicTest: 17}}
topics:
  description: The topics of each master but for system, retry and dead-letter topics, by broker name and topic.
  type: dict
  returned: when I(settings) is true
  sample:
    broker-a: {TopicTest: {attributes: {}, order: false, perm: 6, read_queues: 8, write_queues: 8}}
subscription_groups:
  description: The consumer groups of each master but for those that every broker has, by broker name and group.
  type: dict
  returned: when I(settings) is true
  sample:
    broker-a: {orders: {consume_enable: true, retry_max_times: 16, retry_queue_nums: 1}}
"""

MASTER_ID = 0
READ_AND_WRITE = 6
# haMaxGapNotInSync (haSlaveFallbehindMax before 5.0) of a broker that doesn't say, as RocketMQ has it by default.
MAX_GAP_BYTES = 256 << 20

Broker = dict[str, Any]


def name_servers_of(found: Survey) -> list[dict[str, Any]]:
    """Return the name servers."""
    return [
        {"address": each.address, "reachable": not each.error, "brokers": len(each.brokers)}
        for each in found.name_servers
    ]


def brokers_of(found: Survey) -> list[Broker]:
    """Return each broker that any name server reports, with what it says of itself."""
    reporters: dict[BrokerAddress, list[str]] = {}
    for name_server in found.name_servers:
        for broker in name_server.brokers:
            reporters.setdefault(broker, []).append(name_server.address)
    return [
        {
            "cluster": broker.cluster,
            "broker_name": broker.broker_name,
            "broker_id": broker.broker_id,
            "address": broker.address,
            "name_servers": reporters[broker],
            **_own_words(found.brokers[broker.address]),
        }
        for broker in sorted(reporters, key=lambda each: (each.broker_name, each.broker_id, each.address))
    ]


def _own_words(answer: BrokerAnswer) -> dict[str, Any]:
    runtime, properties = answer.runtime, answer.properties
    return {
        "reachable": not answer.error,
        "role": properties.get("brokerRole"),
        "version": runtime.get("brokerVersionDesc"),
        "permission": _number(properties.get("brokerPermission")),
        "log_end": _number(runtime.get("commitLogMaxOffset")),
        "log_min": _number(runtime.get("commitLogMinOffset")),
        "put_total": _number(runtime.get("putMessageTimesTotal")),
        "disk_ratio": _ratio(runtime.get("commitLogDiskRatio")),
    }


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdecimal() else None


def _ratio(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def sets_of(brokers: list[Broker], answers: dict[str, BrokerAnswer]) -> dict[str, dict[str, Any]]:
    """Return the brokers by name: a master and its slaves, and how far these are."""
    sets: dict[str, dict[str, Any]] = {}
    for broker in brokers:
        members = sets.setdefault(broker["broker_name"], {"cluster": broker["cluster"], "master": None, "slaves": []})
        if broker["broker_id"] == MASTER_ID:
            members["master"] = broker["address"]
        else:
            members["slaves"].append(broker)
    for members in sets.values():
        master = next((each for each in brokers if each["address"] == members["master"]), None)
        answer = answers.get(members["master"])
        members["slaves"] = [_slave(slave, master, answer, members["slaves"]) for slave in members["slaves"]]
    return sets


def _slave(slave: Broker, master: Broker | None, answer: BrokerAnswer | None, siblings: list[Broker]) -> dict[str, Any]:
    lag: int | None = None
    if master is not None and None not in (master["log_end"], slave["log_end"]):
        lag = max(0, master["log_end"] - slave["log_end"])
    in_sync = lag is not None and answer is not None and lag < _max_gap(answer) and _connected(slave, answer, siblings)
    return {"address": slave["address"], "broker_id": slave["broker_id"], "lag_bytes": lag, "in_sync": in_sync}


def _max_gap(answer: BrokerAnswer) -> int:
    properties = answer.properties
    gap = _number(properties.get("haMaxGapNotInSync", properties.get("haSlaveFallbehindMax")))
    return MAX_GAP_BYTES if gap is None else gap


def _connected(slave: Broker, answer: BrokerAnswer, siblings: list[Broker]) -> bool:
    """Say whether the slaves of this one's host have their connections to the master; True when it can't tell.

    A connection is known by its host only. One from a host where no slave is registered may be anybody's: a slave
    with several addresses dials from another one than it advertises.
    """
    if answer.replication is None:
        return True
    hosts = [_host(each["address"]) for each in siblings]
    origins = [_host(each.address) for each in answer.replication.slaves if each.in_sync]
    own = _host(slave["address"])
    usable = [origin for origin in origins if origin == own or origin not in hosts]
    return len(usable) >= hosts.count(own)


def _host(address: str) -> str:
    return address.rpartition("/")[2].rpartition(":")[0].strip("[]")


def problems_of(
    found: Survey, brokers: list[Broker], sets: dict[str, dict[str, Any]], wanted: str = "any cluster"
) -> list[str]:
    """Say what is wrong with a cluster, a sentence each."""
    return [
        *_name_server_problems(found),
        *([] if brokers else [f"no name server reports a broker of {wanted}"]),
        *_report_problems(found, brokers),
        *(problem for broker in brokers for problem in _broker_problems(broker, found.brokers[broker["address"]])),
        *(problem for name, members in sets.items() for problem in _set_problems(name, members)),
    ]


def _name_server_problems(found: Survey) -> Iterator[str]:
    if not found.name_servers:
        yield "no name server was asked: nameservers is empty"
    for each in found.name_servers:
        if each.error:
            yield f"the name server {each.address} does not answer: {each.error}"


def _report_problems(found: Survey, brokers: list[Broker]) -> Iterator[str]:
    answering = [each.address for each in found.name_servers if not each.error]
    for broker in brokers:
        missing = [address for address in answering if address not in broker["name_servers"]]
        if missing:
            yield (
                f"{_described(broker)} is reported by {', '.join(broker['name_servers'])}"
                f" and not by {', '.join(missing)}"
            )


def _broker_problems(broker: Broker, answer: BrokerAnswer) -> Iterator[str]:
    who = _described(broker)
    if answer.error:
        yield f"{who} does not answer: {answer.error}"
        return
    name, number = answer.properties.get("brokerName"), _number(answer.properties.get("brokerId"))
    if (name, number) != (broker["broker_name"], broker["broker_id"]):
        yield f"{who} says that it is {name} with id {number}"
    fault = answer.runtime.get("brokerFault", "none")
    if fault != "none":
        yield f"{who} refuses messages: {fault}"
    warning = answer.runtime.get("brokerWarning", "none")
    if warning != "none":
        yield f"{who} is not well: {warning}"
    if broker["permission"] not in (None, READ_AND_WRITE):
        yield (
            f"{who} has brokerPermission {broker['permission']} and not {READ_AND_WRITE}:"
            " clients don't send to it, or don't read from it"
        )


def _described(broker: Broker) -> str:
    return f"{broker['broker_name']} with id {broker['broker_id']} at {broker['address']}"


def _set_problems(name: str, members: dict[str, Any]) -> Iterator[str]:
    if members["master"] is None:
        yield f"{name} has no master: messages can't be sent to it"
        return
    for slave in members["slaves"]:
        if slave["lag_bytes"] is not None and not slave["in_sync"]:
            yield (
                f"{name} with id {slave['broker_id']} at {slave['address']} is not in sync with its master:"
                f" it lacks {slave['lag_bytes']} bytes, or is not connected"
            )


async def tell(client: Client, params: Params, _check_mode: bool) -> Result:
    """Return what was found."""
    from broker_py.admin.survey import survey  # noqa: PLC0415  importable only now

    found = await survey(client, params["cluster"] or None)
    brokers = [each for each in brokers_of(found) if params["broker_name"] in ("", each["broker_name"])]
    sets = sets_of(brokers, found.brokers)
    wanted = params["broker_name"] or (f"the cluster {params['cluster']}" if params["cluster"] else "any cluster")
    result = {
        "changed": False,
        "name_servers": name_servers_of(found),
        "brokers": brokers,
        "sets": sets,
        "problems": problems_of(found, brokers, sets, wanted),
    }
    sources = _sources(brokers)
    if params["groups"]:
        result["groups"] = await _groups(client, sources)
    if params["settings"]:
        result["topics"], result["subscription_groups"] = await _settings(client, sources)
    return result


def _sources(brokers: list[Broker]) -> list[Broker]:
    """Return the one to ask of each broker name: the lowest id that answers, which is the master if it lives."""
    sources: dict[str, Broker] = {}
    for broker in brokers:
        if broker["reachable"]:
            sources.setdefault(broker["broker_name"], broker)
    return list(sources.values())


async def _groups(client: Client, sources: list[Broker]) -> dict[str, dict[str, int]]:
    from broker_py.admin.backlog import backlogs  # noqa: PLC0415  importable only now

    totals: dict[str, dict[str, int]] = {}
    for of_broker in await asyncio.gather(*(backlogs(client, each["address"]) for each in sources)):
        for each in of_broker:
            topics = totals.setdefault(each.group, {})
            topics[each.topic] = topics.get(each.topic, 0) + each.left
    return totals


async def _settings(client: Client, sources: list[Broker]) -> tuple[dict[str, Any], dict[str, Any]]:
    from broker_py.admin.groups import is_system_group  # noqa: PLC0415  importable only now
    from broker_py.admin.topics import is_own_topic  # noqa: PLC0415

    topics: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    for broker in sources:
        name, address = broker["broker_name"], broker["address"]
        topics[name] = {
            topic: settings_of_topic(config)
            for topic, config in (await client.brokers.topics(address)).items()
            if not is_own_topic(topic, broker["cluster"], name)
        }
        groups[name] = {
            group: settings_of_group(config)
            for group, config in (await client.brokers.groups(address)).items()
            if not is_system_group(group)
        }
    return topics, groups


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "cluster": {"type": "str", "default": ""},
            "broker_name": {"type": "str", "default": ""},
            "groups": {"type": "bool", "default": False},
            "settings": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, tell)


if __name__ == "__main__":
    main()
