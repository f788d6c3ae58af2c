"""Replies to messages: requests 324 and 325, pushed on to who asked as 326 (broker processor/ReplyMessageProcessor).

A reply that can't be pushed is refused, though it is stored all the same where `storeReplyMessageEnable` says so.
"""

import asyncio
import logging
import random
from typing import Final

from broker_py.broker.clients import ProducerTable
from broker_py.broker.config import BrokerConfig
from broker_py.broker.own_messages import OwnMessages
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused, StoreError, Unreachable
from broker_py.message.ids import offset_message_id, pack_host
from broker_py.message.properties import (
    MSG_REGION,
    NAME_END,
    PROPERTY_END,
    PUSH_REPLY_TIME,
    REPLY_TO_CLIENT,
    TAGS,
    TRACE_ON,
    decode_properties,
)
from broker_py.message.record import Message, MessageIllegal
from broker_py.message.sysflags import BORN_HOST_V6, STORE_HOST_V6, TRANSACTION_MASK
from broker_py.message.tags import tags_code
from broker_py.model.topic import NOT_FOR_CLIENTS
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.seams import Clock
from broker_py.store.dispatch import Placed
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.headers.send import SendRequest, decode_send

log = logging.getLogger(__name__)

MAX_PUSHES: Final = 10_000
"""Replies that wait for the answer of who asked (replyThreadPoolQueueCapacity)."""
_PUSH_TIMEOUT_SECONDS: Final = 10.0
_NOT_STORED: Final = BORN_HOST_V6 | STORE_HOST_V6 | TRANSACTION_MASK


class ReplyHandler:
    """Hands replies to the producers that wait for them."""

    def __init__(
        self,
        config: BrokerConfig,
        topics: TopicTable,
        producers: ProducerTable,
        own: OwnMessages,
        store_host: bytes,
        clock: Clock,
    ) -> None:
        self._topics = topics
        self._producers = producers
        self._own = own
        self._store_host = store_host
        self._clock = clock
        self._pushes = 0
        self.configure(config)

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config
        self._ext = {MSG_REGION: config.region_id, TRACE_ON: "true" if config.trace_on else "false"}

    def register(self, router: Router) -> None:
        """Serve the requests."""
        for code in (RequestCode.SEND_REPLY_MESSAGE, RequestCode.SEND_REPLY_MESSAGE_V2):
            router.on_command(code, self.handle)

    async def handle(self, command: Command, peer: Peer) -> Reply:
        """Push a reply to who waits for it, and store it; the answer says whether it was pushed."""
        request = decode_send(command)
        self._check(request)
        if self._pushes >= MAX_PUSHES:
            raise RequestRefused(ResponseCode.SYSTEM_BUSY, "[OVERLOAD]system busy, start flow control for a while")
        self._pushes += 1
        try:
            placed = self._store(request, command, peer)
            fault = await self._push(request, command, peer)
        finally:
            self._pushes -= 1
        if fault is not None:
            log.info("%s", fault)
            return Reply(ResponseCode.SYSTEM_ERROR, fault, dict(self._ext))
        message_id, queue_offset = "0", 0
        if placed is not None and await placed[1]:
            message_id = offset_message_id(self._store_host, placed[0].log_offset)
            queue_offset = placed[0].queue_offset
        ext = {"msgId": message_id, "queueId": str(request.queue_id), "queueOffset": str(queue_offset), **self._ext}
        return Reply(ext=ext)

    def _check(self, request: SendRequest) -> None:
        if self._config.start_accept_send_request_time_stamp > self._clock.now_ms():
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"broker unable to service, until {self._config.start_accept_send_request_time_stamp} (ms since 1970)",
            )
        topic = self._topics.require(request.topic)
        if request.topic in NOT_FOR_CLIENTS:
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"Sending message to topic[{request.topic}] is forbidden.")
        if request.queue_id >= max(topic.write_queue_nums, topic.read_queue_nums):
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, f"request queueId[{request.queue_id}] is illegal, topic {request.topic}"
            )
        if request.queue_id < 0:
            request.queue_id = random.randrange(max(1, topic.write_queue_nums))  # noqa: S311

    async def _push(self, request: SendRequest, command: Command, peer: Peer) -> str | None:
        """Return why a reply could not be handed over, None when it is."""
        asker = decode_properties(request.properties.encode("utf-8", "surrogatepass")).get(REPLY_TO_CLIENT)
        if asker is None:
            return f"reply message properties[{REPLY_TO_CLIENT}] is null"
        client = self._producers.find(asker)
        if client is None:
            return f"push reply message fail, channel of <{asker}> not found."
        if not client.peer.is_writable:
            return f"push reply message to {asker} fail: it does not read what it was sent before"
        pushed = Command(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT, self._pushed_ext(request, peer), command.body)
        try:
            answer = await client.peer.request(pushed, _PUSH_TIMEOUT_SECONDS)
        except Unreachable as error:
            return f"push reply message to {asker} fail: {error}"
        if answer.code != ResponseCode.SUCCESS:
            return f"push reply message to {asker} fail: {answer.remark or f'code {answer.code}'}"
        return None

    def _pushed_ext(self, request: SendRequest, peer: Peer) -> dict[str, str]:
        """Return the fields of request 326 (remoting protocol/header/ReplyMessageRequestHeader)."""
        now_ms = self._clock.now_ms()
        text = request.properties
        if text and not text.endswith(PROPERTY_END):
            text += PROPERTY_END
        return {
            "producerGroup": request.producer_group,
            "topic": request.topic,
            "defaultTopic": request.default_topic,
            "defaultTopicQueueNums": str(request.default_topic_queue_nums),
            "queueId": str(request.queue_id),
            "sysFlag": str(request.sys_flag),
            "bornTimestamp": str(request.born_timestamp),
            "flag": str(request.flag),
            "properties": f"{text}{PUSH_REPLY_TIME}{NAME_END}{now_ms}{PROPERTY_END}",
            "reconsumeTimes": str(request.reconsume_times),
            "unitMode": "true" if request.unit_mode else "false",
            "bornHost": peer.name,
            "storeHost": self._config.address,
            "storeTimestamp": str(now_ms),
        }

    def _store(
        self, request: SendRequest, command: Command, peer: Peer
    ) -> "tuple[Placed, asyncio.Future[bool]] | None":
        """Store a reply where that is wanted; return its place and what will say whether it is there."""
        if not self._config.store_reply_message_enable or self._config.is_slave:
            return None
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def done(error: StoreError | None) -> None:
            if error is not None:
                log.warning("a reply is not stored: %s", error)
            if not stored.done():
                stored.set_result(error is None)

        properties = request.properties.encode("utf-8", "surrogatepass")
        message = Message(
            request.topic,
            request.queue_id,
            request.flag,
            request.sys_flag & ~_NOT_STORED,
            request.born_timestamp,
            pack_host(peer.host.partition("%")[0], peer.port),
            command.body,
            properties,
            tags_code(decode_properties(properties).get(TAGS)),
            request.reconsume_times,
        )
        try:
            return self._own.put(message, done), stored
        except (StoreError, MessageIllegal) as error:
            log.warning("a reply is not stored: %s", error)
            return None
