"""Half messages that nobody decides: their producers are asked, again and again, and nothing is forgotten."""

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.broker.half_messages import op_message
from broker_py.broker.own_messages import moved
from broker_py.errors import StoreError
from broker_py.message.ids import offset_message_id
from broker_py.message.properties import decode_properties
from broker_py.message.record import decode_record
from broker_py.model.topic import CHECK_MAX_TIME_TOPIC, HALF_TOPIC, OP_HALF_TOPIC
from tests.support.clock import ManualClock
from tests.unit.broker.half_site import COMMIT, ROLLBACK, HalfSite, asked_about
from tests.unit.broker.site import STORE_HOST


def check_counts(site: HalfSite, topic: str = HALF_TOPIC) -> list[str | None]:
    return [decode_properties(record.properties).get("TRANSACTION_CHECK_TIMES") for record in site.all_of(topic)]


def test_a_producer_is_asked_about_what_it_does_not_decide() -> None:
    site = HalfSite()
    producer = site.producer()
    site.prepare(b"hello")
    site.clock.advance(6000)
    site.check()
    (asked,) = producer.sent
    record = site.stored(HALF_TOPIC, 0, 1)
    assert asked.ext == {
        "tranStateTableOffset": "1",
        "commitLogOffset": str(record.log_offset),
        "offsetMsgId": offset_message_id(STORE_HOST, record.log_offset),
        "bname": "broker-a",
        "msgId": "U1",
        "transactionId": "U1",
    }
    shown = decode_record(asked.body)
    assert (shown.topic, shown.queue_id, bytes(shown.body), shown.flag) == ("T", 2, b"hello", 7)
    assert (shown.queue_offset, shown.log_offset, shown.stored_ms) == (1, record.log_offset, record.stored_ms)
    assert decode_properties(shown.properties)["TRANSACTION_CHECK_TIMES"] == "1"
    assert site.end(asked_about(asked), fromTransactionCheck=True).code == 0
    assert [bytes(each.body) for each in site.all_of("T", 2)] == [b"hello"]


def test_a_half_message_is_asked_about_when_its_time_is_over_and_not_before() -> None:
    site = HalfSite()
    producer = site.producer()
    site.prepare()
    site.clock.advance(5999)
    site.check()
    assert producer.sent == []
    assert check_counts(site) == [None]
    site.clock.advance(1)
    site.check()
    assert len(producer.sent) == 1


def test_each_check_is_counted_and_asks_the_next_of_the_group() -> None:
    site = HalfSite()
    producers = site.producer(client_id="p1"), site.producer(client_id="p2")
    site.producer("other", "p3")
    site.prepare()
    for _ in range(4):
        site.clock.advance(6000)
        site.check()
    assert check_counts(site) == [None, "1", "2", "3", "4"]
    assert [len(producer.sent) for producer in producers] == [2, 2]


@pytest.mark.parametrize("how", [COMMIT, ROLLBACK])
def test_what_is_decided_is_passed(how: int) -> None:
    site = HalfSite()
    producer = site.producer()
    halves = [site.prepare(b"%d" % number) for number in range(3)]
    site.end(halves[0], how)
    site.end(halves[2], how)
    site.clock.advance(6000)
    site.check()
    assert [asked_about(asked).queue_offset for asked in producer.sent] == [3]
    assert bytes(site.all_of(HALF_TOPIC)[3].body) == b"1"


def test_where_it_stands_is_written_down_when_it_is_on_the_disk() -> None:
    site = HalfSite()
    halves = [site.prepare(b"%d" % number) for number in range(3)]
    for half in halves:
        site.end(half)
    site.decisions.write()
    site.end_turn()
    site.clock.advance(6000)
    site.check()
    assert site.committed() == (-1, -1)
    site.flush()
    site.checks.write_down()
    assert site.committed() == (3, 1)


def test_where_it_stands_is_not_ahead_of_the_slaves() -> None:
    site = HalfSite()
    site.end(site.prepare())
    site.clock.advance(6000)
    site.check()
    site.flush()
    site.store.copied_end = lambda: 10
    site.checks.write_down()
    assert site.committed() == (-1, -1)
    site.store.copied_end = lambda: site.store.written.value
    site.checks.write_down()
    assert site.committed() == (1, 0)


def test_an_op_message_is_kept_until_all_that_it_names_is_passed() -> None:
    site = HalfSite()
    first, second = site.prepare(b"1"), site.prepare(b"2")
    site.end(second)
    site.decisions.write()
    site.end_turn()
    site.end(first)
    site.decisions.write()
    site.end_turn()
    third = site.prepare(b"3")
    site.check()
    site.flush()
    site.checks.write_down()
    assert site.committed() == (2, 2)
    site.end(third)


def test_decisions_of_an_earlier_life_are_read() -> None:
    site = HalfSite()
    halves = [site.prepare(b"%d" % number) for number in range(3)]
    site.end(halves[0])
    site.end(halves[1], ROLLBACK)
    site.decisions.write()
    site.end_turn()
    site.store.close()
    later = HalfSite(site.files)
    later.clock = ManualClock()
    producer = later.producer()
    later.clock.advance(60_000)
    later.checks._clock = later.clock
    later.check()
    assert [bytes(decode_record(asked.body).body) for asked in producer.sent] == [b"2"]


def test_a_producer_that_names_the_half_message_of_before_is_understood() -> None:
    site = HalfSite()
    producer = site.producer()
    half = site.prepare()
    for _ in range(2):
        site.clock.advance(6000)
        site.check()
    assert len(producer.sent) == 2
    assert site.end(half).code == 0
    site.clock.advance(6000)
    site.check()
    assert len(producer.sent) == 2
    site.decisions.write()
    site.end_turn()
    assert [bytes(record.body) for record in site.all_of(OP_HALF_TOPIC)] == [b"0,1,2,"]


def test_what_is_being_committed_is_left_alone() -> None:
    site = HalfSite()
    producer = site.producer()
    half = site.prepare()
    site.decisions.begin(0, half.queue_offset)
    site.clock.advance(6000)
    site.check()
    assert producer.sent == []
    site.decisions.give_up(0, half.queue_offset)
    site.check()
    assert len(producer.sent) == 1


def test_what_was_checked_too_often_is_put_aside() -> None:
    site = HalfSite(transaction_check_max=2)
    producer = site.producer()
    site.prepare()
    for _ in range(5):
        site.clock.advance(6000)
        site.check()
    assert len(producer.sent) == 2
    (record,) = site.all_of(CHECK_MAX_TIME_TOPIC)
    assert bytes(record.body) == b"hello"
    assert CHECK_MAX_TIME_TOPIC in site.topics
    site.flush()
    site.checks.write_down()
    assert site.committed()[0] == 3


def test_what_is_older_than_files_are_kept_is_put_aside() -> None:
    site = HalfSite()
    site.prepare()
    site.clock.advance((72 * 3600 + 1) * 1000)
    site.check()
    assert len(site.all_of(CHECK_MAX_TIME_TOPIC)) == 1


def test_a_producer_gets_the_time_that_its_message_asks_for() -> None:
    site = HalfSite()
    producer = site.producer()
    half = site.prepare(CHECK_IMMUNITY_TIME_IN_SECONDS="20")
    site.prepare(b"other")
    for _ in range(2):
        site.clock.advance(9000)
        site.check()
    assert [bytes(decode_record(asked.body).body) for asked in producer.sent] == [b"other", b"other"]
    moved_on = [
        decode_properties(record.properties) for record in site.all_of(HALF_TOPIC) if bytes(record.body) == b"hello"
    ]
    assert [properties.get("TRAN_PREPARED_QUEUE_OFFSET") for properties in moved_on] == [None, "0", "0"]
    site.clock.advance(2000)
    site.check()
    assert bytes(decode_record(producer.sent[-2].body).body) == b"hello"
    assert site.end(half).code == 0
    assert len(site.all_of("T", 2)) == 1


def test_without_a_producer_the_check_is_counted() -> None:
    site = HalfSite()
    site.prepare()
    site.clock.advance(6000)
    site.check()
    assert check_counts(site) == [None, "1"]


def test_a_producer_that_does_not_read_is_not_asked() -> None:
    site = HalfSite()
    producer = site.producer()
    producer.is_writable = False
    site.prepare()
    site.clock.advance(6000)
    site.check()
    assert producer.sent == []


def test_nothing_is_passed_that_could_not_be_moved() -> None:
    site = HalfSite()
    producer = site.producer()
    site.prepare()
    site.clock.advance(6000)
    site.store.admission.closed = "it is full"
    site.store.admission.judge()
    with pytest.raises(StoreError):
        site.check()
    site.store.admission.closed = None
    site.store.admission.judge()
    site.check()
    assert len(producer.sent) == 1


def test_a_renewed_half_message_is_asked_about_when_it_is_safe() -> None:
    site = HalfSite(sync_flush=True)
    producer = site.producer()
    for number in range(100):
        site.receive(site.half_send(b"%d" % number), peer=producer)
    site.flush()
    site.clock.advance(6000)
    site.check()
    assert [bytes(decode_record(asked.body).body) for asked in producer.sent] == [
        b"%d" % number for number in range(100)
    ]


def test_offsets_ahead_of_a_log_that_lost_its_end_are_corrected() -> None:
    site = HalfSite()
    site.prepare()
    site.offsets.commit("CID_RMQ_SYS_TRANS", HALF_TOPIC, 0, 9)
    site.offsets.commit("CID_RMQ_SYS_TRANS", OP_HALF_TOPIC, 0, 9)
    site.checks.start()
    assert site.committed() == (1, 0)
    producer = site.producer()
    site.prepare()
    site.clock.advance(6000)
    site.check()
    assert len(producer.sent) == 1


def test_offsets_that_somebody_set_back_are_followed() -> None:
    site = HalfSite()
    producer = site.producer()
    site.end(site.prepare())
    site.clock.advance(6000)
    site.check()
    site.flush()
    site.checks.write_down()
    assert site.committed()[0] == 1
    site.offsets.commit("CID_RMQ_SYS_TRANS", HALF_TOPIC, 0, 0)
    site.check()
    assert len(producer.sent) == 1


def test_op_messages_that_java_wrote_are_understood_and_others_are_not() -> None:
    site = HalfSite()
    producer = site.producer()
    for number in range(4):
        site.prepare(b"%d" % number)
    op = op_message(0, [0], 0, STORE_HOST)
    op.body = b"0"  # as RocketMQ 4 writes it
    untagged = op_message(0, [2], 0, STORE_HOST)
    untagged.properties = b""
    for message in (op, op_message(0, [3], 0, STORE_HOST), untagged):
        site.own.put(message, lambda _: None)
    site.end_turn()
    site.clock.advance(6000)
    site.check()
    assert [bytes(decode_record(asked.body).body) for asked in producer.sent] == [b"1", b"2"]


def test_a_half_message_that_can_not_grow_is_put_aside() -> None:
    site = HalfSite()
    site.prepare()
    record = site.stored(HALF_TOPIC)
    full = {"a": "x" * 32_735, "REAL_TOPIC": "T", "REAL_QID": "2"}
    site.own.put(moved(record, HALF_TOPIC, 0, full), lambda _: None)
    site.end_turn()
    site.clock.advance(6000)
    site.check()
    assert len(site.all_of(CHECK_MAX_TIME_TOPIC)) == 1


def test_a_slave_checks_nothing() -> None:
    site = HalfSite(broker_role=BrokerRole.SLAVE, broker_id=1)
    site.check()
    assert site.committed() == (-1, -1)
