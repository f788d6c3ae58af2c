"""The topics of this broker: made at start, by sending, by tools, or copied from the master.

Source: broker topic/TopicConfigManager.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from broker_py.broker.config import BrokerConfig
from broker_py.broker.metadata import MetadataFile
from broker_py.errors import RequestRefused
from broker_py.model.data_version import DataVersion
from broker_py.model.fields import dict_of
from broker_py.model.topic import (
    AUTO_CREATE_TOPIC_KEY,
    BENCHMARK_TOPIC,
    HALF_TOPIC,
    OFFSET_MOVED_TOPIC,
    OP_HALF_TOPIC,
    PERM_INHERIT,
    PERM_READ,
    PERM_WRITE,
    SCHEDULE_TOPIC,
    SELF_TEST_TOPIC,
    TopicConfig,
    is_system_topic,
)
from broker_py.seams import Clock
from broker_py.wire.codes import ResponseCode

READ_WRITE = PERM_READ | PERM_WRITE
FAQ = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."


def system_topics(config: BrokerConfig) -> list[TopicConfig]:
    """The topics that a broker has from its first start on."""
    cluster, name = config.broker_cluster_name, config.broker_name
    inherit = READ_WRITE | PERM_INHERIT
    wanted = [
        (SELF_TEST_TOPIC, 1, READ_WRITE),
        (BENCHMARK_TOPIC, 1024, READ_WRITE),
        (cluster, 16, inherit if config.cluster_topic_enable else PERM_INHERIT),
        (name, 1, inherit if config.broker_topic_enable else PERM_INHERIT),
        (OFFSET_MOVED_TOPIC, 1, READ_WRITE),
        (SCHEDULE_TOPIC, 18, READ_WRITE),
        (f"{cluster}_REPLY_TOPIC", 1, READ_WRITE),
        (f"rmq_sys_REVIVE_LOG_{cluster}", 8, READ_WRITE),
        (f"rmq_sys_SYNC_BROKER_MEMBER_{name}", 1, PERM_INHERIT),
        (HALF_TOPIC, 1, READ_WRITE),
        (OP_HALF_TOPIC, 1, READ_WRITE),
    ]
    if config.auto_create_topic_enable:
        wanted.append((AUTO_CREATE_TOPIC_KEY, config.default_topic_queue_nums, inherit))
    if config.trace_topic_enable:
        wanted.append((config.msg_trace_topic_name, 1, READ_WRITE))
    return [
        TopicConfig(topic_name=topic, read_queue_nums=queues, write_queue_nums=queues, perm=perm)
        for topic, queues, perm in wanted
    ]


class TopicTable:
    """Topic → settings, kept in topics.json.

    `on_change` hears of every change with the topics it touched, or None for all of them: name servers are told.
    """

    def __init__(self, config: BrokerConfig, file: MetadataFile, clock: Clock) -> None:
        self._config = config
        self._file = file
        self._clock = clock
        self._topics: dict[str, TopicConfig] = {}
        self.version = DataVersion()
        self.on_change: Callable[[list[TopicConfig] | None], None] = lambda _: None

    def load(self) -> None:
        """Read the file and add the system topics that it lacks; those that follow a property follow it anew."""
        content = self._file.load()
        self._topics = {
            name: TopicConfig.from_json({**fields, "topicName": name})
            for name, fields in dict_of(content, "topicConfigTable").items()
        }
        self.version = DataVersion.from_json(dict_of(content, "dataVersion"))
        missing = False
        for topic in system_topics(self._config):
            if topic.topic_name not in self._topics or topic.topic_name == AUTO_CREATE_TOPIC_KEY:
                missing = missing or self._topics.get(topic.topic_name) != topic
                self._topics[topic.topic_name] = topic
        if missing or not self.version.timestamp:
            self._changed()

    def __contains__(self, topic: str) -> bool:
        return topic in self._topics

    def __iter__(self) -> Iterator[TopicConfig]:
        return iter(self._topics.values())

    def get(self, topic: str) -> TopicConfig | None:
        """Return a topic's settings, or None."""
        return self._topics.get(topic)

    def require(self, topic: str) -> TopicConfig:
        """Return a topic's settings; RequestRefused when there is no such topic."""
        found = self._topics.get(topic)
        if found is None:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, f"topic[{topic}] not exist, apply first please!{FAQ}")
        return found

    def is_system(self, topic: str) -> bool:
        """True for topics that belong to RocketMQ or name this broker or its cluster."""
        own = (
            self._config.broker_name,
            self._config.broker_cluster_name,
            f"{self._config.broker_cluster_name}_REPLY_TOPIC",
        )
        return is_system_topic(topic) or topic in own

    def create_by_sending(self, topic: str, default_topic: str, queues: int, unit_mode: bool) -> TopicConfig | None:
        """Make the unknown topic of a send after the pattern of `default_topic`; None where that isn't allowed."""
        pattern = self._topics.get(default_topic)
        if pattern is None or not pattern.perm & PERM_INHERIT:
            return None
        if default_topic == AUTO_CREATE_TOPIC_KEY and not self._config.auto_create_topic_enable:
            return None
        queues = max(0, min(queues, pattern.write_queue_nums))
        created = TopicConfig(
            topic_name=topic,
            read_queue_nums=queues,
            write_queue_nums=queues,
            perm=pattern.perm & ~PERM_INHERIT,
            topic_filter_type=pattern.topic_filter_type,
            topic_sys_flag=1 if unit_mode else 0,
        )
        self.put(created, announce_all=True)
        return created

    def create_if_missing(self, topic: str, queues: int) -> TopicConfig:
        """Return a topic's settings, made with `queues` read and write queues if it was unknown."""
        found = self._topics.get(topic)
        if found is None:
            found = TopicConfig(topic_name=topic, read_queue_nums=queues, write_queue_nums=queues, perm=READ_WRITE)
            self.put(found, announce_all=True)
        return found

    def put(self, topic: TopicConfig, *, announce_all: bool = False) -> None:
        """Make or change a topic, durably."""
        self._topics[topic.topic_name] = topic
        self._changed()
        self.on_change(None if announce_all else [topic])

    def remove(self, topic: str) -> None:
        """Forget a topic, durably."""
        if self._topics.pop(topic, None) is not None:
            self._changed()
            self.on_change(None)

    def replace_all(self, topics: Iterable[TopicConfig], version: DataVersion) -> None:
        """Take the master's table over."""
        self._topics = {topic.topic_name: topic for topic in topics}
        self.version = version
        self._file.save(self._to_file())
        self.on_change(None)

    def registered(self) -> dict[str, TopicConfig]:
        """The topics as name servers are told them: no more is permitted than the broker permits."""
        permission = self._config.broker_permission
        if permission & READ_WRITE == READ_WRITE:
            return dict(self._topics)
        return {name: replace(topic, perm=topic.perm & permission) for name, topic in self._topics.items()}

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config
        self.version = self.version.next(self._clock.now_ms())

    def _changed(self) -> None:
        self.version = self.version.next(self._clock.now_ms())
        self._file.save(self._to_file())

    def _to_file(self) -> dict[str, Any]:
        return {
            "dataVersion": self.version.to_json(),
            "topicConfigTable": {name: self._topics[name].to_json() for name in sorted(self._topics)},
        }

    def to_json(self) -> dict[str, Any]:
        """Return the body of request 21, with the parts of static topics that we don't have left empty."""
        return {
            **self._to_file(),
            "mappingDataVersion": DataVersion().to_json(),
            "topicQueueMappingDetailMap": {},
            "topicQueueMappingInfoMap": {},
        }
