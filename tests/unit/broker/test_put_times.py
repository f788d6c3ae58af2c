"""How puts were distributed, as request 28 shows it."""

from broker_py.broker.put_times import PutTimes


def a_minute(times: PutTimes) -> dict[str, str]:
    for _ in range(60):
        times.second()
    return times.figures()


def test_the_distribution_is_of_the_last_full_minute() -> None:
    times = PutTimes()
    times.add(0, 7)
    times.add(9, 2)
    times.add(12_000, 1)
    assert times.figures()["putMessageDistributeTime"].startswith("[<=0ms]:0 [0~10ms]:0 ")
    shown = a_minute(times)["putMessageDistributeTime"]
    assert shown.startswith("[<=0ms]:7 [0~10ms]:2 [10~50ms]:0 ")
    assert shown.endswith("[5~10s]:0 [10s~]:1 ")
    figures = a_minute(times)
    assert figures["putMessageDistributeTime"].startswith("[<=0ms]:0 ")
    assert figures["putMessageEntireTimeMax"] == "12000"


def test_below_how_much_most_puts_stay() -> None:
    times = PutTimes()
    times.add(0, 980)
    times.add(5, 10)
    times.add(30, 10)
    figures = a_minute(times)
    assert figures["putLatency99"] == "10.00"
    assert figures["putLatency999"] == "46.00"


def test_without_puts_there_is_no_latency() -> None:
    figures = a_minute(PutTimes())
    assert (figures["putLatency99"], figures["putLatency999"]) == ("0.00", "0.00")
