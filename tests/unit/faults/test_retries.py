"""The judge of messages that are given back: a sound course passes, each fault is told by its name."""

from tests.faults.history import Outcome, Value
from tests.faults.retries import Retries

A = Value(1, 0)


def sent(*, hopeless: bool = False, outcome: Outcome = Outcome.ACKNOWLEDGED) -> Retries:
    """A message that comes back at most twice: after 1 s, then after 2 s."""
    retries = Retries(2, lambda times: (1000, 2000)[times])
    retries.invoke(A, hopeless=hopeless)
    retries.answer(A, outcome)
    return retries


def fail(retries: Retries, *times_ms: int) -> None:
    """It comes at these times, and is given back 10 ms later."""
    for times, now_ms in enumerate(times_ms):
        retries.deliver(A, times, now_ms)
        retries.give_back(A, times, now_ms + 10)


def test_a_message_that_is_consumed_in_the_end_is_sound() -> None:
    retries = sent()
    fail(retries, 0, 1010)
    assert retries.unfinished(set()) == 1
    retries.deliver(A, 2, 3020)
    retries.done(A)
    assert retries.unfinished(set()) == 0
    assert retries.check().counts == {}
    assert retries.redeliveries == {0: 1, 1: 1, 2: 1}


def test_a_dead_letter_after_the_last_failure_is_sound() -> None:
    retries = sent(hopeless=True)
    fail(retries, 0, 1010, 3020)
    assert (retries.unfinished(set()), retries.unfinished({A})) == (1, 0)
    retries.dead_letter(A, 3030)
    retries.dead_letter(A, 3050)
    assert retries.check().counts == {}
    assert (retries.dead_letters, retries.dead_twice) == (1, 1)


def test_a_message_that_is_given_back_and_never_came_again_is_lost() -> None:
    retries = sent()
    fail(retries, 0)
    assert retries.check().counts == {"lost": 1}


def test_a_hopeless_message_that_is_no_dead_letter_is_lost() -> None:
    retries = sent(hopeless=True)
    fail(retries, 0, 1010, 3020)
    assert retries.check().counts == {"lost": 1}


def test_a_redelivery_before_its_level_is_early() -> None:
    retries = sent()
    fail(retries, 0, 1009, 3018)
    retries.done(A)
    assert retries.check().counts == {"early": 2}


def test_the_first_time_that_it_was_given_back_counts() -> None:
    retries = sent()
    fail(retries, 0)
    fail(retries, 900)
    retries.deliver(A, 1, 1010)
    retries.done(A)
    assert retries.check().counts == {}


def test_a_redelivery_that_nobody_called_for_is_told() -> None:
    retries = sent()
    retries.deliver(A, 1, 5000)
    retries.done(A)
    assert retries.check().counts == {"uncalled": 1}


def test_a_dead_letter_before_its_last_failure_is_uncalled() -> None:
    retries = sent(hopeless=True)
    fail(retries, 0, 1010)
    retries.dead_letter(A, 1500)
    assert retries.check().counts == {"uncalled": 1}


def test_a_redelivery_more_than_allowed_is_too_often() -> None:
    retries = Retries(1, lambda _: 0)
    retries.invoke(A, hopeless=False)
    retries.answer(A, Outcome.ACKNOWLEDGED)
    fail(retries, 0, 100, 200)
    retries.done(A)
    assert retries.check().counts == {"too often": 1}


def test_a_client_that_can_not_give_a_message_back_may_have_it_come_more_often() -> None:
    retries = Retries(1, lambda _: 0)
    retries.invoke(A, hopeless=True)
    retries.answer(A, Outcome.ACKNOWLEDGED)
    fail(retries, 0, 100)
    retries.deliver(A, 2, 200, by_client=True)
    retries.give_back(A, 2, 210)
    retries.dead_letter(A, 220)
    assert retries.check().counts == {}


def test_what_was_refused_or_never_sent_is_a_phantom() -> None:
    retries = sent(outcome=Outcome.REFUSED)
    retries.deliver(A, 0, 0)
    retries.dead_letter(Value(2, 2), 0)
    assert retries.check().counts == {"phantom": 2}
