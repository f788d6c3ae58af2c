"""Forces files to disk in a thread of its own, so that the event loop never waits for a disk.

Requests that come while a sync runs form the next group: one sync answers them all
(`store/CommitLog.GroupCommitService`).
"""

import errno
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Generic, Protocol, TypeVar

from broker_py.errors import BrokerPyError
from broker_py.seams import File


class Forcing:
    """Forces files for several threads, one after the other, and never again once that failed.

    The system tells of lost pages once for each open file. Were two threads to force one at the same time, only one of
    them would hear of it, and the other would take the lost pages for durable.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._failure: OSError | None = None

    def force(self, handles: list[File]) -> None:
        """Force all of them. OSError when one can't be, and ever after."""
        with self._lock:
            if self._failure is not None:
                raise OSError(errno.EIO, f"forcing has failed before: {self._failure}")
            try:
                for handle in handles:
                    handle.fdatasync()
            except OSError as error:
                self._failure = error
                raise


class Work(Protocol):
    """A snapshot of what is to be forced, or read."""

    def run(self) -> None:
        """Do it, in the worker thread. OSError."""


W = TypeVar("W", bound=Work)
Done = Callable[[BaseException | None], None]


class Flusher(Generic[W]):
    """Runs one work at a time. All methods and all callbacks belong to the loop's thread.

    `start` makes the work from what is dirty at that moment (an error of it is told to those who asked), `finish` takes
    it back with what went wrong, if anything, and `post` carries a call from the worker to the loop
    (`loop.call_soon_threadsafe`).
    """

    def __init__(
        self,
        start: Callable[[], W],
        finish: Callable[[W, BaseException | None], None],
        post: Callable[[Callable[[], None]], object],
        name: str,
    ) -> None:
        self._start = start
        self._finish = finish
        self._post = post
        self._waiting: list[Done] = []
        self._running = False
        self._stopped = False
        self._works: SimpleQueue[tuple[W, list[Done]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def request(self, done: Done) -> None:
        """Force what is dirty now, and call `done` with None or with the error."""
        assert not self._stopped, "the flusher was stopped"
        self._waiting.append(done)
        if not self._running:
            self._begin()

    @property
    def busy(self) -> bool:
        """True while a work runs."""
        return self._running

    def stop(self) -> None:
        """Let the running work end and stop the thread; callbacks of what did not begin are not called."""
        if not self._stopped:
            self._stopped = True
            self._works.put(None)
            self._thread.join()

    def _begin(self) -> None:
        group, self._waiting = self._waiting, []
        try:
            work = self._start()
        except (BrokerPyError, OSError) as error:
            for done in group:
                done(error)
            return
        self._running = True
        self._works.put((work, group))

    def _work(self) -> None:
        while True:
            item = self._works.get()
            if item is None:
                return
            work, group = item
            error: BaseException | None = None
            try:
                work.run()
            except Exception as failure:
                error = failure
            self._post(lambda work=work, group=group, error=error: self._end(work, group, error))  # type: ignore[misc]

    def _end(self, work: W, group: list[Done], error: BaseException | None) -> None:
        self._running = False
        self._finish(work, error)
        for done in group:
            done(error)
        if self._waiting and not self._stopped and not self._running:
            self._begin()
