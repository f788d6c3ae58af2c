"""The topics of this broker: made at start, by sending, by tools, or copied from the master.

Source: broker topic/TopicConfigManager.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

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
MAX_QUEUES: Final = 10_000
# Topics that clients make by using them; tools may make more.
MAX_BY_CLIENTS: Final = 50_000
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
        (f"rmq_sys_REVIVE_LOG_{cluster}", config.revive_queue_num, READ_WRITE),
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

    `on_change` hears of every change: name servers are told.
    """

    def __init__(self, config: BrokerConfig, file: MetadataFile, clock: Clock) -> None:
        self._config = config
        self._file = file
        self._clock = clock
        self._topics: dict[str, TopicConfig] = {}
        self.version = DataVersion()
        self.on_change: Callable[[], None] = lambda: None

    def load(self) -> None:
        """Read the file and add the system topics that it lacks; those that follow a property follow it anew."""
        self._file.load(self._take)
        topics = dict(self._topics)
        for topic in system_topics(self._config):
            if topic.topic_name not in topics or topic.topic_name == AUTO_CREATE_TOPIC_KEY:
                topics[topic.topic_name] = topic
        if topics != self._topics or not self.version.timestamp:
            self._keep(topics)

    def _take(self, content: dict[Any, Any]) -> None:
        self._topics = topics_of(content)
        self.version = DataVersion.from_json(dict_of(content, "dataVersion"))

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
        # A pattern that is nothing but heritable (clusterTopicEnable=false) would make topics for nobody.
        if pattern is None or not pattern.perm & PERM_INHERIT or not pattern.writable:
            return None
        if default_topic == AUTO_CREATE_TOPIC_KEY and not self._config.auto_create_topic_enable:
            return None
        self._require_room()
        queues = max(1, min(queues, pattern.write_queue_nums))
        created = TopicConfig(
            topic_name=topic,
            read_queue_nums=queues,
            write_queue_nums=queues,
            perm=pattern.perm & ~PERM_INHERIT,
            topic_filter_type=pattern.topic_filter_type,
            topic_sys_flag=1 if unit_mode else 0,
        )
        self.put(created)
        return created

    def create_if_missing(self, topic: str, queues: int, topic_sys_flag: int = 0) -> TopicConfig:
        """Return a topic's settings, made with `queues` read and write queues if it was unknown."""
        found = self._topics.get(topic)
        if found is None:
            self._require_room()
            found = TopicConfig(
                topic_name=topic,
                read_queue_nums=queues,
                write_queue_nums=queues,
                perm=READ_WRITE,
                topic_sys_flag=topic_sys_flag,
            )
            self.put(found)
        return found

    def _require_room(self) -> None:
        if len(self._topics) >= MAX_BY_CLIENTS:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, f"there are {len(self._topics)} topics; more can only be made by tools"
            )

    def put(self, topic: TopicConfig) -> None:
        """Make or change a topic, durably. RequestRefused when it can't be written; then nothing is changed."""
        self._keep({**self._topics, topic.topic_name: topic})
        self.on_change()

    def remove(self, topic: str) -> None:
        """Forget a topic, durably. RequestRefused when that can't be written; then it is still there."""
        if topic in self._topics:
            self._keep({name: kept for name, kept in self._topics.items() if name != topic})
            self.on_change()

    def replace_all(self, topics: dict[str, TopicConfig], version: DataVersion) -> None:
        """Take the master's table over. RequestRefused when it can't be written; then nothing is changed."""
        self._keep(topics, version)
        self.on_change()

    def registered(self) -> dict[str, TopicConfig]:
        """The topics as name servers are told them: no more is permitted than the broker permits."""
        permission = self._config.broker_permission
        if permission & READ_WRITE == READ_WRITE:
            return dict(self._topics)
        return {name: replace(topic, perm=topic.perm & permission) for name, topic in self._topics.items()}

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        if config.broker_permission != self._config.broker_permission:
            # What is registered changes with it, which name servers see by the version alone.
            self.version = self.version.next(self._clock.now_ms())
        self._config = config

    def _keep(self, topics: dict[str, TopicConfig], version: DataVersion | None = None) -> None:
        """Make a table durable, and only then ours: a restart must not forget what was answered."""
        version = version or self.version.next(self._clock.now_ms())
        try:
            self._file.save(_to_file(topics, version))
        except OSError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the topics can't be written: {error}") from error
        self._topics = topics
        self.version = version

    def to_json(self) -> dict[str, Any]:
        """Return the body of request 21.

        We have no static topics. Null has a Java slave keep what it knows of them, where an empty map would delete it.
        """
        return {
            **_to_file(self._topics, self.version),
            "mappingDataVersion": DataVersion().to_json(),
            "topicQueueMappingDetailMap": None,
            "topicQueueMappingInfoMap": None,
        }


def topics_of(content: dict[Any, Any]) -> dict[str, TopicConfig]:
    """Return the topics of the file's content or of the body of request 21; ProtocolError when it can't be read."""
    table = dict_of(content, "topicConfigTable")
    return {str(name): TopicConfig.from_json({**dict_of(table, name), "topicName": str(name)}) for name in table}


def _to_file(topics: dict[str, TopicConfig], version: DataVersion) -> dict[str, Any]:
    return {
        "dataVersion": version.to_json(),
        "topicConfigTable": {name: topics[name].to_json() for name in sorted(topics)},
    }
