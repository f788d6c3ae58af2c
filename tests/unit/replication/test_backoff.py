from broker_py.errors import Unreachable
from broker_py.replication.backoff import Backoff
from broker_py.replication.follower import LogsDiverge

GONE = Unreachable("gone")


def test_delays_double_up_to_the_limit() -> None:
    backoff = Backoff(first=1.0, limit=5.0)
    assert [backoff.after(GONE) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_success_brings_back_the_first_delay() -> None:
    backoff = Backoff(first=1.0, limit=5.0)
    backoff.after(GONE)
    backoff.after(GONE)
    backoff.reset()
    assert backoff.after(GONE) == 1.0


def test_a_divergence_waits_long_for_it_does_not_heal() -> None:
    backoff = Backoff(first=1.0, limit=5.0, refused=60.0)
    assert [backoff.after(LogsDiverge("other data")) for _ in range(2)] == [60.0, 60.0]
    assert backoff.after(GONE) == 1.0
