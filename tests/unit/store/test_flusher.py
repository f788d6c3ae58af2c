from collections.abc import Callable
from queue import SimpleQueue
from threading import Event

import pytest

from broker_py.store.flusher import Flusher


class GatedWork:
    """Work that waits for the test, and may fail."""

    def __init__(self, number: int, error: OSError | None = None) -> None:
        self.number = number
        self.error = error
        self.gate = Event()

    def run(self) -> None:
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error


class Loop:
    """The loop's side: calls that the worker posted run when the test says so."""

    def __init__(self) -> None:
        self.works: list[GatedWork] = []
        self.finished: list[tuple[int, str]] = []
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.next_error: OSError | None = None
        self.flusher = Flusher(self.start, self.finish, self.calls.put, "test")

    def start(self) -> GatedWork:
        self.works.append(GatedWork(len(self.works), self.next_error))
        return self.works[-1]

    def finish(self, work: GatedWork, error: BaseException | None) -> None:
        self.finished.append((work.number, str(error)))

    def end(self, number: int) -> None:
        self.works[number].gate.set()
        self.calls.get(timeout=10)()


def test_requests_during_a_sync_share_the_next_one() -> None:
    loop, done = Loop(), []
    for name in "abc":
        loop.flusher.request(lambda error, name=name: done.append((name, error)))  # type: ignore[misc]
    assert len(loop.works) == 1
    loop.end(0)
    assert done == [("a", None)]
    assert len(loop.works) == 2
    loop.end(1)
    assert done == [("a", None), ("b", None), ("c", None)]
    assert not loop.flusher.busy
    loop.flusher.stop()


def test_a_failure_reaches_the_owner_first_and_then_everyone_who_waited() -> None:
    loop, seen = Loop(), []
    loop.next_error = OSError(5, "no such luck")
    loop.flusher.request(lambda error: seen.append((str(error), list(loop.finished))))
    loop.end(0)
    assert seen == [("[Errno 5] no such luck", [(0, "[Errno 5] no such luck")])]
    loop.flusher.stop()


def test_a_callback_may_request_again() -> None:
    loop, done = Loop(), []
    loop.flusher.request(lambda error: loop.flusher.request(lambda error: done.append("again")))
    loop.end(0)
    loop.end(1)
    assert done == ["again"]
    loop.flusher.stop()


def test_nothing_is_taken_after_the_stop() -> None:
    loop = Loop()
    loop.flusher.stop()
    loop.flusher.stop()
    with pytest.raises(AssertionError, match="stopped"):
        loop.flusher.request(lambda error: None)
