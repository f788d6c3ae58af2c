"""A replica that takes its master's log in arbitrary slices, and loses power at every operation."""

from random import Random
from typing import Final

from broker_py.errors import StoreError
from broker_py.message.record import check_record
from broker_py.store.store import Store
from tests.simulation.crasher import POLICIES, left_by
from tests.simulation.workload import CONFIG, QUEUES, STORE_HOST, TOPICS, message, misindexed
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles

_OPERATIONS_OF_A_COPY: Final = 800


def opened(files: MemoryFiles) -> Store:
    store = Store(CONFIG, files, ManualClock(), STORE_HOST)
    store.load()
    return store


def master_of(random: Random) -> Store:
    store = opened(MemoryFiles())
    for number in range(200):
        store.append(message(random, random.choice(TOPICS), random.randrange(QUEUES), number))
    store.commit()
    store.dispatch(store.written.value)
    return store


def whole_records(master: Store, end: int) -> int:
    """Where the last record ends that lies before `end`, blanks counted to their end."""
    position = 0
    while True:
        size = check_record(master.log.read(position, 4096), 0, False)
        following = position + abs(size)
        if size == 0 or following > end:
            return position
        position = following


class Replica:
    """One replica and the crash states seen so far, at so large a share of the operations."""

    def __init__(self, master: Store, random: Random, share: float) -> None:
        self.master = master
        self.random = random
        self.share = share
        self.files = MemoryFiles()
        self.store = opened(self.files)
        self.states = 0
        self.found: list[str] = []
        self.files.on_step = self.crash

    def crash(self, operation: str) -> None:
        if self.random.random() >= self.share:
            return
        self.states += 1
        flushed = self.store.flushed.value
        image = opened(left_by(self.files, self.random, self.random.choice(POLICIES)))
        end = image.log.written
        if end < whole_records(self.master, flushed):
            self.found.append(f"before {operation!r}: ends at {end}, but {flushed} was flushed")
        mine = b"".join(image.log.read(start, 4096) for start in range(0, end, 4096))
        masters = b"".join(self.master.log.read(start, 4096) for start in range(0, end, 4096))
        if mine != masters[:end].ljust(end, b"\0"):
            self.found.append(f"before {operation!r}: other bytes than its master's")
        self.found += [f"before {operation!r}: {text}" for text in misindexed(image)]
        for topic in TOPICS:
            for queue_id in range(QUEUES):
                if image.max_offset(topic, queue_id) > self.master.max_offset(topic, queue_id):
                    self.found.append(f"before {operation!r}: {topic} {queue_id} is longer than its master's")

    def compare(self) -> None:
        """Note where the replica, which has all of the log, ends otherwise than its master."""
        for topic in TOPICS:
            for queue_id in range(QUEUES):
                ends = [store.max_offset(topic, queue_id) for store in (self.store, self.master)]
                if ends[0] != ends[1]:
                    self.found.append(f"{topic} {queue_id} ends at {ends[0]}, its master's at {ends[1]}")

    def refuses(self, gap: int) -> None:
        """Offer bytes of the master that lie further on, which is not to grow the log."""
        at = self.store.log.end
        if at == 0:
            return
        try:
            self.store.append_raw(at + gap, self.master.log.read(at + gap, 700))
        except StoreError:
            return
        self.found.append(f"a log that ends at {at} takes bytes for {at + gap}")

    def copy(self) -> None:
        """Take the log to its end, with flushes, checkpoints and power cuts on the way."""
        while self.store.log.end < self.master.log.written and not self.found:
            at = self.store.log.end
            if self.random.random() < 0.05:
                self.refuses(self.random.choice((1, 91, 4096)))
            self.store.append_raw(at, self.master.log.read(at, self.random.choice((1, 50, 700, 3000))))
            self.store.commit()
            if self.random.random() < 0.5:
                self.store.dispatch(self.store.written.value)
            if self.random.random() < 0.3:
                self.store.flush_log()
            if self.random.random() < 0.2:
                self.store.checkpoint()
            if self.random.random() < 0.01:
                self.files = left_by(self.files, self.random, self.random.choice(POLICIES))
                self.store = opened(self.files)
                self.files.on_step = self.crash


def replicas(seed: int, limit: int) -> Replica:
    """Run replicas until so many crash states were looked at; return the last, with the sum.

    A copy has some hundred operations: few states are spread over all of it.
    """
    random = Random(seed)
    master = master_of(random)
    share = min(1.0, limit / _OPERATIONS_OF_A_COPY)
    states = 0
    while True:
        replica = Replica(master, random, share)
        replica.copy()
        states += replica.states
        replica.files.on_step = None
        replica.store.dispatch(replica.store.written.value)
        replica.compare()
        if replica.found or states >= limit:
            replica.states = states
            return replica
