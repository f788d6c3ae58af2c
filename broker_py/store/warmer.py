"""Reads parts of files in a few threads, so that they are in memory when the event loop reads them.

Nothing that a thread reads is used: the loop asks again. So no thread looks at a queue or at the log, and nothing
here can be wrong but slow.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Final

from broker_py.seams import FileSystem
from broker_py.store.handles import NotCached

THREADS: Final = 4
MAX_WAITING: Final = 10_000
MAX_WAITING_EACH: Final = 1_000
AHEAD_BYTES: Final = 256 * 1024
"""Read at least, from the start of the page asked for on: who reads old messages will want the next ones, too."""
_PAGE_BYTES: Final = 4096

Done = Callable[[OSError | None], None]


@dataclass(slots=True)
class _Job:
    owner: object
    miss: NotCached
    done: Done


class Warmer:
    """A bounded queue of reads, of which each owner (a connection) has one under way at most.

    All methods and callbacks belong to the loop's thread; `post` carries a call from a worker to the loop.
    """

    def __init__(self, files: FileSystem, post: Callable[[Callable[[], None]], object], threads: int = THREADS) -> None:
        self._files = files
        self._post = post
        self._free = threads
        self._waiting: dict[object, deque[_Job]] = {}
        self._busy: set[object] = set()
        self._count = 0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"warmer-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def request(self, owner: object, miss: NotCached, done: Done) -> bool:
        """Read what was missed and call `done` with None or with the error; False when too many reads wait already."""
        jobs = self._waiting.get(owner)
        if self._count >= MAX_WAITING or (jobs is not None and len(jobs) >= MAX_WAITING_EACH):
            return False
        if jobs is None:
            jobs = self._waiting[owner] = deque()
        jobs.append(_Job(owner, miss, done))
        self._count += 1
        self._start()
        return True

    def stop(self) -> None:
        """Let the running reads end and stop the threads; callbacks of what did not begin are not called."""
        self._waiting.clear()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        """Give free threads the next reads of owners that have none under way; those take turns."""
        while self._free:
            owner = next((owner for owner in self._waiting if owner not in self._busy), None)
            if owner is None:
                return
            jobs = self._waiting.pop(owner)
            job = jobs.popleft()
            if jobs:
                self._waiting[owner] = jobs
            self._busy.add(owner)
            self._free -= 1
            self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            error: OSError | None = None
            try:
                self._read(job.miss)
            except OSError as failure:
                error = failure
            self._post(lambda job=job, error=error: self._end(job, error))  # type: ignore[misc]

    def _read(self, miss: NotCached) -> None:
        start = miss.position - miss.position % _PAGE_BYTES
        try:
            file = self._files.open(miss.path, write=False)
        except FileNotFoundError:
            return  # deleted meanwhile: whoever asks again is told what there is
        try:
            file.pread(max(miss.position + miss.size - start, AHEAD_BYTES), start)
        finally:
            file.close()

    def _end(self, job: _Job, error: OSError | None) -> None:
        self._busy.discard(job.owner)
        self._free += 1
        self._count -= 1
        job.done(error)
        self._start()
