"""Sharing queues among the members of a group."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from broker_py.client.allocation import allocate_averagely
from broker_py.model.message_queue import MessageQueue


def queues(count: int) -> list[MessageQueue]:
    return [MessageQueue("T", "b", number) for number in range(count)]


def test_the_first_members_get_one_more_where_it_does_not_divide_evenly() -> None:
    members = ["c", "a", "b"]
    shares = [[queue.queue_id for queue in allocate_averagely(queues(8), members, member)] for member in "abc"]
    assert shares == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_members_beyond_the_number_of_queues_get_none() -> None:
    members = ["a", "b", "c"]
    shares = [[queue.queue_id for queue in allocate_averagely(queues(2), members, member)] for member in members]
    assert shares == [[0], [1], []]


def test_who_is_not_a_member_gets_nothing() -> None:
    assert allocate_averagely(queues(4), ["a"], "z") == []


@given(st.integers(0, 40), st.integers(1, 20), st.randoms())
def test_every_queue_has_exactly_one_member_in_whatever_order_the_lists_come(
    queue_count: int, member_count: int, random: object
) -> None:
    members = [f"m{number:02}" for number in range(member_count)]
    shuffled_queues, shuffled_members = queues(queue_count), list(members)
    random.shuffle(shuffled_queues)  # type: ignore[attr-defined]
    random.shuffle(shuffled_members)  # type: ignore[attr-defined]
    shares = [allocate_averagely(shuffled_queues, shuffled_members, member) for member in members]
    assert Counter(queue for share in shares for queue in share) == Counter(queues(queue_count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
