"""Storing messages: requests 10, 310 and 320 (broker processor/SendMessageProcessor, AbstractSendMessageProcessor)."""

import random
from typing import Final

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.config import BrokerConfig
from broker_py.broker.deferral import Deferral
from broker_py.broker.groups import GroupTable, group_name_fault
from broker_py.broker.half_messages import half_of
from broker_py.broker.statistics import Statistics
from broker_py.broker.topics import FAQ, TopicTable
from broker_py.errors import ProtocolError, RequestRefused, StoreError
from broker_py.message.batch import decode_batch
from broker_py.message.ids import UniqueIds, offset_message_id, pack_host
from broker_py.message.properties import (
    CLUSTER,
    DELAY,
    MSG_REGION,
    NAME_END,
    PROPERTY_END,
    TAGS,
    TIMER_DELAY_MS,
    TIMER_DELAY_SEC,
    TIMER_DELIVER_MS,
    TRACE_ON,
    TRAN_MSG,
    UNIQ_KEY,
    WAIT,
    decode_properties,
    has_property,
)
from broker_py.message.record import Message, MessageIllegal
from broker_py.message.sysflags import BORN_HOST_V6, MULTI_TAGS, STORE_HOST_V6, TRANSACTION_MASK
from broker_py.message.tags import tags_code
from broker_py.model.topic import (
    DLQ_PREFIX,
    MAX_TOPIC_CHARS,
    NOT_FOR_CLIENTS,
    PERM_WRITE,
    RETRY_PREFIX,
    TopicConfig,
    topic_name_fault,
)
from broker_py.remoting.peer import Peer
from broker_py.seams import Clock
from broker_py.store.store import Store
from broker_py.wire.codes import VERSION_MAX_RECONSUME_TIMES, RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.headers.send import SendRequest, decode_send

# What the broker itself says of a record; a wrong bit would make it unreadable.
_OURS: Final = BORN_HOST_V6 | STORE_HOST_V6
# In one batch: storing so many takes about 0.2 s, in which nobody else is served.
MAX_BATCH_MESSAGES: Final = 10_000
_DELAYS: Final = (DELAY, TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS)
_LOOKED_AT: Final = tuple(
    text.encode() for text in ("TAGS\x01", "DELAY\x01", "TRAN_MSG\x01", "WAIT\x01false", "TIMER_DEL")
)


class SendHandler:
    """Checks a message, stores it, and has it answered when it is as safe as the profile asks."""

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        topics: TopicTable,
        groups: GroupTable,
        acks: AckPolicy,
        statistics: Statistics,
        unique_ids: UniqueIds,
        store_host: bytes,
        clock: Clock,
        deferral: Deferral,
    ) -> None:
        self._deferral = deferral
        self._store = store
        self._topics = topics
        self._groups = groups
        self._acks = acks
        self._statistics = statistics
        self._unique_ids = unique_ids
        self._store_host = store_host
        self._clock = clock
        self.configure(config)

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config
        self._is_slave = config.is_slave
        trace = "true" if config.trace_on else "false"
        added = {MSG_REGION: config.region_id, TRACE_ON: trace, CLUSTER: config.broker_cluster_name}
        # What every stored message gets behind the producer's properties; the last of two equal names counts.
        self._added = PROPERTY_END.join(name + NAME_END + value for name, value in added.items())
        self._reply_ext = {MSG_REGION: config.region_id, TRACE_ON: trace}

    def handle(self, command: Command, peer: Peer) -> Reply | None:
        """Store the message of a send; it is answered later."""
        request = decode_send(command)
        self._check_accepting()
        topic = self._topic_of(request)
        try:
            if request.batch or command.code == RequestCode.SEND_BATCH_MESSAGE:
                self._store_batch(request, topic, command, peer)
            else:
                self._store_one(request, topic, command, peer)
        except MessageIllegal as error:
            raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, str(error)) from None
        except StoreError as error:
            self._statistics.put_failed += 1
            raise RequestRefused(ResponseCode.SERVICE_NOT_AVAILABLE, f"the message can't be stored: {error}") from None
        return None

    # Checks

    def _check_accepting(self) -> None:
        config = self._config
        if self._is_slave:
            raise RequestRefused(
                ResponseCode.SERVICE_NOT_AVAILABLE,
                f"{config.broker_name} with id {config.broker_id} is a slave: messages are sent to its master",
            )
        start_ms = config.start_accept_send_request_time_stamp
        if start_ms and start_ms > self._clock.now_ms():
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"broker unable to service, until {start_ms} (ms since 1970)",
            )
        self._acks.require_replicas()
        self._acks.require_room()

    def _topic_of(self, request: SendRequest) -> TopicConfig:
        """Return the settings of the topic, made where that is allowed, after the checks of a send."""
        name = request.topic
        topic = self._topics.get(name)
        if topic is None:
            topic = self._new_topic(request)
        elif name in NOT_FOR_CLIENTS:
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"Sending message to topic[{name}] is forbidden.")
        if not self._config.broker_permission & PERM_WRITE and topic.order:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"the broker[{self._config.broker_ip1}] sending message is forbidden"
            )
        queues = max(topic.write_queue_nums, topic.read_queue_nums)
        if request.queue_id >= queues:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"request queueId[{request.queue_id}] is illegal, topic {name} has {queues} queues",
            )
        if request.queue_id < 0:
            request.queue_id = random.randrange(max(1, topic.write_queue_nums))  # noqa: S311
        return topic

    def _new_topic(self, request: SendRequest) -> TopicConfig:
        name = request.topic
        retry = name.startswith(RETRY_PREFIX)
        fault = group_name_fault(name.removeprefix(RETRY_PREFIX)) if retry else topic_name_fault(name)
        if fault is not None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, fault)
        if name in NOT_FOR_CLIENTS:
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"Sending message to topic[{name}] is forbidden.")
        topic: TopicConfig | None
        if retry:
            topic = self._topics.create_if_missing(name, 1)
        else:
            topic = self._topics.create_by_sending(
                name, request.default_topic, request.default_topic_queue_nums, request.unit_mode
            )
        if topic is None:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, f"topic[{name}] not exist, apply first please!{FAQ}")
        return topic

    @staticmethod
    def _check_undelayed(properties: dict[str, str]) -> None:
        """Refuse a message of a batch that is to come later: a batch is stored as one, in one place."""
        for name in _DELAYS:
            if properties.get(name, "0") != "0":
                raise RequestRefused(
                    ResponseCode.MESSAGE_ILLEGAL, f"a message of a batch can't be delayed ({name}): send it alone"
                )

    # Storing

    def _store_one(self, request: SendRequest, topic: TopicConfig, command: Command, peer: Peer) -> None:
        properties = _properties_of(request.properties)
        text = request.properties
        if text and not text.endswith(PROPERTY_END):
            text += PROPERTY_END
        unique_id = properties.get(UNIQ_KEY)
        if unique_id is None:
            unique_id = self._unique_ids.next_id()
            text += f"{UNIQ_KEY}{NAME_END}{unique_id}{PROPERTY_END}"
        transactional = TRAN_MSG in properties and self._is_transactional(request, properties)
        name, queue_id = request.topic, request.queue_id
        if name.startswith(RETRY_PREFIX):
            name, queue_id = self._retry_or_dead(request, command.version)
            if name != request.topic:
                properties.pop(DELAY, None)
        asked_queue_id = queue_id
        if not properties.keys().isdisjoint(_DELAYS):
            place = self._deferral.place(name, queue_id, properties)
            if place is not None:
                name, queue_id = place
            properties.setdefault(UNIQ_KEY, unique_id)
            text = "".join(f"{key}{NAME_END}{value}{PROPERTY_END}" for key, value in properties.items())
        message = Message(
            name,
            queue_id,
            request.flag,
            _sys_flag(request, topic, TRAN_MSG in properties),
            request.born_timestamp,
            _born_host(peer),
            command.body,
            (text + self._added).encode("utf-8", "surrogatepass"),
            tags_code(properties.get(TAGS)),
            request.reconsume_times,
        )
        placed = self._store.append(half_of(message, unique_id) if transactional else message)
        self._statistics.put(message.topic, 1, placed.size, message.queue_id)
        shown_queue_id = str(asked_queue_id)
        ext = {
            "msgId": offset_message_id(self._store_host, placed.log_offset),
            "queueId": shown_queue_id,
            "queueOffset": str(placed.queue_offset),
            "transactionId": unique_id,
            **self._reply_ext,
        }
        latency = self._statistics.put_latency(request.topic, shown_queue_id)
        self._acks.expect(placed.end, command, peer, Reply(0, None, ext), properties.get(WAIT) != "false", latency)

    def _is_transactional(self, request: SendRequest, properties: dict[str, str]) -> bool:
        """True for a message that is to wait for its producer's word. RequestRefused where none may.

        Clients before 4.6.1 leave the property in what a consumer gives back.
        """
        given_back = request.reconsume_times > 0 and properties.get(DELAY, "0") != "0"
        if properties[TRAN_MSG].lower() != "true" or given_back:
            return False
        if self._config.reject_transaction_message:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION,
                f"the broker[{self._config.broker_ip1}] sending transaction message is forbidden",
            )
        for name in _DELAYS:
            if properties.get(name, "0") != "0":
                raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, f"a transactional message can't be delayed ({name})")
        return True

    def _retry_or_dead(self, request: SendRequest, version: int) -> tuple[str, int]:
        """Return (topic, queue id) of a message on its way back: the dead letters' when it came back too often."""
        group_name = request.topic.removeprefix(RETRY_PREFIX)
        group = self._groups.require(group_name)
        allowed = group.retry_max_times
        if version >= VERSION_MAX_RECONSUME_TIMES and request.max_reconsume_times is not None:
            allowed = request.max_reconsume_times
        if request.reconsume_times <= allowed:
            return request.topic, request.queue_id
        dead = DLQ_PREFIX + group_name
        if len(dead) > MAX_TOPIC_CHARS:
            raise MessageIllegal(f"{dead} is longer than a topic's name can be ({MAX_TOPIC_CHARS})")
        self._topics.create_if_missing(dead, 1)
        return dead, 0

    def _store_batch(self, request: SendRequest, topic: TopicConfig, command: Command, peer: Peer) -> None:
        if request.topic.startswith(RETRY_PREFIX):
            raise RequestRefused(
                ResponseCode.MESSAGE_ILLEGAL, f"batch request does not support retry group {request.topic}"
            )
        limit = self._store.config.max_message_size
        if len(command.body) > limit:
            raise MessageIllegal(f"the batch has {len(command.body)} bytes, more than maxMessageSize {limit}")
        try:
            items = decode_batch(command.body, request.properties.encode("utf-8", "surrogatepass"))
        except ProtocolError as error:
            raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, f"the batch can't be read: {error}") from None
        if not 0 < len(items) <= MAX_BATCH_MESSAGES:
            raise MessageIllegal(f"the batch has {len(items)} messages; 1 to {MAX_BATCH_MESSAGES} are allowed")
        added = self._added.encode()
        sys_flag = _sys_flag(request, topic)
        born_host = _born_host(peer)
        messages: list[Message] = []
        wait = True
        decode_some = _worth_decoding(command.body) or _worth_decoding(request.properties.encode("utf-8", "replace"))
        for item in items:
            encoded = item.properties
            tag: str | None = None
            if decode_some and _worth_decoding(encoded):
                properties = decode_properties(encoded)
                if properties.get(TRAN_MSG) == "true":
                    raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, "messages of a batch can't be transactional")
                self._check_undelayed(properties)
                wait = wait and properties.get(WAIT) != "false"
                tag = properties.get(TAGS)
            if encoded and not encoded.endswith(b"\x02"):
                encoded += b"\x02"
            if not has_property(encoded, UNIQ_KEY):
                encoded += f"{UNIQ_KEY}{NAME_END}{self._unique_ids.next_id()}{PROPERTY_END}".encode()
            messages.append(
                Message(
                    request.topic,
                    request.queue_id,
                    item.flag,
                    sys_flag,
                    request.born_timestamp,
                    born_host,
                    item.body,
                    encoded + added,
                    tags_code(tag),
                    request.reconsume_times,
                )
            )
        placed = self._store.append_batch(messages)
        self._statistics.put(request.topic, len(placed), sum([one.size for one in placed]))
        host = self._store_host
        ext = {
            "msgId": ",".join([offset_message_id(host, one.log_offset) for one in placed]),
            "queueId": str(request.queue_id),
            "queueOffset": str(placed[0].queue_offset),
            **self._reply_ext,
        }
        latency = self._statistics.put_latency(request.topic, ext["queueId"])
        self._acks.expect(placed[-1].end, command, peer, Reply(0, None, ext), wait, latency)


def _sys_flag(request: SendRequest, topic: TopicConfig, transactional: bool = False) -> int:
    """Return a message's flags without what isn't the producer's to say: a property says what is transactional.

    RequestRefused: the flags say so and the property doesn't, and nobody would ever see the message.
    """
    sys_flag = request.sys_flag & ~(_OURS | TRANSACTION_MASK)
    if request.sys_flag & TRANSACTION_MASK and not transactional:
        raise RequestRefused(
            ResponseCode.MESSAGE_ILLEGAL, f"sysFlag {request.sys_flag} is of a transaction, but {TRAN_MSG} is not true"
        )
    return sys_flag | MULTI_TAGS if topic.topic_filter_type == "MULTI_TAG" else sys_flag


def _worth_decoding(properties: bytes) -> bool:
    """False for what most messages have: nothing that a broker looks at but WAIT=true and an id.

    Asked of a whole batch first, bodies and all: they may make it true, which costs time and nothing else.
    """
    for name in _LOOKED_AT:  # noqa: SIM110  a generator costs more than the search
        if name in properties:
            return True
    return False


def _properties_of(text: str) -> dict[str, str]:
    """Return the properties of a request's text; the same rules as for the stored form."""
    properties: dict[str, str] = {}
    for item in text.split(PROPERTY_END):
        name, separator, value = item.partition(NAME_END)
        if separator and name and value:
            properties[name] = value
    return properties


def _born_host(peer: Peer) -> bytes:
    """Return the producer's packed address, kept on its connection."""
    packed: bytes | None = peer.attachment
    if packed is None:
        packed = peer.attachment = pack_host(peer.host.partition("%")[0], peer.port)
    return packed
