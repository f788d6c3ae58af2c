"""Reads in other threads, which a test holds up where they open their file."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Event
from typing import cast

import pytest

from broker_py.seams import FileSystem
from broker_py.store import warmer as warmer_module
from broker_py.store.handles import NotCached
from broker_py.store.warmer import AHEAD_BYTES, Warmer

_PATIENCE_SECONDS = 100.0  # a thread of a busy machine may have to wait for its turn


class GatedFile:
    """A file that notes what is read of it."""

    def __init__(self, files: "GatedFiles", path: str) -> None:
        self._files = files
        self._path = path

    def pread(self, size: int, position: int) -> bytes:
        self._files.reads.append((self._path, size, position))
        if self._path in self._files.broken:
            raise OSError(5, "a bad sector")
        return b""

    def close(self) -> None:
        self._files.closed += 1


class GatedFiles:
    """Files whose opening waits for the test; those that are `gone` are not found, reads of `broken` ones fail."""

    def __init__(self) -> None:
        self.opened: SimpleQueue[str] = SimpleQueue()
        self.gates: dict[str, Event] = {}
        self.closing = False
        self.reads: list[tuple[str, int, int]] = []
        self.gone: set[str] = set()
        self.broken: set[str] = set()
        self.closed = 0

    def gate(self, path: str) -> Event:
        """What the opening of a file waits for."""
        gate = self.gates.setdefault(path, Event())
        if self.closing:
            gate.set()
        return gate

    def open(self, path: str, *, create: bool = False, write: bool = True) -> GatedFile:
        assert not create
        assert not write
        self.opened.put(path)
        assert self.gate(path).wait(_PATIENCE_SECONDS)
        if path in self.gone:
            raise FileNotFoundError(path)
        return GatedFile(self, path)


class Site:
    """A warmer with two threads and the loop's side of it."""

    def __init__(self) -> None:
        self.files = GatedFiles()
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.warmer = Warmer(cast(FileSystem, self.files), self.calls.put, threads=2)
        self.done: list[tuple[str, str]] = []

    def ask(self, owner: str, path: str, position: int = 0, size: int = 10) -> bool:
        return self.warmer.request(
            owner, NotCached(path, position, size), lambda error: self.done.append((path, str(error)))
        )

    def begun(self) -> str:
        """The next file that a thread opens."""
        return self.files.opened.get(timeout=_PATIENCE_SECONDS)

    def let_end(self, path: str) -> None:
        self.files.gate(path).set()
        self.calls.get(timeout=_PATIENCE_SECONDS)()

    def close(self) -> None:
        self.files.closing = True
        for gate in list(self.files.gates.values()):
            gate.set()
        self.warmer.stop()


def test_what_is_asked_for_is_read_from_its_page_on_and_a_good_piece_more() -> None:
    site = Site()
    site.ask("one", "/small", 5000, 10)
    site.let_end(site.begun())
    site.ask("one", "/large", 8192, AHEAD_BYTES * 2)
    site.let_end(site.begun())
    assert site.files.reads == [("/small", AHEAD_BYTES, 4096), ("/large", AHEAD_BYTES * 2, 8192)]
    assert site.done == [("/small", "None"), ("/large", "None")]
    assert site.files.closed == 2
    site.close()


def test_an_owner_has_one_read_under_way_and_owners_take_turns() -> None:
    site = Site()
    for number in range(3):
        site.ask("greedy", f"/greedy{number}")
    site.ask("modest", "/modest")
    assert {site.begun(), site.begun()} == {"/greedy0", "/modest"}
    assert site.files.opened.empty()
    site.let_end("/greedy0")
    site.let_end("/modest")
    assert site.begun() == "/greedy1"
    assert site.files.opened.empty(), "a thread is free, but the owner has its read"
    site.ask("third", "/third")
    assert site.begun() == "/third"
    site.close()


def test_a_file_that_is_gone_is_no_error_and_a_bad_sector_is_one() -> None:
    site = Site()
    site.files.gone.add("/gone")
    site.files.broken.add("/broken")
    for path in ("/gone", "/broken"):
        site.ask("one", path)
        site.let_end(site.begun())
    assert site.done == [("/gone", "None"), ("/broken", "[Errno 5] a bad sector")]
    assert site.files.closed == 1
    site.close()


def test_too_many_reads_are_refused_those_of_one_owner_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmer_module, "MAX_WAITING", 4)
    monkeypatch.setattr(warmer_module, "MAX_WAITING_EACH", 2)
    site = Site()
    assert [site.ask("one", f"/{number}") for number in range(4)] == [True, True, True, False]
    assert [site.ask("two", "/two"), site.ask("three", "/three")] == [True, False]
    site.let_end(site.begun())
    assert site.ask("three", "/three")
    site.close()


def test_a_stop_lets_running_reads_end_and_begins_no_other() -> None:
    site = Site()
    site.ask("one", "/running")
    site.ask("one", "/waiting")
    assert site.begun() == "/running"
    site.files.gate("/running").set()
    site.warmer.stop()
    assert site.files.reads == [("/running", AHEAD_BYTES, 0)]
    site.calls.get(timeout=_PATIENCE_SECONDS)()
    assert site.done == [("/running", "None")]
    assert site.files.opened.empty()
