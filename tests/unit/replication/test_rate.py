from broker_py.replication.rate import RateMeter


def test_the_rate_is_that_of_the_last_second_that_is_over() -> None:
    meter = RateMeter()
    meter.add(100, 10.1)
    meter.add(50, 10.9)
    assert meter.per_second(10.95) == 0
    assert meter.per_second(11.0) == 150
    meter.add(7, 11.5)
    assert meter.per_second(11.9) == 150
    assert meter.per_second(12.0) == 7


def test_the_rate_is_nothing_after_a_second_without_bytes() -> None:
    meter = RateMeter()
    meter.add(100, 10.1)
    assert meter.per_second(12.0) == 0
