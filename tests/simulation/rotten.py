"""A store made by a seeded workload, one thing wrong with one of its files, and what must be true all the same."""

import logging
from dataclasses import dataclass, field
from random import Random

from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.groups import GroupTable
from broker_py.broker.metadata import MetadataFile
from broker_py.broker.store_owner import StoreOwner
from broker_py.broker.topics import TopicTable
from broker_py.errors import BrokerPyError
from broker_py.message.record import decode_record
from broker_py.model.topic import TopicConfig
from broker_py.store.reading import GetStatus
from broker_py.store.store import Store
from tests.simulation.workload import CONFIG, QUEUES, STORE_HOST, TOPICS, Kept, message
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles

DIRECTORY = CONFIG.store_path_root_dir
BROKER = BrokerConfig(broker_name="broker-a")
KINDS = ("flip", "flip", "flip", "zero sector", "zero page", "truncate", "stale", "missing")
POSITIONS = ("head", "middle", "tail")
_PAGE = 4096
_SECTOR = 512
# Fields of a record that neither a checksum nor its place in a queue covers while it is not in a durable queue yet.
_PLACE_FIELDS = ((12, 16), (20, 28))


@dataclass(slots=True)
class Site:
    """A broker's store and tables, left by a stop or by the end of the process; `before` is an older copy of the files.

    `kept` has every message; what lies from `durable` on was not vouched for by a checkpoint.
    """

    files: MemoryFiles
    before: dict[str, bytes]
    kept: list[Kept]
    durable: int
    stopped: bool


def grown(random: Random) -> Site:
    """Return the site of a random life without deletions and faults."""
    files, clock = MemoryFiles(), ManualClock()
    store = opened(files, clock)
    kept: list[Kept] = []
    topics, groups, offsets = tables(files, clock)
    before: dict[str, bytes] = {}
    steps = random.randrange(20, 60)
    for number in range(steps):
        clock.advance(random.choice((1, 50, 900)))
        for _ in range(random.choice((1, 1, 3))):
            topic, queue_id = random.choice(TOPICS), random.randrange(QUEUES)
            item = message(random, topic, queue_id, len(kept) + 1)
            kept.append(Kept(topic, queue_id, store.append(item), bytes(item.body)))
        store.commit()
        store.flush_log()
        store.dispatch(store.written.value)
        if random.random() < 0.1:
            store.checkpoint()
        if random.random() < 0.3:
            store.write_out()
        offsets.commit("group", random.choice(TOPICS), 0, number)
        if number in (steps // 3, steps // 2):
            topics.put(TopicConfig(topic_name=f"Made{number}", read_queue_nums=2, write_queue_nums=2, perm=6))
            groups.require(f"group{number}")
            offsets.save()
        if number == steps // 2:
            before = files.dump()
    offsets.save()
    stopped = random.random() < 0.5
    if stopped:
        store.close()
    durable = store._checkpoint.durable_offset or 0
    return Site(files.kill(), before, kept, durable, stopped)


def opened(files: MemoryFiles, clock: ManualClock) -> Store:
    """Open the store as a broker does. BrokerPyError."""
    owner = StoreOwner(files, DIRECTORY, BROKER)
    owner.check()
    store = Store(CONFIG, files, clock, STORE_HOST)
    store.load()
    owner.claim()
    return store


def tables(files: MemoryFiles, clock: ManualClock) -> tuple[TopicTable, GroupTable, ConsumerOffsetTable]:
    """Load the tables as a broker does. BrokerPyError."""

    def file(name: str) -> MetadataFile:
        return MetadataFile(files, f"{DIRECTORY}/config", name)

    topics = TopicTable(BROKER, file("topics.json"), clock)
    groups = GroupTable(BROKER, file("subscriptionGroup.json"), clock)
    offsets = ConsumerOffsetTable(file("consumerOffset.json"), clock)
    topics.load()
    groups.load()
    offsets.load()
    return topics, groups, offsets


@dataclass(slots=True)
class Rot:
    """What was done to a file: bytes `start` to `end` of it are others now, unless it is `gone` or shorter."""

    path: str
    kind: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.kind} of {self.path}, bytes {self.start} to {self.end}"


def used(site: Site, path: str, data: bytes) -> int:
    """How much of a file was written: what lies behind is zeros that nobody reads."""
    if "/commitlog/" in path:
        return min(len(data), max(1, site.kept[-1].placed.end - int(path.rpartition("/")[2])))
    return max(1, len(data.rstrip(b"\0")))


def rot(site: Site, random: Random) -> Rot:
    """Damage one file of each kind as often as any other."""
    dump = {path: data for path, data in site.files.dump().items() if not path.endswith((".tmp", "/lock"))}
    groups: dict[str, list[str]] = {}
    for path in dump:
        name = path[len(DIRECTORY) + 1 :]
        groups.setdefault(
            name.partition("/")[0] if name.startswith(("commitlog", "consumequeue")) else name, []
        ).append(path)
    kinds = [*groups, "commitlog", "commitlog", "consumequeue"]
    path = random.choice(groups[random.choice(kinds)])
    data = bytearray(dump[path])
    kind = random.choice(KINDS)
    end = used(site, path, bytes(data)) if data else 1
    third = max(1, end // 3)
    position = {"head": 0, "middle": third, "tail": end - third}[random.choice(POSITIONS)] + random.randrange(third)
    position = max(0, min(position, len(data) - 1))
    if kind == "flip" and data:
        data[position] ^= 1 << random.randrange(8)
        change = Rot(path, kind, position, position + 1)
    elif kind in ("zero sector", "zero page") and data:
        size = _SECTOR if kind == "zero sector" else _PAGE
        start = position - position % size
        stop = min(len(data), start + size)
        data[start:stop] = bytes(stop - start)
        change = Rot(path, kind, start, stop)
    elif kind == "truncate":
        change = Rot(path, kind, position, len(data))
        del data[position:]
    elif kind == "stale" and path in site.before:
        old = site.before[path]
        first = next((n for n, pair in enumerate(zip(old, data, strict=False)) if pair[0] != pair[1]), len(data))
        change = Rot(path, kind, first, len(data))
        data = bytearray(old)
    else:
        change = Rot(path, "missing", 0, len(data))
        site.files.remove(path)
        return change
    file = site.files.open(path)
    file.truncate(0)
    file.pwrite(data, 0)
    site.files = site.files.kill()
    return change


@dataclass(slots=True)
class Heard(logging.Handler):
    """Collects warnings and errors."""

    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        logging.Handler.__init__(self, logging.WARNING)

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def violations(site: Site, change: Rot) -> list[str]:
    """Start on the damaged files, read all, start again; return what is wrong."""
    heard = Heard()
    logger = logging.getLogger("broker_py")
    logger.addHandler(heard)
    propagate, logger.propagate = logger.propagate, False
    try:
        return _Judge(site, change, heard).judge()
    finally:
        logger.removeHandler(heard)
        logger.propagate = propagate


Served = dict[tuple[str, int, int], tuple[int, bytes]]
"""(topic, queue id, queue offset) → (log offset, body)."""


class _Judge:
    def __init__(self, site: Site, change: Rot, heard: Heard) -> None:
        self._site = site
        self._change = change
        self._heard = heard
        self._clock = ManualClock()
        self._clock.advance(1_000_000)

    def judge(self) -> list[str]:
        files = self._site.files
        try:
            store = opened(files, self._clock)
            topics, _, _ = tables(files, self._clock)
        except BrokerPyError as error:
            return self._refused(str(error))
        found: list[str] = []
        served, stuck = everything(store)
        found += stuck
        found += self._wrong(served)
        lost = self._lost(served)
        found += self._excused(lost)
        if not self._heard.lines and not all(self._is_cut(kept) for kept in lost):
            found.append(f"{len(lost)} messages are missing, and nothing was said")
        if sum(topic.topic_name.startswith("Made") for topic in topics) == 0 and "topics.json" not in self._change.path:
            found.append("topics are forgotten")
        return found + self._again(store, served)

    def _refused(self, text: str) -> list[str]:
        """A start may only be refused where nothing else is right, and says which file it is about."""
        change = self._change
        may = (
            ("/commitlog/" in change.path and change.kind in ("truncate", "missing", "stale"))
            or change.path.endswith("/owner.json")
            or (change.path.endswith(".json") and "/config/" in change.path)
        )
        named = change.path.removesuffix(".bak") in text or ("/commitlog/" in change.path and DIRECTORY in text)
        return [] if may and named else [f"start refused: {text}"]

    def _wrong(self, served: Served) -> list[str]:
        """Everything that is served is what was stored there."""
        by_log_offset = {kept.placed.log_offset: kept for kept in self._site.kept}
        found = []
        for (topic, queue_id, queue_offset), (log_offset, body) in served.items():
            kept = by_log_offset.get(log_offset)
            if kept is None or kept.body != body:
                found.append(f"wrong body at {topic} {queue_id} {queue_offset}, log offset {log_offset}")
                continue
            own = (kept.topic, kept.queue_id, kept.placed.queue_offset)
            if own != (topic, queue_id, queue_offset) and not self._may_be_misplaced(kept):
                found.append(f"{topic} {queue_id} {queue_offset} is the message of {own}")
        return found

    def _is_hit(self, kept: Kept) -> bool:
        start, end = self._range()
        return kept.placed.log_offset < end and start < kept.placed.end

    def _range(self) -> tuple[int, int]:
        """The damaged part of the log, empty when it is another file's."""
        if "/commitlog/" not in self._change.path:
            return 0, 0
        base = int(self._change.path.rpartition("/")[2])
        return base + self._change.start, base + self._change.end

    def _may_be_misplaced(self, kept: Kept) -> bool:
        """A flipped queue id, offset or topic of a record that no durable queue has yet: no checksum covers them."""
        if self._change.kind != "flip" or kept.placed.log_offset < self._site.durable or not self._is_hit(kept):
            return False
        at = self._range()[0] - kept.placed.log_offset
        return any(start <= at < end for start, end in _PLACE_FIELDS) or at >= 88 + len(kept.body)

    def _lost(self, served: Served) -> list[Kept]:
        return [
            kept
            for kept in self._site.kept
            if served.get((kept.topic, kept.queue_id, kept.placed.queue_offset), (-1, b""))[0] != kept.placed.log_offset
        ]

    def _excused(self, lost: list[Kept]) -> list[str]:
        """Messages may be missing whose bytes were hit, and, behind what looks like a power cut, not vouched for."""
        misplaced = [kept for kept in self._site.kept if self._is_hit(kept) and self._may_be_misplaced(kept)]
        found = []
        for kept in lost:
            if self._is_hit(kept):
                continue
            if self._is_cut(kept):
                continue
            if misplaced:
                misplaced.pop()  # the place of one message was taken
                continue
            found.append(
                f"whole message of {kept.topic} {kept.queue_id} {kept.placed.queue_offset} at log offset "
                f"{kept.placed.log_offset} is missing (durable {self._site.durable})"
            )
        return found

    def _is_cut(self, kept: Kept) -> bool:
        """True for a message at or behind bytes that look like those a power cut takes, and not vouched for."""
        start, end = self._range()
        if start == end or self._site.stopped or self._change.kind == "flip":
            return False
        return kept.placed.end > max(start, self._site.durable)

    def _again(self, store: Store, served: Served) -> list[str]:
        """A second start changes nothing, and what is sent then is there after a third."""
        store.close()
        files = self._site.files.kill()
        again = opened(files, self._clock)
        found = []
        if everything(again)[0] != served:
            found.append("a second start serves something else")
        placed = again.append(message(Random(1), "A", 0, 1_000_000))
        again.commit()
        again.flush_log()
        again.dispatch(again.written.value)
        third = opened(files.kill(), self._clock)
        if third.get("A", 0, placed.queue_offset, 1, 1 << 20).status is not GetStatus.FOUND:
            found.append("a message sent after the repair is not there after a crash")
        if any(topic == "A" and queue_id == 0 and n >= placed.queue_offset for topic, queue_id, n in served):
            found.append("a queue offset was given twice")
        return found


def everything(store: Store) -> tuple[Served, list[str]]:
    """Read all queues to their ends, as a consumer does; return what is served, and where there was no way on."""
    served: Served = {}
    stuck = []
    for topic in store.topics():
        for queue_id in store.queues_of(topic):
            offset = store.min_offset(topic, queue_id)
            while offset < store.max_offset(topic, queue_id):
                result = store.get(topic, queue_id, offset, 32, 1 << 20)
                data = b"".join(result.chunks)
                start = 0
                while start < len(data):
                    record = decode_record(data, start)
                    served[topic, queue_id, record.queue_offset] = (record.log_offset, bytes(record.body))
                    start += record.size
                if result.next_offset <= offset:
                    stuck.append(f"{topic} {queue_id}: no way on from {offset}")
                    break
                offset = result.next_offset
    return served, stuck
