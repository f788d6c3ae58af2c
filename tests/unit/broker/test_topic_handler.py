"""Requests 17, 21, 215, 305, 316 and 351."""

import errno
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.broker.handlers.topics import alter_attributes
from broker_py.broker.topics import MAX_QUEUES
from broker_py.errors import RequestRefused
from broker_py.model.topic import SYSTEM_TOPICS
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Reply
from tests.unit.broker.site import Site


def create(site: Site, topic: str = "New", **fields: Any) -> Reply:
    ext = {
        "topic": topic,
        "defaultTopic": "TBW102",
        "readQueueNums": 4,
        "writeQueueNums": 4,
        "perm": 6,
        "topicFilterType": "SINGLE_TAG",
        "topicSysFlag": 0,
        "order": False,
        **fields,
    }
    return site.ask(RequestCode.UPDATE_AND_CREATE_TOPIC, ext)


def test_a_topic_is_made_as_asked_and_shown() -> None:
    site = Site()
    attributes = "+message.type=FIFO"
    assert create(site, readQueueNums=8, writeQueueNums=2, perm=4, order=True, attributes=attributes).code == 0
    assert site.json(RequestCode.GET_TOPIC_CONFIG, {"topic": "New"}) == {
        "attributes": {"message.type": "FIFO"},
        "order": True,
        "perm": 4,
        "readQueueNums": 8,
        "topicFilterType": "SINGLE_TAG",
        "topicName": "New",
        "topicSysFlag": 0,
        "writeQueueNums": 2,
    }


def test_a_topic_that_is_shrunk_keeps_what_its_queues_hold() -> None:
    site = Site()
    site.send(queue_id=3)
    assert create(site, "T", readQueueNums=4, writeQueueNums=1).code == 0
    assert site.pull(queueId=3).code == 0
    assert create(site, "T", readQueueNums=1, writeQueueNums=1).code == 0
    assert site.pull(queueId=3).code == ResponseCode.SYSTEM_ERROR
    assert site.store.max_offset("T", 3) == 1


@pytest.mark.parametrize(
    ("topic", "fields"),
    [
        ("a b", {}),
        ("", {}),
        ("x" * 128, {}),
        ("New", {"readQueueNums": -1}),
        ("New", {"writeQueueNums": MAX_QUEUES + 1}),
        ("New", {"perm": 8}),
        ("New", {"perm": -1}),
        ("New", {"topicFilterType": "ANY"}),
        ("New", {"attributes": "+what=ever"}),
        ("New", {"readQueueNums": "many"}),
    ],
)
def test_a_topic_that_can_not_be_is_not_made(topic: str, fields: dict[str, Any]) -> None:
    site = Site()
    version = site.topics.version
    reply = create(site, topic, **fields)
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert reply.remark
    assert site.topics.version == version


@pytest.mark.parametrize("topic", ["TBW102", "broker-a", "DefaultCluster", "rmq_sys_x", "SCHEDULE_TOPIC_XXXX"])
def test_topics_of_the_system_can_not_be_changed_or_deleted(topic: str) -> None:
    site = Site()
    for reply in (create(site, topic), site.ask(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": topic})):
        assert (reply.code, reply.remark) == (1, f"The topic[{topic}] is conflict with system topic.")


def test_a_slave_changes_no_topics() -> None:
    slave = Site(broker_role=BrokerRole.SLAVE, broker_id=1)
    assert create(slave).code == ResponseCode.SYSTEM_ERROR
    assert slave.ask(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "T"}).code == ResponseCode.SYSTEM_ERROR


def test_a_topic_that_can_not_be_written_down_is_not_made_and_the_tool_is_told() -> None:
    site = Site()
    site.files.fail_writes = errno.ENOSPC
    reply = create(site)
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert "the topics can't be written" in (reply.remark or "")
    assert "New" not in site.topics


def test_a_deleted_topic_is_gone_with_its_messages_and_offsets() -> None:
    site = Site()
    site.send()
    site.offsets.commit("g", "T", 0, 1)
    assert site.ask(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "T"}).code == 0
    assert "T" not in site.topics
    assert list(site.offsets) == []
    assert site.pull().code == ResponseCode.TOPIC_NOT_EXIST
    create(site, "T")
    assert site.pull().code == ResponseCode.PULL_NOT_FOUND


def test_deleting_a_topic_that_is_not_there_is_done_already() -> None:
    assert Site().ask(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "Unknown"}).code == 0


def test_an_unknown_topic_has_no_settings() -> None:
    reply = Site().ask(RequestCode.GET_TOPIC_CONFIG, {"topic": "Unknown"})
    assert (reply.code, reply.remark) == (17, "No topic in this broker. topic: Unknown")


def test_all_topics_are_listed_with_their_version() -> None:
    site = Site()
    body = site.json(RequestCode.GET_ALL_TOPIC_CONFIG)
    assert body["topicConfigTable"]["T"]["readQueueNums"] == 4
    assert body["dataVersion"]["counter"] == site.topics.version.counter


def test_the_systems_topics_are_listed_with_the_brokers_own() -> None:
    names = set(Site().json(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER)["topicList"])
    assert names >= SYSTEM_TOPICS | {"broker-a", "DefaultCluster"}
    assert "T" not in names


def test_queues_of_topics_without_settings_can_be_cleaned_away() -> None:
    site = Site()
    site.send()
    site.send(topic="Gone")
    site.topics.remove("Gone")
    assert site.ask(RequestCode.CLEAN_UNUSED_TOPIC).code == 0
    assert site.store.topics() == ["T"]


def test_attributes_are_added_changed_and_removed() -> None:
    assert alter_attributes(None, "") == {}
    assert alter_attributes(None, "+message.type=FIFO, +queue.type=SimpleCQ") == {
        "message.type": "FIFO",
        "queue.type": "SimpleCQ",
    }
    assert alter_attributes({"message.type": "FIFO"}, "+message.type=NORMAL") == {"message.type": "NORMAL"}
    assert alter_attributes({"message.type": "FIFO"}, "-message.type") == {}


@pytest.mark.parametrize(
    ("current", "text"),
    [
        (None, "message.type=FIFO"),
        (None, "+unknown=1"),
        (None, "+message.type=ANY"),
        (None, "+message.type"),
        (None, "-message.type"),
        (None, "+queue.type=BatchCQ"),
        ({}, "+queue.type=SimpleCQ"),
        ({"cleanup.policy": "DELETE"}, "-cleanup.policy"),
    ],
)
def test_attributes_that_can_not_be_are_refused(current: dict[str, str] | None, text: str) -> None:
    with pytest.raises(RequestRefused):
        alter_attributes(current, text)
