"""Messages that consumers give back: request 36 (broker processor/AbstractSendMessageProcessor.consumerSendMsgBack).

They come again after a while, by way of a delay level and the group's retry topic; those that came too often, or are
not to come again, go to the group's dead letters.
"""

import random

from broker_py.broker.config import BrokerConfig
from broker_py.broker.deferral import Deferral
from broker_py.broker.groups import GroupTable
from broker_py.broker.own_messages import OwnMessages, moved
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused, StoreError
from broker_py.message.ids import offset_message_id
from broker_py.message.properties import DELAY, ORIGIN_MESSAGE_ID, RETRY_TOPIC, WAIT, decode_properties
from broker_py.message.record import MessageIllegal, decode_record
from broker_py.model.topic import DLQ_PREFIX, MAX_TOPIC_CHARS, PERM_WRITE, retry_topic
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import VERSION_MAX_RECONSUME_TIMES, RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.headers.send import SendBackRequest

_FIRST_LEVEL = 3
_HAS_UNIT_SUBSCRIPTION = 2


class SendBackHandler:
    """Stores what is given back where it waits, or lies for good. It is answered when that is safe."""

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        topics: TopicTable,
        groups: GroupTable,
        own: OwnMessages,
        deferral: Deferral,
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._own = own
        self._deferral = deferral

    def register(self, router: Router) -> None:
        """Serve the request."""
        router.on(RequestCode.CONSUMER_SEND_MSG_BACK, SendBackRequest, self._send_back)

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def _send_back(self, request: SendBackRequest, command: Command, peer: Peer) -> Reply | None:
        config = self._config
        if config.is_slave:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"no master available along with {config.broker_ip1}")
        group = self._groups.require(request.group)
        if not config.broker_permission & PERM_WRITE:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"the broker[{config.broker_ip1}] sending message is forbidden"
            )
        if group.retry_queue_nums <= 0:
            return Reply()
        topic = self._topics.create_if_missing(
            retry_topic(request.group), group.retry_queue_nums, _HAS_UNIT_SUBSCRIPTION if request.unit_mode else 0
        )
        if not topic.writable:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"the topic[{topic.topic_name}] sending message is forbidden"
            )
        data = self._store.record(request.offset)
        if data is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"look message by offset failed, {request.offset}")
        record = decode_record(data)
        properties = decode_properties(record.properties)
        properties.setdefault(RETRY_TOPIC, record.topic)
        properties.setdefault(ORIGIN_MESSAGE_ID, offset_message_id(record.store_host, record.log_offset))
        properties.pop(WAIT, None)
        allowed = group.retry_max_times
        if command.version >= VERSION_MAX_RECONSUME_TIMES and request.max_reconsume_times is not None:
            allowed = request.max_reconsume_times
        name, queue_id = topic.topic_name, random.randrange(group.retry_queue_nums)  # noqa: S311
        dead = request.delay_level < 0 or record.reconsume_times >= allowed
        if dead:
            name, queue_id = self._dead_letters(request.group), 0
            properties[DELAY] = "0"
        else:
            properties[DELAY] = str(request.delay_level or _FIRST_LEVEL + record.reconsume_times)
        name, queue_id = self._deferral.place(name, queue_id, properties) or (name, queue_id)
        message = moved(record, name, queue_id, properties)
        message.reconsume_times += 1
        message.prepared_offset = 0

        def done(error: StoreError | None) -> None:
            peer.reply(command, Reply() if error is None else Reply(ResponseCode.SYSTEM_ERROR, str(error)))

        try:
            self._own.put(message, done)
        except (MessageIllegal, StoreError) as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the message can't be stored: {error}") from None
        statistics = self._own.statistics
        statistics.sent_back(properties[RETRY_TOPIC], request.group)
        if dead:
            statistics.dead(properties[RETRY_TOPIC], request.group)
        return None

    def _dead_letters(self, group: str) -> str:
        name = DLQ_PREFIX + group
        if len(name) > MAX_TOPIC_CHARS:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, f"{name} is longer than a topic's name can be ({MAX_TOPIC_CHARS})"
            )
        self._topics.create_if_missing(name, 1)
        return name
