"""Messages that are delivered when their producer says so (client producer/TransactionMQProducer)."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from types import TracebackType

from broker_py.client.instance import Instance
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.namespaces import with_namespace, without_namespace
from broker_py.client.producer import Producer, ProducerOptions
from broker_py.client.queues import master_address
from broker_py.client.sending import SendResult, SendStatus
from broker_py.errors import BrokerPyError, ConfigError, Unreachable
from broker_py.message.ids import decode_offset_message_id
from broker_py.message.properties import PGROUP, TRAN_MSG
from broker_py.message.sysflags import TRANSACTION_COMMIT, TRANSACTION_NONE, TRANSACTION_ROLLBACK
from broker_py.remoting.peer import Peer
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.transactions import CheckTransactionRequest, EndTransactionRequest

log = logging.getLogger(__name__)


class TransactionState(Enum):
    """What became of a local transaction. With UNKNOWN the broker asks again later."""

    COMMIT = TRANSACTION_COMMIT
    ROLLBACK = TRANSACTION_ROLLBACK
    UNKNOWN = TRANSACTION_NONE


@dataclass(frozen=True, kw_only=True)
class TransactionResult:
    """Where the half message is stored, and what was said of it."""

    sent: SendResult
    state: TransactionState


Execute = Callable[[OutgoingMessage], Awaitable[TransactionState]]
CheckState = Callable[[ReceivedMessage], Awaitable[TransactionState]]


class TransactionProducer:
    """A producer whose messages are seen only after their transaction. An asynchronous context manager.

    `check` tells the state of a message's transaction when a broker has not heard of its end: also of messages that
    another member of the group sent. One that raises counts as UNKNOWN.
    """

    def __init__(
        self, instance: Instance, group: str, check: CheckState, options: ProducerOptions | None = None
    ) -> None:
        self._instance = instance
        self._group = with_namespace(instance.namespace, group)
        self._check_state = check
        self._producer = Producer(instance, group, options)
        self._joined = False

    async def send(self, message: OutgoingMessage, execute: Execute) -> TransactionResult:
        """Store the message out of sight, run `execute`, and have the broker told of the state that it returns.

        When it raises, the state is UNKNOWN and the exception goes on. When the message is stored, but not as safe as
        asked for, it is rolled back without running. Raises RequestFailed or Unreachable when it is not stored.
        """
        if not self._joined:
            raise ConfigError("a transactional producer is used as an asynchronous context manager")
        half = replace(message, properties={**message.properties, TRAN_MSG: "true", PGROUP: self._group})
        sent = await self._producer.send(half)
        state = TransactionState.ROLLBACK
        try:
            if sent.status is SendStatus.SEND_OK:
                state = TransactionState.UNKNOWN
                state = await execute(message)
        finally:
            await self._end(sent, state)
        return TransactionResult(sent=sent, state=state)

    async def _end(self, sent: SendResult, state: TransactionState) -> None:
        """Tell the broker, without an answer: what gets lost it asks for."""
        header = EndTransactionRequest(
            producer_group=self._group,
            tran_state_table_offset=sent.queue_offset,
            commit_log_offset=decode_offset_message_id(sent.offset_id)[1],
            commit_or_rollback=state.value,
            msg_id=sent.message_id,
            topic=sent.topic,
            transaction_id=sent.message_id,
        )
        try:
            address = master_address(await self._instance.routes.find_to_send(sent.topic), sent.broker_name)
            if address is None:
                raise Unreachable(f"{sent.broker_name} has no master")
            request = Command(RequestCode.END_TRANSACTION, encode_header(header))
            await self._instance.remoting.send(address, request)
        except BrokerPyError as error:
            log.warning("the end of transaction %s is not told: %s", sent.message_id, error)

    async def _check(self, message: ReceivedMessage, header: CheckTransactionRequest, peer: Peer) -> None:
        remark: str | None = None
        topic = without_namespace(self._instance.namespace, message.topic)
        try:
            state = await self._check_state(replace(message, topic=topic))
        except Exception as error:
            log.exception("the check of transaction %s failed", message.message_id)
            state, remark = TransactionState.UNKNOWN, f"checkLocalTransactionState Exception, {error}"
        answer = EndTransactionRequest(
            producer_group=self._group,
            tran_state_table_offset=header.tran_state_table_offset,
            commit_log_offset=header.commit_log_offset,
            commit_or_rollback=state.value,
            msg_id=message.message_id,
            topic=message.topic,
            from_transaction_check=True,
            transaction_id=header.transaction_id,
        )
        peer.send(Command(RequestCode.END_TRANSACTION, encode_header(answer), remark=remark))

    async def __aenter__(self) -> "TransactionProducer":
        self._instance.requests.add_checks(self._group, self._check)
        await self._producer.__aenter__()
        self._joined = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._joined = False
        self._instance.requests.remove_checks(self._group)
        await self._producer.__aexit__(kind, error, trace)
