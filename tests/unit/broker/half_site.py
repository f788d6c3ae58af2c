"""A broker with its check of half messages, and a producer that speaks of transactions."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from broker_py.broker.transaction_checks import TransactionChecks
from broker_py.message.ids import decode_offset_message_id
from broker_py.message.properties import encode_properties
from broker_py.message.record import Record, decode_record
from broker_py.message.sysflags import TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from broker_py.model.topic import HALF_TOPIC, OP_HALF_TOPIC
from broker_py.store.reading import GetStatus
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command, Reply
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE_HOST, Site, a_command, a_send, ext_of

COMMIT, ROLLBACK = TRANSACTION_COMMIT, TRANSACTION_ROLLBACK
GROUP = "CID_RMQ_SYS_TRANS"


@dataclass(frozen=True)
class Half:
    """Where a half message lies."""

    queue_offset: int
    log_offset: int


class HalfSite(Site):
    """Its clock is a manual one: `transactionTimeOut` is 6 s, so a check finds nothing before that has passed.

    `between` is called while a check waits for what it put back.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.checks = TransactionChecks(
            self.config,
            self.store,
            self.topics,
            self.offsets,
            self.producers,
            self.own,
            self.decisions,
            read_at_once,
            STORE_HOST,
            self.clock,
        )
        self.checks.start()
        self.between: Callable[[], None] = lambda: None

    def half_send(self, body: bytes = b"hello", unique_id: str = "U1", **properties: str) -> Command:
        """Return the send of a transactional message."""
        known = {"TRAN_MSG": "true", "PGROUP": "pg", "UNIQ_KEY": unique_id, **properties}
        text = encode_properties({name: value for name, value in known.items() if value}).decode()
        ext = a_send(
            sys_flag=TRANSACTION_PREPARED, properties=text, queue_id=2, born_timestamp=self.clock.now_ms(), flag=7
        )
        return a_command(RequestCode.SEND_MESSAGE_V2, ext, body)

    def prepare(self, body: bytes = b"hello", unique_id: str = "U1", **properties: str) -> Half:
        """Send a half message."""
        peer = MemoryPeer()
        command = self.half_send(body, unique_id, **properties)
        self.receive(command, peer=peer)
        reply = peer.reply_to(command)
        assert reply is not None
        assert reply.code == 0, reply.remark
        return half_at(reply)

    def end_command(self, half: Half, how: int, group: str = "pg", **ext: Any) -> Command:
        """Return a producer's word on a half message."""
        fields = {
            "producerGroup": group,
            "tranStateTableOffset": half.queue_offset,
            "commitLogOffset": half.log_offset,
            "commitOrRollback": how,
            "msgId": "U1",
        }
        return a_command(RequestCode.END_TRANSACTION, {**fields, **ext})

    def end(self, half: Half, how: int = COMMIT, **ext: Any) -> Reply:
        """Commit or roll back."""
        peer = MemoryPeer()
        command = self.end_command(half, how, **ext)
        self.receive(command, peer=peer)
        self.end_turn()
        reply = peer.reply_to(command)
        assert reply is not None, "the request is not answered yet"
        return reply

    def producer(self, group: str = "pg", client_id: str = "p1") -> MemoryPeer:
        """Return a producer that is connected."""
        peer = MemoryPeer()
        body = {"clientID": client_id, "producerDataSet": [{"groupName": group}], "consumerDataSet": []}
        assert self.ask(RequestCode.HEART_BEAT, {}, body, peer).code == 0
        return peer

    def check(self) -> None:
        """Let the check of half messages run once."""
        asyncio.run(self._until_done(self.checks.run()))

    async def _until_done(self, work: Awaitable[None]) -> None:
        """Let work come to its end, with what waits for the ends of the loop's turns."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.sleep(0)
            self.end_turn()
            self.between()
            if self.flushes_wanted:
                self.flushes_wanted = 0
                self.flush()
        await task

    def committed(self) -> tuple[int, int]:
        """Up to where halves and ops are passed, as it is written down."""
        return self.offsets.offset(GROUP, HALF_TOPIC, 0), self.offsets.offset(GROUP, OP_HALF_TOPIC, 0)

    def all_of(self, topic: str, queue_id: int = 0) -> list[Record]:
        """Return all messages of a queue that consumers can see."""
        records: list[Record] = []
        position = 0
        while True:
            result = self.store.get(topic, queue_id, position, 1, 1 << 20)
            if result.status is not GetStatus.FOUND:
                return records
            records.append(decode_record(b"".join(result.chunks)))
            position = result.next_offset


async def read_at_once(_owner: object, work: Callable[..., Any], *arguments: Any) -> Any:
    """A read of which nothing has to come from a disk."""
    return work(*arguments)


def half_at(reply: Reply) -> Half:
    """Return where the half message lies that a reply is of."""
    ext = ext_of(reply)
    return Half(int(ext["queueOffset"]), decode_offset_message_id(ext["msgId"])[1])


def asked_about(check: Command) -> Half:
    """Return the half message that a check asks about."""
    assert check.code == RequestCode.CHECK_TRANSACTION_STATE
    return Half(int(check.ext["tranStateTableOffset"]), int(check.ext["commitLogOffset"]))
