"""A broker with transactions, cut short at every operation: what a restart makes of its half messages.

What was answered under SYNC_FLUSH counts. After a crash, with a producer connected and time passing, each half message
that was accepted has its final message where it was committed, none where nobody committed it, and is asked about, or
was put aside, where it is not decided.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random

from broker_py.message.properties import UNIQ_KEY, decode_properties
from broker_py.message.record import decode_record
from broker_py.model.topic import CHECK_MAX_TIME_TOPIC
from broker_py.store.config import StoreConfig
from broker_py.wire.command import Command
from tests.simulation.crasher import POLICIES, left_by
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.half_site import COMMIT, ROLLBACK, Half, HalfSite, asked_about, half_at

STORE = StoreConfig(
    store_path_root_dir="/store",
    mapped_file_size_commit_log=8192,
    mapped_file_size_consume_queue=400,
    max_hash_slot_num=100,
    max_index_num=200,
)
CHECK_MAX = 100
START_MS = 1_700_000_000_000


@dataclass
class Known:
    """What a producer knows of its transactions, by their unique ids: what was answered, and what it had said."""

    accepted: dict[str, Half] = field(default_factory=dict)
    committed: set[str] = field(default_factory=set)
    said: dict[str, int] = field(default_factory=dict)


class Life:
    """A broker and its producer from one start to one crash."""

    def __init__(self, files: MemoryFiles, random: Random, known: Known, now_ms: int) -> None:
        self.random = random
        self.known = known
        self.site = HalfSite(files, store=STORE, sync_flush=True, transaction_check_max=CHECK_MAX)
        self.site.clock.set_ms(now_ms)
        self.site.acks.advance()
        self.site.between = self.now_and_then_save
        self.producer = self.site.producer()
        self.waiting: list[tuple[Command, str, int]] = []

    def step(self, number: int) -> None:
        """Do one random thing."""
        choice = self.random.random()
        if choice < 0.35:
            unique_id = f"U{number}"
            command = self.site.half_send(b"%d:" % number + bytes(self.random.choice((0, 300))), unique_id)
            self.waiting.append((command, unique_id, 0))
            self.site.receive(command, peer=self.producer)
        elif choice < 0.6 and self.known.accepted:
            unique_id = self.random.choice(list(self.known.accepted))
            self.end(unique_id, self.known.accepted[unique_id])
        elif choice < 0.75:
            self.site.flush()
        elif choice < 0.82:
            self.site.decisions.write()
            self.site.end_turn()
        elif choice < 0.9:
            self.site.clock.advance(self.random.choice((500, 7000)))
            self.check()
        elif choice < 0.95:
            self.save()
        else:
            self.site.store.checkpoint()
        self.hear()

    def now_and_then_save(self) -> None:
        """Write down where the check stands, as a timer does."""
        if self.random.random() < 0.3:
            self.save()

    def save(self) -> None:
        """Write down where the check stands."""
        self.site.checks.write_down()
        self.site.offsets.save()

    def check(self) -> None:
        """Let the broker check, and answer some of what it asks."""
        asked_before = len(self.producer.sent)
        self.site.check()
        for asked in self.producer.sent[asked_before:]:
            if self.random.random() < 0.5:
                self.end(str(asked.ext["transactionId"]), asked_about(asked))

    def end(self, unique_id: str, half: Half) -> None:
        """Say what became of a transaction: always the same of one."""
        how = self.known.said.setdefault(unique_id, self.random.choice((COMMIT, ROLLBACK)))
        command = self.site.end_command(half, how)
        self.waiting.append((command, unique_id, how))
        self.site.receive(command, peer=self.producer)

    def hear(self) -> None:
        """Take note of what was answered."""
        for waiting in list(self.waiting):
            command, unique_id, how = waiting
            reply = self.producer.reply_to(command)
            if reply is None:
                continue
            self.waiting.remove(waiting)
            if reply.code == 0:
                if how == 0:
                    self.known.accepted[unique_id] = half_at(reply)
                elif how == COMMIT:
                    self.known.committed.add(unique_id)


def unique_ids(site: HalfSite, topic: str, queue_id: int) -> set[str]:
    """Return the unique ids of the messages of a queue."""
    return {decode_properties(record.properties)[UNIQ_KEY] for record in site.all_of(topic, queue_id)}


def violations(image: MemoryFiles, known: Known, now_ms: int) -> list[str]:
    """Start a broker on what a crash left, and return what is wrong with its transactions."""
    life = Life(image, Random(1), Known(), now_ms + 100_000)
    site = life.site
    seen = unique_ids(site, "T", 2)
    found = [f"{unique_id} was committed and is gone" for unique_id in known.committed - seen]
    found += [
        f"{unique_id} is seen and nobody committed it" for unique_id in seen if known.said.get(unique_id) != COMMIT
    ]
    site.check()
    asked = {decode_properties(decode_record(check.body).properties)[UNIQ_KEY] for check in life.producer.sent}
    said_no = {unique_id for unique_id, how in known.said.items() if how == ROLLBACK}
    reachable = seen | said_no | asked | unique_ids(site, CHECK_MAX_TIME_TOPIC, 0)
    found += [f"{unique_id} was accepted and is forgotten" for unique_id in known.accepted.keys() - reachable]
    return found


class TransactionCrasher:
    """Crashes lives at every operation until so many states were looked at."""

    def __init__(self, seed: int, limit: int) -> None:
        self.random = Random(seed)
        self.limit = limit
        self.states = 0
        self.found: list[str] = []

    def run(self) -> None:
        """Begin with new files again and again; each has several lives."""
        while not self._done():
            files, known, now_ms, number = MemoryFiles(), Known(), START_MS, 0
            for _ in range(3):
                life = Life(files, self.random, known, now_ms)
                files.on_step = lambda operation, life=life: self._crash(operation, life)
                for _ in range(self.random.randrange(20, 80)):
                    number += 1
                    life.step(number)
                    if self._done():
                        return
                files.on_step = None
                life.site.acks.commit()
                life.hear()
                now_ms = life.site.clock.now_ms()
                files = left_by(files, self.random, self.random.choice(POLICIES))

    def _crash(self, operation: str, life: Life) -> None:
        if self._done():
            return
        policy = POLICIES[self.states % len(POLICIES)]
        self.states += 1
        image = left_by(life.site.files, self.random, policy)
        now_ms = life.site.clock.now_ms()
        # The broker that crashes may be in its event loop, so the next one runs in a thread with its own.
        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(violations, image, life.known, now_ms).result()
        for text in found:
            self.found.append(f"crash before {operation!r}, state {self.states}, policy {policy}: {text}")

    def _done(self) -> bool:
        return self.states >= self.limit or bool(self.found)
