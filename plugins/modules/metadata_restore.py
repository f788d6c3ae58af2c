#!/usr/bin/python
"""Give a cluster the topics, groups, offsets and KV configurations that a backup has."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, ClusterFault, Params, Result, masters, run
from ..module_utils.settings import settings_of_group, settings_of_topic

if TYPE_CHECKING:
    from broker_py.client.client import Client
    from broker_py.model.group import GroupConfig
    from broker_py.model.topic import TopicConfig

DOCUMENTATION = """
module: metadata_restore
short_description: Give a cluster what a backup of its metadata has
version_added: 0.2.0
description:
  - Compares topics and consumer groups of a backup with those of the masters of the same names, and KV configurations
    with those of all name servers, and makes or changes what differs. What the backup does not have stays.
  - A topic that has more queues now keeps them, as messages may be in them.
author: [broker-py developers (@broker-py)]
options:
  cluster:
    description: The cluster.
    type: str
    required: true
  files:
    description:
      - The texts of the backup's tables by their names. C(brokers/NAME/topics.json), C(subscriptionGroup.json) and
        C(consumerOffset.json) there are as RocketMQ's brokers have them below their C(config), C(kvConfig.json) in any
        directory below C(nameservers) as its name servers have it.
    type: dict
    required: true
  brokers:
    description: Broker names to restrict it to. All that the backup has when it is empty.
    type: list
    elements: str
    default: []
  offsets:
    description:
      - Also set where the groups stand, forward or back. Only for queues with the messages that were there, and not for
        groups with members, which would commit their own.
      - Offsets behind the end of a queue are left out.
    type: bool
    default: false
extends_documentation_fragment: [broker_py.mq.cluster]
"""

EXAMPLES = """
- name: Say what a restore would do
  broker_py.mq.metadata_restore:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
    files: "{{ '/srv/backups/20260101T000000Z' | broker_py.mq.backup_tables }}"
  check_mode: true
  diff: true
"""

RETURN = """
steps:
  description: What was done, or would be, in order.
  type: list
  elements: str
  returned: always
  sample: ["make topic orders on broker-a", "change group billing on broker-a"]
left_out:
  description: What of the backup was not restored and why, a sentence each.
  type: list
  elements: str
  returned: always
  sample: ["billing stood at 17 of queue 3 of orders on broker-a, which ends at 0"]
"""

BROKER_TABLE = re.compile(r"brokers/([^/]+)/(topics|subscriptionGroup|consumerOffset)\.json")
KV_TABLE = re.compile(r"nameservers/.+/kvConfig\.json")
ROUTE_POLLS = 100
ROUTE_POLL_SECONDS = 0.1

Queue = tuple[str, int]
"""A topic and a queue id."""

Offsets = dict[tuple[str, str], dict[int, int]]
"""(topic, group) → queue id → next offset to consume."""

KvTable = dict[tuple[str, str], str]
"""(namespace, key) → value."""


@dataclass
class Saved:
    """What the backup has of a broker."""

    topics: dict[str, TopicConfig] = field(default_factory=dict)
    groups: dict[str, GroupConfig] = field(default_factory=dict)
    offsets: Offsets = field(default_factory=dict)


@dataclass(frozen=True)
class TopicStep:
    """The topic gets these settings on a broker; `before` is None where it is new."""

    broker_name: str
    before: TopicConfig | None
    after: TopicConfig

    def __str__(self) -> str:
        return f"{'change' if self.before else 'make'} topic {self.after.topic_name} on {self.broker_name}"

    @property
    def attribute_changes(self) -> str | None:
        """The attributes that change, as brokers take them: `+name=value,...`."""
        before = self.before.attributes if self.before else {}
        changes = [f"+{name}={value}" for name, value in self.after.attributes.items() if before.get(name) != value]
        return ",".join(changes) or None


@dataclass(frozen=True)
class GroupStep:
    """The group gets these settings on a broker; `before` is None where it is new."""

    broker_name: str
    before: GroupConfig | None
    after: GroupConfig

    def __str__(self) -> str:
        return f"{'change' if self.before else 'make'} group {self.after.group_name} on {self.broker_name}"


@dataclass(frozen=True)
class OffsetStep:
    """The group stands there in a queue; `before` is None where it was never."""

    broker_name: str
    group: str
    topic: str
    queue_id: int
    before: int | None
    after: int

    def __str__(self) -> str:
        place = f"queue {self.queue_id} of {self.topic} on {self.broker_name}"
        return f"have {self.group} stand at {self.after} of {place}"


@dataclass(frozen=True)
class ValueStep:
    """A name server has this value of a KV configuration; `before` is None where it had none."""

    name_server: str
    namespace: str
    key: str
    before: str | None
    after: str

    def __str__(self) -> str:
        return f"put {self.key} of {self.namespace} at {self.name_server}"


def topic_steps(
    broker_name: str, current: Mapping[str, TopicConfig], saved: Mapping[str, TopicConfig]
) -> list[TopicStep]:
    """Return what gives a broker the topics; none loses a queue."""
    steps: list[TopicStep] = []
    for name, config in sorted(saved.items()):
        before = current.get(name)
        after = config
        if before is not None:
            after = replace(
                config,
                read_queue_nums=max(before.read_queue_nums, config.read_queue_nums),
                write_queue_nums=max(before.write_queue_nums, config.write_queue_nums),
                attributes={**before.attributes, **config.attributes},
            )
        if after != before:
            steps.append(TopicStep(broker_name, before, after))
    return steps


def group_steps(
    broker_name: str, current: Mapping[str, GroupConfig], saved: Mapping[str, GroupConfig]
) -> list[GroupStep]:
    """Return what gives a broker the groups."""
    return [
        GroupStep(broker_name, current.get(name), config)
        for name, config in sorted(saved.items())
        if config != current.get(name)
    ]


def offset_steps(
    broker_name: str, current: Offsets, saved: Offsets, ends: Mapping[Queue, int]
) -> tuple[list[OffsetStep], list[str]]:
    """Return what has the groups stand where they stood, and why that is not possible of others, a sentence each."""
    steps: list[OffsetStep] = []
    left_out: list[str] = []
    for (topic, group), queues in sorted(saved.items()):
        for queue_id, offset in sorted(queues.items()):
            before = current.get((topic, group), {}).get(queue_id)
            end = ends.get((topic, queue_id), 0)
            if offset > end:
                left_out.append(
                    f"{group} stood at {offset} of queue {queue_id} of {topic} on {broker_name}, which ends at {end}"
                )
            elif offset != before:
                steps.append(OffsetStep(broker_name, group, topic, queue_id, before, offset))
    return steps, left_out


def value_steps(name_server: str, current: Mapping[tuple[str, str], str | None], saved: KvTable) -> list[ValueStep]:
    """Return what gives a name server the values."""
    return [
        ValueStep(name_server, *place, current.get(place), value)
        for place, value in sorted(saved.items())
        if current.get(place) != value
    ]


def saved_brokers(files: Mapping[str, str], cluster: str) -> dict[str, Saved]:
    """Return what the backup has of each broker, but for what every broker makes by itself."""
    from broker_py.admin.groups import is_system_group  # noqa: PLC0415  importable only now
    from broker_py.model.fields import dict_of  # noqa: PLC0415
    from broker_py.model.group import GroupConfig  # noqa: PLC0415
    from broker_py.model.topic import TopicConfig  # noqa: PLC0415

    found: dict[str, Saved] = {}
    for name, text in files.items():
        match = BROKER_TABLE.fullmatch(name)
        if match is None:
            continue
        broker_name, kind = match.groups()
        content = _content(name, text)
        saved = found.setdefault(broker_name, Saved())
        if kind == "topics":
            table = dict_of(content, "topicConfigTable")
            saved.topics = {
                topic: TopicConfig.from_json({**dict_of(table, topic), "topicName": topic})
                for topic in map(str, table)
                if not _is_own(topic, cluster, broker_name)
            }
        elif kind == "subscriptionGroup":
            table = dict_of(content, "subscriptionGroupTable")
            saved.groups = {
                group: GroupConfig.from_json({**dict_of(table, group), "groupName": group})
                for group in map(str, table)
                if not is_system_group(group)
            }
        else:
            saved.offsets = _offsets(content)
    for saved in found.values():
        saved.offsets = {
            (topic, group): queues
            for (topic, group), queues in saved.offsets.items()
            if topic in saved.topics and group in saved.groups
        }
    return found


def saved_values(files: Mapping[str, str]) -> KvTable:
    """Return all KV configurations; where name servers differ, the one whose table's name sorts first is right."""
    from broker_py.model.fields import dict_of  # noqa: PLC0415  importable only now

    found: KvTable = {}
    for name in sorted(filter(KV_TABLE.fullmatch, files), reverse=True):
        table = dict_of(_content(name, files[name]), "configTable")
        for namespace in map(str, table):
            found.update({(namespace, str(key)): str(value) for key, value in dict_of(table, namespace).items()})
    return found


def _is_own(topic: str, cluster: str, broker_name: str) -> bool:
    """Say whether every broker makes the topic by itself. Those of groups it makes when they are needed."""
    from broker_py.admin.topics import is_own_topic  # noqa: PLC0415  importable only now
    from broker_py.model.topic import DLQ_PREFIX, RETRY_PREFIX  # noqa: PLC0415

    return is_own_topic(topic, cluster, broker_name) and not topic.startswith((RETRY_PREFIX, DLQ_PREFIX))


def _offsets(content: dict[Any, Any]) -> Offsets:
    from broker_py.model.fields import dict_of, int_of  # noqa: PLC0415  importable only now

    table = dict_of(content, "offsetTable")
    found: Offsets = {}
    for key in table:
        topic, _, group = str(key).partition("@")
        queues = dict_of(table, key)
        found[topic, group] = {
            int_of({"queue id": queue_id}, "queue id"): int_of(queues, queue_id) for queue_id in queues
        }
    return found


def _content(name: str, text: str) -> dict[Any, Any]:
    from broker_py.errors import ProtocolError  # noqa: PLC0415  importable only now
    from broker_py.wire.fastjson import loads_object  # noqa: PLC0415

    try:
        return loads_object(text)
    except ProtocolError as error:
        raise ClusterFault(f"{name} of the backup can't be read: {error}") from None


class Restore:
    """One backup on its way into a cluster: looks at what there is, then does what is lacking."""

    def __init__(self, client: Client, addresses: Mapping[str, str]) -> None:
        self._client = client
        self._addresses = addresses
        self.topics: list[TopicStep] = []
        self.groups: list[GroupStep] = []
        self.values: list[ValueStep] = []
        self.offsets: list[OffsetStep] = []
        self.left_out: list[str] = []

    @property
    def steps(self) -> list[TopicStep | GroupStep | ValueStep | OffsetStep]:
        """All steps in their order: an offset needs its topic and its group."""
        return [*self.topics, *self.groups, *self.values, *self.offsets]

    async def look(self, brokers: Mapping[str, Saved], values: KvTable, *, offsets: bool) -> None:
        """Find out what is lacking; ClusterFault when a group may not be set back."""
        for name, saved in sorted(brokers.items()):
            address = self._addresses[name]
            topics = await self._client.brokers.topics(address)
            self.topics += topic_steps(name, topics, saved.topics)
            self.groups += group_steps(name, await self._client.brokers.groups(address), saved.groups)
            if offsets:
                steps, left_out = offset_steps(
                    name,
                    await self._client.brokers.consumer_offsets(address),
                    saved.offsets,
                    await self._ends(
                        address, [topics[name] for name in {topic for topic, _ in saved.offsets} if name in topics]
                    ),
                )
                self.offsets += steps
                self.left_out += left_out
        for name_server in self._client.name_servers.apart():
            current = {place: await name_server.kv_config(*place) for place in values}
            self.values += value_steps(name_server.addresses[0], current, values)
        await self._check_unused({step.group for step in self.offsets})

    async def _ends(self, address: str, topics: Iterable[TopicConfig]) -> dict[Queue, int]:
        from broker_py.admin.topics import queues_at  # noqa: PLC0415  importable only now

        return {
            (topic.topic_name, queue.queue_id): queue.max_offset
            for topic in topics
            for queue in await queues_at(self._client, address, topic)
        }

    async def _check_unused(self, groups: Iterable[str]) -> None:
        from broker_py.admin.groups import members_of  # noqa: PLC0415  importable only now

        for group in sorted(groups):
            members = await members_of(self._client, list(self._addresses.values()), group)
            if members:
                raise ClusterFault(
                    f"{group} has members now ({', '.join(members)}), which would commit their own offsets:"
                    " stop them first, or restore without offsets"
                )

    async def carry_out(self) -> None:
        """Do all steps."""
        from broker_py.model.message_queue import MessageQueue  # noqa: PLC0415  importable only now

        for topic in self.topics:
            await self._client.brokers.put_topic(
                self._addresses[topic.broker_name], topic.after, topic.attribute_changes
            )
        for group in self.groups:
            await self._client.brokers.put_group(self._addresses[group.broker_name], group.after)
        for value in self.values:
            await self._client.name_servers.put_kv_config(value.name_server, value.namespace, value.key, value.after)
        for place in sorted({(step.topic, step.broker_name) for step in self.offsets}):
            await self._wait_until_routed(*place)
        for offset in self.offsets:
            queue = MessageQueue(offset.topic, offset.broker_name, offset.queue_id)
            await self._client.queues.commit_offset(offset.group, queue, offset.after)

    async def _wait_until_routed(self, topic: str, broker_name: str) -> None:
        """Wait until the name servers know a topic that was just made: offsets are set by its route."""
        from broker_py.admin.topics import name_servers_with  # noqa: PLC0415  importable only now

        for _ in range(ROUTE_POLLS):
            known = await name_servers_with(self._client, topic, [broker_name])
            if len(known) == len(self._client.name_servers.addresses):
                return
            await asyncio.sleep(ROUTE_POLL_SECONDS)
        raise ClusterFault(f"no route leads to {topic} on {broker_name}, which has it: run this again")

    def diff(self) -> dict[str, dict[str, Any]]:
        """Return what the steps change, before and after."""
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for step in self.steps:
            before[str(step)], after[str(step)] = (_shown(each) for each in (step.before, step.after))
        return {"before": before, "after": after}


def _shown(value: TopicConfig | GroupConfig | int | str | None) -> Any:
    from broker_py.model.topic import TopicConfig  # noqa: PLC0415  importable only now

    if value is None or isinstance(value, (int, str)):
        return value
    return settings_of_topic(value) if isinstance(value, TopicConfig) else settings_of_group(value)


async def restore(client: Client, params: Params, check_mode: bool) -> Result:
    """Give the cluster what the backup has, or say what would be done."""
    brokers = saved_brokers(params["files"], params["cluster"])
    missing = sorted(set(params["brokers"]) - brokers.keys())
    if missing:
        raise ClusterFault(
            f"the backup has no {', '.join(missing)}, it has {', '.join(sorted(brokers)) or 'no broker'}"
        )
    chosen = {name: saved for name, saved in brokers.items() if name in params["brokers"] or not params["brokers"]}
    addresses = await masters(client, {"cluster": params["cluster"], "brokers": None})
    unknown = sorted(chosen.keys() - addresses.keys())
    if unknown:
        raise ClusterFault(
            f"the cluster {params['cluster']} has no master of {', '.join(unknown)}, which the backup has:"
            " start it first, or name in brokers those to restore"
        )
    plan = Restore(client, addresses)
    await plan.look(chosen, saved_values(params["files"]), offsets=params["offsets"])
    if not check_mode:
        await plan.carry_out()
    steps = [str(step) for step in plan.steps]
    return {"changed": bool(steps), "steps": steps, "left_out": plan.left_out, "diff": plan.diff()}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "cluster": {"type": "str", "required": True},
            "files": {"type": "dict", "required": True},
            "brokers": {"type": "list", "elements": "str", "default": []},
            "offsets": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, restore)


if __name__ == "__main__":
    main()
