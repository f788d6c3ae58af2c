"""Locks on queues, for consumption in order."""

from broker_py.broker.queue_locks import LOCK_LIVES_MS, QueueLocks
from broker_py.model.message_queue import MessageQueue

A, B = MessageQueue("T", "broker-a", 0), MessageQueue("T", "broker-a", 1)


def test_a_free_queue_is_locked_and_held_against_others() -> None:
    locks = QueueLocks()
    assert locks.lock("g", "c1", [A, B], 0) == [A, B]
    assert locks.lock("g", "c2", [A, B], 1) == []
    assert locks.lock("g", "c1", [A], 2) == [A]


def test_groups_do_not_know_of_one_another() -> None:
    locks = QueueLocks()
    locks.lock("g", "c1", [A], 0)
    assert locks.lock("h", "c2", [A], 0) == [A]


def test_a_client_gets_what_is_free_and_not_the_rest() -> None:
    locks = QueueLocks()
    locks.lock("g", "c1", [A], 0)
    assert locks.lock("g", "c2", [A, B], 0) == [B]


def test_a_lock_that_is_not_renewed_for_a_minute_is_anybodys() -> None:
    locks = QueueLocks()
    locks.lock("g", "c1", [A], 0)
    assert locks.lock("g", "c2", [A], LOCK_LIVES_MS) == []
    assert locks.lock("g", "c2", [A], LOCK_LIVES_MS + 1) == [A]
    assert locks.lock("g", "c1", [A], LOCK_LIVES_MS + 2) == []


def test_a_renewed_lock_lives_on() -> None:
    locks = QueueLocks()
    locks.lock("g", "c1", [A], 0)
    locks.lock("g", "c1", [A], LOCK_LIVES_MS)
    assert locks.lock("g", "c2", [A], LOCK_LIVES_MS + 1) == []


def test_a_client_unlocks_its_own_queues_and_no_others() -> None:
    locks = QueueLocks()
    locks.lock("g", "c1", [A], 0)
    locks.lock("g", "c2", [B], 0)
    locks.unlock("g", "c1", [A, B])
    assert locks.lock("g", "c3", [A, B], 1) == [A]
    locks.unlock("unknown", "c1", [A])


def test_expired_locks_are_dropped_and_living_ones_stay() -> None:
    locks = QueueLocks()
    locks.lock("g", "c1", [A], 0)
    locks.lock("h", "c1", [A], LOCK_LIVES_MS)
    locks.expire(LOCK_LIVES_MS + 1)
    assert locks.lock("g", "c2", [A], LOCK_LIVES_MS + 1) == [A]
    assert locks.lock("h", "c2", [A], LOCK_LIVES_MS + 1) == []
