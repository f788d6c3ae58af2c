"""Requests 10, 310 and 320."""

import errno
from dataclasses import replace
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.broker.groups import MAX_GROUP_CHARS
from broker_py.broker.handlers.send import MAX_BATCH_MESSAGES
from broker_py.message.batch import BatchItem, encode_batch
from broker_py.message.ids import decode_offset_message_id, unpack_host
from broker_py.message.properties import decode_properties
from broker_py.message.sysflags import BORN_HOST_V6, COMPRESSED, MULTI_TAGS
from broker_py.message.tags import tags_code
from broker_py.model.group import GroupConfig
from broker_py.model.topic import NOT_FOR_CLIENTS, TopicConfig
from broker_py.store.config import StoreConfig
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE_HOST, Site, a_command, a_send, bodies_of, ext_of

TINY = StoreConfig(
    store_path_root_dir="/store",
    mapped_file_size_commit_log=1 << 16,
    mapped_file_size_consume_queue=200,
    max_message_size=100,
)


def properties_of(site: Site, topic: str = "T", queue_offset: int = 0, queue_id: int = 0) -> dict[str, str]:
    return decode_properties(site.stored(topic, queue_id, queue_offset).properties)


def send_batch(site: Site, *items: tuple[bytes, str], **fields: Any) -> Reply:
    body = encode_batch([BatchItem(0, data, properties.encode()) for data, properties in items])
    return site.ask(RequestCode.SEND_BATCH_MESSAGE, a_send(**{"batch": True, **fields}), body)


# What is stored, and answered


def test_a_message_is_stored_as_it_was_sent() -> None:
    site = Site()
    peer = MemoryPeer("10.1.2.3", 4567)
    reply = site.send(
        b"body", peer=peer, queue_id=2, flag=7, born_timestamp=123, properties="KEYS\x01k\x02TAGS\x01A\x02UNIQ_KEY\x01U"
    )
    assert reply.code == 0
    record = site.stored(queue_id=2)
    assert (bytes(record.body), record.flag, record.born_ms, record.queue_id) == (b"body", 7, 123, 2)
    assert unpack_host(record.born_host) == ("10.1.2.3", 4567)
    assert record.store_host == STORE_HOST
    assert record.stored_ms == site.clock.now_ms()
    assert properties_of(site, queue_id=2) == {
        "KEYS": "k",
        "TAGS": "A",
        "UNIQ_KEY": "U",
        "MSG_REGION": "DefaultRegion",
        "TRACE_ON": "true",
        "CLUSTER": "DefaultCluster",
    }
    unit = site.store.unit("T", 2, 0)
    assert unit is not None
    assert unit[2] == tags_code("A")


def test_the_reply_says_where_the_message_is_and_which_ids_it_has() -> None:
    site = Site()
    site.send(b"first")
    reply = site.send(properties="UNIQ_KEY\x01U")
    ext = ext_of(reply)
    host, log_offset = decode_offset_message_id(ext.pop("msgId"))
    assert host == STORE_HOST
    assert log_offset == site.stored(queue_offset=1).log_offset
    assert ext == {
        "queueId": "0",
        "queueOffset": "1",
        "transactionId": "U",
        "MSG_REGION": "DefaultRegion",
        "TRACE_ON": "true",
    }


def test_the_id_of_a_reply_finds_the_message() -> None:
    site = Site()
    site.send(b"first")
    ext = ext_of(site.send(b"second"))
    _, log_offset = decode_offset_message_id(ext["msgId"])
    assert bodies_of(site.ask(RequestCode.VIEW_MESSAGE_BY_ID, {"offset": log_offset})) == [b"second"]


def test_a_message_without_a_unique_id_gets_one() -> None:
    site = Site()
    ids = [ext_of(site.send(properties=text))["transactionId"] for text in ("", "KEYS\x01k", "KEYS\x01k\x02")]
    assert len(set(ids)) == 3
    assert [properties_of(site, queue_offset=number)["UNIQ_KEY"] for number in range(3)] == ids
    assert properties_of(site, queue_offset=1)["KEYS"] == "k"


def test_an_empty_unique_id_is_none() -> None:
    site = Site()
    unique_id = ext_of(site.send(properties="UNIQ_KEY\x01\x02KEYS\x01k"))["transactionId"]
    assert len(unique_id) == 32
    assert properties_of(site)["UNIQ_KEY"] == unique_id


def test_the_old_form_of_the_request_is_the_same() -> None:
    site = Site()
    ext = {
        "producerGroup": "pg",
        "topic": "T",
        "defaultTopic": "TBW102",
        "defaultTopicQueueNums": 4,
        "queueId": 1,
        "sysFlag": COMPRESSED,
        "bornTimestamp": 5,
        "flag": 0,
        "properties": "KEYS\x01k",
    }
    assert site.ask(RequestCode.SEND_MESSAGE, ext, b"x").code == 0
    assert site.stored(queue_id=1).sys_flag == COMPRESSED


def test_a_one_way_send_is_stored_and_not_answered() -> None:
    site = Site()
    peer = MemoryPeer()
    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"x", flag=2), peer=peer)
    assert peer.replies == []
    assert bodies_of(site.pull()) == [b"x"]


def test_a_message_without_a_body_is_a_message() -> None:
    site = Site()
    assert site.send(b"").code == 0
    assert bytes(site.stored().body) == b""


def test_a_negative_queue_is_any_that_may_be_written() -> None:
    site = Site()
    site.topics.put(TopicConfig(topic_name="Shrunk", read_queue_nums=8, write_queue_nums=2))
    used = {ext_of(site.send(topic="Shrunk", queue_id=-1))["queueId"] for _ in range(60)}
    assert used == {"0", "1"}


def test_changed_properties_of_the_broker_are_stored_and_answered() -> None:
    site = Site()
    site.send_handler.configure(replace(site.config, region_id="R", trace_on=False))
    reply = site.send()
    assert ext_of(reply)["TRACE_ON"] == "false"
    assert properties_of(site)["MSG_REGION"] == "R"


def test_an_ipv6_producer_is_remembered_as_one() -> None:
    site = Site()
    assert site.send(peer=MemoryPeer("fd00::1%eth0", 1)).code == 0
    record = site.stored()
    assert unpack_host(record.born_host) == ("fd00::1", 1)
    assert record.sys_flag & BORN_HOST_V6


@pytest.mark.parametrize("sys_flag", [0x10, 0x20, 0x30])
def test_a_producer_can_not_make_a_record_unreadable_by_its_flags(sys_flag: int) -> None:
    site = Site()
    assert site.send(sys_flag=sys_flag | COMPRESSED).code == 0
    assert send_batch(site, (b"x", ""), sys_flag=sys_flag).code == 0
    assert site.stored().sys_flag == COMPRESSED
    image = site.files.kill()
    assert len(bodies_of(Site(image).pull())) == 2


@pytest.mark.parametrize("sys_flag", [4, 8, 12])
def test_half_a_transaction_is_refused_rather_than_stored_for_nobody(sys_flag: int) -> None:
    site = Site()
    assert site.send(sys_flag=sys_flag).code == ResponseCode.MESSAGE_ILLEGAL
    assert send_batch(site, (b"x", ""), sys_flag=sys_flag).code == ResponseCode.MESSAGE_ILLEGAL
    assert site.store.max_offset("T", 0) == 0


def test_a_topic_of_many_tags_says_so_in_its_messages() -> None:
    site = Site()
    site.topics.put(TopicConfig(topic_name="M", topic_filter_type="MULTI_TAG"))
    site.send(topic="M")
    send_batch(site, (b"x", ""), topic="M")
    assert site.stored("M").sys_flag == MULTI_TAGS
    assert site.stored("M", queue_offset=1).sys_flag == MULTI_TAGS


def test_what_was_sent_is_counted() -> None:
    site = Site()
    site.send()
    send_batch(site, (b"a", ""), (b"b", ""))
    assert site.statistics.put_messages == 3
    assert site.statistics.put_bytes == site.store.written.value
    site.files.fail_writes = errno.ENOSPC
    site.send()
    assert site.statistics.put_failed == 1


# Checks


@pytest.mark.parametrize(
    ("name", "value", "remark"),
    [
        ("b", None, "lacks the field topic"),
        ("e", None, "lacks the field queueId"),
        ("e", "x", "queueId"),
        ("g", str(1 << 64), "bornTimestamp"),
        ("f", str(1 << 31), "sysFlag"),
        ("j", "-1", "reconsumeTimes"),
        ("d", "many", "defaultTopicQueueNums"),
    ],
)
def test_a_header_that_can_not_be_read_is_refused_by_the_name_of_its_field(
    name: str, value: str | None, remark: str
) -> None:
    ext = a_send()
    if value is None:
        del ext[name]
    else:
        ext[name] = value
    reply = Site().ask(RequestCode.SEND_MESSAGE_V2, ext)
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert remark in (reply.remark or "")


@pytest.mark.parametrize("topic", ["", " ", "a b", "../T", "ü", "T\n", "x" * 128])
def test_a_name_that_can_not_be_a_topics_is_refused(topic: str) -> None:
    site = Site()
    assert site.send(topic=topic).code == ResponseCode.SYSTEM_ERROR
    assert topic not in site.topics


@pytest.mark.parametrize("topic", sorted(NOT_FOR_CLIENTS))
def test_topics_of_rocketmq_itself_are_not_for_clients(topic: str) -> None:
    assert Site().send(topic=topic).code == ResponseCode.NO_PERMISSION


@pytest.mark.parametrize(("queue_id", "code"), [(1, 0), (7, 0), (8, 1), (1 << 30, 1)])
def test_a_queue_must_be_one_that_is_written_or_read(queue_id: int, code: int) -> None:
    site = Site()
    site.topics.put(TopicConfig(topic_name="Shrunk", read_queue_nums=8, write_queue_nums=2))
    assert site.send(topic="Shrunk", queue_id=queue_id).code == code


@pytest.mark.parametrize("perm", [2, 4, 6])
def test_the_permission_of_a_topic_is_for_clients_to_heed_when_they_send(perm: int) -> None:
    site = Site()
    site.topics.put(TopicConfig(topic_name="P", perm=perm))
    assert site.send(topic="P").code == 0


def test_a_broker_that_may_not_be_written_refuses_topics_in_order_only() -> None:
    site = Site(broker_permission=4)
    site.topics.put(TopicConfig(topic_name="Ordered", order=True))
    assert site.send(topic="Ordered").code == ResponseCode.NO_PERMISSION
    assert site.send().code == 0


def test_a_slave_takes_no_messages() -> None:
    reply = Site(broker_role=BrokerRole.SLAVE, broker_id=1).send()
    assert reply.code == ResponseCode.SERVICE_NOT_AVAILABLE
    assert "slave" in (reply.remark or "")


def test_messages_are_taken_from_a_time_on() -> None:
    site = Site(start_accept_send_request_time_stamp=1_700_000_000_001)
    reply = site.send()
    assert (reply.code, "unable to service" in (reply.remark or "")) == (ResponseCode.SYSTEM_ERROR, True)
    site.clock.advance(1)
    assert site.send().code == 0


def test_a_body_that_is_too_long_is_refused_and_the_longest_is_taken() -> None:
    site = Site(store=TINY)
    assert site.send(b"x" * 101).code == ResponseCode.MESSAGE_ILLEGAL
    assert site.send(b"x" * 100).code == 0


def test_properties_that_are_too_long_are_refused() -> None:
    assert Site().send(properties="KEYS\x01" + "k" * 32_767).code == ResponseCode.MESSAGE_ILLEGAL


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ("DELAY\x010", 0),
        ("TRAN_MSG\x01false", 0),
    ],
)
def test_what_this_broker_can_not_do_is_refused_rather_than_done_wrong(properties: str, code: int) -> None:
    site = Site()
    assert site.send(properties=properties).code == code
    assert send_batch(site, (b"fine", ""), (b"x", properties)).code == code
    assert site.store.max_offset("T", 0) == (0 if code else 3)


# Topics made by sending


def test_a_topic_that_nobody_made_is_made() -> None:
    site = Site()
    reply = site.send(topic="New", queue_id=3, default_topic_queue_nums=4)
    assert reply.code == 0
    assert site.topics.require("New").write_queue_nums == 4


def test_without_creation_an_unknown_topic_is_refused_as_java_words_it() -> None:
    reply = Site(auto_create_topic_enable=False).send(topic="New")
    assert reply.code == ResponseCode.TOPIC_NOT_EXIST
    assert (reply.remark or "").startswith("topic[New] not exist, apply first please!")


def test_a_topic_that_can_not_be_written_down_is_not_made_and_its_message_refused() -> None:
    site = Site()
    site.files.fail_writes = errno.ENOSPC
    reply = site.send(topic="New")
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert "the topics can't be written" in (reply.remark or "")
    assert "New" not in site.topics
    assert site.store.max_offset("New", 0) == 0


# Messages on their way back


def test_a_message_comes_back_to_its_groups_retry_topic() -> None:
    site = Site()
    assert site.send(topic="%RETRY%g", reconsume_times=3).code == 0
    assert site.stored("%RETRY%g").reconsume_times == 3
    assert site.groups.get("g") == GroupConfig(group_name="g")


def test_one_that_came_back_too_often_goes_to_the_dead_letters() -> None:
    site = Site()
    site.groups.put(GroupConfig(group_name="g", retry_max_times=2))
    site.topics.create_if_missing("%RETRY%g", 4)
    assert site.send(topic="%RETRY%g", queue_id=3, reconsume_times=2, properties="KEYS\x01last").code == 0
    reply = site.send(topic="%RETRY%g", queue_id=3, reconsume_times=3)
    assert (reply.code, ext_of(reply)["queueId"]) == (0, "0")
    assert site.stored("%DLQ%g").reconsume_times == 3
    assert site.store.max_offset("%RETRY%g", 3) == 1
    assert site.topics.require("%DLQ%g").perm == 6


def test_a_newer_client_says_itself_how_often_is_too_often() -> None:
    site = Site()
    assert site.send(topic="%RETRY%g", reconsume_times=2, max_reconsume_times=1).code == 0
    assert site.store.max_offset("%DLQ%g", 0) == 1
    old = a_command(
        RequestCode.SEND_MESSAGE_V2,
        a_send(topic="%RETRY%g", reconsume_times=2, max_reconsume_times=1),
        version=120,
    )
    site.receive(old, peer=MemoryPeer())
    assert site.store.max_offset("%RETRY%g", 0) == 1


def test_the_retry_topic_of_a_group_that_may_not_be_made_is_refused() -> None:
    reply = Site(auto_create_subscription_group=False).send(topic="%RETRY%g")
    assert reply.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST


@pytest.mark.parametrize("group", ["", "../../x", "../" * 50, "a@b", "x" * (MAX_GROUP_CHARS + 1)])
def test_the_retry_topic_of_what_can_not_be_a_group_is_refused(group: str) -> None:
    site = Site()
    assert site.send(topic="%RETRY%" + group).code == ResponseCode.SYSTEM_ERROR
    assert "%RETRY%" + group not in site.topics


def test_the_longest_group_gets_its_messages_back_but_has_no_dead_letters() -> None:
    site = Site()
    group = "x" * MAX_GROUP_CHARS
    assert site.send(topic="%RETRY%" + group).code == 0
    assert site.send(topic="%RETRY%" + group, reconsume_times=99).code == ResponseCode.MESSAGE_ILLEGAL
    assert "%DLQ%" + group not in site.topics


# Batches


def test_a_batch_is_stored_message_by_message_with_ids_of_their_own() -> None:
    site = Site()
    site.send(b"before")
    reply = send_batch(
        site,
        (b"a", "UNIQ_KEY\x01A\x02TAGS\x01x"),
        (b"b", "UNIQ_KEY\x01B"),
        properties="UNIQ_KEY\x01ALL\x02WAIT\x01true",
    )
    ext = ext_of(reply)
    assert ext["queueOffset"] == "1"
    offsets = [decode_offset_message_id(part)[1] for part in ext["msgId"].split(",")]
    assert offsets == [site.stored(queue_offset=number).log_offset for number in (1, 2)]
    assert bodies_of(site.pull()) == [b"before", b"a", b"b"]
    assert [properties_of(site, queue_offset=number)["UNIQ_KEY"] for number in (1, 2)] == ["A", "B"]
    assert properties_of(site, queue_offset=2)["WAIT"] == "true"
    assert properties_of(site, queue_offset=2)["CLUSTER"] == "DefaultCluster"


def test_messages_of_a_batch_without_ids_get_different_ones() -> None:
    site = Site()
    send_batch(site, (b"a", ""), (b"b", "KEYS\x01k\x02"))
    first, second = (properties_of(site, queue_offset=number) for number in (0, 1))
    assert first["UNIQ_KEY"] != second["UNIQ_KEY"]
    assert second["KEYS"] == "k"


def test_the_letter_m_makes_a_batch_of_an_ordinary_send() -> None:
    site = Site()
    body = encode_batch([BatchItem(0, b"a", b""), BatchItem(0, b"b", b"")])
    assert site.ask(RequestCode.SEND_MESSAGE_V2, a_send(batch=True), body).code == 0
    assert bodies_of(site.pull()) == [b"a", b"b"]


@pytest.mark.parametrize("body", [b"", b"x", b"\x00" * 22, encode_batch([BatchItem(0, b"a", b"")])[:-1]])
def test_a_batch_that_can_not_be_read_stores_nothing(body: bytes) -> None:
    site = Site()
    reply = site.ask(RequestCode.SEND_BATCH_MESSAGE, a_send(batch=True), body)
    assert reply.code == ResponseCode.MESSAGE_ILLEGAL
    assert site.store.max_offset("T", 0) == 0


def test_a_batch_with_one_message_that_is_too_long_stores_nothing() -> None:
    site = Site(store=TINY)
    assert send_batch(site, (b"a", ""), (b"b" * 101, "")).code == ResponseCode.MESSAGE_ILLEGAL
    assert site.store.max_offset("T", 0) == 0


def test_a_batch_is_limited_in_bytes_and_in_messages() -> None:
    site = Site(store=TINY)
    assert send_batch(site, *[(b"x" * 20, "")] * 3).code == ResponseCode.MESSAGE_ILLEGAL
    assert send_batch(site, *[(b"x", "")] * 3).code == 0
    many = send_batch(Site(), *[(b"", "")] * (MAX_BATCH_MESSAGES + 1))
    assert many.code == ResponseCode.MESSAGE_ILLEGAL
    assert str(MAX_BATCH_MESSAGES) in (many.remark or "")


def test_no_batch_comes_back() -> None:
    assert send_batch(Site(), (b"a", ""), topic="%RETRY%g").code == ResponseCode.MESSAGE_ILLEGAL


def test_a_batch_waits_only_when_all_of_its_messages_want_to() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()

    def batch(*properties: bytes) -> Command:
        body = encode_batch([BatchItem(0, b"x", each) for each in properties])
        return a_command(RequestCode.SEND_BATCH_MESSAGE, a_send(batch=True), body)

    waits, goes = batch(b"", b"WAIT\x01true"), batch(b"", b"WAIT\x01false")
    site.receive(waits, goes, peer=peer)
    assert peer.reply_to(waits) is None
    assert peer.reply_to(goes) is not None


def test_a_refused_batch_gives_its_offsets_back() -> None:
    site = Site()
    site.send(b"before")
    site.files.fail_writes = errno.ENOSPC
    assert send_batch(site, (b"a", ""), (b"b", "")).code == ResponseCode.SERVICE_NOT_AVAILABLE
    site.files.fail_writes = None
    assert ext_of(site.send(b"after"))["queueOffset"] == "1"
    assert bodies_of(site.pull()) == [b"before", b"after"]
