"""Figures by topic and group, as request 315 gives them."""

from typing import Any

import pytest

from broker_py.broker.traffic import MAX_KEPT, Traffic
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.pops import a_pop, extra_infos
from tests.unit.broker.site import Site, a_command, a_send

NOW_MS = 1_700_000_000_000


def run(traffic: Traffic, start: int, seconds: int) -> None:
    for second in range(start, start + seconds):
        traffic.sample(NOW_MS + second * 1000)


def test_figures_are_of_the_last_minute_hour_and_day() -> None:
    traffic = Traffic(NOW_MS)
    for second in range(1, 7201):
        traffic.add("T", 2, 100)
        traffic.sample(NOW_MS + second * 1000)
    counter = traffic.get("T")
    assert counter is not None
    assert counter.figures(1) == {
        "statsMinute": {"sum": 120, "tps": 2.0, "avgpt": 2.0},
        "statsHour": {"sum": 7200, "tps": 2.0, "avgpt": 2.0},
        "statsDay": {"sum": 14_400, "tps": 2.0, "avgpt": 2.0},
    }
    assert counter.figures(2)["statsMinute"] == {"sum": 6000, "tps": 100.0, "avgpt": 100.0}


def test_what_was_counted_at_once_shows_after_ten_seconds() -> None:
    traffic = Traffic(NOW_MS)
    traffic.add("T", 5, 50)
    counter = traffic.get("T")
    assert counter is not None
    assert counter.figures(1)["statsMinute"]["sum"] == 0
    run(traffic, 1, 10)
    assert counter.figures(1)["statsMinute"] == {"sum": 5, "tps": 0.5, "avgpt": 5.0}


def test_what_stood_still_for_a_day_is_forgotten() -> None:
    traffic = Traffic(NOW_MS)
    traffic.add("T", 1, 1)
    run(traffic, 1, 23 * 3600)
    assert traffic.get("T") is not None
    run(traffic, 23 * 3600, 3 * 3600)
    assert traffic.get("T") is None


def test_so_many_are_kept_and_no_more() -> None:
    traffic = Traffic(NOW_MS)
    for n in range(MAX_KEPT + 1):
        traffic.add(f"T{n}", 1, 1)
    assert traffic.get("T0") is None
    assert traffic.get("T1") is not None


def test_many_counters_are_sampled_some_at_a_time_and_all_within_ten_seconds() -> None:
    traffic = Traffic(NOW_MS)
    for n in range(MAX_KEPT):
        traffic.add(f"T{n}", 1, 1)

    def sampled(n: int) -> bool:
        counter = traffic.get(f"T{n}")
        return counter is not None and counter.figures(1)["statsMinute"]["sum"] == 1

    run(traffic, 1, 10)
    assert [sampled(0), sampled(MAX_KEPT - 1)] == [True, False]
    run(traffic, 11, 9)
    assert sampled(MAX_KEPT - 1)


def test_sends_and_pulls_are_counted() -> None:
    site = Site()
    for _ in range(3):
        site.send(b"hello")
    site.pull()
    site.clock.advance(10_000)
    site.statistics.sample(site.clock.now_ms())
    for name, key in (("TOPIC_PUT_NUMS", "T"), ("GROUP_GET_NUMS", "T@g")):
        figures = site.json(RequestCode.VIEW_BROKER_STATS_DATA, {"statsName": name, "statsKey": key})
        assert figures["statsMinute"]["sum"] == 3
    put, got = (
        site.json(RequestCode.VIEW_BROKER_STATS_DATA, {"statsName": name, "statsKey": key})
        for name, key in (("TOPIC_PUT_SIZE", "T"), ("GROUP_GET_SIZE", "T@g"))
    )
    assert put["statsDay"]["sum"] == 0  # an hour has not passed
    assert put["statsMinute"] == got["statsMinute"] | {"avgpt": put["statsMinute"]["avgpt"]}


@pytest.mark.parametrize(
    ("name", "key"), [("TOPIC_PUT_NUMS", "X"), ("GROUP_GET_NUMS", "T"), ("GROUP_GET_NUMS", "T@x"), ("OTHER", "T")]
)
def test_what_was_never_counted_is_not_there(name: str, key: str) -> None:
    site = Site()
    site.send(b"hello")
    reply = site.ask(RequestCode.VIEW_BROKER_STATS_DATA, {"statsName": name, "statsKey": key})
    assert (reply.code, reply.remark) == (ResponseCode.SYSTEM_ERROR, f"The stats <{name}> <{key}> not exist")


def figures(site: Site, name: str, key: str) -> Any:
    return site.json(RequestCode.VIEW_BROKER_STATS_DATA, {"statsName": name, "statsKey": key})


def sum_of(site: Site, name: str, key: str) -> int:
    return int(figures(site, name, key)["statsMinute"]["sum"])


def is_missing(site: Site, name: str, key: str) -> bool:
    reply = site.ask(RequestCode.VIEW_BROKER_STATS_DATA, {"statsName": name, "statsKey": key})
    return reply.remark == f"The stats <{name}> <{key}> not exist"


def eleven_seconds(site: Site) -> None:
    for _ in range(11):
        site.clock.advance(1000)
        site.statistics.sample(site.clock.now_ms())


def test_the_broker_as_a_whole_with_and_without_system_topics() -> None:
    site = Site()
    site.topics.create_if_missing("RMQ_SYS_TRACE_TOPIC", 1)
    for topic in ("T", "T", "RMQ_SYS_TRACE_TOPIC"):
        assert site.send(topic=topic, queue_id=0).code == 0
    assert site.pull().code == 0
    assert site.pull(topic="RMQ_SYS_TRACE_TOPIC").code == 0
    eleven_seconds(site)
    cluster = site.config.broker_cluster_name
    assert sum_of(site, "BROKER_PUT_NUMS", cluster) == 3
    assert sum_of(site, "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC", cluster) == 2
    assert sum_of(site, "BROKER_GET_NUMS", cluster) == 3
    assert sum_of(site, "BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC", cluster) == 2
    assert figures(site, "BROKER_PUT_NUMS", cluster)["statsMinute"]["avgpt"] == 0.0
    totals = site.statistics.totals()
    assert (totals["msgPutTotalTodayNow"], totals["msgGetTotalTodayNow"]) == ("2", "2")
    assert is_missing(site, "BROKER_PUT_NUMS", "other")
    assert is_missing(site, "BROKER_ACK_NUMS", cluster)


def test_what_was_counted_of_system_topics_outlives_its_counter() -> None:
    traffic = Traffic(NOW_MS)
    traffic.add("SCHEDULE_TOPIC_XXXX", 3, 30)
    traffic.add(("rmq_sys_X", "g"), 4, 40)
    traffic.add(("T", "g"), 5, 50)
    run(traffic, 1, 26 * 3600)
    assert traffic.get("SCHEDULE_TOPIC_XXXX") is None
    assert traffic.of_system_topics() == (3, 4)


def test_how_long_puts_and_reads_take() -> None:
    site = Site()
    site.send(queue_id=2)
    site.send(queue_id=2)
    site.pull(queueId=2)
    eleven_seconds(site)
    put = figures(site, "TOPIC_PUT_LATENCY", "2@T")["statsMinute"]
    assert (put["sum"], put["avgpt"]) == (0, 0.0)
    assert figures(site, "GROUP_GET_LATENCY", "2@T@g")["statsMinute"]["sum"] == 0
    assert is_missing(site, "TOPIC_PUT_LATENCY", "1@T")
    assert is_missing(site, "GROUP_GET_LATENCY", "1@T@g")


def test_a_put_that_waits_for_the_disk_takes_until_its_answer() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"hello"), peer=peer)
    site.clock.advance(40)
    site.flush()
    assert peer.codes == [0]
    eleven_seconds(site)
    minute = figures(site, "TOPIC_PUT_LATENCY", "0@T")["statsMinute"]
    assert (minute["sum"], minute["avgpt"]) == (40, 40.0)
    assert site.statistics.put_times.longest_ms == 40


def test_messages_that_are_given_back_and_those_that_are_dead() -> None:
    site = Site()
    site.send()
    for level in (0, -1):
        ext = {"group": "g", "offset": 0, "delayLevel": level, "originTopic": "T"}
        assert site.ask(RequestCode.CONSUMER_SEND_MSG_BACK, ext).code == 0
    eleven_seconds(site)
    assert sum_of(site, "SNDBCK_PUT_NUMS", "T@g") == 2
    assert sum_of(site, "SNDBCK2DLQ_TIMES", "null@T@g@SEND_BACK_TO_DLQ") == 1
    assert sum_of(site, "TOPIC_PUT_NUMS", "SCHEDULE_TOPIC_XXXX") == 1
    assert sum_of(site, "QUEUE_PUT_NUMS", "SCHEDULE_TOPIC_XXXX@2") == 1
    assert sum_of(site, "QUEUE_PUT_SIZE", "SCHEDULE_TOPIC_XXXX@2") > 100
    assert sum_of(site, "TOPIC_PUT_NUMS", "%DLQ%g") == 1
    assert is_missing(site, "QUEUE_GET_NUMS", "SCHEDULE_TOPIC_XXXX@2@SCHEDULE_CONSUMER")


def test_popped_messages_that_are_settled() -> None:
    site = Site()
    site.send()
    site.send()
    popped = site.ask(RequestCode.POP_MESSAGE, a_pop())
    consumed, later = extra_infos(popped)
    assert site.ask(RequestCode.ACK_MESSAGE, consumed).code == 0
    assert site.ask(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, later | {"invisibleTime": 60_000}).code == 0
    eleven_seconds(site)
    cluster = site.config.broker_cluster_name
    assert sum_of(site, "GROUP_ACK_NUMS", "T@g") == sum_of(site, "BROKER_ACK_NUMS", cluster) == 2
    assert sum_of(site, "GROUP_CK_NUMS", "T@g") == sum_of(site, "BROKER_CK_NUMS", cluster) == 1
    assert sum_of(site, "GROUP_GET_NUMS", "T@g") == 2
