#!/usr/bin/python
"""Look for messages on a broker that somebody still has to read: what would be gone with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, Params, Result, run

if TYPE_CHECKING:
    from broker_py.admin.backlog import QueueBacklog
    from broker_py.client.client import Client

DOCUMENTATION = """
module: unread_info
short_description: Messages on one broker that are not read yet
version_added: 0.1.0
description:
  - Lists by topic and group the messages of a broker that a group has not consumed, and by topic those that no group
    consumes at all, such as dead letters. Changes nothing.
  - A group counts where it has members or offsets on a topic there. Broadcasting consumers keep their offsets for
    themselves and can't be seen.
author: [broker-py developers (@broker-py)]
extends_documentation_fragment: [broker_py.mq.cluster]
options:
  address:
    description: The broker's address, C(host:port). A master's, since groups commit there.
    type: str
    required: true
  ignore_groups:
    description: Groups that will read nothing any more.
    type: list
    elements: str
    default: []
  ignore_topics:
    description: Topics whose messages nobody needs.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Wait until broker-b can go
  broker_py.mq.unread_info:
    nameservers: 10.0.0.1:9876
    bin_dir: /opt/broker-py/current/bin
    address: 10.0.0.2:10911
  register: left
  until: left.unread | length == 0
  retries: 60
  delay: 10
"""

RETURN = """
unread:
  description: One entry for each group and topic with messages to consume; I(group) is empty where no group consumes.
  type: list
  elements: dict
  returned: success
  sample: [{topic: Orders, group: billing, messages: 12}]
problems:
  description: The same in sentences.
  type: list
  elements: str
  returned: success
"""


def unread_entries(
    backlogs: Sequence[QueueBacklog], kept: Mapping[str, int], ignored_groups: Sequence[str]
) -> list[dict[str, Any]]:
    """Return an entry for each topic and group with messages to consume, and for each topic that no group consumes.

    `kept` says how many messages each topic keeps.
    """
    left: dict[tuple[str, str], int] = {}
    for each in backlogs:
        if each.group not in ignored_groups:
            left[each.topic, each.group] = left.get((each.topic, each.group), 0) + each.left
    consumed = {each.topic for each in backlogs}
    left.update({(topic, ""): messages for topic, messages in kept.items() if topic not in consumed})
    return [
        {"topic": topic, "group": group, "messages": messages}
        for (topic, group), messages in sorted(left.items())
        if messages
    ]


def described(unread: Mapping[str, Any]) -> str:
    """Say an entry as a sentence."""
    topic, group, messages = unread["topic"], unread["group"], unread["messages"]
    if group:
        return f"group {group} has {messages} messages of {topic} to consume"
    return f"{topic} has {messages} messages that no group consumes"


async def look(client: Client, params: Params, check_mode: bool) -> Result:  # noqa: ARG001
    """Return what the module returns."""
    from broker_py.admin.backlog import backlogs  # noqa: PLC0415  importable only now
    from broker_py.admin.topics import queues_at  # noqa: PLC0415
    from broker_py.model.topic import is_system_topic  # noqa: PLC0415

    address = params["address"]
    topics = {
        topic: config
        for topic, config in (await client.brokers.topics(address)).items()
        if not is_system_topic(topic) and topic not in params["ignore_topics"]
    }
    kept = {
        topic: sum(queue.max_offset - queue.min_offset for queue in await queues_at(client, address, config))
        for topic, config in topics.items()
    }
    unread = unread_entries(await backlogs(client, address, list(topics)), kept, params["ignore_groups"])
    return {"changed": False, "unread": unread, "problems": [described(entry) for entry in unread]}


def main() -> None:
    """Run as an Ansible module."""
    options = {
        "address": {"type": "str", "required": True},
        "ignore_groups": {"type": "list", "elements": "str", "default": []},
        "ignore_topics": {"type": "list", "elements": "str", "default": []},
    }
    run(AnsibleModule(argument_spec={**CLUSTER_OPTIONS, **options}, supports_check_mode=True), look)


if __name__ == "__main__":
    main()
