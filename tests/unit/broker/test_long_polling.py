"""Pulls that wait."""

from collections.abc import Callable

from broker_py.broker.long_polling import ParkedPull, ParkedPulls
from tests.unit.broker.peers import MemoryPeer

A, B = 11, 22


class Waiting:
    """Pulls at queues of `T`, and what became of them. `answer` is what they say when they are resumed."""

    def __init__(self) -> None:
        self.pulls = ParkedPulls()
        self.resumed: list[tuple[str, bool]] = []
        self.answer = True

    def park(
        self,
        name: str,
        queue_id: int = 0,
        deadline: float = 15.0,
        wanted: Callable[[int], bool] | None = None,
        peer: MemoryPeer | None = None,
    ) -> None:
        def resume(timed_out: bool) -> bool:
            self.resumed.append((name, timed_out))
            return self.answer

        self.pulls.park(ParkedPull(("T", queue_id), deadline, wanted, peer or MemoryPeer(), resume))


def test_a_message_wakes_all_who_wait_at_its_queue_in_the_order_they_came() -> None:
    waiting = Waiting()
    waiting.park("first")
    waiting.park("second")
    waiting.park("elsewhere", queue_id=1)
    waiting.pulls.arrived("T", 0, A)
    assert waiting.resumed == []
    waiting.pulls.wake()
    assert waiting.resumed == [("first", False), ("second", False)]
    assert waiting.pulls.count == 1


def test_many_messages_of_a_batch_wake_once() -> None:
    waiting = Waiting()
    waiting.park("one")
    for _ in range(5):
        waiting.pulls.arrived("T", 0, A)
    waiting.pulls.wake()
    waiting.pulls.wake()
    assert waiting.resumed == [("one", False)]


def test_a_message_that_nobody_waits_for_is_forgotten() -> None:
    waiting = Waiting()
    waiting.pulls.arrived("T", 0, A)
    waiting.park("late")
    waiting.pulls.wake()
    assert waiting.resumed == []


def test_a_message_with_another_tag_leaves_them_asleep() -> None:
    waiting = Waiting()
    waiting.park("wants B", wanted=lambda code: code == B)
    waiting.pulls.arrived("T", 0, A)
    waiting.pulls.wake()
    assert waiting.resumed == []
    waiting.pulls.arrived("T", 0, A)
    waiting.pulls.arrived("T", 0, B)
    waiting.pulls.wake()
    assert waiting.resumed == [("wants B", False)]


def test_a_pull_that_finds_nothing_after_all_waits_on() -> None:
    waiting = Waiting()
    waiting.park("one")
    waiting.answer = False
    waiting.pulls.arrived("T", 0, A)
    waiting.pulls.wake()
    assert waiting.pulls.count == 1
    waiting.answer = True
    waiting.pulls.arrived("T", 0, A)
    waiting.pulls.wake()
    assert waiting.resumed == [("one", False), ("one", False)]
    assert waiting.pulls.count == 0


def test_a_peer_that_does_not_read_is_answered_when_it_does_or_its_time_is_up() -> None:
    waiting = Waiting()
    slow = MemoryPeer()
    for name in ("slow", "slower"):
        waiting.park(name, peer=slow, deadline=15.0 if name == "slow" else 20.0)
    waiting.park("quick")
    slow.is_writable = False
    waiting.pulls.arrived("T", 0, A)
    waiting.pulls.wake()
    assert waiting.resumed == [("quick", False)]
    waiting.pulls.expire(16.0)
    assert waiting.resumed[1:] == [("slow", True)]
    slow.is_writable = True
    waiting.pulls.writable(slow)
    assert waiting.resumed[2:] == [("slower", False)]
    assert waiting.pulls.count == 0


def test_each_is_answered_at_its_own_deadline_and_once() -> None:
    waiting = Waiting()
    waiting.park("late", deadline=20.0)
    waiting.park("soon", deadline=10.0)
    waiting.pulls.expire(9.9)
    assert waiting.resumed == []
    waiting.pulls.expire(10.0)
    assert waiting.resumed == [("soon", True)]
    waiting.pulls.expire(30.0)
    waiting.pulls.expire(30.0)
    assert waiting.resumed == [("soon", True), ("late", True)]
    waiting.pulls.arrived("T", 0, A)
    waiting.pulls.wake()
    assert len(waiting.resumed) == 2


def test_one_that_was_woken_is_not_answered_again_at_its_deadline() -> None:
    waiting = Waiting()
    waiting.park("one")
    waiting.pulls.arrived("T", 0, A)
    waiting.pulls.wake()
    waiting.pulls.expire(100.0)
    assert waiting.resumed == [("one", False)]


def test_the_pulls_of_a_lost_peer_are_forgotten_and_those_of_others_are_not() -> None:
    waiting = Waiting()
    lost = MemoryPeer()
    waiting.park("lost", peer=lost)
    waiting.park("lost too", queue_id=1, peer=lost)
    waiting.park("stays")
    waiting.pulls.drop(lost)
    waiting.pulls.drop(lost)
    assert waiting.pulls.count == 1
    waiting.pulls.release_all()
    assert waiting.resumed == [("stays", True)]


def test_all_are_answered_when_the_broker_stops() -> None:
    waiting = Waiting()
    for number in range(3):
        waiting.park(str(number), deadline=1000.0 + number)
    waiting.pulls.release_all()
    assert waiting.resumed == [("0", True), ("1", True), ("2", True)]
    assert waiting.pulls.count == 0


def test_a_busy_queue_does_not_collect_the_deadlines_of_woken_pulls() -> None:
    waiting = Waiting()
    waiting.park("sleeper", queue_id=9, deadline=50.0)
    for number in range(2000):
        waiting.park(str(number), deadline=60.0)
        waiting.pulls.arrived("T", 0, A)
        waiting.pulls.wake()
    assert len(waiting.pulls._deadlines) < 600
    waiting.pulls.expire(50.0)
    assert waiting.resumed[-1] == ("sleeper", True)


def test_a_sweep_in_the_midst_of_expiry_loses_nobody() -> None:
    waiting = Waiting()
    for number in range(1000):
        waiting.park(str(number), deadline=1.0 if number < 900 else 2.0)
    waiting.pulls.expire(1.0)
    assert len(waiting.resumed) == 900
    waiting.pulls.expire(2.0)
    assert len(waiting.resumed) == 1000


def test_the_place_for_waiting_is_limited() -> None:
    waiting = Waiting()
    waiting.pulls = ParkedPulls(limit=2)
    full: list[bool] = []
    for name in ("one", "two"):
        waiting.park(name)
        full.append(waiting.pulls.full)
    waiting.pulls.release_all()
    full.append(waiting.pulls.full)
    assert full == [False, True, False]
