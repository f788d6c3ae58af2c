"""Ends of transactions: requests 37 and 323 (broker processor/EndTransactionProcessor, AdminBrokerProcessor).

Differs from Java where that would store a message twice or lose one: a commit that is said again within the time of a
check is answered and not stored again, and only half messages can be committed.
"""

from typing import Final

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.config import BrokerConfig
from broker_py.broker.decisions import Decisions
from broker_py.broker.half_messages import real_place, renewed, whole_of
from broker_py.broker.own_messages import Done, OwnMessages
from broker_py.errors import RequestRefused, StoreError
from broker_py.message.ids import decode_offset_message_id
from broker_py.message.properties import PGROUP, TRANSACTION_CHECK_TIMES, decode_properties
from broker_py.message.record import Message, MessageIllegal, Record, decode_record
from broker_py.message.sysflags import TRANSACTION_COMMIT, TRANSACTION_ROLLBACK
from broker_py.model.topic import CHECK_MAX_TIME_TOPIC, HALF_TOPIC
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.headers.clients import MessageIdRequest
from broker_py.wire.headers.transactions import PENDING, EndTransactionRequest

_RESUMABLE: Final = (HALF_TOPIC, CHECK_MAX_TIME_TOPIC)


class TransactionHandler:
    """Makes half messages whole, or forgets them, as their producers say."""

    def __init__(
        self, config: BrokerConfig, store: Store, acks: AckPolicy, own: OwnMessages, decisions: Decisions
    ) -> None:
        self._config = config
        self._store = store
        self._acks = acks
        self._own = own
        self._decisions = decisions

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on(RequestCode.END_TRANSACTION, EndTransactionRequest, self.end)
        router.on(RequestCode.RESUME_CHECK_HALF_MESSAGE, MessageIdRequest, self.resume)

    def end(self, request: EndTransactionRequest, command: Command, peer: Peer) -> Reply | None:
        """Commit or roll back; a producer that does not know yet gets no answer, as from Java."""
        self._require_master()
        if request.commit_or_rollback == PENDING:
            return None
        if request.commit_or_rollback not in (TRANSACTION_COMMIT, TRANSACTION_ROLLBACK):
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, f"commitOrRollback field wrong: {request.commit_or_rollback}"
            )
        half = self._half(request)
        if self._decisions.is_open(half.queue_id, half.queue_offset):
            raise RequestRefused(ResponseCode.SYSTEM_BUSY, "the transaction is being committed already")
        if request.commit_or_rollback == TRANSACTION_COMMIT:
            return self._commit(half, command, peer)
        if self._decisions.full:
            raise RequestRefused(
                ResponseCode.SYSTEM_BUSY, f"too many decisions wait: {self._store.admission.fault or 'the log is slow'}"
            )
        self._decisions.decide(half.queue_id, half.queue_offset, committed=False)
        return Reply()

    def _commit(self, half: Record, command: Command, peer: Peer) -> Reply | None:
        queue_id, queue_offset = half.queue_id, half.queue_offset
        if self._decisions.is_committed(queue_id, queue_offset):
            return Reply()
        self._acks.require_replicas()

        def done(error: StoreError | None) -> None:
            if error is None:
                self._decisions.decide(queue_id, queue_offset, committed=True)
                peer.reply(command, Reply())
            else:
                self._decisions.give_up(queue_id, queue_offset)
                peer.reply(command, Reply(ResponseCode.SERVICE_NOT_AVAILABLE, f"the message can't be stored: {error}"))

        self._put(whole_of(half), done)
        self._decisions.begin(queue_id, queue_offset)
        return None

    def _half(self, request: EndTransactionRequest) -> Record:
        """Return the half message that a request is about. RequestRefused: it is none, or another one."""
        half = self._record(request.commit_log_offset)
        if half is None or half.topic != HALF_TOPIC:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "Find prepared transaction message failed")
        if decode_properties(half.properties).get(PGROUP) != request.producer_group:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "The producer group wrong")
        if half.queue_offset != request.tran_state_table_offset:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "The transaction state table offset wrong")
        return half

    def resume(self, request: MessageIdRequest, command: Command, peer: Peer) -> Reply | None:
        """Have a half message checked again, by as many checks as if it were new."""
        self._require_master()
        _, log_offset = decode_offset_message_id(request.msg_id)
        half = self._record(log_offset)
        if half is None or half.topic not in _RESUMABLE:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                "Put message back to RMQ_SYS_TRANS_HALF_TOPIC failed: no half message has the id "
                f"{request.msg_id}, nor a message of {CHECK_MAX_TIME_TOPIC}",
            )
        properties = {**decode_properties(half.properties), TRANSACTION_CHECK_TIMES: "0"}
        real_place(properties)
        half.queue_id = 0

        def done(error: StoreError | None) -> None:
            if error is None:
                peer.reply(command, Reply())
            else:
                remark = f"Put message back to RMQ_SYS_TRANS_HALF_TOPIC failed: {error}"
                peer.reply(command, Reply(ResponseCode.SYSTEM_ERROR, remark))

        self._put(renewed(half, properties), done)
        return None

    def _require_master(self) -> None:
        if self._config.is_slave:
            raise RequestRefused(
                ResponseCode.SLAVE_NOT_AVAILABLE,
                f"{self._config.broker_name} with id {self._config.broker_id} is a slave: its master ends transactions",
            )

    def _record(self, log_offset: int) -> Record | None:
        data = self._store.record(log_offset) if log_offset >= 0 else None
        return None if data is None else decode_record(data)

    def _put(self, message: Message, done: Done) -> None:
        try:
            self._own.put(message, done)
        except MessageIllegal as error:
            raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, str(error)) from None
        except StoreError as error:
            raise RequestRefused(ResponseCode.SERVICE_NOT_AVAILABLE, f"the message can't be stored: {error}") from None
