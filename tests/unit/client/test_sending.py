"""How messages are packed into requests."""

import zlib

import pytest

from broker_py.client.fault_avoidance import FaultAvoidance
from broker_py.client.messages import OutgoingMessage
from broker_py.client.namespaces import with_namespace, without_namespace
from broker_py.client.producer import by_sharding_key
from broker_py.client.sending import Packing
from broker_py.errors import RequestFailed
from broker_py.message.batch import decode_batch
from broker_py.message.properties import decode_properties
from broker_py.model.message_queue import MessageQueue
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.support.clock import ManualClock


def test_a_body_from_4_kib_on_is_compressed_and_says_so() -> None:
    parcel = Packing().one(OutgoingMessage(topic="T", body=b"x" * 4096), "ID")
    assert zlib.decompress(parcel.body) == b"x" * 4096
    assert parcel.sys_flag == 0x301
    assert Packing().one(OutgoingMessage(topic="T", body=b"x" * 4095), "ID").sys_flag == 0
    assert Packing(compress_over_bytes=None).one(OutgoingMessage(topic="T", body=b"x" * 9999), "ID").sys_flag == 0


def test_what_a_message_says_is_in_its_properties() -> None:
    message = OutgoingMessage(
        topic="T", body=b"", tags="A", keys="k", delay_level=3, delay_ms=5, deliver_at_ms=9, sharding_key="s", flag=4
    )
    parcel = Packing().one(message, "ID")
    assert decode_properties(parcel.properties.encode()) == {
        "TAGS": "A",
        "KEYS": "k",
        "DELAY": "3",
        "TIMER_DELAY_MS": "5",
        "TIMER_DELIVER_MS": "9",
        "__SHARDINGKEY": "s",
        "UNIQ_KEY": "ID",
    }
    assert parcel.flag == 4


def test_a_half_message_is_marked_and_not_delayed() -> None:
    parcel = Packing().one(
        OutgoingMessage(topic="T", body=b"", delay_level=3, properties={"TRAN_MSG": "true", "PGROUP": "P"}), "ID"
    )
    assert parcel.sys_flag == 4
    assert "DELAY" not in decode_properties(parcel.properties.encode())


def test_a_message_to_a_retry_topic_says_in_its_header_how_often_it_came() -> None:
    message = OutgoingMessage(
        topic="%RETRY%G", body=b"", properties={"RECONSUME_TIME": "2", "MAX_RECONSUME_TIMES": "5"}
    )
    ext = Packing().one(message, "ID").request("P", 0, 7).ext
    assert (ext["j"], ext["l"]) == ("2", "5")
    assert decode_properties(ext["i"].encode()) == {"UNIQ_KEY": "ID"}


def test_the_messages_of_a_batch_keep_their_ids_and_the_batch_has_none() -> None:
    messages = [OutgoingMessage(topic="T", body=body) for body in (b"1", b"2")]
    parcel = Packing().batch(messages, ["A", "B"])
    assert parcel.code == RequestCode.SEND_BATCH_MESSAGE
    assert parcel.properties == ""
    assert parcel.request("P", 0, 7).ext["m"] == "true"
    items = [(bytes(each.body), decode_properties(each.properties)["UNIQ_KEY"]) for each in decode_batch(parcel.body)]
    assert items == [(b"1", "A"), (b"2", "B")]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [OutgoingMessage(topic="T", body=b""), OutgoingMessage(topic="U", body=b"")],
        [OutgoingMessage(topic="T", body=b"", delay_level=1)],
        [OutgoingMessage(topic="%RETRY%G", body=b"")],
        [OutgoingMessage(topic="T", body=b""), OutgoingMessage(topic="T", body=b"", wait_stored=False)],
        [OutgoingMessage(topic="T", body=bytes(3 << 20)), OutgoingMessage(topic="T", body=bytes(2 << 20))],
    ],
)
def test_what_can_be_no_batch_is_refused(messages: list[OutgoingMessage]) -> None:
    with pytest.raises(RequestFailed) as caught:
        Packing().batch(messages, ["ID"] * len(messages))
    assert caught.value.code == ResponseCode.MESSAGE_ILLEGAL


@pytest.mark.parametrize("topic", ["", "a b", "x" * 128, "SCHEDULE_TOPIC_XXXX"])
def test_a_topic_that_no_broker_takes_is_refused(topic: str) -> None:
    with pytest.raises(RequestFailed):
        Packing().one(OutgoingMessage(topic=topic, body=b""), "ID")


def test_a_namespace_stands_behind_the_prefixes_of_retries() -> None:
    assert with_namespace("NS", "T") == "NS%T"
    assert with_namespace("NS", "NS%T") == "NS%T"
    assert with_namespace("NS", "%RETRY%G") == "%RETRY%NS%G"
    assert with_namespace("NS", "TBW102") == "TBW102"
    assert with_namespace("", "T") == "T"
    assert without_namespace("NS", "%DLQ%NS%G") == "%DLQ%G"
    assert without_namespace("NS", "T") == "T"


def test_a_key_has_one_queue_as_in_java() -> None:
    queues = [MessageQueue("T", "b", number) for number in range(4)]
    chosen = by_sharding_key(queues, OutgoingMessage(topic="T", body=b"", sharding_key="order-42"))
    assert chosen == by_sharding_key(queues, OutgoingMessage(topic="T", body=b"", sharding_key="order-42"))
    # "polygenelubricants".hashCode() is the smallest int, 2**31 below zero.
    assert by_sharding_key(queues, OutgoingMessage(topic="T", body=b"", sharding_key="polygenelubricants")) == queues[0]


def test_a_slow_or_failing_broker_is_avoided_for_a_while() -> None:
    clock = ManualClock()
    avoidance = FaultAvoidance(clock, by_latency=True)
    avoidance.answered("a", 0.6)
    avoidance.failed("b")
    avoidance.answered("c", 0.1)
    assert [avoidance.avoids(name) for name in "abc"] == [True, True, False]
    clock.advance(30_000)
    assert [avoidance.avoids(name) for name in "abc"] == [False, True, False]
    clock.advance(570_000)
    assert not avoidance.avoids("b")


def test_without_the_option_no_broker_is_avoided() -> None:
    avoidance = FaultAvoidance(ManualClock())
    avoidance.failed("a")
    assert not avoidance.avoids("a")
