"""Requests that the broker passes on to consumers: 222, 223, 307 and 309 (broker client/net/Broker2Client)."""

from collections.abc import Coroutine
from typing import Any, Final

from broker_py.broker.clients import ConsumerTable
from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.groups import GroupTable
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused, Unreachable
from broker_py.message.ids import decode_offset_message_id
from broker_py.model.fields import dict_of
from broker_py.model.message_queue import MessageQueue
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import LANGUAGES, RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object
from broker_py.wire.header import encode_header
from broker_py.wire.headers.clients import ClientRequest
from broker_py.wire.headers.offsets import ConsumerStatusRequest, ResetOffsetRequest

_RELAY_TIMEOUT_SECONDS: Final = 10.0
_STATUS_TIMEOUT_SECONDS: Final = 5.0
_CPP: Final = LANGUAGES.index("CPP")


class RelayHandler:
    """Asks the members of a consumer group, on the connections that they keep open."""

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        topics: TopicTable,
        groups: GroupTable,
        offsets: ConsumerOffsetTable,
        consumers: ConsumerTable,
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._consumers = consumers

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, ResetOffsetRequest, self.reset_offset)
        router.on(RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, ConsumerStatusRequest, self.consumer_status)
        router.on(RequestCode.GET_CONSUMER_RUNNING_INFO, ClientRequest, self.running_info)
        router.on(RequestCode.CONSUME_MESSAGE_DIRECTLY, ClientRequest, self.consume_directly)

    def reset_offset(self, request: ResetOffsetRequest, command: Command, _peer: Peer) -> Reply:
        """Compute a group's offsets for a time and push them to its members, who commit them."""
        targets = self._targets(request)
        group = self._consumers.get(request.group)
        members = list(group.members.values()) if group is not None else []
        if not members:
            raise RequestRefused(
                ResponseCode.CONSUMER_NOT_ONLINE,
                f"Consumer not online, so can not reset offset, Group: {request.group} Topic: {request.topic} "
                f"Timestamp: {request.timestamp}",
            )
        if command.language == _CPP:
            listed = [{**queue.to_json(), "offset": offset} for queue, offset in targets.items()]
            pushed = dumps({"offsetTable": listed})
        else:
            pushed = dumps({"offsetTable": targets})
        ext = {
            "topic": request.topic,
            "group": request.group,
            "timestamp": str(request.timestamp),
            "isForce": "true" if request.is_force else "false",
        }
        for client in members:
            client.peer.send(Command(RequestCode.RESET_CONSUMER_CLIENT_OFFSET, dict(ext), pushed))
        return Reply(body=dumps({"offsetTable": targets}))

    def _targets(self, request: ResetOffsetRequest) -> dict[MessageQueue, int]:
        topic = self._topics.get(request.topic)
        if topic is None:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"[reset-offset] reset offset failed, no topic in this broker. {request.topic}",
            )
        targets: dict[MessageQueue, int] = {}
        for queue_id in range(topic.write_queue_nums):
            current = self._offsets.offset(request.group, request.topic, queue_id)
            if current < 0:
                raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"THe consumer group <{request.group}> not exist")
            if request.timestamp < 0:
                target = self._store.max_offset(request.topic, queue_id)
            else:
                target = self._store.offset_by_time(request.topic, queue_id, request.timestamp)
            target = max(0, target)
            targets[MessageQueue(request.topic, self._config.broker_name, queue_id)] = (
                target if request.is_force or target < current else current
            )
        return targets

    async def consumer_status(self, request: ConsumerStatusRequest, _command: Command, _peer: Peer) -> Reply:
        """Ask the members of a group for the offsets that they have in memory."""
        group = self._consumers.get(request.group)
        if group is None:
            raise RequestRefused(
                ResponseCode.CONSUMER_NOT_ONLINE, f"No Any Consumer online in the consumer group: [{request.group}]"
            )
        table: dict[str, object] = {}
        for client in list(group.members.values()):
            if request.client_addr and request.client_addr != client.client_id:
                continue
            ext = {"topic": request.topic, "group": request.group}
            asked = Command(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT, ext)
            try:
                answer = await client.peer.request(asked, _STATUS_TIMEOUT_SECONDS)
            except Unreachable as error:
                raise RequestRefused(ResponseCode.CONSUME_MSG_TIMEOUT, str(error)) from None
            if answer.code == ResponseCode.SUCCESS and answer.body:
                table[client.client_id] = dict_of(loads_object(answer.body), "messageQueueTable")
        return Reply(body=dumps({"consumerTable": table}))

    async def running_info(self, request: ClientRequest, command: Command, _peer: Peer) -> Reply:
        """Ask one consumer what it does; its answer is passed on as it is."""
        return await self._ask_one(request, Command(command.code, encode_header(request), command.body))

    def consume_directly(self, request: ClientRequest, command: Command, _peer: Peer) -> Coroutine[Any, Any, Reply]:
        """Have one consumer consume a message, which is found by its offset id; its answer is passed on as it is."""
        _, log_offset = decode_offset_message_id(request.msg_id or "")
        data = self._store.record(log_offset)
        if data is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"no message has the id {request.msg_id}")
        ext = {**command.ext, "brokerName": self._config.broker_name}
        topic = self._topics.get(request.topic or "")
        if topic is not None:
            ext["topicSysFlag"] = str(topic.topic_sys_flag)
        settings = self._groups.get(request.consumer_group)
        if settings is not None:
            ext["groupSysFlag"] = str(settings.group_sys_flag)
        return self._ask_one(request, Command(command.code, ext, data))

    async def _ask_one(self, request: ClientRequest, asked: Command) -> Reply:
        """Ask the consumer that a request names."""
        group = self._consumers.get(request.consumer_group)
        client = group.member(request.client_id or "") if group is not None else None
        if client is None:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, f"The Consumer <{request.consumer_group}> <{request.client_id}> not online"
            )
        try:
            answer = await client.peer.request(asked, _RELAY_TIMEOUT_SECONDS)
        except Unreachable as error:
            raise RequestRefused(
                ResponseCode.CONSUME_MSG_TIMEOUT,
                f"consumer <{request.consumer_group}> <{request.client_id}> Timeout: {error}",
            ) from None
        return Reply(answer.code, answer.remark, answer.ext, answer.body)
