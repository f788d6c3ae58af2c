"""Settings of topics and consumer groups by the names that the modules' options have."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from broker_py.model.group import GroupConfig
    from broker_py.model.topic import TopicConfig

Settings = dict[str, Any]


def settings_of_topic(config: TopicConfig) -> Settings:
    """Return what module `topic` manages of a topic."""
    return {
        "read_queues": config.read_queue_nums,
        "write_queues": config.write_queue_nums,
        "perm": config.perm,
        "order": config.order,
        "attributes": dict(config.attributes),
    }


def settings_of_group(config: GroupConfig) -> Settings:
    """Return what module `subscription_group` manages of a group: all but its name."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name != "group_name"}
