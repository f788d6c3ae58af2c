from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import cast

import pytest

from broker_py.seams import File
from broker_py.store.flusher import Flusher, Forcing


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


def test_work_that_can_not_be_made_is_told_to_those_who_asked_and_the_next_may_be() -> None:
    loop, seen = Loop(), []
    room = False

    def make() -> GatedWork:
        if not room:
            raise OSError(28, "no room")
        return loop.start()

    loop.flusher.stop()
    loop.flusher = Flusher(make, loop.finish, loop.calls.put, "test")
    loop.flusher.request(lambda error: seen.append(str(error)))
    assert seen == ["[Errno 28] no room"]
    assert not loop.flusher.busy
    room = True
    loop.flusher.request(lambda error: seen.append(str(error)))
    loop.end(0)
    assert seen[1:] == ["None"]
    loop.flusher.stop()


class GatedFile:
    """A file whose forcing waits for the test, and may fail."""

    def __init__(self) -> None:
        self.gate = Event()
        self.begun = Event()
        self.error: OSError | None = None
        self.forced = 0

    def fdatasync(self) -> None:
        self.forced += 1
        self.begun.set()
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error


def test_of_two_threads_that_force_a_file_which_fails_both_hear_of_it() -> None:
    forcing, file = Forcing(), GatedFile()
    file.error = OSError(5, "pages were dropped")
    errors: SimpleQueue[str] = SimpleQueue()

    def force() -> None:
        try:
            forcing.force([cast(File, file)])
            errors.put("none")
        except OSError as error:
            errors.put(str(error))

    first, second = Thread(target=force), Thread(target=force)
    first.start()
    assert file.begun.wait(10)
    second.start()
    file.gate.set()
    first.join(10)
    second.join(10)
    file.error = None
    force()
    told = [errors.get(timeout=10) for _ in range(3)]
    assert told[0] == "[Errno 5] pages were dropped"
    assert [text[:33] for text in told[1:]] == ["[Errno 5] forcing has failed befo"] * 2
    assert file.forced == 1
