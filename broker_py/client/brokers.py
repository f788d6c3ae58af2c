"""Single requests to brokers that tools are made of (client impl/MQClientAPIImpl)."""

from dataclasses import dataclass
from typing import Any

from broker_py.client.by_address import RELAY_TIMEOUT_SECONDS, ByAddress
from broker_py.client.replies import header_of, object_of, properties_of
from broker_py.errors import ProtocolError
from broker_py.model.fields import bool_of, dict_of, int_of, list_of, objects_of, text_of
from broker_py.model.group import GroupConfig
from broker_py.model.java_properties import format_property
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import AUTO_CREATE_TOPIC_KEY, TopicConfig
from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.admin import ConsumeStatsRequest, CreateTopicRequest, DeleteGroupRequest, TopicRequest
from broker_py.wire.headers.clients import ClientRequest, ConsumerGroupRequest
from broker_py.wire.headers.offsets import OffsetReply, QueueRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueStatus:
    """The messages that a queue keeps; `last_update_ms` is the newest one's store time, 0 when there is none."""

    topic: str
    broker_name: str
    queue_id: int
    min_offset: int
    max_offset: int
    last_update_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueProgress:
    """How far a group is in a queue; `last_ms` is the store time of its last message, 0 when unknown."""

    topic: str
    broker_name: str
    queue_id: int
    broker_offset: int
    consumer_offset: int
    pull_offset: int
    last_ms: int

    @property
    def queue(self) -> MessageQueue:
        """The queue itself."""
        return MessageQueue(self.topic, self.broker_name, self.queue_id)

    @property
    def diff(self) -> int:
        """Messages not yet consumed."""
        return self.broker_offset - self.consumer_offset

    @property
    def inflight(self) -> int:
        """Messages pulled and not yet consumed."""
        return self.pull_offset - self.consumer_offset


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectedClient:
    """A client of a group; `version` is the ordinal that it sent."""

    client_id: str
    address: str
    language: str
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupConnections:
    """The members of a consumer group, and how they consume."""

    clients: tuple[ConnectedClient, ...]
    consume_type: str
    message_model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SlaveConnection:
    """A slave as its master sees it: from where it is connected, and how far it has acknowledged the log."""

    address: str
    acked: int
    diff: int
    in_sync: bool
    bytes_per_second: int
    sent: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicationStatus:
    """What a broker says of replication: a master of its slaves, a slave (`slaves` is empty) of its master.

    `fault` is what keeps a slave from copying or had a master refuse one; empty where none is known (Java tells none).
    """

    is_master: bool
    log_end: int
    slaves: tuple[SlaveConnection, ...] = ()
    master_address: str = ""
    bytes_per_second: int = 0
    fault: str = ""


class Brokers(ByAddress):
    """Requests to a broker by its address; each raises Unreachable or RequestFailed."""

    async def runtime_info(self, address: str) -> dict[str, str]:
        """Return what a broker tells of its state, by RocketMQ's keys."""
        fields = object_of(await self._ask(address, RequestCode.GET_BROKER_RUNTIME_INFO))
        return {str(key): str(value) for key, value in dict_of(fields, "table").items()}

    async def replication_status(self, address: str) -> ReplicationStatus:
        """Return how replication is doing; RequestFailed where a broker is too old to tell."""
        fields = object_of(await self._ask(address, RequestCode.GET_BROKER_HA_STATUS))
        if not bool_of(fields, "master"):
            own = dict_of(fields, "haClientRuntimeInfo")
            return ReplicationStatus(
                is_master=False,
                log_end=int_of(own, "maxOffset"),
                master_address=text_of(own, "masterAddr"),
                bytes_per_second=int_of(own, "transferredByteInSecond"),
                fault=text_of(fields, "fault"),
            )
        return ReplicationStatus(
            is_master=True,
            log_end=int_of(fields, "masterCommitLogMaxOffset"),
            slaves=tuple(
                SlaveConnection(
                    address=text_of(item, "addr"),
                    acked=int_of(item, "slaveAckOffset"),
                    diff=int_of(item, "diff"),
                    in_sync=bool_of(item, "inSync"),
                    bytes_per_second=int_of(item, "transferredByteInSecond"),
                    sent=int_of(item, "transferFromWhere"),
                )
                for item in objects_of(fields, "haConnectionInfo")
            ),
            fault=text_of(fields, "fault"),
        )

    async def config(self, address: str) -> dict[str, str]:
        """Return a broker's properties."""
        return properties_of(await self._ask(address, RequestCode.GET_BROKER_CONFIG), address)

    async def update_config(self, address: str, changes: dict[str, str]) -> None:
        """Change a broker's properties while it runs."""
        text = "".join(format_property(name, value) + "\n" for name, value in changes.items())
        await self._ask(address, RequestCode.UPDATE_BROKER_CONFIG, body=text.encode())

    async def topic_config(self, address: str, topic: str) -> TopicConfig:
        """Return a topic's settings on a broker; RequestFailed with code 17 when it has no such topic."""
        reply = await self._ask(address, RequestCode.GET_TOPIC_CONFIG, TopicRequest(topic=topic))
        return TopicConfig.from_json(object_of(reply))

    async def topics(self, address: str) -> dict[str, TopicConfig]:
        """Return all topics of a broker, system topics included, by their names."""
        table = dict_of(object_of(await self._ask(address, RequestCode.GET_ALL_TOPIC_CONFIG)), "topicConfigTable")
        return {str(name): TopicConfig.from_json({**dict_of(table, name), "topicName": str(name)}) for name in table}

    async def put_topic(self, address: str, config: TopicConfig, attributes: str | None = None) -> None:
        """Make a topic or change its settings.

        `attributes` are changes, `+name=value,-name`, and sent instead of the config's own.
        """
        header = CreateTopicRequest(
            topic=config.topic_name,
            default_topic=AUTO_CREATE_TOPIC_KEY,
            read_queue_nums=config.read_queue_nums,
            write_queue_nums=config.write_queue_nums,
            perm=config.perm,
            topic_filter_type=config.topic_filter_type,
            topic_sys_flag=config.topic_sys_flag,
            order=config.order,
            attributes=attributes,
        )
        await self._ask(address, RequestCode.UPDATE_AND_CREATE_TOPIC, header)

    async def delete_topic(self, address: str, topic: str) -> None:
        """Remove a topic, its queues and the groups' offsets in it."""
        await self._ask(address, RequestCode.DELETE_TOPIC_IN_BROKER, TopicRequest(topic=topic))

    async def topic_status(self, address: str, topic: str) -> list[QueueStatus]:
        """Return the state of a topic's queues on a broker."""
        fields = object_of(await self._ask(address, RequestCode.GET_TOPIC_STATS_INFO, TopicRequest(topic=topic)))
        return [
            QueueStatus(
                topic=queue.topic,
                broker_name=queue.broker_name,
                queue_id=queue.queue_id,
                min_offset=int_of(item, "minOffset"),
                max_offset=int_of(item, "maxOffset"),
                last_update_ms=int_of(item, "lastUpdateTimestamp"),
            )
            for queue, item in _offset_table(fields)
        ]

    async def consumers_of(self, address: str, topic: str) -> list[str]:
        """Return the consumer groups of a topic on a broker, sorted."""
        fields = object_of(await self._ask(address, RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, TopicRequest(topic=topic)))
        return sorted(str(group) for group in list_of(fields, "groupList"))

    async def progress(self, address: str, group: str, topic: str | None) -> tuple[list[QueueProgress], float]:
        """Return how far a group is on a broker, in one topic or in all, and its messages a second."""
        header = ConsumeStatsRequest(consumer_group=group, topic=topic)
        fields = object_of(await self._ask(address, RequestCode.GET_CONSUME_STATS, header))
        queues = [
            QueueProgress(
                topic=queue.topic,
                broker_name=queue.broker_name,
                queue_id=queue.queue_id,
                broker_offset=int_of(item, "brokerOffset"),
                consumer_offset=int_of(item, "consumerOffset"),
                pull_offset=int_of(item, "pullOffset"),
                last_ms=int_of(item, "lastTimestamp"),
            )
            for queue, item in _offset_table(fields)
        ]
        tps = fields.get("consumeTps")
        return queues, float(tps) if isinstance(tps, (int, float)) else 0.0

    async def consumer_offsets(self, address: str) -> dict[tuple[str, str], dict[int, int]]:
        """Return where all groups stand: (topic, group) → queue id → next offset to consume."""
        table = dict_of(object_of(await self._ask(address, RequestCode.GET_ALL_CONSUMER_OFFSET)), "offsetTable")
        offsets: dict[tuple[str, str], dict[int, int]] = {}
        for key in table:
            topic, _, group = str(key).partition("@")
            queues = dict_of(table, key)
            offsets[topic, group] = {
                int_of({"queue id": queue_id}, "queue id"): int_of(queues, queue_id) for queue_id in queues
            }
        return offsets

    async def delay_offsets(self, address: str) -> dict[int, int]:
        """Return how far delayed messages are delivered: delay level, from 1 → next offset of its queue, level - 1."""
        table = dict_of(object_of(await self._ask(address, RequestCode.GET_ALL_DELAY_OFFSET)), "offsetTable")
        return {int_of({"delay level": level}, "delay level"): int_of(table, level) for level in table}

    async def queue_begin(self, address: str, topic: str, queue_id: int) -> int:
        """Return the offset of the oldest message that a queue keeps."""
        reply = await self._ask(address, RequestCode.GET_MIN_OFFSET, QueueRequest(topic=topic, queue_id=queue_id))
        return header_of(OffsetReply, reply).offset

    async def queue_end(self, address: str, topic: str, queue_id: int) -> int:
        """Return the offset that the next message of a queue gets; the queue may be one that the topic has no more."""
        reply = await self._ask(address, RequestCode.GET_MAX_OFFSET, QueueRequest(topic=topic, queue_id=queue_id))
        return header_of(OffsetReply, reply).offset

    async def groups(self, address: str) -> dict[str, GroupConfig]:
        """Return the settings of all groups of a broker by their names."""
        reply = await self._ask(address, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
        table = dict_of(object_of(reply), "subscriptionGroupTable")
        return {str(name): GroupConfig.from_json({**dict_of(table, name), "groupName": str(name)}) for name in table}

    async def put_group(self, address: str, config: GroupConfig) -> None:
        """Make a consumer group or change its settings."""
        body = dumps(config.to_json())
        await self._ask(address, RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=body)

    async def delete_group(self, address: str, group: str, clean_offsets: bool) -> None:
        """Remove a consumer group, on demand with its offsets."""
        header = DeleteGroupRequest(group_name=group, clean_offset=clean_offsets)
        await self._ask(address, RequestCode.DELETE_SUBSCRIPTIONGROUP, header)

    async def group_connections(self, address: str, group: str) -> GroupConnections:
        """Return a group's members; RequestFailed with code 206 when it has none."""
        header = ConsumerGroupRequest(consumer_group=group)
        fields = object_of(await self._ask(address, RequestCode.GET_CONSUMER_CONNECTION_LIST, header))
        return GroupConnections(
            clients=tuple(
                ConnectedClient(
                    client_id=text_of(item, "clientId"),
                    address=text_of(item, "clientAddr"),
                    language=str(item.get("language") or "OTHER"),
                    version=int_of(item, "version"),
                )
                for item in list_of(fields, "connectionSet")
            ),
            consume_type=text_of(fields, "consumeType"),
            message_model=text_of(fields, "messageModel"),
        )

    async def queues_of_client(self, address: str, group: str, client_id: str) -> list[MessageQueue]:
        """Return the queues that a member pulls; the broker asks it."""
        header = ClientRequest(consumer_group=group, client_id=client_id)
        reply = await self._ask(
            address, RequestCode.GET_CONSUMER_RUNNING_INFO, header, timeout_seconds=RELAY_TIMEOUT_SECONDS
        )
        return [_queue_key(key) for key in dict_of(object_of(reply), "mqTable")]


def _offset_table(fields: dict[Any, Any]) -> list[tuple[MessageQueue, dict[str, Any]]]:
    return [(_queue_key(key), item) for key, item in dict_of(fields, "offsetTable").items()]


def _queue_key(key: object) -> MessageQueue:
    if isinstance(key, MessageQueue):
        return key
    raise ProtocolError(f"an answer can't be read: {str(key)[:32]!r} stands where a queue belongs")
