"""What is in a store directory, and what is wrong with it: read only, without starting a broker.

The log is gone through once, record by record; each message is looked up in its queue on the way, and each unit of a
queue that no message claimed is looked at, too. Memory is bounded by the number of queues and of things found.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from broker_py.message.record import (
    CLAIM_BYTES,
    check_record,
    claimed_size,
    has_lost_sector,
    read_dispatch,
    record_fault,
)
from broker_py.model.topic import SCHEDULE_TOPIC
from broker_py.seams import FileSystem, read_file
from broker_py.store.bare_files import BareFiles, BareHandles
from broker_py.store.checkpoint import Checkpoint, read_checkpoint
from broker_py.store.consume_queue import BLANK_SIZE, UNIT, UNIT_BYTES
from broker_py.store.damage import Damage, damage_at, next_record
from broker_py.store.dispatch import is_consumable
from broker_py.store.queue_ends import QueueEnds, read_queue_ends
from broker_py.store.recovery import Progress, tell_nobody

MAX_LISTED: Final = 1000
"""Of each kind of finding so many are listed; all are counted."""
_WINDOW_BYTES: Final = 4 << 20
_BLOCK_UNITS: Final = 64
"""So many units of each queue are in memory: 64 MB for 50,000 queues."""
_TAIL_BYTES: Final = 1 << 16
_EXT_ADDRESS: Final = -(1 << 31)
"""Tags codes below are addresses in a consume queue's ext file."""
_ZEROS_BYTES: Final = 1 << 20

Parse = Callable[[bytes], object]
"""Reads a table's JSON in RocketMQ's forms; raises when it is broken."""

Walked = tuple[int, int, bytes, int, Damage | None]
"""Log offset, size, the bytes that have it, where in them, and what is wrong with it. No size is no record."""


def walk(log: BareFiles, log_offset: int, durable_end: int, progress: Progress = tell_nobody) -> Iterator[Walked]:
    """Yield the records of a log from one on, and what is damaged between them; end where nothing more is.

    All up to `durable_end` is known to have been there.
    """
    start, end = log_offset, log.end
    while log_offset < end:
        progress(log_offset - start, end - start)
        claimed = claimed_size(log.read(log_offset, CLAIM_BYTES))
        window = log.read(log_offset, max(_WINDOW_BYTES, claimed))
        in_segment = log_offset - log.segment_start(log_offset)
        at = 0
        while True:
            size = check_record(window, at, False)
            if size <= 0 or record_fault(window, at, log_offset + at, True) is not None:
                break
            if has_lost_sector(window, at, size, in_segment + at):
                break
            yield log_offset + at, size, window, at, None
            at += size
        if size < 0 and -size == log.segment_end(log_offset) - log_offset - at:
            log_offset += at - size
        elif at:
            log_offset += at
        else:
            damage = damage_at(log, log_offset, True) or Damage(log_offset, 0, "there is no record")
            behind = next_record(log, log_offset + max(damage.size, 1), end)
            if behind is None and log_offset >= durable_end:
                return
            if damage_at(log, log_offset, True) is None:
                continue  # the broker has written it meanwhile
            if damage.size == 0:
                stop = min(durable_end, end) if behind is None else behind
                damage = Damage(log_offset, stop - log_offset, damage.fault)
                yield log_offset, 0, b"", 0, damage
            else:
                yield log_offset, damage.size, log.read(log_offset, damage.size), 0, damage
            log_offset += damage.size


@dataclass(slots=True)
class QueueReport:
    """A consume queue: its files' first and end offset, and what the log and it say of one another.

    `missing` counts messages of the log that it lacks, `wrong` units that point at no message of it, `unread` messages
    behind its end that a start would put there.
    """

    topic: str
    queue_id: int
    first: int = 0
    end: int = 0
    messages: int = 0
    missing: int = 0
    wrong: int = 0
    unread: int = 0


@dataclass(slots=True)
class FileReport:
    """A file by its path below the store, how long it is, and what is wrong with it, if anything."""

    name: str
    size: int
    fault: str | None = None


@dataclass(slots=True)
class StoreReport:
    """All that was found. `faults` are sentences, `damages` places of the log; both are the first `MAX_LISTED` ones.

    `log_end` is where the records end, `torn_bytes` how much that is none lies behind. `durable` is what our checkpoint
    vouches for, None where Java's is. `actions` say what the next start would do.
    """

    directory: str
    log_files: int = 0
    log_file_bytes: int = 0
    log_first: int = 0
    log_end: int = 0
    messages: int = 0
    message_bytes: int = 0
    oldest_ms: int = 0
    newest_ms: int = 0
    torn_bytes: int = 0
    damaged: int = 0
    damages: list[Damage] = field(default_factory=list)
    queue_file_bytes: int = 0
    queues: list[QueueReport] = field(default_factory=list)
    deleted_topics_messages: int = 0
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    has_checkpoint: bool = False
    abort: bool = False
    lock_holder: int | None = None
    owner: str | None = None
    index_files: list[FileReport] = field(default_factory=list)
    config_files: list[FileReport] = field(default_factory=list)
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """True when nothing is wrong."""
        return self.fault_count == 0 and self.damaged == 0

    def fault(self, text: str) -> None:
        """Note something that is wrong."""
        self.fault_count += 1
        if len(self.faults) < MAX_LISTED:
            self.faults.append(text)


class _Queue:
    """A queue's units, read a block at a time, and how far they are compared."""

    __slots__ = ("_block", "_block_start", "cursor", "files", "report", "vouched_end")

    def __init__(self, files: BareFiles, report: QueueReport) -> None:
        self.files = files
        self.report = report
        self._block = b""
        self._block_start = 0
        report.first = files.first // UNIT_BYTES
        report.end = _queue_end(files)
        self.cursor = report.first
        self.vouched_end = 0

    def unit(self, queue_offset: int) -> tuple[int, int, int] | None:
        """Return (log offset, size, tags code), or None outside the queue."""
        if not self.report.first <= queue_offset < self.report.end:
            return None
        at = (queue_offset - self._block_start) * UNIT_BYTES
        if not 0 <= at <= len(self._block) - UNIT_BYTES:
            self._block = self.files.read(queue_offset * UNIT_BYTES, _BLOCK_UNITS * UNIT_BYTES)
            self._block_start, at = queue_offset, 0
            if len(self._block) < UNIT_BYTES:
                return None
        return UNIT.unpack_from(self._block, at)

    def release(self) -> None:
        """Give the block's memory back."""
        self._block = b""


def _queue_end(files: BareFiles) -> int:
    """Return the offset behind the last unit that is not zeros."""
    for start in reversed(files.starts):
        position = min(files.sizes[start], files.segment_size)
        while position > 0:
            size = min(position, _TAIL_BYTES)
            data = files.read(start + position - size, size)
            used = len(data.rstrip(b"\0"))
            if used:
                return (start + position - size + used + UNIT_BYTES - 1) // UNIT_BYTES
            position -= size
    return files.first // UNIT_BYTES


class Inspection:
    """Goes through one store. `lock_holder` is the process that has it open, `parse` reads tables.

    `commit_log_directory` is for a log that does not lie in the store.
    """

    def __init__(
        self,
        files: FileSystem,
        directory: str,
        parse: Parse,
        *,
        lock_holder: int | None = None,
        commit_log_directory: str = "",
        progress: Progress = tell_nobody,
    ) -> None:
        self._files = files
        self._directory = directory
        self._parse = parse
        self._progress = progress
        self._handles = BareHandles(files)
        self._log = BareFiles(files, self._handles, commit_log_directory or f"{directory}/commitlog")
        self._queues: dict[tuple[str, int], _Queue] = {}
        self._ends: QueueEnds | None = None
        self._topics: set[str] = set()
        self._report = StoreReport(directory, lock_holder=lock_holder)

    def run(self) -> StoreReport:
        """Look at everything; OSError when something can't be read at all."""
        report = self._report
        try:
            self._look_at_small_files()
            self._look_at_files()
            self._open_queues()
            self._compare()
            self._finish_queues()
            self._look_ahead()
        finally:
            self._handles.close()
        report.queues = [queue.report for _, queue in sorted(self._queues.items())]
        return report

    @property
    def _durable_end(self) -> int:
        return self._report.checkpoint.durable_offset or 0

    # The files

    def _look_at_small_files(self) -> None:
        report, directory = self._report, self._directory
        report.has_checkpoint = self._files.exists(f"{directory}/checkpoint")
        report.checkpoint = read_checkpoint(self._files, f"{directory}/checkpoint")
        report.abort = self._files.exists(f"{directory}/abort")
        self._ends = read_queue_ends(self._files, f"{directory}/queues.json", report.checkpoint.durable_offset)
        for name in self._files.list_dir(f"{directory}/config"):
            if name.endswith((".json", ".json.bak")):
                report.config_files.append(self._table(f"config/{name}"))
        broken = {each.name for each in report.config_files if each.fault is not None}
        for each in report.config_files:
            if each.fault is None:
                continue
            if each.name.endswith(".bak"):
                report.fault(f"{each.name}: {each.fault}; it is only a backup")
                continue
            backup = f"{each.name}.bak"
            has_backup = self._files.exists(f"{directory}/{backup}") and backup not in broken
            ways = "its backup is sound and would be taken" if has_backup else "there is no sound backup: no start"
            report.fault(f"{each.name}: {each.fault}; {ways}")
        for name in self._files.list_dir(f"{directory}/index"):
            report.index_files.append(FileReport(f"index/{name}", self._size(f"{directory}/index/{name}")))
        self._look_at_owner()
        self._topics = self._known_topics()

    def _size(self, path: str) -> int:
        file = self._files.open(path, write=False)
        try:
            return file.size()
        finally:
            file.close()

    def _table(self, name: str) -> FileReport:
        try:
            data = read_file(self._files, f"{self._directory}/{name}")
        except OSError as error:
            return FileReport(name, 0, f"it can't be read: {error}")
        if not data.strip():
            return FileReport(name, len(data), "it is empty")
        try:
            self._parse(data)
        except Exception as error:  # whatever the parser was given for has its own
            return FileReport(name, len(data), f"it can't be read: {error}")
        return FileReport(name, len(data))

    def _look_at_owner(self) -> None:
        path = f"{self._directory}/owner.json"
        if not self._files.exists(path):
            return
        found = self._table("owner.json")
        if found.fault is not None:
            self._report.fault(f"owner.json: {found.fault}; repair or remove it")
            return
        content = self._parse(read_file(self._files, path))
        if isinstance(content, dict):
            self._report.owner = f"{content.get('brokerName')} of {content.get('brokerClusterName')}"

    def _known_topics(self) -> set[str]:
        for name in ("config/topics.json", "config/topics.json.bak"):
            if self._files.exists(f"{self._directory}/{name}") and self._table(name).fault is None:
                content = self._parse(read_file(self._files, f"{self._directory}/{name}"))
                table = content.get("topicConfigTable") if isinstance(content, dict) else None
                return {str(topic) for topic in table} if isinstance(table, dict) else set()
        return set()

    def _look_at_files(self) -> None:
        report, log = self._report, self._log
        report.log_files = len(log.starts)
        report.log_file_bytes = log.segment_size
        report.log_first = report.log_end = log.first
        self._look_at_segments(log, "the commit log")
        if not log.starts and self._durable_end:
            report.fault(f"{log.directory} has no files, but {self._durable_end} bytes were durable: no start")

    def _look_at_segments(self, files: BareFiles, what: str) -> None:
        report = self._report
        for start, end in files.gaps():
            report.fault(f"{what}: {files.path(start)} is missing ({end - start} bytes)")
        for path, size in files.wrong_sizes():
            report.fault(f"{what}: {path} has {size} bytes and not {files.segment_size}")
        for name in files.strange:
            report.fault(f"{what}: {files.directory}/{name} is no file of it: no start")

    # The queues

    def _open_queues(self) -> None:
        root = f"{self._directory}/consumequeue"
        for topic in self._files.list_dir(root):
            for name in self._files.list_dir(f"{root}/{topic}"):
                if name.isascii() and name.isdecimal() and self._files.is_dir(f"{root}/{topic}/{name}"):
                    queue = self._queue(topic, int(name))
                    self._look_at_segments(queue.files, f"queue {topic} {name}")
                    self._report.queue_file_bytes = max(self._report.queue_file_bytes, queue.files.segment_size)
        for (topic, queue_id), (_, end) in self._ends.queues.items() if self._ends is not None else ():
            queue = self._queues.get((topic, queue_id)) or self._queue(topic, queue_id)
            queue.vouched_end = end
            if queue.report.end < end:
                self._report.fault(
                    f"queue {topic} {queue_id} ends at {queue.report.end}, but had {end}: a start fills it again"
                )

    def _queue(self, topic: str, queue_id: int) -> _Queue:
        files = BareFiles(self._files, self._handles, f"{self._directory}/consumequeue/{topic}/{queue_id}")
        queue = self._queues[topic, queue_id] = _Queue(files, QueueReport(topic, queue_id))
        return queue

    # The log against its queues

    def _compare(self) -> None:
        report, log = self._report, self._log
        report.log_end = max(log.first, min(self._durable_end, log.end))
        for log_offset, size, data, at, damage in walk(log, log.first, self._durable_end, self._progress):
            report.log_end = max(report.log_end, log_offset + (size or (damage.size if damage is not None else 0)))
            if damage is not None:
                report.damaged += 1
                if len(report.damages) < MAX_LISTED:
                    report.damages.append(damage)
            if size == 0 or (damage is not None and damage.topic is None):
                continue
            view = read_dispatch(data, at)
            report.messages += 1
            report.message_bytes += size
            report.oldest_ms = report.oldest_ms or view.stored_ms
            report.newest_ms = view.stored_ms
            if is_consumable(view.sys_flag):
                self._look_up(view.topic, view.queue_id, view.queue_offset, (log_offset, size, view.tags_code))
        if log.starts:
            report.torn_bytes = self._torn_bytes(report.log_end)
            if report.torn_bytes and report.log_end < self._durable_end:
                report.fault(f"the log ends at {report.log_end}, but {self._durable_end} bytes were durable")

    def _torn_bytes(self, log_end: int) -> int:
        """Return how many bytes there are behind the last record up to the last that is not zero."""
        last = position = log_end
        while position < self._log.end:
            data = self._log.read(position, _ZEROS_BYTES)
            used = len(data.rstrip(b"\0"))
            last = position + used if used else last
            position = self._log.segment_end(position) if len(data) < _ZEROS_BYTES else position + len(data)
        return last - log_end

    def _look_up(self, topic: str, queue_id: int, queue_offset: int, unit: tuple[int, int, int]) -> None:
        queue = self._queues.get((topic, queue_id))
        if queue is None:
            if topic not in self._topics:
                self._report.deleted_topics_messages += 1
                return
            queue = self._queue(topic, queue_id)
        report = queue.report
        report.messages += 1
        found = queue.unit(queue_offset)
        if found is None or found[1] == BLANK_SIZE:
            self._lacks(queue, queue_offset, unit[0])
        elif found[:2] == unit[:2]:
            self._pass(queue, queue_offset)
            is_tags = topic != SCHEDULE_TOPIC and found[2] >= _EXT_ADDRESS
            if is_tags and found[2] != unit[2]:
                report.wrong += 1
                self._report.fault(
                    f"queue {topic} {queue_id}: unit {queue_offset} has tags code {found[2]}, its message {unit[2]}"
                )

    def _lacks(self, queue: _Queue, queue_offset: int, log_offset: int) -> None:
        """A message has no unit: it is missing, unless a start would dispatch it."""
        report, durable = queue.report, self._report.checkpoint.durable_offset
        vouched = log_offset < durable if durable is not None else not self._report.abort
        if queue_offset >= report.end and (self._report.lock_holder is not None or not vouched):
            report.unread += 1
            return
        report.missing += 1
        self._report.fault(
            f"queue {report.topic} {report.queue_id} lacks message {queue_offset}, which is at log offset {log_offset}"
        )

    def _pass(self, queue: _Queue, queue_offset: int) -> None:
        """Look at the units before a message's own that no message had."""
        for skipped in range(queue.cursor, queue_offset):
            self._look_at_unit(queue, skipped)
        queue.cursor = max(queue.cursor, queue_offset + 1)

    def _look_at_unit(self, queue: _Queue, queue_offset: int) -> None:
        unit, report = queue.unit(queue_offset), queue.report
        if unit is None or unit[1] == BLANK_SIZE or (unit[1] > 0 and unit[0] < self._log.first):
            return
        log_offset, size, _ = unit
        if size > 0 and self._is_known_damage(log_offset, report.topic, report.queue_id, queue_offset):
            return
        unvouched = log_offset + size > max(self._durable_end, self._report.log_end)
        if unvouched and (self._report.abort or self._report.lock_holder is not None):
            return  # a crash took the message, and recovery takes the unit; or the broker is writing it
        report.wrong += 1
        self._report.fault(
            f"queue {report.topic} {report.queue_id}: unit {queue_offset} points at log offset {log_offset}, {size} "
            "bytes, where its message is not"
        )

    def _is_known_damage(self, log_offset: int, topic: str, queue_id: int, queue_offset: int) -> bool:
        """True when a place that is no record any more has this message; it is known from its unit whose it was."""
        damages = self._report.damages
        index = bisect_right(damages, log_offset, key=lambda damage: damage.log_offset) - 1
        if index < 0:
            return False
        damage = damages[index]
        if not damage.log_offset <= log_offset < damage.log_offset + damage.size:
            return False
        if damage.topic is None and damage.log_offset == log_offset:
            damages[index] = Damage(log_offset, damage.size, damage.fault, topic, queue_id, queue_offset)
        return True

    def _finish_queues(self) -> None:
        for queue in self._queues.values():
            self._pass(queue, queue.report.end)
            queue.release()

    # The next start

    def _look_ahead(self) -> None:
        report = self._report
        actions, durable = report.actions, report.checkpoint.durable_offset
        if not self._log.starts:
            return
        if durable is not None:
            read_from = min(durable, report.log_end)
            actions.append(f"the log is read from {read_from} on, {report.log_end - read_from} bytes")
        elif report.abort:
            actions.append("the log is read from the newest file on whose first message the checkpoint covers")
        if report.torn_bytes:
            actions.append(f"the log is cut at {report.log_end}: {report.torn_bytes} bytes behind it are no record")
        for queue in (each.report for each in self._queues.values()):
            if queue.unread:
                actions.append(f"queue {queue.topic} {queue.queue_id} gets {queue.unread} messages that it lacks")
        if report.damaged:
            actions.append(f"{report.damaged} damaged places stay where they are and are never served")
        if any(queue.report.wrong or queue.report.missing for queue in self._queues.values()):
            actions.append(
                "wrong units are put right when they are read; to have a whole queue filled again, stop the broker and "
                "remove its directory"
            )
