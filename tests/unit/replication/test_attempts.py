from broker_py.replication.attempts import MAX_FAILURES, WINDOW_SECONDS, Attempts


def failing(times: int, ip: str = "a") -> Attempts:
    attempts = Attempts()
    for number in range(times):
        attempts.failed(ip, 100.0 + number)
    return attempts


def test_who_fails_often_is_not_heard_and_others_are() -> None:
    assert not failing(MAX_FAILURES - 1).blocked("a", 110.0)
    attempts = failing(MAX_FAILURES)
    assert attempts.blocked("a", 110.0)
    assert not attempts.blocked("b", 110.0)


def test_it_is_heard_again_when_the_time_is_over() -> None:
    attempts = failing(MAX_FAILURES)
    assert attempts.blocked("a", 100.0 + WINDOW_SECONDS - 0.1)
    assert not attempts.blocked("a", 100.0 + WINDOW_SECONDS)


def test_a_success_forgets_the_failures() -> None:
    attempts = failing(MAX_FAILURES)
    attempts.succeeded("a")
    assert not attempts.blocked("a", 110.0)


def test_many_addresses_take_bounded_memory() -> None:
    attempts = failing(MAX_FAILURES)
    for number in range(2000):
        attempts.failed(str(number), 110.0)
    assert not attempts.blocked("a", 110.0)  # forgotten, as the one that failed longest ago
    assert len(attempts._failed_at) == 1024
