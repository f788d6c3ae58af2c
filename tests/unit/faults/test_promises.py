"""The judge of messages for later and of transactions: a sound history passes, each fault is told by its name."""

import pytest

from tests.faults.history import Outcome, Value
from tests.faults.promises import Again, Promises

A, B = Value(1, 0), Value(1, 1)


def sent(value: Value = A, outcome: Outcome = Outcome.ACKNOWLEDGED, again: Again = Again.AFTER_KILL) -> Promises:
    """A message that was sent at 1000."""
    promises = Promises(again)
    promises.invoke(value, 1000)
    if outcome is not Outcome.UNKNOWN:
        promises.answer(value, outcome)
    return promises


def due(value: Value = A, outcome: Outcome = Outcome.ACKNOWLEDGED, again: Again = Again.AFTER_KILL) -> Promises:
    """One that may be seen from 2000 on."""
    promises = sent(value, outcome, again)
    if outcome is not Outcome.REFUSED:
        promises.allow(value, 2000)
    return promises


def test_what_came_in_time_is_sound() -> None:
    promises = due()
    assert promises.owed == 1
    promises.arrive(A, 2001)
    assert promises.owed == 0
    promises.stored(A, 2000)
    assert promises.check().counts == {}
    assert (promises.twice, promises.outcomes) == (0, {Outcome.ACKNOWLEDGED: 1, Outcome.UNKNOWN: 0})


def test_what_nobody_answered_for_may_come_or_not() -> None:
    promises = due(outcome=Outcome.UNKNOWN)
    promises.invoke(B, 1000)
    promises.allow(B, 2000)
    promises.arrive(A, 2001)
    promises.stored(A, 2000)
    assert promises.owed == 0
    assert promises.check().counts == {}


def test_an_acknowledged_message_that_is_not_there_is_lost() -> None:
    promises = due()
    assert promises.owed == 1
    assert promises.check().counts == {"lost": 1}


def test_one_that_is_there_and_that_nobody_got_is_unseen() -> None:
    promises = due()
    promises.stored(A, 2000)
    assert promises.check().counts == {"unseen": 1}


@pytest.mark.parametrize("how", ["arrive", "stored"])
def test_a_millisecond_too_soon_is_early(how: str) -> None:
    promises = due()
    promises.arrive(A, 1999 if how == "arrive" else 2001)
    promises.stored(A, 1999 if how == "stored" else 2000)
    assert promises.check().counts == {"early": 1}


def test_a_half_message_that_is_seen_is_forbidden_also_when_it_is_committed_later() -> None:
    promises = sent()
    promises.arrive(A, 1500)
    promises.allow(A, 1600)
    promises.stored(A, 1400)
    assert promises.check().counts == {"forbidden": 1, "early": 1}


def test_one_that_was_rolled_back_is_forbidden_and_not_owed() -> None:
    promises = sent()
    assert promises.owed == 0
    assert promises.check().counts == {}
    promises.stored(A, 1500)
    assert promises.check().counts == {"forbidden": 1}


def test_the_first_permission_counts() -> None:
    promises = due()
    promises.allow(A, 9000)
    promises.arrive(A, 2500)
    promises.stored(A, 2400)
    assert promises.check().counts == {}


def test_what_was_refused_or_never_sent_is_a_phantom() -> None:
    promises = due(outcome=Outcome.REFUSED)
    promises.arrive(A, 3000)
    promises.stored(B, 3000)
    assert promises.check().counts == {"phantom": 2}


@pytest.mark.parametrize(
    ("again", "killed_ms", "expected"),
    [
        (Again.AFTER_KILL, None, {"repeated": 1}),
        (Again.AFTER_KILL, 1500, {"repeated": 1}),
        (Again.AFTER_KILL, 2500, {}),
        (Again.AFTER_KILL, 3500, {"repeated": 1}),
        (Again.AFTER_ANY_KILL, None, {"repeated": 1}),
        (Again.AFTER_ANY_KILL, 500, {"repeated": 1}),
        (Again.AFTER_ANY_KILL, 1500, {}),
        (Again.ANY, None, {}),
    ],
)
def test_what_lies_at_two_places_needs_a_kill(again: Again, killed_ms: int | None, expected: dict[str, int]) -> None:
    promises = due(again=again)
    if killed_ms is not None:
        promises.killed(killed_ms)
    promises.arrive(A, 2001)
    promises.stored(A, 3000)
    promises.stored(A, 2000)
    assert promises.check().counts == expected
    assert promises.twice == 1
