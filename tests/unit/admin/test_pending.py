"""What a broker keeps for later."""

from typing import Any

import pytest

from broker_py.admin.pending import pending_messages
from broker_py.wire.codes import RequestCode
from tests.unit.client.fake_broker import json_reply
from tests.unit.client.fake_cluster import FakeCluster


@pytest.fixture(autouse=True)
def delivered(cluster: FakeCluster) -> dict[int, int]:
    """How far broker-a has delivered each level; a test may change it."""
    offsets: dict[int, int] = {}

    def answer(*_: Any) -> Any:
        return json_reply({"dataVersion": {}, "offsetTable": offsets})

    cluster.a.on(RequestCode.GET_ALL_DELAY_OFFSET, None, answer)
    return offsets


def pending(cluster: FakeCluster) -> dict[str, int]:
    found = cluster.ask(lambda client: pending_messages(client, cluster.a.address))
    return {each.kind: each.messages for each in found}


def test_a_broker_that_nobody_used_them_on_keeps_nothing_for_later(cluster: FakeCluster) -> None:
    assert pending(cluster) == {}


def test_delayed_messages_count_from_what_their_level_has_delivered(
    cluster: FakeCluster, delivered: dict[int, int]
) -> None:
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 0, [b"1", b"2", b"3"])
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 17, [b"1"])
    delivered[1] = 2
    assert pending(cluster) == {"delayed": 2}
    delivered |= {1: 3, 18: 1}
    assert pending(cluster) == {}


def test_levels_of_its_own_are_looked_at_too(cluster: FakeCluster) -> None:
    cluster.store_a.config["messageDelayLevel"] = " ".join(f"{seconds}s" for seconds in range(1, 21))
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 19, [b"1"])
    assert pending(cluster) == {"delayed": 1}


def test_levels_that_are_not_configured_any_more_count_as_well(cluster: FakeCluster, delivered: dict[int, int]) -> None:
    cluster.store_a.config["messageDelayLevel"] = "1s"
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 17, [b"1"])
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 20, [b"1", b"2"])
    delivered[21] = 1
    assert pending(cluster) == {"delayed": 2}


def test_each_kind_names_its_topic(cluster: FakeCluster) -> None:
    cluster.a.runtime |= {"timerCongestNum": "5", "timerOffsetBehind": "0"}
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 0, [b"1"])
    found = cluster.ask(lambda client: pending_messages(client, cluster.a.address))
    assert [each.topic for each in found] == ["SCHEDULE_TOPIC_XXXX", "rmq_sys_wheel_timer"]


def test_halves_of_transactions_count_until_their_service_has_passed_them(cluster: FakeCluster) -> None:
    store = cluster.store_a
    store.add_topic("RMQ_SYS_TRANS_HALF_TOPIC", 1)
    store.fill("RMQ_SYS_TRANS_HALF_TOPIC", 0, [b"1", b"2"])
    assert pending(cluster) == {"half": 2}
    store.offsets["CID_RMQ_SYS_TRANS", "RMQ_SYS_TRANS_HALF_TOPIC", 0] = 2
    assert pending(cluster) == {}


def test_receipts_of_pop_count_in_the_topic_of_the_cluster(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("rmq_sys_REVIVE_LOG_C", 8)
    cluster.store_a.fill("rmq_sys_REVIVE_LOG_C", 7, [b"1"])
    assert pending(cluster) == {"popped": 1}


def test_the_timer_counts_its_messages_itself(cluster: FakeCluster) -> None:
    cluster.a.runtime |= {"timerCongestNum": "5", "timerOffsetBehind": "2"}
    assert pending(cluster) == {"timed": 7}
