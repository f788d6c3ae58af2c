"""Topics: their settings, their permissions, their names."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.model.fields import bool_of, dict_of, int_of, text_of

# common constant/PermName
PERM_INHERIT: Final = 1
PERM_WRITE: Final = 2
PERM_READ: Final = 4

# common topic/TopicValidator
AUTO_CREATE_TOPIC_KEY: Final = "TBW102"
SCHEDULE_TOPIC: Final = "SCHEDULE_TOPIC_XXXX"
TIMER_TOPIC: Final = "rmq_sys_wheel_timer"
BENCHMARK_TOPIC: Final = "BenchmarkTest"
HALF_TOPIC: Final = "RMQ_SYS_TRANS_HALF_TOPIC"
OP_HALF_TOPIC: Final = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
TRACE_TOPIC: Final = "RMQ_SYS_TRACE_TOPIC"
CHECK_MAX_TIME_TOPIC: Final = "TRANS_CHECK_MAX_TIME_TOPIC"
SELF_TEST_TOPIC: Final = "SELF_TEST_TOPIC"
OFFSET_MOVED_TOPIC: Final = "OFFSET_MOVED_EVENT"
SYSTEM_TOPIC_PREFIX: Final = "rmq_sys_"
SYSTEM_TOPICS: Final = frozenset(
    {
        AUTO_CREATE_TOPIC_KEY,
        SCHEDULE_TOPIC,
        BENCHMARK_TOPIC,
        HALF_TOPIC,
        OP_HALF_TOPIC,
        TRACE_TOPIC,
        CHECK_MAX_TIME_TOPIC,
        SELF_TEST_TOPIC,
        OFFSET_MOVED_TOPIC,
    }
)
NOT_FOR_CLIENTS: Final = frozenset(
    {SCHEDULE_TOPIC, HALF_TOPIC, OP_HALF_TOPIC, CHECK_MAX_TIME_TOPIC, SELF_TEST_TOPIC, OFFSET_MOVED_TOPIC}
)

RETRY_PREFIX: Final = "%RETRY%"
DLQ_PREFIX: Final = "%DLQ%"

MAX_TOPIC_CHARS: Final = 127
_LEGAL_NAME: Final = re.compile(r"[%|a-zA-Z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class TopicConfig:
    """Settings of one topic on one broker (common TopicConfig).

    Read and write queues are one set of queues seen twice: a shrunk topic is written to fewer than are read.
    """

    topic_name: str
    read_queue_nums: int = 16
    write_queue_nums: int = 16
    perm: int = PERM_READ | PERM_WRITE
    topic_filter_type: str = "SINGLE_TAG"
    topic_sys_flag: int = 0
    order: bool = False
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def writable(self) -> bool:
        """True when producers may use it."""
        return self.perm & PERM_WRITE != 0

    @property
    def readable(self) -> bool:
        """True when consumers may use it."""
        return self.perm & PERM_READ != 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "attributes": self.attributes,
            "order": self.order,
            "perm": self.perm,
            "readQueueNums": self.read_queue_nums,
            "topicFilterType": self.topic_filter_type,
            "topicName": self.topic_name,
            "topicSysFlag": self.topic_sys_flag,
            "writeQueueNums": self.write_queue_nums,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TopicConfig":
        """Return the value of a JSON form."""
        attributes = dict_of(fields, "attributes")
        return cls(
            topic_name=text_of(fields, "topicName"),
            read_queue_nums=int_of(fields, "readQueueNums", 16),
            write_queue_nums=int_of(fields, "writeQueueNums", 16),
            perm=int_of(fields, "perm", PERM_READ | PERM_WRITE),
            topic_filter_type=text_of(fields, "topicFilterType", "SINGLE_TAG"),
            topic_sys_flag=int_of(fields, "topicSysFlag"),
            order=bool_of(fields, "order"),
            attributes={str(key): str(value) for key, value in attributes.items()},
        )


def topic_name_fault(topic: str) -> str | None:
    """Return what is wrong with a topic's name, or None (common topic/TopicValidator.validateTopic)."""
    if not topic.strip():
        return "The specified topic is blank."
    if _LEGAL_NAME.fullmatch(topic) is None:
        return "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
    if len(topic) > MAX_TOPIC_CHARS:
        return f"The specified topic is longer than topic max length {MAX_TOPIC_CHARS}."
    return None


def retry_topic(group: str) -> str:
    """Name of the topic that holds what a group could not consume and will see again."""
    return RETRY_PREFIX + group


def is_system_topic(topic: str) -> bool:
    """True for the topics that every broker has (broker and cluster names not counted)."""
    return topic in SYSTEM_TOPICS or topic.startswith(SYSTEM_TOPIC_PREFIX)
