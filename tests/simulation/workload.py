"""A random life of a store on memory files, and what must be true of whatever a crash leaves of it."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from broker_py.broker.metadata import MetadataFile
from broker_py.errors import BrokerPyError, StoreError
from broker_py.message.ids import pack_host
from broker_py.message.properties import decode_properties
from broker_py.message.record import Message, body_crc, decode_record
from broker_py.store.config import FlushDiskType, StoreConfig
from broker_py.store.dispatch import Placed
from broker_py.store.reading import GetStatus
from broker_py.store.store import Store
from tests.support.clock import ManualClock
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles

STORE_HOST = pack_host("192.168.56.11", 10911)
BORN_HOST = pack_host("192.168.56.1", 50000)
CONFIG = StoreConfig(
    store_path_root_dir="/store",
    mapped_file_size_commit_log=4096,
    mapped_file_size_consume_queue=400,
    max_hash_slot_num=300,
    max_index_num=30,
    flush_disk_type=FlushDiskType.ASYNC_FLUSH,
    file_reserved_time=0,
)
TOPICS = ("A", "B", "Orders")
QUEUES = 2


def table(files: MemoryFiles) -> MetadataFile:
    """A table of the broker, of several sectors."""
    return MetadataFile(files, "/store/config", "table.json")


def message(random: Random, topic: str, queue_id: int, number: int, filler_bytes: int | None = None) -> Message:
    """A message whose body says which it is; sizes are such that some cross sectors and few fit in a segment."""
    filler = bytes([65 + number % 26]) * (random.choice((0, 3, 40, 300, 900)) if filler_bytes is None else filler_bytes)
    properties = b"TAGS\x01t" if number % 3 else b"KEYS\x01%d other " % (number % 7) + b"k" * random.choice((1, 600))
    properties += b"\x02UNIQ_KEY\x01%s-%d" % (topic.encode(), number)
    return Message(topic, queue_id, 0, 0, number, BORN_HOST, b"%d:" % number + filler, properties, 0)


@dataclass(slots=True)
class Kept:
    """A message that was appended, and its stored bytes as the first reader saw them."""

    topic: str
    queue_id: int
    placed: Placed
    body: bytes


@dataclass(slots=True)
class Workload:
    """One store in use, and a table of the broker beside it.

    `kept` has the messages that were committed and whose topics were not deleted, `found` what was wrong at once.
    `metadata` numbers the versions of the table that were begun, up to `saved` they are to survive a crash. `gone` has
    the numbers of the messages that were refused and whose remains were cut. `before_open` is called with the workload
    before its store is opened.
    """

    random: Random
    files: MemoryFiles
    clock: ManualClock = field(default_factory=ManualClock)
    kept: list[Kept] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    number: int = 0
    metadata: int = 0
    saved: int = 0
    gone: set[int] = field(default_factory=set)
    before_open: Callable[["Workload"], None] | None = None
    found: list[str] = field(default_factory=list)
    is_open: bool = False
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        if self.before_open is not None:
            self.before_open(self)
        self.store = self.open()
        self.is_open = True
        try:
            self.open()
        except StoreError:
            return
        self.found.append("a second store opens the files of the first one")

    def open(self) -> Store:
        """A new store on the files, loaded."""
        store = Store(CONFIG, self.files, self.clock, STORE_HOST)
        store.load()
        return store

    def flushed(self) -> list[Kept]:
        """The messages that must survive a power cut at this moment."""
        if not self.is_open:
            return list(self.kept)
        minimum = self.store.log.min_offset
        return [kept for kept in self.ever_flushed() if kept.placed.log_offset >= minimum]

    def ever_flushed(self) -> list[Kept]:
        """Those and the ones that retention deleted: their queue offsets must not be given again."""
        if not self.is_open:
            return list(self.kept)
        flushed = self.store.flushed.value
        return [kept for kept in self.kept if kept.placed.end <= flushed]

    def run(self, operations: int) -> None:
        """Do random things."""
        for _ in range(operations):
            self.step()

    def step(self) -> None:
        """Do one random thing."""
        self.clock.advance(self.random.choice((0, 1, 50, 4000)))
        self.files.now_ms = self.clock.now_ms()
        choice = self.random.random()
        try:
            if choice < 0.50:
                self.send(self.random.choice((1, 1, 1, 2, 5)), batch=self.random.random() < 0.3)
            elif choice < 0.62:
                self.store.flush_log()
            elif choice < 0.76:
                self.store.dispatch(self.random.choice((self.store.flushed.value, self.store.written.value)))
            elif choice < 0.84:
                self.store.write_out()
            elif choice < 0.90:
                self.store.checkpoint()
            elif choice < 0.92:
                self.store.delete_soon(1)
                self.store.clean(self.clock.now_ms())
            elif choice < 0.935:
                self.delete_topic(self.random.choice(TOPICS))
            elif choice < 0.96:
                self.metadata += 1
                table(self.files).save({"version": self.metadata, "rest": f"{self.metadata} " * 500})
                self.saved = self.metadata
            elif choice < 0.975:
                self.fail_writes()
            elif choice < 0.985:
                self.fail_sync()
            else:
                self.restart()
        except StoreError:
            self.restart_after_fault()

    def send(self, count: int, *, batch: bool, filler_bytes: int | None = None) -> None:
        """Append messages and commit them; with `filler_bytes` they have one size."""
        messages = []
        topic, queue_id = self.random.choice(TOPICS), self.random.randrange(QUEUES)
        for _ in range(count):
            if not batch:
                topic, queue_id = self.random.choice(TOPICS), self.random.randrange(QUEUES)
            self.number += 1
            messages.append(message(self.random, topic, queue_id, self.number, filler_bytes))
        total = sum(len(item.body) + len(item.properties) + 100 for item in messages)
        if batch and total < CONFIG.mapped_file_size_commit_log - 8:
            placed = self.store.append_batch(messages)
            segment = CONFIG.mapped_file_size_commit_log
            if {place.log_offset // segment for place in placed} != {(placed[0].end - 1) // segment}:
                self.found.append(f"a batch lies in two files: {[place.log_offset for place in placed]}")
        else:
            placed = [self.store.append(item) for item in messages]
        self.store.commit()
        for item, place in zip(messages, placed, strict=True):
            self.kept.append(Kept(item.topic, item.queue_id, place, bytes(item.body)))

    def delete_topic(self, topic: str) -> None:
        """Delete a topic; nothing of it must survive from now on, but may."""
        self.kept = [kept for kept in self.kept if kept.topic != topic]
        self.deleted.add(topic)
        self.store.delete_topic(topic)

    def fail_writes(self) -> None:
        """Let the disk run full or fail under a send, then let it work again: nothing that was refused comes back.

        The messages have one size and are several, so that a refused one can be left whole where another ends.
        """
        before = self.number
        filler_bytes = self.random.choice((0, 40, 300))
        if self.random.random() < 0.5:
            self.files.fail_after_bytes = self.random.randrange(800)
        else:
            self.files.fail_writes = errno.EIO
        try:
            for _ in range(3):
                self.send(6, batch=False, filler_bytes=filler_bytes)
        except StoreError:
            pass
        finally:
            self.files.fail_after_bytes = None
            self.files.fail_writes = None
        refused = set(range(before + 1, self.number + 1)) - {number_of(kept.body) for kept in self.kept}
        self.send(1, batch=False, filler_bytes=filler_bytes)
        self.gone |= refused

    def fail_sync(self) -> None:
        """Let a sync fail. The store is done for, however often it is asked; what it says was flushed stays."""
        self.files.fail_sync_number = 1
        try:
            self.store.flush_log()
            self.store.checkpoint()
            return
        except StoreError:
            pass
        finally:
            self.files.fail_sync_number = None
        for attempt in (self.send_one, self.store.flush_log, self.store.checkpoint):
            try:
                attempt()
            except StoreError:
                pass
        raise StoreError("a sync failed")

    def send_one(self) -> None:
        """Append a message and commit it."""
        self.send(1, batch=False)

    def restart(self) -> None:
        """Stop in good order and start."""
        self.store.close()
        self.store = self.open()

    def restart_after_fault(self) -> None:
        """End the process as it is and start: what was written but not flushed may be gone."""
        flushed = self.store.flushed.value
        on_step, self.files = self.files.on_step, self.files.kill()
        self.files.on_step = on_step
        self.kept = [kept for kept in self.kept if kept.placed.end <= flushed]
        self.store = self.open()


def violations(image: MemoryFiles, workload: Workload, *, again: bool) -> list[str]:
    """Open what a crash of a workload left, and return what is wrong with it; `again` after further crashes, too.

    Queues of topics that were deleted once may come back from the log, or not: these are not compared.
    """
    deleted, clock = workload.deleted, workload.clock
    store = Store(CONFIG, image, clock, STORE_HOST)
    try:
        store.load()
    except (StoreError, OSError) as error:
        return [f"does not open: {error!r}"]
    found = _lost(store, workload.flushed()) + _given_again(store, workload.ever_flushed(), deleted)
    found += _disordered(store, deleted, workload.gone) + misindexed(store)
    found += _not_saved(image, workload)
    if again:
        found += _not_the_same_again(store, deleted, image, clock) + _not_usable(store, deleted, image, clock)
    return found


def _not_saved(image: MemoryFiles, workload: Workload) -> list[str]:
    versions: list[int] = []
    try:
        table(image).load(lambda content: versions.append(int(content.get("version", 0))))
    except BrokerPyError as error:
        return [f"the table can't be loaded: {error}"]
    if not workload.saved <= versions[-1] <= workload.metadata:
        return [f"the table has version {versions[-1]}, {workload.saved} was saved and {workload.metadata} begun"]
    return []


def _lost(store: Store, flushed: list[Kept]) -> list[str]:
    found = []
    for kept in flushed:
        place = kept.placed
        result = store.get(kept.topic, kept.queue_id, place.queue_offset, 1, 1 << 20)
        where = f"{kept.topic} {kept.queue_id} at {place.queue_offset}, log {place.log_offset}"
        if result.status is not GetStatus.FOUND:
            found.append(f"flushed message of {where}: {result.status.name}")
            continue
        record = decode_record(b"".join(result.chunks))
        if (record.log_offset, bytes(record.body), record.topic) != (place.log_offset, kept.body, kept.topic):
            found.append(f"flushed message of {where}: another one is there, of log {record.log_offset}")
    return found


def _given_again(store: Store, flushed: list[Kept], deleted: set[str]) -> list[str]:
    return [
        f"{kept.topic} {kept.queue_id}: offset {kept.placed.queue_offset} was given and would be given again"
        for kept in flushed
        if kept.topic not in deleted and store.next_queue_offset(kept.topic, kept.queue_id) <= kept.placed.queue_offset
    ]


def number_of(body: bytes | memoryview) -> int:
    """The number that a body says."""
    return int(bytes(body).partition(b":")[0])


def _disordered(store: Store, deleted: set[str], gone: set[int]) -> list[str]:
    found = []
    for topic in store.topics():
        for queue_id in store.queues_of(topic):
            previous = -1
            expected = store.min_offset(topic, queue_id)
            offset = store.min_offset(topic, queue_id)
            while offset < store.max_offset(topic, queue_id):
                result = store.get(topic, queue_id, offset, 32, 1 << 20)
                data = b"".join(result.chunks)
                start = 0
                while start < len(data):
                    record = decode_record(data, start)
                    start += record.size
                    if record.body_crc != body_crc(record.body):
                        found.append(f"{topic} {queue_id}: message {record.queue_offset} has a broken body")
                    elif number_of(record.body) in gone:
                        found.append(f"{topic} {queue_id}: message {record.queue_offset} was refused and is back")
                    if 0 in bytes(record.properties):
                        found.append(f"{topic} {queue_id}: message {record.queue_offset} has broken properties")
                    if record.log_offset <= previous:
                        found.append(f"{topic} {queue_id}: log offset {record.log_offset} follows {previous}")
                    if (record.topic, record.queue_id) != (topic, queue_id) or record.queue_offset < offset:
                        found.append(f"{topic} {queue_id} at {offset}: record {record.queue_offset} of {record.topic}")
                    if record.queue_offset != expected and topic not in deleted:
                        found.append(f"{topic} {queue_id}: {record.queue_offset} follows {expected - 1}")
                    previous = record.log_offset
                    expected = record.queue_offset + 1
                if result.next_offset <= offset:
                    return [*found, f"{topic} {queue_id}: no way on from {offset}"]
                offset = result.next_offset
            if store.next_queue_offset(topic, queue_id) != store.max_offset(topic, queue_id):
                found.append(f"{topic} {queue_id}: next offset is not the end")
    return found


def misindexed(store: Store) -> list[str]:
    """Return what is wrong with the index: it must find each message of the log by each of its keys, and no other."""
    store.complete_index()
    expected: dict[tuple[str, str], list[int]] = {}
    position = store.log.min_offset
    while position < store.dispatched.value:
        data = store.record(position)
        if data is None:
            position = store.log.segment_end(position)
            continue
        record = decode_record(data)
        properties = decode_properties(record.properties)
        # A record that a failed write cut short within its properties may be there, though nobody was told so.
        for key in {properties.get("UNIQ_KEY", ""), *properties.get("KEYS", "").split(" ")} - {""}:
            expected.setdefault((record.topic, key), []).append(position)
        position += record.size
    found = []
    for (topic, key), log_offsets in expected.items():
        search = store.search(topic, key, 0, 1 << 50, len(log_offsets) + 1)
        hits = [decode_record(data).log_offset for data in search.run()]
        if hits != log_offsets:
            found.append(f"{topic} {key}: found at {hits}, but is at {log_offsets}")
    return found


def _state(store: Store, deleted: set[str]) -> dict[str, tuple[int, int]]:
    ends: dict[str, tuple[int, int]] = {
        f"{topic}/{queue_id}": (store.min_offset(topic, queue_id), store.max_offset(topic, queue_id))
        for topic in store.topics()
        for queue_id in store.queues_of(topic)
        if topic not in deleted and store.max_offset(topic, queue_id) > 0
    }
    ends["log"] = (store.log.min_offset, store.log.end)
    ends["dispatched"] = (0, store.dispatched.value)
    return ends


def _not_the_same_again(store: Store, deleted: set[str], image: MemoryFiles, clock: ManualClock) -> list[str]:
    again = Store(CONFIG, image.kill(), clock, STORE_HOST)
    again.load()
    first, second = _state(store, deleted), _state(again, deleted)
    found = [] if first == second else [f"second recovery: {second} after {first}"]
    return found + misindexed(again)


def _not_usable(store: Store, deleted: set[str], image: MemoryFiles, clock: ManualClock) -> list[str]:
    """What this start found, and a message appended now, must be there after the worst of crashes."""
    first = _state(store, deleted)
    item = message(Random(1), "A", 0, 1_000_000)
    placed = store.append(item)
    store.commit()
    store.flush_log()
    store.dispatch(store.flushed.value)
    found = []
    if image.steps % 2:
        store.checkpoint()
        found = misindexed(store)
    after = Store(CONFIG, image.crash(Random(2), NOTHING_KEPT), clock, STORE_HOST)
    after.load()
    second = _state(after, deleted)
    lost = [
        f"{name}: {ends}, then {second.get(name)}" for name, ends in first.items() if shrank(ends, second.get(name))
    ]
    return found + _lost(after, [Kept("A", 0, placed, bytes(item.body))]) + lost + misindexed(after)


def shrank(ends: tuple[int, int], later: tuple[int, int] | None) -> bool:
    """True when a queue or log that holds something ends before it did, or begins before it did."""
    return ends[0] < ends[1] and (later is None or later[0] < ends[0] or later[1] < ends[1])
