#!/usr/bin/python
"""Make a topic, change it, or delete it, without losing a message that somebody waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import (
    CLUSTER_OPTIONS,
    TARGET_OPTIONS,
    TARGET_RULES,
    ClusterFault,
    Params,
    Result,
    masters,
    run,
)
from ..module_utils.settings import Settings, settings_of_topic

if TYPE_CHECKING:
    from broker_py.admin.topics import OrderChange
    from broker_py.client.client import Client
    from broker_py.model.topic import TopicConfig

DOCUMENTATION = """
module: topic
short_description: Make, change or delete a topic
version_added: 0.1.0
description:
  - Compares the topic with what is wanted on each master, and changes what differs. What is not given stays as it is.
  - Queues can be added. Taking queues away loses what they hold for consumers, so that is refused here. The playbook
    C(queue_shrink) does it safely.
author: [broker-py developers (@broker-py)]
options:
  name:
    description: The topic.
    type: str
    required: true
  state:
    description:
      - C(present) makes the topic or changes it.
      - C(absent) deletes it on all masters of I(cluster), and has all name servers forget it.
    type: str
    choices: [present, absent]
    default: present
  queues:
    description: How many queues it has on each broker, to read and to write. A new topic has 8.
    type: int
  read_queues:
    description: How many queues consumers read on each broker, where that is not I(queues).
    type: int
  write_queues:
    description: How many queues producers write to on each broker, where that is not I(queues).
    type: int
  perm:
    description: Who may use it, 2 writers, 4 readers, 6 both. A new topic has 6.
    type: int
    choices: [2, 4, 6]
  order:
    description:
      - Whether messages of a key keep their queue even when a broker is away. The order configuration at the name
        servers, which says so to producers, is kept in step with the number of queues.
    type: bool
  attributes:
    description: Attributes such as C(message.type). An empty value takes one away, those not given stay.
    type: dict
    default: {}
  force:
    description: Delete the topic although consumer groups have not consumed all of its messages.
    type: bool
    default: false
extends_documentation_fragment: [broker_py.mq.cluster, broker_py.mq.cluster.targets]
"""

EXAMPLES = """
- name: Make a topic with 16 queues on each broker
  broker_py.mq.topic:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
    name: orders
    queues: 16
    attributes: {message.type: NORMAL}

- name: Delete a topic that everybody has consumed
  broker_py.mq.topic:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
    name: orders
    state: absent
"""

RETURN = """
steps:
  description: What was done, or would be, in order.
  type: list
  elements: str
  returned: always
  sample: ["make orders on broker-a with 16 read and 16 write queues, perm 6"]
"""

QUEUES_OF_NEW_TOPIC = 8
PERM_OF_NEW_TOPIC = 6
NEW_TOPIC: Settings = {
    "read_queues": QUEUES_OF_NEW_TOPIC,
    "write_queues": QUEUES_OF_NEW_TOPIC,
    "perm": PERM_OF_NEW_TOPIC,
    "order": False,
    "attributes": {},
}


@dataclass(frozen=True)
class Step:
    """The topic gets these settings on a broker; `before` is None where it is new."""

    topic: str
    broker_name: str
    before: Settings | None
    after: Settings

    def __str__(self) -> str:
        if self.before is None:
            after = self.after
            return (
                f"make {self.topic} on {self.broker_name} with {after['read_queues']} read and"
                f" {after['write_queues']} write queues, perm {after['perm']}"
            )
        changes = [
            f"{name} from {self.before[name]} to {value}"
            for name, value in self.after.items()
            if value != self.before[name]
        ]
        return f"change {self.topic} on {self.broker_name}: {', '.join(changes)}"


def plan(topic: str, current: Mapping[str, Settings | None], wanted: Mapping[str, Any]) -> list[Step]:
    """Return what makes the topic as wanted on each broker; ClusterFault when it may not be made so."""
    steps: list[Step] = []
    for broker_name, before in current.items():
        after = wanted_settings(before or NEW_TOPIC, wanted)
        _check(topic, broker_name, before, after)
        if after != before:
            steps.append(Step(topic, broker_name, before, after))
    return steps


def wanted_settings(base: Settings, wanted: Mapping[str, Any]) -> Settings:
    """Return settings with what is wanted in place of what there is."""
    for name in ("queues", "read_queues", "write_queues"):
        if wanted[name] is not None and wanted[name] < 1:
            raise ClusterFault(f"{name} is {wanted[name]}; a topic needs 1 queue or more (perm says who may use it)")
    given = {
        "read_queues": wanted["read_queues"] or wanted["queues"],
        "write_queues": wanted["write_queues"] or wanted["queues"],
        "perm": wanted["perm"],
        "order": wanted["order"],
    }
    attributes = {**base["attributes"], **{name: str(value) for name, value in wanted["attributes"].items()}}
    return {
        **base,
        **{name: value for name, value in given.items() if value is not None},
        "attributes": {name: value for name, value in attributes.items() if value},
    }


def _check(topic: str, broker_name: str, before: Settings | None, after: Settings) -> None:
    for name in ("read_queues", "write_queues"):
        if before is not None and after[name] < before[name]:
            raise ClusterFault(
                f"{topic} has {before[name]} {name} on {broker_name} and {after[name]} are wanted, but whoever takes"
                " queues away has to see first that they are consumed: use playbooks/queue_shrink.yml"
            )
    if after["write_queues"] > after["read_queues"]:
        raise ClusterFault(
            f"{topic} would have {after['write_queues']} write_queues and only {after['read_queues']} read_queues on"
            f" {broker_name}, so nobody would get the messages of the others: set queues"
        )


def attribute_changes(before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    """Return changes as brokers take them, `+name=value,-name`; None when there are none."""
    changes = [f"+{name}={value}" for name, value in after.items() if before.get(name) != value]
    changes += [f"-{name}" for name in before if name not in after]
    return ",".join(changes) or None


def order_wanted(settings: Mapping[str, Settings], order: bool | None) -> dict[str, int | None]:
    """Return what the order configuration has to say of each broker: its write queues, or None for no order.

    Brokers that need no step count too: a run before may have ended between them and the name servers.
    """
    wanted: dict[str, int | None] = {}
    for name, each in settings.items():
        if each["order"]:
            wanted[name] = each["write_queues"]
        elif order is not None:
            wanted[name] = None
    return wanted


async def bring(client: Client, params: Params, check_mode: bool) -> Result:
    """Bring the topic into the wanted state."""
    if params["state"] == "absent":
        return await _delete(client, params, check_mode)
    return await _put(client, params, check_mode)


async def _put(client: Client, params: Params, check_mode: bool) -> Result:
    from broker_py.admin.topics import (  # noqa: PLC0415  importable only now
        change_order,
        find_topic,
        order_changes,
        order_conf,
    )
    from broker_py.model.topic import topic_name_fault  # noqa: PLC0415

    topic = params["name"]
    fault = topic_name_fault(topic)
    if fault is not None:
        raise ClusterFault(f"'{topic}' can't be the name of a topic. {fault}")
    addresses = await masters(client, params)
    configs = {name: await find_topic(client, address, topic) for name, address in addresses.items()}
    before = {name: settings_of_topic(config) if config else None for name, config in configs.items()}
    steps = plan(topic, before, params)
    after = {name: each for name, each in before.items() if each} | {step.broker_name: step.after for step in steps}
    wanted = order_wanted(after, params["order"])
    orders = await order_changes(client, topic, lambda known: order_conf(known, wanted))
    if not check_mode:
        for step in steps:
            await _apply(client, addresses[step.broker_name], configs[step.broker_name], step)
        for order in orders:
            await change_order(client, order)
    return {
        "changed": bool(steps or orders),
        "steps": [*map(str, steps), *map(_described, orders)],
        "diff": {
            "before": _shown(before, {order.name_server: order.before for order in orders}),
            "after": _shown(after, {order.name_server: order.after for order in orders}),
        },
    }


async def _apply(client: Client, address: str, config: TopicConfig | None, step: Step) -> None:
    from broker_py.model.topic import TopicConfig  # noqa: PLC0415  importable only now

    after = step.after
    await client.brokers.put_topic(
        address,
        replace(
            config or TopicConfig(topic_name=step.topic),
            read_queue_nums=after["read_queues"],
            write_queue_nums=after["write_queues"],
            perm=after["perm"],
            order=after["order"],
        ),
        attribute_changes(config.attributes if config else {}, after["attributes"]),
    )


def _described(order: OrderChange) -> str:
    return f"order configuration at {order.name_server}: '{order.after}' in place of '{order.before}'"


def _shown(settings: Mapping[str, Settings | None], orders: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: each for name, each in settings.items() if each}
    return {**shown, "order configuration": dict(orders)} if orders else shown


async def _delete(client: Client, params: Params, check_mode: bool) -> Result:
    from broker_py.admin.topics import (  # noqa: PLC0415  importable only now
        change_order,
        delete_topic,
        find_topic,
        is_own_topic,
        name_servers_with,
        order_changes,
        order_conf,
    )

    topic, cluster = params["name"], params["cluster"]
    addresses = await masters(client, params)
    if any(is_own_topic(topic, cluster, name) for name in addresses):
        raise ClusterFault(f"{topic} belongs to the brokers themselves and can't be deleted")
    configs = {name: await find_topic(client, address, topic) for name, address in addresses.items()}
    having = {name: settings_of_topic(config) for name, config in configs.items() if config}
    routed = await name_servers_with(client, topic, addresses)
    if not params["force"]:
        await _check_consumed(client, topic, {name: addresses[name] for name in having})
    orders = await order_changes(client, topic, lambda known: order_conf(known, dict.fromkeys(addresses)))
    changed = bool(having or routed or orders)
    if changed and not check_mode:
        for outcome in await delete_topic(client, topic, cluster):
            if outcome.error is not None:
                raise ClusterFault(f"{topic} is not deleted everywhere: {outcome.address}: {outcome.error}")
        for order in orders:
            await change_order(client, order)
    return {
        "changed": changed,
        "steps": [
            *(f"delete {topic} on {name}" for name in having),
            *(f"have {address} forget {topic}" for address in routed),
            *map(_described, orders),
        ],
        "diff": {"before": _shown(having, {order.name_server: order.before for order in orders}), "after": {}},
    }


async def _check_consumed(client: Client, topic: str, addresses: Mapping[str, str]) -> None:
    from broker_py.admin.backlog import backlogs  # noqa: PLC0415  importable only now

    left: dict[str, int] = {}
    for address in addresses.values():
        for each in await backlogs(client, address, [topic]):
            left[each.group] = left.get(each.group, 0) + each.left
    waiting = [f"{group} {number}" for group, number in sorted(left.items()) if number]
    if waiting:
        raise ClusterFault(
            f"{topic} has messages that groups have not consumed ({', '.join(waiting)}): let them, or set force"
        )


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            **TARGET_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "queues": {"type": "int"},
            "read_queues": {"type": "int"},
            "write_queues": {"type": "int"},
            "perm": {"type": "int", "choices": [2, 4, 6]},
            "order": {"type": "bool"},
            "attributes": {"type": "dict", "default": {}},
            "force": {"type": "bool", "default": False},
        },
        required_if=[("state", "absent", ("cluster",))],
        required_one_of=TARGET_RULES["required_one_of"],
        mutually_exclusive=[
            *TARGET_RULES["mutually_exclusive"],
            ("queues", "read_queues"),
            ("queues", "write_queues"),
        ],
        supports_check_mode=True,
    )
    run(module, bring)


if __name__ == "__main__":
    main()
