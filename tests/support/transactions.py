"""A producer of transactional messages that talks to one broker, and says what became of them when it is asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from types import TracebackType

from broker_py.message.ids import decode_offset_message_id
from broker_py.message.properties import encode_properties
from broker_py.message.record import decode_record
from broker_py.message.sysflags import TRANSACTION_PREPARED
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.runtime.clock import SystemClock
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.send import SendRequest
from broker_py.wire.headers.transactions import PENDING, CheckTransactionRequest, EndTransactionRequest
from tests.support.direct import REQUEST_SECONDS

GROUP = "transactional"


@dataclass(frozen=True)
class HalfMessage:
    """Where a half message lies."""

    queue_offset: int
    log_offset: int


class TransactionalProducer:
    """An asynchronous context manager; `answer(body)` says what became of a transaction."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answer: Callable[[bytes], int] = lambda _: PENDING
        self._ids = count()
        router = Router()
        router.on(RequestCode.CHECK_TRANSACTION_STATE, CheckTransactionRequest, self._asked)
        self._remoting = RemotingClient(router, Outbox())

    async def __aenter__(self) -> "TransactionalProducer":
        await self.heartbeat()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._remoting.close()

    async def _tell(self, command: Command) -> Command:
        return expect_success(await self._remoting.request(self.address, command, REQUEST_SECONDS))

    async def heartbeat(self) -> None:
        """Be known to the broker."""
        body = {"clientID": "p1", "producerDataSet": [{"groupName": GROUP}], "consumerDataSet": []}
        await self._tell(Command(RequestCode.HEART_BEAT, {}, json.dumps(body).encode()))

    async def prepare(self, topic: str, body: bytes) -> HalfMessage:
        """Send a half message."""
        properties = {"TRAN_MSG": "true", "PGROUP": GROUP, "UNIQ_KEY": f"U{next(self._ids)}"}
        header = SendRequest(
            GROUP,
            topic,
            0,
            born_timestamp=SystemClock().now_ms(),
            sys_flag=TRANSACTION_PREPARED,
            properties=encode_properties(properties).decode(),
        )
        reply = await self._tell(Command(RequestCode.SEND_MESSAGE_V2, header.to_ext(), body))
        return HalfMessage(int(reply.ext["queueOffset"]), decode_offset_message_id(reply.ext["msgId"])[1])

    async def end(self, half: HalfMessage, how: int) -> None:
        """Commit or roll back."""
        await self._tell(_end(half, how))

    def _asked(self, request: CheckTransactionRequest, command: Command, peer: Peer) -> None:
        how = self.answer(bytes(decode_record(command.body).body))
        peer.send(_end(HalfMessage(request.tran_state_table_offset, request.commit_log_offset), how, asked=True))


def _end(half: HalfMessage, how: int, *, asked: bool = False) -> Command:
    header = EndTransactionRequest(
        producer_group=GROUP,
        tran_state_table_offset=half.queue_offset,
        commit_log_offset=half.log_offset,
        commit_or_rollback=how,
        msg_id="",
        from_transaction_check=asked,
    )
    return Command(RequestCode.END_TRANSACTION, encode_header(header))
