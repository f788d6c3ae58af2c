"""Figures for tools."""

from broker_py.broker.statistics import Statistics

DAY_MS = 24 * 3600 * 1000
NOON_MS = 1_700_000_000_000


def test_rates_are_differences_over_three_windows() -> None:
    statistics = Statistics(NOON_MS)
    for second in range(701):
        statistics.put_messages = 10 * second if second <= 690 else 6900 + 100 * (second - 690)
        statistics.sample(NOON_MS + 1000 * second)
    assert statistics.rates()["putTps"] == "100.0 25.0 11.5"


def test_rates_reach_as_far_as_there_are_samples() -> None:
    statistics = Statistics(NOON_MS)
    assert statistics.rates()["putTps"] == "0.0 0.0 0.0"
    statistics.sample(NOON_MS)
    statistics.get_found, statistics.get_missed, statistics.got_messages = 4, 2, 40
    statistics.sample(NOON_MS + 2000)
    rates = statistics.rates()
    assert rates["getFoundTps"] == "2.0 2.0 2.0"
    assert rates["getMissTps"] == "1.0 1.0 1.0"
    assert rates["getTotalTps"] == "3.0 3.0 3.0"
    assert rates["getTransferredTps"] == "20.0 20.0 20.0"


def test_a_clock_that_stands_still_divides_by_nothing() -> None:
    statistics = Statistics(NOON_MS)
    statistics.sample(NOON_MS)
    statistics.put_messages = 1
    statistics.sample(NOON_MS)
    assert statistics.rates()["putTps"].startswith("1000.0")


def test_at_midnight_todays_totals_become_yesterdays() -> None:
    statistics = Statistics(NOON_MS)
    statistics.put_messages, statistics.got_messages = 5, 7
    statistics.sample(NOON_MS + DAY_MS)
    statistics.put_messages, statistics.got_messages = 8, 9
    statistics.sample(NOON_MS + 2 * DAY_MS)
    statistics.put_messages = 10
    statistics.sample(NOON_MS + 2 * DAY_MS + 1000)
    assert statistics.totals() == {
        "msgPutTotalYesterdayMorning": "5",
        "msgPutTotalTodayMorning": "8",
        "msgPutTotalTodayNow": "10",
        "msgGetTotalYesterdayMorning": "7",
        "msgGetTotalTodayMorning": "9",
        "msgGetTotalTodayNow": "9",
    }
