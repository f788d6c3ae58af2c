#!/usr/bin/python
"""Make a consumer group, change its settings, or delete it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from ..module_utils.settings import Settings, settings_of_group

if TYPE_CHECKING:
    from broker_py.client.client import Client

DOCUMENTATION = """
module: subscription_group
short_description: Make, change or delete a consumer group
version_added: 0.1.0
description:
  - Compares the group with what is wanted on each master, and changes what differs. What is not given stays as it is,
    and is RocketMQ's default in a new group.
author: [broker-py developers (@broker-py)]
options:
  name:
    description: The consumer group.
    type: str
    required: true
  state:
    description:
      - C(present) makes the group or changes it.
      - C(absent) deletes it on all masters of I(cluster), with its retry topic and its dead-letter topic.
    type: str
    choices: [present, absent]
    default: present
  consume_enable:
    description: Whether the group may consume at all.
    type: bool
  consume_from_min_enable:
    description: Whether a new group may begin with the oldest message that there is.
    type: bool
  consume_broadcast_enable:
    description: Whether each member of the group may get all messages.
    type: bool
  consume_message_orderly:
    description: Whether the group consumes messages in their order.
    type: bool
  retry_queue_nums:
    description: Queues that the retry topic gets on each broker when it is made there.
    type: int
  retry_max_times:
    description: How often a message that can't be consumed is given out again until it is a dead letter.
    type: int
  group_retry_policy:
    description: After which pauses it is given out again, in RocketMQ's form.
    type: dict
  broker_id:
    description: Which broker of a set the group reads from.
    type: int
  which_broker_when_consume_slowly:
    description: Which broker of a set it reads from when it is far behind.
    type: int
  notify_consumer_ids_changed_enable:
    description: Whether members are told when members come and go.
    type: bool
  group_sys_flag:
    description: RocketMQ's flags of the group.
    type: int
  consume_timeout_minute:
    description: After how long a message that is being consumed is taken as not consumed.
    type: int
  clean_offsets:
    description: With the group delete where it stands in its topics, so that a group of that name begins anew.
    type: bool
    default: false
  force:
    description: Delete the group although it has members now or dead letters.
    type: bool
    default: false
extends_documentation_fragment: [broker_py.mq.cluster, broker_py.mq.cluster.targets]
"""

EXAMPLES = """
- name: Make a group whose messages are dead letters after 3 retries
  broker_py.mq.subscription_group:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
    name: orders
    retry_max_times: 3

- name: Delete a group
  broker_py.mq.subscription_group:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
    name: orders
    state: absent
    clean_offsets: true
"""

RETURN = """
steps:
  description: What was done, or would be, in order.
  type: list
  elements: str
  returned: always
  sample: ["change orders on broker-a: retry_max_times from 16 to 3"]
"""

SETTINGS_OPTIONS: dict[str, Any] = {
    "consume_enable": {"type": "bool"},
    "consume_from_min_enable": {"type": "bool"},
    "consume_broadcast_enable": {"type": "bool"},
    "consume_message_orderly": {"type": "bool"},
    "retry_queue_nums": {"type": "int"},
    "retry_max_times": {"type": "int"},
    "group_retry_policy": {"type": "dict"},
    "broker_id": {"type": "int"},
    "which_broker_when_consume_slowly": {"type": "int"},
    "notify_consumer_ids_changed_enable": {"type": "bool"},
    "group_sys_flag": {"type": "int"},
    "consume_timeout_minute": {"type": "int"},
}


@dataclass(frozen=True)
class Step:
    """The group gets these settings on a broker; `before` is None where it is new."""

    group: str
    broker_name: str
    before: Settings | None
    after: Settings

    def __str__(self) -> str:
        if self.before is None:
            return f"make {self.group} on {self.broker_name}"
        changes = [
            f"{name} from {self.before[name]} to {value}"
            for name, value in self.after.items()
            if value != self.before[name]
        ]
        return f"change {self.group} on {self.broker_name}: {', '.join(changes)}"


def plan(
    group: str, current: Mapping[str, Settings | None], defaults: Settings, wanted: Mapping[str, Any]
) -> list[Step]:
    """Return what makes the group as wanted on each broker."""
    given = {name: wanted[name] for name in SETTINGS_OPTIONS if wanted[name] is not None}
    steps = [
        Step(group, broker_name, before, {**(before or defaults), **given}) for broker_name, before in current.items()
    ]
    return [step for step in steps if step.after != step.before]


async def bring(client: Client, params: Params, check_mode: bool) -> Result:
    """Bring the group into the wanted state."""
    from broker_py.admin.groups import is_system_group  # noqa: PLC0415  importable only now

    if params["state"] == "present":
        return await _put(client, params, check_mode)
    if is_system_group(params["name"]):
        raise ClusterFault(f"{params['name']} belongs to the brokers themselves and can't be deleted")
    return await _delete(client, params, check_mode)


async def _put(client: Client, params: Params, check_mode: bool) -> Result:
    from broker_py.model.group import GroupConfig  # noqa: PLC0415  importable only now

    group = params["name"]
    addresses = await masters(client, params)
    # The table of all groups: a broker of RocketMQ that is asked for one group makes it.
    configs = {name: (await client.brokers.groups(address)).get(group) for name, address in addresses.items()}
    before = {name: settings_of_group(config) if config else None for name, config in configs.items()}
    steps = plan(group, before, settings_of_group(GroupConfig(group_name=group)), params)
    if not check_mode:
        for step in steps:
            await client.brokers.put_group(addresses[step.broker_name], GroupConfig(group_name=group, **step.after))
    known = {name: each for name, each in before.items() if each}
    return {
        "changed": bool(steps),
        "steps": [str(step) for step in steps],
        "diff": {"before": known, "after": {**known, **{step.broker_name: step.after for step in steps}}},
    }


async def _delete(client: Client, params: Params, check_mode: bool) -> Result:
    from broker_py.admin.subscriptions import delete_group, group_topics, offsets_of  # noqa: PLC0415  only now
    from broker_py.admin.topics import find_topic, name_servers_with  # noqa: PLC0415

    group = params["name"]
    addresses = await masters(client, params)
    having = {
        name: settings_of_group(config)
        for name, address in addresses.items()
        if (config := (await client.brokers.groups(address)).get(group)) is not None
    }
    topics = [
        topic
        for topic in group_topics(group)
        if await name_servers_with(client, topic, addresses)
        or any([await find_topic(client, address, topic) for address in addresses.values()])
    ]
    standing = [name for name, address in addresses.items() if await offsets_of(client, address, group)]
    cleaned = standing if params["clean_offsets"] else []
    if not params["force"]:
        await _check_unused(client, group, addresses)
    changed = bool(having or topics or cleaned)
    if changed and not check_mode:
        for outcome in await delete_group(client, group, params["cluster"], clean_offsets=params["clean_offsets"]):
            if outcome.error is not None:
                raise ClusterFault(f"{group} is not deleted everywhere: {outcome.address}: {outcome.error}")
    return {
        "changed": changed,
        "steps": [
            *(f"delete {group} on {name}" for name in having),
            *(f"forget where {group} stands on {name}" for name in cleaned),
            *(f"delete the topic {topic}" for topic in topics),
        ],
        "diff": {"before": having, "after": {}},
    }


async def _check_unused(client: Client, group: str, addresses: Mapping[str, str]) -> None:
    from broker_py.admin.groups import members_of  # noqa: PLC0415  importable only now
    from broker_py.admin.subscriptions import dead_letters  # noqa: PLC0415

    members = await members_of(client, list(addresses.values()), group)
    if members:
        raise ClusterFault(f"{group} has members now ({', '.join(members)}): stop them first, or set force")
    letters = sum([await dead_letters(client, address, group) for address in addresses.values()])
    if letters:
        raise ClusterFault(f"{group} has {letters} dead letters, which would be deleted with it: set force if they may")


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            **TARGET_OPTIONS,
            **SETTINGS_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "clean_offsets": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
        },
        required_if=[("state", "absent", ("cluster",))],
        supports_check_mode=True,
        **TARGET_RULES,
    )
    run(module, bring)


if __name__ == "__main__":
    main()
