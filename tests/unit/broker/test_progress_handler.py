"""Requests 202, 208, 300, 303, 308, 317, 321, 343 and 345."""

from typing import Any

from broker_py.message.tags import tags_code
from broker_py.model.group import GroupConfig
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import TopicConfig
from broker_py.store.config import StoreConfig
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import Site, a_heartbeat, body_of


def a_queue(queue_id: int, topic: str = "T") -> MessageQueue:
    return MessageQueue(topic, "broker-a", queue_id)


def a_site() -> Site:
    """Three messages in queue 0 of `T`, a second apart; `g` has consumed one and fetched two."""
    site = Site()
    site.topics.put(TopicConfig(topic_name="T", read_queue_nums=2, write_queue_nums=2))
    for _ in range(3):
        site.send()
        site.clock.advance(1000)
    site.offsets.commit("g", "T", 0, 1)
    site.offsets.pulled("g", "T", 0, 2)
    site.groups.require("g")
    return site


FIRST_MS = 1_700_000_000_000


def test_the_queues_of_a_topic_are_shown_with_their_ends() -> None:
    site = a_site()
    table = site.json(RequestCode.GET_TOPIC_STATS_INFO, {"topic": "T"})["offsetTable"]
    assert table == {
        a_queue(0): {"lastUpdateTimestamp": FIRST_MS + 2000, "maxOffset": 3, "minOffset": 0},
        a_queue(1): {"lastUpdateTimestamp": 0, "maxOffset": 0, "minOffset": 0},
    }
    assert site.ask(RequestCode.GET_TOPIC_STATS_INFO, {"topic": "Unknown"}).code == ResponseCode.TOPIC_NOT_EXIST


def test_a_queue_that_lost_its_start_is_shown_from_where_it_begins() -> None:
    config = StoreConfig(
        store_path_root_dir="/store", mapped_file_size_commit_log=4096, mapped_file_size_consume_queue=200
    )
    site = Site(store=config)
    for _ in range(60):
        site.send(b"x" * 500)
    site.store.log.remove_first()
    site.store.remove_expired_units()
    table = site.json(RequestCode.GET_TOPIC_STATS_INFO, {"topic": "T"})["offsetTable"]
    assert table[a_queue(0)]["minOffset"] == site.store.min_offset("T", 0) > 0


def test_queues_are_keys_in_the_form_that_java_reads() -> None:
    reply = a_site().ask(RequestCode.GET_TOPIC_STATS_INFO, {"topic": "T"})
    assert body_of(reply).startswith(b'{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:{')


def test_the_progress_of_a_group_is_what_it_consumed_and_fetched_of_each_queue() -> None:
    site = a_site()
    expected = {
        a_queue(0): {"brokerOffset": 3, "consumerOffset": 1, "lastTimestamp": FIRST_MS, "pullOffset": 2},
        a_queue(1): {"brokerOffset": 0, "consumerOffset": 0, "lastTimestamp": 0, "pullOffset": 0},
    }
    for ext in ({"consumerGroup": "g"}, {"consumerGroup": "g", "topic": "T"}):
        body = site.json(RequestCode.GET_CONSUME_STATS, ext)
        assert body["offsetTable"] == expected
        assert body["consumeTps"] == 0.0


def test_the_progress_of_a_group_counts_what_it_got_a_second() -> None:
    site = a_site()
    site.statistics.traffic.add(("T", "g"), 0, 0)
    site.statistics.traffic.sample(site.clock.now_ms())
    site.statistics.traffic.add(("T", "g"), 100, 1000)
    site.clock.advance(10_000)
    site.statistics.traffic.sample(site.clock.now_ms())
    body = site.json(RequestCode.GET_CONSUME_STATS, {"consumerGroup": "g"})
    assert 0 < body["consumeTps"] <= 10
    assert site.json(RequestCode.GET_BROKER_CONSUME_STATS, {"isOrder": False})["consumeStatsList"][0]["g"][0] == body


def test_what_the_members_of_a_group_do_not_want_any_more_is_no_part_of_its_progress() -> None:
    site = a_site()
    site.topics.put(TopicConfig(topic_name="Old", read_queue_nums=1, write_queue_nums=1))
    site.offsets.commit("g", "Old", 0, 0)
    asked = {"consumerGroup": "g"}
    topics = {queue.topic for queue in site.json(RequestCode.GET_CONSUME_STATS, asked)["offsetTable"]}
    assert topics == {"T", "Old"}
    site.ask(RequestCode.HEART_BEAT, {}, a_heartbeat("g", "c", {"T": "*"}))
    topics = {queue.topic for queue in site.json(RequestCode.GET_CONSUME_STATS, asked)["offsetTable"]}
    assert topics == {"T"}


def test_a_group_that_nobody_knows_has_no_progress() -> None:
    site = a_site()
    assert site.json(RequestCode.GET_CONSUME_STATS, {"consumerGroup": "x"})["offsetTable"] == {}
    body = site.json(RequestCode.GET_CONSUME_STATS, {"consumerGroup": "g", "topic": "Unknown"})
    assert body["offsetTable"] == {}


def test_the_progress_of_all_groups_is_summed_up() -> None:
    site = a_site()
    site.groups.put(GroupConfig(group_name="ordered", consume_message_orderly=True))
    site.offsets.commit("ordered", "T", 0, 3)
    body = site.json(RequestCode.GET_BROKER_CONSUME_STATS, {"isOrder": False})
    assert (body["totalDiff"], body["totalInflightDiff"], body["brokerAddr"]) == (2, 1, "192.168.56.11:10911")
    ((group, (stats,)),) = [item for entry in body["consumeStatsList"] for item in entry.items()]
    assert group == "g"
    assert stats["offsetTable"][a_queue(0)]["consumerOffset"] == 1
    in_order = site.json(RequestCode.GET_BROKER_CONSUME_STATS, {"isOrder": True})
    assert [list(entry) for entry in in_order["consumeStatsList"]] == [["ordered"]]
    assert in_order["totalDiff"] == 0


def test_the_groups_of_a_topic_are_those_that_consume_it_or_did() -> None:
    site = a_site()
    site.heartbeat(MemoryPeer(), "online", T="*")
    assert site.json(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, {"topic": "T"}) == {"groupList": ["g", "online"]}
    assert site.json(RequestCode.QUERY_TOPICS_BY_CONSUMER, {"group": "g"}) == {"topicList": ["T"]}


def test_what_a_group_wants_of_a_topic_is_shown() -> None:
    site = a_site()
    site.heartbeat(MemoryPeer(), "online", T="A")
    shown = site.json(RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, {"group": "online", "topic": "T"})
    assert shown["subscriptionData"]["subString"] == "A"
    for ext in ({"group": "online", "topic": "U"}, {"group": "offline", "topic": "T"}):
        assert site.json(RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, ext) == ext


def test_the_times_of_a_queue_are_those_of_its_first_and_last_message_and_of_what_was_consumed() -> None:
    site = a_site()
    first, second = site.json(RequestCode.QUERY_CONSUME_TIME_SPAN, {"group": "g", "topic": "T"})["consumeTimeSpanSet"]
    assert first == {
        "consumeTimeStamp": FIRST_MS,
        "delayTime": 1000,
        "maxTimeStamp": FIRST_MS + 2000,
        "messageQueue": {"brokerName": "broker-a", "queueId": 0, "topic": "T"},
        "minTimeStamp": FIRST_MS,
    }
    assert (second["minTimeStamp"], second["maxTimeStamp"], second["delayTime"]) == (-1, -1, 0)
    unknown = site.ask(RequestCode.QUERY_CONSUME_TIME_SPAN, {"group": "g", "topic": "Unknown"})
    assert unknown.code == ResponseCode.TOPIC_NOT_EXIST


def units(site: Site, **ext: Any) -> Any:
    return site.json(RequestCode.QUERY_CONSUME_QUEUE, {"topic": "T", "queueId": 0, "index": 0, "count": 10, **ext})


def test_the_units_of_a_queue_are_shown_as_they_are() -> None:
    site = a_site()
    body = units(site, index=1, count=1)
    record = site.stored(queue_offset=1)
    assert (body["minQueueIndex"], body["maxQueueIndex"]) == (0, 3)
    assert body["queueData"] == [
        {"eval": True, "physicOffset": record.log_offset, "physicSize": record.size, "tagsCode": 0}
    ]


def test_units_beyond_the_ends_of_a_queue_are_not_shown() -> None:
    site = a_site()
    assert len(units(site, index=-9, count=1 << 30)["queueData"]) == 3
    assert units(site, index=3)["queueData"] == []
    assert units(site, count=-1)["queueData"] == []
    empty = site.ask(RequestCode.QUERY_CONSUME_QUEUE, {"topic": "T", "queueId": 1, "index": 0, "count": 1})
    assert (empty.code, empty.remark) == (1, "1@T is not exist!")


def test_units_tell_whether_a_group_wants_them() -> None:
    site = a_site()
    site.send(properties="TAGS\x01A")
    body = a_heartbeat("online", "c", {})
    body["consumerDataSet"][0]["subscriptionDataSet"] = [{"topic": "T", "subString": "A", "codeSet": [tags_code("A")]}]
    site.ask(RequestCode.HEART_BEAT, {}, body)
    shown = units(site, consumerGroup="online")
    assert [unit["eval"] for unit in shown["queueData"]] == [False, False, False, True]
    assert shown["subscriptionData"]["subString"] == "A"


def corrections(site: Site, **ext: str) -> Any:
    return site.json(RequestCode.QUERY_CORRECTION_OFFSET, {"topic": "T", **ext})["correctionOffsets"]


def test_the_slowest_group_of_each_queue_unless_the_compared_one_is_behind_it() -> None:
    site = a_site()
    for group, offset in (("h", 2), ("i", 3)):
        site.offsets.commit(group, "T", 0, offset)
    site.offsets.commit("i", "T", 1, 5)
    site.offsets.commit("h", "U", 0, 0)
    assert corrections(site) == {"0": 1, "1": 5}
    assert corrections(site, filterGroups="g,unknown") == {"0": 2, "1": 5}
    assert corrections(site, filterGroups="g", compareGroup="i") == {"0": 2, "1": 5}
    assert corrections(site, filterGroups="g", compareGroup="g") == {"0": (1 << 63) - 1, "1": 5}
    assert site.offsets.offset("g", "T", 0) == 1  # Java forgets the offsets of groups that are left out
