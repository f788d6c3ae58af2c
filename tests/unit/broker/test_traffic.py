"""Figures by topic and group, as request 315 gives them."""

import pytest

from broker_py.broker.traffic import MAX_KEPT, Traffic
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.site import Site

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
