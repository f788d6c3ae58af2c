#!/usr/bin/python
"""Look for messages on a broker that somebody still has to read: what would be gone with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, Params, Result, run

if TYPE_CHECKING:
    from broker_py.admin.backlog import QueueBacklog
    from broker_py.admin.pending import Pending
    from broker_py.client.client import Client

DOCUMENTATION = """
module: unread_info
short_description: Messages on one broker that are not read yet
version_added: 0.1.0
description:
  - Lists by topic and group the messages of a broker that a group has not consumed, and by topic those that no group
    consumes at all, such as dead letters. Changes nothing.
  - Counts what the broker itself still has to act on, too, such as delayed messages that are not delivered. Nobody else
    has these.
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
    description:
      - Topics whose messages nobody needs. C(SCHEDULE_TOPIC_XXXX), C(rmq_sys_wheel_timer), C(RMQ_SYS_TRANS_HALF_TOPIC)
        and C(rmq_sys_REVIVE_LOG_<cluster>) are those of what the broker has to act on.
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
  until: left.problems | length == 0
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
pending:
  description:
    - At most how many messages the broker keeps for later, by kind. C(delayed) and C(timed) are to be delivered,
      C(half) are of transactions nobody has decided, C(popped) are receipts of POP consumers, who may still fail.
  type: dict
  returned: success
  sample: {delayed: 12}
problems:
  description: Both in sentences.
  type: list
  elements: str
  returned: success
"""


def unread_entries(
    backlogs: Sequence[QueueBacklog], held: Mapping[str, int], ignored_groups: Sequence[str]
) -> list[dict[str, Any]]:
    """Return an entry for each topic and group with messages to consume, and for each topic that no group consumes.

    `held` says how many messages each topic keeps.
    """
    left: dict[tuple[str, str], int] = {}
    for each in backlogs:
        if each.group not in ignored_groups:
            left[each.topic, each.group] = left.get((each.topic, each.group), 0) + each.left
    consumed = {each.topic for each in backlogs}
    left.update({(topic, ""): messages for topic, messages in held.items() if topic not in consumed})
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


KINDS = {
    "delayed": "delayed messages that are not delivered yet",
    "timed": "timed messages that are not delivered yet",
    "half": "messages of transactions that are not decided yet",
    "popped": "receipts of POP consumers that are not looked at yet",
}


def kept(pending: Sequence[Pending], ignored_topics: Sequence[str]) -> list[Pending]:
    """Return what counts of what the broker has to act on."""
    return [each for each in pending if each.topic not in ignored_topics]


def pending_sentence(each: Pending) -> str:
    """Say what the broker has to act on."""
    return f"the broker has at most {each.messages} {KINDS[each.kind]} ({each.topic})"


async def look(client: Client, params: Params, check_mode: bool) -> Result:  # noqa: ARG001
    """Return what the module returns."""
    from broker_py.admin.backlog import backlogs  # noqa: PLC0415  importable only now
    from broker_py.admin.pending import pending_messages  # noqa: PLC0415
    from broker_py.admin.topics import queues_at  # noqa: PLC0415
    from broker_py.model.topic import is_system_topic  # noqa: PLC0415

    address = params["address"]
    topics = {
        topic: config
        for topic, config in (await client.brokers.topics(address)).items()
        if not is_system_topic(topic) and topic not in params["ignore_topics"]
    }
    held = {
        topic: sum(queue.max_offset - queue.min_offset for queue in await queues_at(client, address, config))
        for topic, config in topics.items()
    }
    unread = unread_entries(await backlogs(client, address, list(topics)), held, params["ignore_groups"])
    pending = kept(await pending_messages(client, address), params["ignore_topics"])
    return {
        "changed": False,
        "unread": unread,
        "pending": {each.kind: each.messages for each in pending},
        "problems": [*map(described, unread), *map(pending_sentence, pending)],
    }


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
