"""What a fake broker keeps: topics, queues of encoded records, offsets, members."""

from dataclasses import dataclass, field, replace

from broker_py.message.ids import pack_host
from broker_py.message.record import Message, body_crc, encode_record
from broker_py.message.tags import tags_code
from broker_py.model.group import GroupConfig
from broker_py.model.subscription import ConsumerData
from broker_py.model.topic import PERM_READ, PERM_WRITE, TopicConfig, retry_topic
from broker_py.wire.headers.send import SendRequest

STORE_HOST = pack_host("10.0.0.1", 10911)
BORN_HOST = pack_host("10.0.0.9", 40000)
FIRST_STORED_MS = 1_700_000_000_000


@dataclass
class FakeStore:
    """Shared by the brokers of one name, as if replication took no time. Message n is stored n ms after the first."""

    topics: dict[str, TopicConfig] = field(default_factory=dict)
    queues: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    stored: int = 0
    offsets: dict[tuple[str, str, int], int] = field(default_factory=dict)
    members: dict[str, dict[str, ConsumerData]] = field(default_factory=dict)
    groups: dict[str, GroupConfig] = field(default_factory=dict)
    config: dict[str, str] = field(
        default_factory=lambda: {"fileReservedTime": "48", "brokerRole": "ASYNC_MASTER", "brokerPermission": "6"}
    )

    def add_topic(self, topic: str, queue_nums: int = 4, perm: int = PERM_READ | PERM_WRITE) -> None:
        """Make a topic."""
        self.topics[topic] = TopicConfig(
            topic_name=topic, read_queue_nums=queue_nums, write_queue_nums=queue_nums, perm=perm
        )

    def queue(self, topic: str, queue_id: int) -> list[bytes]:
        """Return the records of a queue."""
        return self.queues.setdefault((topic, queue_id), [])

    def put(self, request: SendRequest, body: bytes, sys_flag: int = 0) -> int:
        """Store a message and return its queue offset; topics are made as a broker with TBW102 makes them."""
        if request.topic not in self.topics:
            self.add_topic(request.topic, request.default_topic_queue_nums)
        queue = self.queue(request.topic, request.queue_id)
        message = Message(
            topic=request.topic,
            queue_id=request.queue_id,
            flag=request.flag,
            sys_flag=sys_flag,
            born_ms=request.born_timestamp,
            born_host=BORN_HOST,
            body=body,
            properties=request.properties.encode(),
            tags_code=tags_code(None),
        )
        stored_ms = FIRST_STORED_MS + self.stored
        queue.append(encode_record(message, body_crc(body), len(queue), self.stored * 1000, stored_ms, STORE_HOST))
        self.stored += 1
        return len(queue) - 1

    def fill(self, topic: str, queue_id: int, bodies: list[bytes], tags: str = "TagA") -> None:
        """Store messages in one queue."""
        for body in bodies:
            properties = f"TAGS\x01{tags}\x02UNIQ_KEY\x01{body.hex().upper()}"
            self.put(SendRequest("g", topic, queue_id, born_timestamp=FIRST_STORED_MS, properties=properties), body)

    def join(self, client_id: str, consumer: ConsumerData) -> bool:
        """Note a heartbeat; True when the group has a member more."""
        self.topics.setdefault(
            retry_topic(consumer.group_name),
            TopicConfig(topic_name=retry_topic(consumer.group_name), read_queue_nums=1, write_queue_nums=1),
        )
        members = self.members.setdefault(consumer.group_name, {})
        is_new = client_id not in members
        members[client_id] = consumer
        return is_new

    def set_perm(self, add: int, keep: int) -> int:
        """Change all topics' permissions and return how many topics there are."""
        for name, config in self.topics.items():
            self.topics[name] = replace(config, perm=config.perm & keep | add)
        return len(self.topics)
