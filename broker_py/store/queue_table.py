"""All consume queues of a store (`store/queue/ConsumeQueueStore`).

<directory>/<topic>/<queue id>/<20 digits>
"""

from collections.abc import Callable, Iterator

from broker_py.seams import FileSystem
from broker_py.store.consume_queue import UNIT_BYTES, ConsumeQueue
from broker_py.store.handles import Handles
from broker_py.store.queue_ends import QueueEnds
from broker_py.store.segments import Segments


class QueuesSync:
    """One forcing of consume queues: made on the loop, `run` by any thread."""

    __slots__ = ("_directories", "_files", "_paths")

    def __init__(self, files: FileSystem, paths: set[str], directories: set[str]) -> None:
        self._files = files
        self._paths = paths
        self._directories = directories

    def run(self) -> None:
        """Force files and names; those that were deleted meanwhile need it no more. OSError."""
        for path in sorted(self._paths):
            try:
                file = self._files.open(path)
            except FileNotFoundError:
                continue
            try:
                file.fdatasync()
            finally:
                file.close()
        for directory in sorted(self._directories):
            try:
                self._files.sync_dir(directory)
            except FileNotFoundError:
                continue


class ConsumeQueueTable:
    """(topic, queue id) to queue. A new queue has no file until its first units are written out."""

    def __init__(self, files: FileSystem, handles: Handles, directory: str, file_bytes: int) -> None:
        assert file_bytes % UNIT_BYTES == 0
        self._files = files
        self._handles = handles
        self._directory = directory
        self._file_bytes = file_bytes
        self._topics: dict[str, dict[int, ConsumeQueue]] = {}
        self._dirty: list[ConsumeQueue] = []
        self._written: set[ConsumeQueue] = set()
        self._warm: set[ConsumeQueue] = set()
        self._unforced_names: set[str] = set()

    def __iter__(self) -> Iterator[ConsumeQueue]:
        for queues in self._topics.values():
            yield from queues.values()

    def get(self, topic: str, queue_id: int) -> ConsumeQueue | None:
        """Return the queue, or None when nothing was ever put in it."""
        queues = self._topics.get(topic)
        return queues.get(queue_id) if queues is not None else None

    def make(self, topic: str, queue_id: int) -> ConsumeQueue:
        """Return the queue, made if it is not there yet."""
        queues = self._topics.get(topic)
        if queues is None:
            queues = self._topics[topic] = {}
        queue = queues.get(queue_id)
        if queue is None:
            directory = f"{self._directory}/{topic}/{queue_id}"
            queue = ConsumeQueue(topic, queue_id, Segments(self._files, self._handles, directory, self._file_bytes))
            queues[queue_id] = queue
        return queue

    def topics(self) -> list[str]:
        """Names of the topics that have a queue, sorted."""
        return sorted(self._topics)

    def queues_of(self, topic: str) -> list[ConsumeQueue]:
        """The queues of a topic, by id."""
        return [queue for _, queue in sorted(self._topics.get(topic, {}).items())]

    def load(
        self,
        *,
        after_crash: bool,
        holds: Callable[[int, int, int, int], bool],
        ends: QueueEnds | None = None,
        log_min_offset: int = 0,
    ) -> list[ConsumeQueue]:
        """Load every queue that has a directory; `holds(queue_id, queue_offset, log_offset, size)` as queues ask it.

        Directories that are no queue id are left alone. After a crash the names of the others are forced once more: a
        process that was killed may have left them in memory only. `ends` says what the queues are to have; those that
        have less are returned, up to where they are right.
        """
        mendable = ends is not None and ends.file_bytes == self._file_bytes
        spans = dict(ends.queues) if ends is not None else {}
        if ends is not None and ends.log_min_offset != log_min_offset:
            # The first ones may have expired since, but never the file of the last one.
            spans = {key: (max(first, end - 1), end) for key, (first, end) in spans.items()}
        for topic in self._files.list_dir(self._directory):
            if after_crash:
                self._unforced_names |= {self._directory, f"{self._directory}/{topic}"}
            for name in self._files.list_dir(f"{self._directory}/{topic}"):
                if name.isascii() and name.isdecimal() and self._files.is_dir(f"{self._directory}/{topic}/{name}"):
                    self.make(topic, int(name))
        for topic, queue_id in spans:
            self.make(topic, queue_id)
        damaged: list[ConsumeQueue] = []
        for queue in self:
            span = spans.get((queue.topic, queue.queue_id))
            if not self._load_queue(queue, after_crash, holds, span, mendable):
                damaged.append(queue)
        return damaged

    def _load_queue(
        self,
        queue: ConsumeQueue,
        after_crash: bool,
        holds: Callable[[int, int, int, int], bool],
        span: tuple[int, int] | None,
        mendable: bool,
    ) -> bool:
        def holds_here(queue_offset: int, log_offset: int, size: int) -> bool:
            return holds(queue.queue_id, queue_offset, log_offset, size)

        self._written.add(queue)
        return queue.load(after_crash=after_crash, holds=holds_here, span=span, mendable=mendable)

    def ends(self, log_offset: int, log_min_offset: int) -> QueueEnds:
        """Return what the queues have now that all messages before `log_offset` are in them."""
        spans = {
            (queue.topic, queue.queue_id): (queue.min_offset, queue.max_offset)
            for queue in self
            if queue.max_offset > 0
        }
        return QueueEnds(log_offset, log_min_offset, self._file_bytes, spans)

    def mark(self, queue: ConsumeQueue) -> None:
        """Note that a queue has units to write out."""
        if not queue.dirty and not queue.dead:
            queue.dirty = True
            self._dirty.append(queue)

    def write_out(self) -> None:
        """Write what only memory has; queues that were idle since the last time give their memory back. OSError."""
        active: set[ConsumeQueue] = set()
        while self._dirty:
            queue = self._dirty[-1]
            if not queue.dead:
                queue.write_out()
                self._written.add(queue)
                active.add(queue)
            queue.dirty = False
            self._dirty.pop()
        for queue in self._warm - active:
            queue.drop_tail()
        self._warm = active

    def start_sync(self) -> QueuesSync:
        """Return the work that makes all units written so far durable."""
        paths: set[str] = set()
        directories, self._unforced_names = self._unforced_names, set()
        for queue in self._written:
            queue_paths, queue_directories = queue.take_dirty()
            paths |= queue_paths
            directories |= queue_directories
        self._written = set()
        return QueuesSync(self._files, paths, directories)

    def delete_topic(self, topic: str) -> None:
        """Delete the queues of a topic and their files. Its messages stay in the log. OSError."""
        for queue in self._topics.pop(topic, {}).values():
            queue.dead = True
            self._written.discard(queue)
            self._warm.discard(queue)
            queue.cut(0)
            if self._files.exists(queue.directory):  # not before the queue's first units were written out
                self._files.remove_dir(queue.directory)
        directory = f"{self._directory}/{topic}"
        if self._files.exists(directory) and not self._files.list_dir(directory):
            self._files.remove_dir(directory)
            self._unforced_names.add(self._directory)

    def has_no_files(self) -> bool:
        """True when no topic has a directory: the way to have all queues rebuilt."""
        return not any(
            self._files.list_dir(f"{self._directory}/{topic}") for topic in self._files.list_dir(self._directory)
        )

    def clear(self) -> None:
        """Delete all queues: there is no log they could point into."""
        for topic in self.topics():
            self.delete_topic(topic)
