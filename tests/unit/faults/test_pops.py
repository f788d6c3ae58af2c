"""The judges of pops: sound histories pass, each fault is told by its name."""

from tests.faults.history import Outcome, Value
from tests.faults.ordered_pops import OrderedPops
from tests.faults.pops import PopPlace, Pops

A = Value(1, 0)
FIRST = PopPlace(False, 2, 7)
AGAIN = PopPlace(True, 0, 3)
TWIN = PopPlace(True, 0, 4)


def sent(outcome: Outcome = Outcome.ACKNOWLEDGED) -> Pops:
    """A message in queue 2 at 7."""
    pops = Pops()
    pops.invoke(A)
    pops.answer(A, outcome)
    return pops


def stored(pops: Pops, *copies: PopPlace) -> Pops:
    """It lies there, and copies in the retry topic."""
    pops.copy(A, FIRST, 0)
    for place in copies:
        pops.copy(A, place, 1)
    return pops


def test_what_is_acknowledged_in_time_is_sound() -> None:
    pops = sent()
    assert pops.owed == 1
    delivery = pops.pop(A, FIRST, 1000, 500)
    pops.ask(A, delivery)
    assert pops.owed == 0
    pops.ack(delivery, 1499)
    assert stored(pops).check().counts == {}
    assert (pops.acknowledged, pops.came_back, pops.placed_again) == (1, 0, 0)


def test_what_is_left_comes_back_when_its_time_is_up() -> None:
    pops = sent()
    pops.pop(A, FIRST, 1000, 500)
    again = pops.pop(A, AGAIN, 1500, 500)
    pops.ask(A, again)
    pops.ack(again, 1600)
    assert stored(pops, AGAIN).check().counts == {}
    assert pops.came_back == 1


def test_what_nobody_got_or_what_did_not_come_back_is_lost() -> None:
    assert stored(sent()).check().counts == {"lost": 1}
    pops = sent()
    pops.pop(A, FIRST, 1000, 500)
    assert stored(pops).check().counts == {"lost": 1}


def test_an_ack_that_nobody_answered_may_have_counted_or_not() -> None:
    pops = sent()
    pops.ask(A, pops.pop(A, FIRST, 1000, 500))
    pops.pop(A, AGAIN, 1600, 500)
    assert stored(pops, AGAIN).check().counts == {}


def test_a_second_pop_of_a_place_before_its_time_is_early() -> None:
    pops = sent()
    pops.pop(A, FIRST, 1000, 500)
    pops.ask(A, pops.pop(A, FIRST, 1499, 500))
    assert stored(pops).check().counts == {"early": 1}
    assert pops.placed_again == 1


def test_a_copy_that_comes_before_its_time_is_early() -> None:
    pops = sent()
    pops.pop(A, FIRST, 1000, 500)
    pops.ask(A, pops.pop(A, AGAIN, 1499, 500))
    assert stored(pops, AGAIN).check().counts == {"early": 1}


def test_a_changed_time_counts() -> None:
    pops = sent()
    pops.hide(pops.pop(A, FIRST, 1000, 500), 3000)
    pops.ask(A, pops.pop(A, AGAIN, 2000, 500))
    assert stored(pops, AGAIN).check().counts == {"early": 1}


def test_a_copy_of_what_was_acknowledged_in_time_is_returned() -> None:
    pops = sent()
    delivery = pops.pop(A, FIRST, 1000, 500)
    pops.ask(A, delivery)
    pops.ack(delivery, 1499)
    assert stored(pops, AGAIN).check().counts == {"returned": 1}


def test_an_ack_that_was_too_late_does_not_count() -> None:
    pops = sent()
    delivery = pops.pop(A, FIRST, 1000, 500)
    pops.ask(A, delivery)
    pops.ack(delivery, 1500)
    assert stored(pops, AGAIN).check().counts == {}


def test_a_twin_that_no_client_got_excuses_a_copy() -> None:
    pops = stored(sent(), AGAIN, TWIN)
    pops.copy(A, PopPlace(True, 0, 9), 2)
    pops.pop(A, FIRST, 1000, 500)
    delivery = pops.pop(A, AGAIN, 1500, 500)
    pops.ask(A, delivery)
    pops.ack(delivery, 1600)
    assert pops.check().counts == {}


def test_what_was_refused_or_never_sent_is_a_phantom() -> None:
    pops = sent(Outcome.REFUSED)
    pops.pop(A, FIRST, 1000, 500)
    pops.copy(Value(9, 9), FIRST, 0)
    assert pops.check().counts == {"phantom": 2}


def test_a_queue_that_is_popped_in_order_is_sound() -> None:
    pops = OrderedPops()
    pops.pop(0, [0, 1, 2], 1000, 500)
    pops.ask(0, 0)
    pops.ask(0, 2)
    pops.pop(0, [1, 2, 3], 1500, 500)
    for offset in (1, 2, 3):
        pops.ask(0, offset)
    pops.pop(0, [4], 1501, 500)
    pops.ask(0, 4)
    assert pops.check({0: 5, 1: 0}).counts == {}
    assert (pops.pops, pops.next_offset(0), pops.next_offset(3)) == (3, 5, 0)


def test_a_pop_behind_what_is_not_acknowledged_skips_it() -> None:
    pops = OrderedPops()
    pops.pop(0, [0, 1], 1000, 500)
    pops.ask(0, 1)
    pops.pop(0, [2], 1600, 500)
    assert pops.check({}).counts == {"skipped": 1}


def test_a_pop_while_something_is_out_is_early_unless_a_kill_made_it_forgotten() -> None:
    pops = OrderedPops()
    pops.pop(0, [0, 1], 1000, 500)
    pops.pop(0, [0, 1], 1100, 500)
    pops.killed(1200)
    pops.pop(0, [0, 1], 1300, 500)
    assert pops.check({}).counts == {"early": 1}


def test_messages_that_do_not_follow_each_other_are_in_disorder() -> None:
    pops = OrderedPops()
    pops.pop(0, [0, 2], 1000, 500)
    assert pops.check({}).counts == {"disorder": 1}


def test_what_is_not_acknowledged_until_the_end_is_left() -> None:
    pops = OrderedPops()
    pops.pop(0, [0], 1000, 500)
    assert pops.check({0: 1}).counts == {"left": 1}
