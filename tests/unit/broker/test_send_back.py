"""What consumers give back comes again later, and ends among the dead letters."""

import pytest

from broker_py.message.ids import offset_message_id
from broker_py.message.properties import decode_properties
from broker_py.model.group import GroupConfig
from broker_py.model.topic import SCHEDULE_TOPIC, TopicConfig
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Reply
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE_HOST, Site, a_command, a_send


def give_back(site: Site, offset: int, level: int = 1, version: int = 433, **fields: object) -> Reply:
    peer = MemoryPeer()
    ext = {"offset": offset, "group": "g", "delayLevel": level, "originMsgId": "X", "originTopic": "T", **fields}
    command = a_command(RequestCode.CONSUMER_SEND_MSG_BACK, ext, version=version)
    site.receive(command, peer=peer)
    site.end_turn()
    reply = peer.reply_to(command)
    assert reply is not None
    return reply


def test_it_waits_at_its_level_for_the_groups_retry_topic() -> None:
    site = Site()
    site.send(b"hello", properties="TAGS\x01red\x02")
    offset = site.stored().log_offset
    assert give_back(site, offset, 2).code == 0
    record = site.stored(SCHEDULE_TOPIC, 1)
    properties = decode_properties(record.properties)
    assert (record.reconsume_times, bytes(record.body)) == (1, b"hello")
    assert (properties["REAL_TOPIC"], properties["REAL_QID"], properties["DELAY"]) == ("%RETRY%g", "0", "2")
    assert (properties["RETRY_TOPIC"], properties["TAGS"]) == ("T", "red")
    assert properties["ORIGIN_MESSAGE_ID"] == offset_message_id(STORE_HOST, offset)
    topic = site.topics.get("%RETRY%g")
    assert topic is not None
    assert (topic.write_queue_nums, topic.perm) == (1, 6)


def test_level_0_waits_the_longer_the_more_often_it_came() -> None:
    site = Site()
    site.send(reconsume_times=2)
    assert give_back(site, 0, 0).code == 0
    assert decode_properties(site.stored(SCHEDULE_TOPIC, 4).properties)["DELAY"] == "5"


def test_where_it_was_first_is_kept() -> None:
    site = Site()
    site.send(properties="RETRY_TOPIC\x01First\x02ORIGIN_MESSAGE_ID\x01ABC\x02")
    give_back(site, 0)
    properties = decode_properties(site.stored(SCHEDULE_TOPIC, 0).properties)
    assert (properties["RETRY_TOPIC"], properties["ORIGIN_MESSAGE_ID"]) == ("First", "ABC")


@pytest.mark.parametrize(
    ("times", "level", "fields", "dead"),
    [
        (16, 1, {}, True),
        (15, 1, {}, False),
        (0, -1, {}, True),
        (2, 1, {"maxReconsumeTimes": 2}, True),
        (20, 1, {"maxReconsumeTimes": 30}, False),
        (2, 1, {"maxReconsumeTimes": 2, "version": 100}, False),
    ],
)
def test_what_came_too_often_goes_to_the_dead_letters(
    times: int, level: int, fields: dict[str, int], dead: bool
) -> None:
    site = Site()
    site.send(b"bad", reconsume_times=times)
    assert give_back(site, 0, level, **fields).code == 0
    assert site.store.max_offset("%DLQ%g", 0) == dead
    if dead:
        record = site.stored("%DLQ%g")
        assert (bytes(record.body), record.reconsume_times) == (b"bad", times + 1)
        topic = site.topics.get("%DLQ%g")
        assert topic is not None
        assert (topic.write_queue_nums, topic.perm) == (1, 6)


def test_a_group_without_retries_gets_nothing_back() -> None:
    site = Site()
    site.groups.put(GroupConfig(group_name="g", retry_queue_nums=0))
    site.send()
    assert give_back(site, 0).code == 0
    assert site.store.topics() == ["T"]


def test_refusals() -> None:
    site = Site()
    site.send()
    assert give_back(site, 99_999).code == ResponseCode.SYSTEM_ERROR
    site.topics.put(TopicConfig(topic_name="%RETRY%g", perm=4))
    assert give_back(site, 0).code == ResponseCode.NO_PERMISSION
    assert give_back(Site(auto_create_subscription_group=False), 0).code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    assert give_back(Site(broker_permission=4), 0).code == ResponseCode.NO_PERMISSION
    site.store.close()
    site.topics.put(TopicConfig(topic_name="%RETRY%g"))
    assert give_back(site, 0).code == ResponseCode.SYSTEM_ERROR


def test_it_is_answered_when_it_is_on_disk() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"x"), peer=peer)
    site.flush()
    command = a_command(RequestCode.CONSUMER_SEND_MSG_BACK, {"offset": 0, "group": "g", "delayLevel": 1})
    site.receive(command, peer=peer)
    site.end_turn()
    assert peer.reply_to(command) is None
    site.flush()
    assert peer.codes == [0, 0]
