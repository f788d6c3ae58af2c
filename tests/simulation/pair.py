"""A master that waits for its disk and its slave, and that slave, losing processes, power and the link between them.

Stores, acknowledgements and both ends of the replication connection are the real ones; files, clock and wire are in
memory. What a producer was told must be on the master's disk, and in the slave's files, whichever of them ends when.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.replica_log import StoreLog
from broker_py.broker.statistics import Statistics
from broker_py.errors import BrokerPyError, StoreError, Unreachable
from broker_py.message.record import decode_record
from broker_py.replication.acks import AckTable
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.connection import PeerConnection
from broker_py.replication.follower import LogsDiverge
from broker_py.replication.master_connection import MasterConnection
from broker_py.replication.progress import SlaveRefused
from broker_py.replication.protocol import REPORT
from broker_py.replication.slave_connection import SlaveConnection
from broker_py.store.commit_log import LogFlush
from broker_py.store.config import FlushDiskType
from broker_py.store.reading import GetStatus
from broker_py.store.store import Store
from broker_py.wire.codes import ResponseCode
from broker_py.wire.command import Command, Reply
from tests.simulation.crasher import POLICIES, left_by
from tests.simulation.workload import CONFIG, QUEUES, STORE_HOST, TOPICS, Kept, message
from tests.support.clock import ManualClock
from tests.support.memory_files import NOTHING_KEPT, CrashPolicy, MemoryFiles
from tests.unit.broker.peers import MemoryPeer

SYNC: Final = replace(CONFIG, flush_disk_type=FlushDiskType.SYNC_FLUSH)
REPLICATION: Final = ReplicationConfig(slave_timeout=2000, ha_transfer_batch_size=700)
POWER_CUTS: Final = [policy for policy in POLICIES if policy is not None]
_DRAIN_ROUNDS: Final = 400


class Wire(asyncio.Transport):
    """One direction of a connection: what was written and has not arrived yet. `on_write` looks at it first."""

    def __init__(self, on_write: Callable[[bytes], None]) -> None:
        super().__init__({"peername": ("10.0.0.2", 4000), "sockname": ("10.0.0.1", 10912)})
        self.under_way = bytearray()
        self._on_write = on_write

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes."""
        self._on_write(bytes(data))
        self.under_way += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There are none."""

    def abort(self) -> None:
        """The connection says itself that it has ended."""

    def take(self, size: int) -> bytes:
        """Return the bytes that arrive next."""
        data = bytes(self.under_way[:size])
        del self.under_way[:size]
        return data


class Process:
    """A broker as far as it decides what is acknowledged: its store and its acknowledgements."""

    def __init__(self, files: MemoryFiles, clock: ManualClock, replicas: int) -> None:
        self.files = files
        self.store = opened(files, clock)
        self.slaves = AckTable(replicas)
        self.flushing: LogFlush | None = None
        self.acks = AckPolicy(
            self.store,
            self.slaves,
            REPLICATION,
            Statistics(clock.now_ms()),
            clock,
            sync_flush=True,
            sync_replicas=replicas,
            request_flush=lambda: None,
            grown=lambda: None,
            dispatched=lambda: None,
        )
        self.store.dispatch(self.acks.visible())

    def flush(self) -> None:
        """Begin to force the log, or end it. StoreError."""
        flush, self.flushing = self.flushing, None
        if flush is None:
            self.flushing = self.store.start_flush()
            return
        try:
            flush.run()
        except OSError as error:
            self.store.finish_flush(flush, error)
            self.acks.fail_waiting(str(error))
            raise StoreError(str(error)) from error
        self.store.finish_flush(flush, None)
        self.acks.advance()


def opened(files: MemoryFiles, clock: ManualClock) -> Store:
    """A store on the files, loaded."""
    store = Store(SYNC, files, clock, STORE_HOST)
    store.load()
    return store


class Pair(MemoryPeer):
    """Master, slave, the link, and the one client, which knows what it was told and what it has read."""

    def __init__(self, seed: int, limit: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.limit = limit
        self.clock = ManualClock()
        self.states = 0
        self.refused = 0
        self.found: list[str] = []
        self.number = 0
        self.acknowledged: list[Kept] = []
        self.copied: list[Kept] = []  # those that this slave must have, too
        self.seen: dict[tuple[str, int, int], bytes] = {}
        self._sent: dict[int, tuple[Command, Kept]] = {}
        self._connections = 0
        self._ends: tuple[PeerConnection, PeerConnection] | None = None
        self._master_lost_something = False
        self._lost_below = 0  # of what was reported before, the slave may have lost something
        self._start_master(MemoryFiles())
        self._start_slave(MemoryFiles())

    def _start_master(self, files: MemoryFiles) -> None:
        self.disconnect()
        self._lost_below = 0
        self.master = Process(files, self.clock, 2)
        self._watch(files, "master")

    def _start_slave(self, files: MemoryFiles) -> None:
        self.disconnect()
        self.slave = Process(files, self.clock, 1)
        self._watch(files, "slave")

    def _watch(self, files: MemoryFiles, whose: str) -> None:
        files.on_step = lambda step: self.crash(f"the {whose}'s {step}")

    def watch(self) -> None:
        """Look at each operation of either again."""
        self._watch(self.master.files, "master")
        self._watch(self.slave.files, "slave")

    def done(self) -> bool:
        """True when there is no need for another state."""
        return self.states >= self.limit or bool(self.found)

    # What must be true at every moment

    def crash(self, operation: str) -> None:
        """Look at what is there if the master loses power and the slave's process ends before an operation."""
        if self.done():
            return
        self.states += 1
        for where, files, kept in (
            ("the master's disk", self.master.files.crash(self.random, self._power_cut()), self.acknowledged),
            ("the slave's files", self.slave.files.kill(), self.copied),
        ):
            try:
                store = opened(files, self.clock)
            except (BrokerPyError, OSError) as error:
                self.found.append(f"before {operation}: {where} can't be opened: {error!r}")
                continue
            lacking = [each.body[:8] for each in kept if body_at(store, *place_of(each)) != each.body]
            if lacking:
                self.found.append(f"before {operation}: {where} lack acknowledged messages: {lacking[:5]}")
            if kept is self.acknowledged:
                self._read_newest()
                gone = [place for place, body in self.seen.items() if body_at(store, *place) != body]
                if gone:
                    self.found.append(f"before {operation}: consumers saw what is gone: {gone[:5]}")

    def _power_cut(self) -> CrashPolicy:
        return POWER_CUTS[self.states % len(POWER_CUTS)]

    def reply(self, command: Command, reply: Reply) -> None:
        """The client is told what became of a send."""
        _, kept = self._sent.pop(id(command))
        if reply.code == ResponseCode.SUCCESS:
            self.acknowledged.append(kept)
            if kept.placed.end > self._lost_below:
                self.copied.append(kept)

    def _reported(self, data: bytes) -> None:
        """A slave may report no more than it holds."""
        for (log_offset,) in REPORT.iter_unpack(data):
            if log_offset > max(self.slave.store.log.end, 1):
                self.found.append(f"the slave reports {log_offset} and holds {self.slave.store.log.end}")

    # What happens

    def run(self, operations: int) -> None:
        """Do random things."""
        for _ in range(operations):
            self.step()

    def step(self) -> None:
        """Do one random thing."""
        self.clock.advance(self.random.choice((0, 1, 20)))
        choice = self.random.random()
        try:
            if choice < 0.25:
                self.send_some()
            elif choice < 0.36:
                self.random.choice((self.master, self.master, self.slave)).flush()
            elif choice < 0.80:
                self.exchange()
            elif choice < 0.82:
                self.lose_the_tail()
            elif choice < 0.90:
                self.clock.advance(self.random.choice((500, 3000)))
                self.master.acks.expire()
            elif choice < 0.94:
                self.random.choice((self.master, self.slave)).store.checkpoint()
            elif choice < 0.955:
                self.disconnect()
            elif choice < 0.97:
                self.master.files.fail_sync_number = 1
                self.master.flush()
                self.master.flush()
            else:
                self.end_one()
        except StoreError:
            self.end_one(master=True, policy=None)

    def send_some(self) -> None:
        """Have the client send messages, as one batch of requests."""
        for _ in range(self.random.randrange(1, 5)):
            self.number += 1
            item = message(self.random, self.random.choice(TOPICS), self.random.randrange(QUEUES), self.number)
            placed = self.master.store.append(item)
            command = Command(0)
            self._sent[id(command)] = command, Kept(item.topic, item.queue_id, placed, bytes(item.body))
            self.master.acks.expect(placed.end, command, self, Reply(), True)
        self.master.acks.commit()

    def _read_newest(self) -> None:
        """Have a consumer read the newest message of each queue."""
        for topic in TOPICS:
            for queue_id in range(QUEUES):
                offset = self.master.store.max_offset(topic, queue_id) - 1
                body = body_at(self.master.store, topic, queue_id, offset) if offset >= 0 else None
                if body is not None:
                    self.seen[topic, queue_id, offset] = body

    def lose_the_tail(self) -> None:
        """Cut the power of a master whose slave has what its disk has not, and let it go on alone for a while."""
        self.send_some()
        for _ in range(20):
            self.exchange()
        self.end_one(master=True, policy=NOTHING_KEPT)
        for _ in range(self.random.randrange(4)):
            self.send_some()

    def exchange(self) -> None:
        """Have the master send, and some bytes arrive on either side."""
        if self._ends is None:
            self._connect()
            return
        master_end, slave_end = self._ends
        assert isinstance(master_end, SlaveConnection)
        master_end.pump()
        for sender, receiver in ((self._to_slave, slave_end), (self._to_master, master_end)):
            if self.random.random() < 0.8:
                data = sender.take(self.random.choice((1, 100, 1000, 5000, 20_000)))
                if data:
                    receiver.data_received(data)
        for end in self._ends:
            if end.ended is not None:
                self._broken(end.ended)
                return

    def _connect(self) -> None:
        self._connections += 1
        master, slave = self.master, self.slave
        self._to_slave, self._to_master = Wire(lambda data: None), Wire(self._reported)
        master_end = SlaveConnection(
            self._connections,
            StoreLog(master.store),
            REPLICATION,
            master.slaves,
            self.clock,
            on_ack=master.acks.advance,
            on_ready=lambda: None,
            on_lost=lambda slave: None,
            fetch=lambda owner, miss, done: False,
        )
        slave_end = MasterConnection(StoreLog(slave.store), REPLICATION, slave.acks.advance, self.clock)
        self._ends = master_end, slave_end
        master_end.connection_made(self._to_slave)
        slave_end.connection_made(self._to_master)

    def disconnect(self) -> None:
        """Break the connection, with what is under way."""
        if self._ends is not None:
            ends, self._ends = self._ends, None
            for end in ends:
                end.connection_lost(None)

    def _broken(self, error: BrokerPyError) -> None:
        """A connection that ended because the logs differ is for a person to mend: an empty slave takes over."""
        self.disconnect()
        if isinstance(error, (SlaveRefused, LogsDiverge)):
            self.refused += 1
            if not self._master_lost_something:
                self.found.append(f"a slave is not let in, though no master lost anything: {error}")
            self._replace_slave()
        elif not isinstance(error, Unreachable):
            self.found.append(f"the connection ended: {error!r}")

    def _replace_slave(self) -> None:
        self._forget_copies()
        self._start_slave(MemoryFiles())

    def _forget_copies(self) -> None:
        """The slave may have lost what it has reported: it acknowledges what is written, not what is forced."""
        self.copied = []
        self._lost_below = self.master.slaves.replicated_offset(self.master.store.written.value)

    def end_one(self, *, master: bool | None = None, policy: CrashPolicy | None = None) -> None:
        """End the process of one broker, or cut its power, and start it again."""
        if master is None:
            master = self.random.random() < 0.5
            policy = self.random.choice((None, None, *POWER_CUTS))
        self.disconnect()
        if master:
            self._master_lost_something |= policy is not None
            self._sent.clear()
            self._start_master(left_by(self.master.files, self.random, policy))
        elif policy is None:
            self._start_slave(self.slave.files.kill())
        else:
            self._forget_copies()
            self._start_slave(left_by(self.slave.files, self.random, policy))

    # The end

    def drain(self) -> None:
        """Have the slave catch up, and compare the two."""
        self.master.files.on_step = self.slave.files.on_step = None
        for _ in range(_DRAIN_ROUNDS):
            for process in (self.master, self.slave):
                process.flushing = None
                process.flush()
                process.flush()
            self.exchange()
            if self._level():
                break
            if self.slave.store.written.value > self.master.store.written.value:
                self.send_some()  # a slave that is ahead by whole records waits for what its master has there
        if not self._level():
            self.found.append(
                f"the slave stays at {self.slave.store.written.value} of {self.master.store.written.value}"
            )
            return
        self._master_lost_something = False
        end = self.master.store.written.value
        for start in range(0, end, SYNC.mapped_file_size_commit_log):
            if self.master.store.log.read(start, 1 << 20) != self.slave.store.log.read(start, 1 << 20):
                self.found.append(f"the logs differ in the file of {start}")
        for topic in TOPICS:
            for queue_id in range(QUEUES):
                ends = [process.store.max_offset(topic, queue_id) for process in (self.master, self.slave)]
                if ends[0] != ends[1]:
                    self.found.append(f"{topic} {queue_id} ends at {ends[0]}, and at {ends[1]} on the slave")
        for process in (self.master, self.slave):
            for kept in self.acknowledged:
                if body_at(process.store, *place_of(kept)) != kept.body:
                    self.found.append(f"{kept.body[:8]!r} was acknowledged and is not at {place_of(kept)}")

    def _level(self) -> bool:
        master, slave = self.master.store, self.slave.store
        return slave.written.value == master.written.value == slave.dispatched.value == master.dispatched.value


def place_of(kept: Kept) -> tuple[str, int, int]:
    """Topic, queue id and queue offset of a message."""
    return kept.topic, kept.queue_id, kept.placed.queue_offset


def body_at(store: Store, topic: str, queue_id: int, queue_offset: int) -> bytes | None:
    """Return the body of a message, None when there is none."""
    result = store.get(topic, queue_id, queue_offset, 1, 1 << 20)
    return bytes(decode_record(b"".join(result.chunks)).body) if result.status is GetStatus.FOUND else None


def pairs(seed: int, limit: int) -> Pair:
    """Run pairs until so many crash states were looked at; return the last, with the sums."""

    async def scenario() -> Pair:
        states = refused = number = 0
        while True:
            pair = Pair(seed + 1000 * number, limit - states)
            number += 1
            for _ in range(3):
                pair.run(pair.random.randrange(40, 120))
                if not pair.found:
                    pair.drain()
                if pair.done():
                    break
                pair.watch()
            states, refused = states + pair.states, refused + pair.refused
            pair.disconnect()
            if pair.found or states >= limit:
                pair.states, pair.refused = states, refused
                return pair

    return asyncio.run(scenario())
