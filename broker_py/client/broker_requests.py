"""Requests that brokers send to this client, handed to the group they are for (client impl/ClientRemotingProcessor)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from broker_py.client.messages import ReceivedMessage, decode_messages, received_reply
from broker_py.errors import ConfigError, ProtocolError, RequestRefused
from broker_py.message.properties import CORRELATION_ID, PGROUP
from broker_py.model.message_queue import MessageQueue
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object
from broker_py.wire.headers.clients import ClientRequest, ConsumerGroupRequest
from broker_py.wire.headers.offsets import ConsumerStatusRequest, ResetOffsetRequest
from broker_py.wire.headers.transactions import CheckTransactionRequest

log = logging.getLogger(__name__)

MAX_PENDING_REPLIES: Final = 10_000


class AskedConsumer(Protocol):
    """What brokers ask a consumer, most of it on behalf of tools."""

    async def reset_offsets(self, topic: str, offsets: dict[MessageQueue, int]) -> None:
        """Go on elsewhere."""

    def offsets_of(self, topic: str) -> dict[MessageQueue, int]:
        """Return where this member stands in its queues of a topic."""

    def running_info(self) -> dict[str, Any]:
        """Return what this member is doing, as `ConsumerRunningInfo` has it."""

    async def consume_directly(self, message: ReceivedMessage) -> dict[str, Any]:
        """Hand one message to the listener; return what came of it, as `ConsumeMessageDirectlyResult` has it."""


Check = Callable[[ReceivedMessage, CheckTransactionRequest, Peer], Awaitable[None]]


class BrokerRequests:
    """Who of this client answers for which group."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self._wakes: dict[str, Callable[[], None]] = {}
        self._consumers: dict[str, AskedConsumer] = {}
        self._checks: dict[str, Check] = {}
        self._replies: dict[str, asyncio.Future[ReceivedMessage]] = {}
        router.on(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, ConsumerGroupRequest, self._members_changed)
        router.on(RequestCode.RESET_CONSUMER_CLIENT_OFFSET, ResetOffsetRequest, self._reset)
        router.on(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT, ConsumerStatusRequest, self._status)
        router.on(RequestCode.GET_CONSUMER_RUNNING_INFO, ClientRequest, self._running_info)
        router.on(RequestCode.CONSUME_MESSAGE_DIRECTLY, ClientRequest, self._consume_directly)
        router.on(RequestCode.CHECK_TRANSACTION_STATE, CheckTransactionRequest, self._check)
        router.on_command(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT, self._reply_came)

    # Who is there

    def add_member(self, group: str, wake: Callable[[], None]) -> None:
        """Have `wake` called when a group has other members; ConfigError when this client is in the group already."""
        if group in self._wakes:
            raise ConfigError(f"this client is a member of the group {group} already; take another client")
        self._wakes[group] = wake

    def remove_member(self, group: str) -> None:
        """Call it no more."""
        self._wakes.pop(group, None)
        self._consumers.pop(group, None)

    def add_consumer(self, group: str, consumer: AskedConsumer) -> None:
        """Have a consumer asked what is for its group."""
        self._consumers[group] = consumer

    def add_checks(self, group: str, check: Check) -> None:
        """Have `check` called with half messages of a producer group that brokers know no end of."""
        if group in self._checks:
            raise ConfigError(f"this client has a transactional producer of the group {group} already")
        self._checks[group] = check

    def remove_checks(self, group: str) -> None:
        """Call it no more."""
        self._checks.pop(group, None)

    def expect_reply(self, correlation_id: str) -> "asyncio.Future[ReceivedMessage]":
        """Return the reply to be; whoever waits for it says when it does no more (`forget_reply`)."""
        if len(self._replies) >= MAX_PENDING_REPLIES:
            raise ConfigError(f"{MAX_PENDING_REPLIES} requests of this client wait for a reply: send fewer at a time")
        reply: asyncio.Future[ReceivedMessage] = asyncio.get_running_loop().create_future()
        self._replies[correlation_id] = reply
        return reply

    def forget_reply(self, correlation_id: str) -> None:
        """Drop the reply, should it come."""
        self._replies.pop(correlation_id, None)

    # Requests

    def _members_changed(self, header: ConsumerGroupRequest, _command: Command, _peer: Peer) -> None:
        wake = self._wakes.get(header.consumer_group)
        if wake is not None:
            wake()

    def _consumer(self, group: str) -> AskedConsumer:
        consumer = self._consumers.get(group)
        if consumer is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"The Consumer Group <{group}> not exist in this consumer")
        return consumer

    async def _reset(self, header: ResetOffsetRequest, command: Command, _peer: Peer) -> Reply:
        table = loads_object(command.body).get("offsetTable") if command.body else None
        if not isinstance(table, dict):
            raise ProtocolError("a request to reset offsets names no queue")
        offsets = {queue: int(offset) for queue, offset in table.items() if isinstance(queue, MessageQueue)}
        await self._consumer(header.group).reset_offsets(header.topic, offsets)
        return Reply()

    def _status(self, header: ConsumerStatusRequest, _command: Command, _peer: Peer) -> Reply:
        offsets = self._consumer(header.group).offsets_of(header.topic)
        return Reply(body=dumps({"consumerTable": {}, "messageQueueTable": offsets}))

    def _running_info(self, header: ClientRequest, _command: Command, _peer: Peer) -> Reply:
        return Reply(body=dumps(self._consumer(header.consumer_group).running_info()))

    async def _consume_directly(self, header: ClientRequest, command: Command, _peer: Peer) -> Reply:
        (message,) = decode_messages(command.body, header.broker_name or "")[:1]
        return Reply(body=dumps(await self._consumer(header.consumer_group).consume_directly(message)))

    async def _check(self, header: CheckTransactionRequest, command: Command, peer: Peer) -> Reply:
        (message,) = decode_messages(command.body, "")[:1]
        check = self._checks.get(message.properties.get(PGROUP, ""))
        if check is None:
            log.warning("%s asks for a transaction of a group that this client has not: %s", peer.name, message)
        else:
            await check(message, header, peer)
        return Reply()

    def _reply_came(self, command: Command, _peer: Peer) -> Reply:
        message = received_reply(command)
        reply = self._replies.pop(message.properties.get(CORRELATION_ID, ""), None)
        if reply is None:
            log.warning("a reply that nobody waits for: %s", message.properties)
        elif not reply.done():
            reply.set_result(message)
        return Reply()
