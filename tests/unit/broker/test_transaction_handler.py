"""Half messages and what their producers say of them: sends, requests 37 and 323."""

from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.broker.decisions import MAX_UNWRITTEN
from broker_py.message.ids import offset_message_id
from broker_py.message.properties import decode_properties
from broker_py.message.sysflags import COMPRESSED, TRANSACTION_COMMIT
from broker_py.message.tags import tags_code
from broker_py.model.topic import HALF_TOPIC, OP_HALF_TOPIC
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.half_site import COMMIT, ROLLBACK, Half, HalfSite
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE_HOST, Site, ext_of


def bodies(site: HalfSite, topic: str = "T", queue_id: int = 2) -> list[bytes]:
    return [bytes(record.body) for record in site.all_of(topic, queue_id)]


def ops(site: HalfSite) -> list[bytes]:
    site.decisions.write()
    site.end_turn()
    return bodies(site, OP_HALF_TOPIC, 0)


def resume(site: HalfSite, half: Half) -> Any:
    peer = MemoryPeer()
    ext = {"msgId": offset_message_id(STORE_HOST, half.log_offset)}
    return site.ask(RequestCode.RESUME_CHECK_HALF_MESSAGE, ext, peer=peer)


def test_a_half_message_is_kept_out_of_sight_with_where_it_belongs() -> None:
    site = HalfSite()
    site.prepare(b"first")
    half = site.prepare(TAGS="red")
    assert half.queue_offset == 1
    assert bodies(site) == []
    record = site.stored(HALF_TOPIC, 0, 1)
    assert (bytes(record.body), record.sys_flag, record.flag, record.log_offset) == (b"hello", 0, 7, half.log_offset)
    properties = decode_properties(record.properties)
    assert (properties["REAL_TOPIC"], properties["REAL_QID"], properties["__transactionId__"]) == ("T", "2", "U1")
    assert (properties["TRAN_MSG"], properties["PGROUP"], properties["TAGS"]) == ("true", "pg", "red")


def test_the_reply_names_the_queue_that_the_producer_meant() -> None:
    site = HalfSite()
    peer = MemoryPeer()
    command = site.half_send()
    site.receive(command, peer=peer)
    reply = peer.reply_to(command)
    assert reply is not None
    ext = ext_of(reply)
    assert (ext["queueId"], ext["queueOffset"], ext["transactionId"]) == ("2", "0", "U1")


def test_where_it_belongs_is_not_the_producers_to_say() -> None:
    site = HalfSite()
    half = site.prepare(REAL_TOPIC="Other", REAL_QID="9")
    assert site.end(half).code == 0
    assert bodies(site) == [b"hello"]


def test_a_committed_message_is_stored_whole() -> None:
    site = HalfSite()
    half = site.prepare(TAGS="red")
    site.clock.advance(50)
    assert site.end(half).code == 0
    (record,) = site.all_of("T", 2)
    born_ms = site.stored(HALF_TOPIC).born_ms
    assert (record.sys_flag, record.flag, record.prepared_offset) == (TRANSACTION_COMMIT, 7, half.log_offset)
    assert (record.born_ms, record.stored_ms) == (born_ms, born_ms + 50)
    unit = site.store.unit("T", 2, 0)
    assert unit is not None
    assert unit[2] == tags_code("red")
    properties = decode_properties(record.properties)
    assert (properties["UNIQ_KEY"], properties["TRAN_MSG"]) == ("U1", "true")


def test_flags_of_the_body_stay() -> None:
    site = HalfSite()
    command = site.half_send()
    assert command.ext is not None
    command.ext["f"] = str(4 | COMPRESSED)
    site.receive(command, peer=MemoryPeer())
    log_offset = site.stored(HALF_TOPIC).log_offset
    site.end(Half(0, log_offset))
    assert site.stored("T", 2).sys_flag == TRANSACTION_COMMIT | COMPRESSED


def test_a_rolled_back_message_is_never_seen() -> None:
    site = HalfSite()
    assert site.end(site.prepare(), ROLLBACK).code == 0
    assert bodies(site) == []
    assert ops(site) == [b"0,"]


def test_decisions_are_written_down_together() -> None:
    site = HalfSite()
    halves = [site.prepare(b"%d" % number) for number in range(12)]
    for number, half in enumerate(halves):
        site.end(half, COMMIT if number % 2 else ROLLBACK)
    assert bodies(site, OP_HALF_TOPIC, 0) == []
    assert ops(site) == [b"0,1,2,3,4,5,6,7,8,9,10,11,"]
    (record,) = site.all_of(OP_HALF_TOPIC)
    assert decode_properties(record.properties) == {"TAGS": "d"}
    assert ops(site) == [b"0,1,2,3,4,5,6,7,8,9,10,11,"]


def test_many_decisions_are_written_down_at_once_and_in_several_messages() -> None:
    site = HalfSite(transaction_op_msg_max_size=32)
    for number in range(40):
        site.end(site.prepare(b"%d" % number), ROLLBACK)
    site.acks.commit()
    written = bodies(site, OP_HALF_TOPIC, 0)
    assert len(written) > 1
    assert all(len(body) <= 34 for body in ops(site))
    assert b"".join(ops(site)) == b"".join(b"%d," % number for number in range(40))


def test_a_producer_that_does_not_know_is_not_answered() -> None:
    site = HalfSite()
    half = site.prepare()
    peer = MemoryPeer()
    site.receive(site.end_command(half, 0), peer=peer)
    assert peer.replies == []
    assert ops(site) == []
    assert site.end(half).code == 0


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        ({"group": "other"}, "The producer group wrong"),
        ({"tranStateTableOffset": 1}, "The transaction state table offset wrong"),
        ({"commitLogOffset": 5}, "Find prepared transaction message failed"),
        ({"commitLogOffset": -1}, "Find prepared transaction message failed"),
        ({"commitOrRollback": 4}, "commitOrRollback field wrong: 4"),
    ],
)
@pytest.mark.parametrize("how", [COMMIT, ROLLBACK])
def test_an_end_that_does_not_fit_its_half_message_is_refused(how: int, change: dict[str, Any], remark: str) -> None:
    site = HalfSite()
    half = site.prepare()
    reply = site.end(half, how, **change)
    assert (reply.code, reply.remark) == (ResponseCode.SYSTEM_ERROR, remark)
    assert bodies(site) == ops(site) == []


def test_only_half_messages_can_be_committed() -> None:
    site = HalfSite()
    site.send(b"plain", properties="PGROUP\x01pg\x02REAL_TOPIC\x01T\x02REAL_QID\x012")
    reply = site.end(Half(0, site.stored().log_offset))
    assert (reply.code, reply.remark) == (ResponseCode.SYSTEM_ERROR, "Find prepared transaction message failed")


def test_a_commit_that_is_said_again_is_answered_and_stored_once() -> None:
    site = HalfSite()
    half = site.prepare()
    assert [site.end(half).code, site.end(half).code] == [0, 0]
    assert bodies(site) == [b"hello"]
    assert ops(site) == [b"0,"]


def test_a_commit_is_answered_and_written_down_when_it_is_safe() -> None:
    site = HalfSite(sync_flush=True)
    peer = MemoryPeer()
    site.receive(site.half_send(), peer=peer)
    site.flush()
    half = Half(0, 0)
    command = site.end_command(half, COMMIT)
    site.receive(command, peer=peer)
    assert peer.reply_to(command) is None
    assert ops(site) == []
    assert site.end(half).code == ResponseCode.SYSTEM_BUSY
    site.flush()
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.code == 0
    assert bodies(site) == [b"hello"]
    site.decisions.write()
    site.end_turn()
    site.flush()
    assert bodies(site, OP_HALF_TOPIC, 0) == [b"0,"]


def test_a_commit_that_can_not_be_stored_decides_nothing() -> None:
    site = HalfSite(sync_flush=True)
    site.receive(site.half_send(), peer=MemoryPeer())
    site.flush()
    half = Half(0, 0)
    peer = MemoryPeer()
    command = site.end_command(half, COMMIT)
    site.receive(command, peer=peer)
    site.acks.fail_waiting("it failed")
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.code == ResponseCode.SERVICE_NOT_AVAILABLE
    assert not site.decisions.is_decided(0, 0)
    assert not site.decisions.is_open(0, 0)


def test_decisions_that_can_not_be_written_down_wait() -> None:
    site = HalfSite(transaction_op_msg_max_size=32)
    halves = [site.prepare(b"%d" % number) for number in range(30)]
    site.store.admission.closed = "it is full"
    site.store.admission.judge()
    for half in halves:
        assert site.end(half, ROLLBACK).code == 0
    assert site.end(halves[0], COMMIT).code == ResponseCode.SERVICE_NOT_AVAILABLE
    site.store.admission.closed = None
    site.store.admission.judge()
    assert b"".join(ops(site)).count(b",") == 30


def test_rollbacks_are_refused_when_too_many_wait() -> None:
    site = HalfSite()
    half = site.prepare()
    site.decisions._unwritten[0] = [0]
    site.decisions._count = MAX_UNWRITTEN
    assert site.end(half, ROLLBACK).code == ResponseCode.SYSTEM_BUSY


def test_a_slave_ends_no_transactions() -> None:
    site = Site(broker_role=BrokerRole.SLAVE, broker_id=1)
    ext = {
        "producerGroup": "pg",
        "tranStateTableOffset": 0,
        "commitLogOffset": 0,
        "commitOrRollback": COMMIT,
        "msgId": "U",
    }
    assert site.ask(RequestCode.END_TRANSACTION, ext).code == ResponseCode.SLAVE_NOT_AVAILABLE
    assert site.ask(RequestCode.RESUME_CHECK_HALF_MESSAGE, {"msgId": "00"}).code == ResponseCode.SLAVE_NOT_AVAILABLE


def test_a_broker_may_take_no_transactional_messages() -> None:
    site = Site(reject_transaction_message=True)
    assert site.send(properties="TRAN_MSG\x01true").code == ResponseCode.NO_PERMISSION
    assert site.send(properties="TRAN_MSG\x01false").code == 0


def test_a_message_that_an_old_client_gives_back_is_no_transaction() -> None:
    site = Site()
    site.send(properties="TRAN_MSG\x01true\x02DELAY\x013", reconsume_times=1, sys_flag=4)
    assert site.store.max_offset(HALF_TOPIC, 0) == 0


def test_messages_of_a_batch_are_no_transactions() -> None:
    site = Site()
    assert site.send(properties="TRAN_MSG\x01true", batch=True).code == ResponseCode.MESSAGE_ILLEGAL


def test_a_half_message_that_was_given_up_is_checked_again() -> None:
    site = HalfSite()
    half = site.prepare(TRANSACTION_CHECK_TIMES="15")
    assert resume(site, half).code == 0
    record = site.stored(HALF_TOPIC, 0, 1)
    assert decode_properties(record.properties)["TRANSACTION_CHECK_TIMES"] == "0"
    assert bytes(record.body) == b"hello"


def test_what_is_no_half_message_is_not_checked_again() -> None:
    site = HalfSite()
    site.send()
    reply = resume(site, Half(0, 0))
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert "no half message" in reply.remark
    assert site.ask(RequestCode.RESUME_CHECK_HALF_MESSAGE, {"msgId": "xyz"}).code == ResponseCode.SYSTEM_ERROR
