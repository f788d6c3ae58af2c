"""When a broker counts as drained."""

from plugins.modules.broker_quiet import Watch


def test_a_quiet_broker_is_waited_for_until_clients_had_time_to_hear_of_the_drain() -> None:
    watch = Watch(least_seconds=35, quiet_seconds=5, timeout_seconds=300, now=100)
    assert not watch.quiet(7, 101)
    assert not watch.quiet(7, 134.9)
    assert watch.quiet(7, 135)


def test_a_message_begins_the_quiet_time_anew() -> None:
    watch = Watch(least_seconds=0, quiet_seconds=5, timeout_seconds=300, now=100)
    assert not watch.quiet(7, 100)
    assert not watch.quiet(8, 104)
    assert not watch.quiet(8, 108)
    assert watch.quiet(8, 109)


def test_the_wait_ends_with_a_failure_when_messages_don_t_end() -> None:
    watch = Watch(least_seconds=0, quiet_seconds=5, timeout_seconds=60, now=100)
    assert not watch.timed_out(159)
    assert watch.timed_out(160)
