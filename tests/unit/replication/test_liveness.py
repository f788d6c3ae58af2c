from broker_py.replication.liveness import Liveness


def test_a_heartbeat_is_due_after_an_interval_without_a_write() -> None:
    liveness = Liveness(100.0, heartbeat_ms=5000, silence_ms=20000)
    liveness.wrote(102.0)
    assert not liveness.heartbeat_due(106.9)
    assert liveness.heartbeat_due(107.0)


def test_a_peer_is_dead_after_the_silence_limit_whatever_was_written() -> None:
    liveness = Liveness(100.0, heartbeat_ms=5000, silence_ms=20000)
    liveness.wrote(119.0)
    assert not liveness.dead(119.9)
    assert liveness.dead(120.0)
    liveness.heard(120.0)
    assert not liveness.dead(139.9)


def test_the_wait_ends_with_whichever_comes_first() -> None:
    liveness = Liveness(100.0, heartbeat_ms=5000, silence_ms=20000)
    assert liveness.wait(101.0) == 4.0
    liveness.wrote(118.0)
    assert liveness.wait(119.0) == 1.0
    assert liveness.wait(130.0) == 0.0
