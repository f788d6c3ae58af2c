"""Requests 14, 15 and 29 to 32."""

from dataclasses import replace

import pytest

from broker_py.store.config import StoreConfig
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.site import STORE, Site, ext_of

QUEUE = {"topic": "T", "queueId": 0}
GROUP = {"consumerGroup": "g", **QUEUE}


def offset(site: Site, code: int, **ext: object) -> int:
    reply = site.ask(code, {**QUEUE, **ext})
    assert reply.code == 0, reply.remark
    return int(ext_of(reply)["offset"])


def test_an_offset_that_was_updated_is_what_is_queried() -> None:
    site = Site()
    assert site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "commitOffset": 7}).code == 0
    assert offset(site, RequestCode.QUERY_CONSUMER_OFFSET, consumerGroup="g") == 7
    site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "commitOffset": 3})
    assert offset(site, RequestCode.QUERY_CONSUMER_OFFSET, consumerGroup="g") == 3


def test_a_group_new_to_a_young_queue_begins_at_its_start() -> None:
    site = Site()
    assert offset(site, RequestCode.QUERY_CONSUMER_OFFSET, consumerGroup="g") == 0
    site.send()
    assert offset(site, RequestCode.QUERY_CONSUMER_OFFSET, consumerGroup="g") == 0


def test_a_group_that_wants_no_zero_gets_none() -> None:
    reply = Site().ask(RequestCode.QUERY_CONSUMER_OFFSET, {**GROUP, "setZeroIfNotFound": False})
    assert reply.code == ResponseCode.QUERY_NOT_FOUND


def test_a_group_new_to_an_old_queue_is_told_that_it_has_no_offset() -> None:
    site = Site(store=replace(STORE, access_message_in_memory_max_ratio=0))
    site.send()
    assert site.ask(RequestCode.QUERY_CONSUMER_OFFSET, GROUP).code == ResponseCode.QUERY_NOT_FOUND


def test_a_group_new_to_a_queue_that_lost_its_start_is_told_so() -> None:
    config = StoreConfig(
        store_path_root_dir="/store", mapped_file_size_commit_log=4096, mapped_file_size_consume_queue=200
    )
    site = Site(store=config)
    for _ in range(60):
        site.send(b"x" * 500)
    site.store.log.remove_first()
    site.store.remove_expired_units()
    assert site.ask(RequestCode.QUERY_CONSUMER_OFFSET, GROUP).code == ResponseCode.QUERY_NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"topic": "Unknown"}, ResponseCode.TOPIC_NOT_EXIST),
        ({"commitOffset": -1}, ResponseCode.SYSTEM_ERROR),
        ({"queueId": -1}, ResponseCode.SYSTEM_ERROR),
        ({"queueId": 1 << 30}, ResponseCode.SYSTEM_ERROR),
        ({"consumerGroup": ""}, ResponseCode.SYSTEM_ERROR),
        ({"consumerGroup": "../x"}, ResponseCode.SYSTEM_ERROR),
    ],
)
def test_an_offset_that_can_not_be_meant_is_not_kept(fields: dict[str, object], code: int) -> None:
    site = Site()
    reply = site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "commitOffset": 1, **fields})
    assert reply.code == code
    assert list(site.offsets) == []


def test_no_offsets_are_kept_of_groups_that_may_not_be_made() -> None:
    site = Site(auto_create_subscription_group=False)
    reply = site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "commitOffset": 1})
    assert reply.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    assert list(site.offsets) == []


def test_offsets_in_queues_that_a_shrunk_topic_has_no_more_are_kept() -> None:
    site = Site()
    assert site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "queueId": 9, "commitOffset": 1}).code == 0


def test_the_ends_of_a_queue_are_where_it_begins_and_where_the_next_message_goes() -> None:
    site = Site()
    assert offset(site, RequestCode.GET_MAX_OFFSET) == offset(site, RequestCode.GET_MIN_OFFSET) == 0
    site.send()
    site.send()
    assert (offset(site, RequestCode.GET_MIN_OFFSET), offset(site, RequestCode.GET_MAX_OFFSET)) == (0, 2)
    assert offset(site, RequestCode.GET_MAX_OFFSET, queueId=3) == 0
    assert offset(site, RequestCode.GET_MAX_OFFSET, topic="Unknown", queueId=-5) == 0


def test_a_time_is_searched_for_among_the_messages() -> None:
    site = Site()
    start_ms = site.clock.now_ms()
    for _ in range(3):
        site.send()
        site.clock.advance(1000)
    search = RequestCode.SEARCH_OFFSET_BY_TIMESTAMP
    assert [offset(site, search, timestamp=start_ms + ms) for ms in (-5000, 0, 1000, 2000, 90_000)] == [0, 0, 1, 2, 2]
    assert offset(site, search, timestamp=-1) == 0
    assert offset(site, search, timestamp=start_ms, queueId=1) == 0


def test_the_age_of_a_queue_is_that_of_its_first_message() -> None:
    site = Site()
    earliest = RequestCode.GET_EARLIEST_MSG_STORETIME
    assert ext_of(site.ask(earliest, QUEUE)) == {"timestamp": "-1"}
    stored_ms = site.clock.now_ms()
    site.send()
    site.clock.advance(5)
    site.send()
    assert ext_of(site.ask(earliest, QUEUE)) == {"timestamp": str(stored_ms)}


def _clone(site: Site, **ext: object) -> None:
    assert site.ask(RequestCode.CLONE_GROUP_OFFSET, {"srcGroup": "g", "destGroup": "h", **ext}).code == 0


def test_a_group_that_is_cloned_stands_where_the_other_one_does() -> None:
    site = Site()
    site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "commitOffset": 7})
    _clone(site, topic="T", offline=True)
    assert site.offsets.offset("h", "T", 0) == 7


def test_cloning_without_a_topic_is_for_all_of_the_group() -> None:
    site = Site()
    site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "commitOffset": 7})
    _clone(site)
    assert site.offsets.offset("h", "T", 0) == 7


def test_cloning_leaves_out_other_topics() -> None:
    site = Site()
    site.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {**GROUP, "commitOffset": 7})
    _clone(site, topic="Elsewhere")
    assert site.offsets.offset("h", "T", 0) == -1
