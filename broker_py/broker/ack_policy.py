"""When a stored message counts as sent, and when consumers may see it.

A message is *acknowledged* when it is written; with SYNC_FLUSH when it is flushed; with SYNC_MASTER and
inSyncReplicas above 1 when that many brokers hold it. Consumers see no more than what is acknowledged, so that
nothing consumed can be gone after a crash or a take-over. Where the slaves are away (11) or too slow (12) the
message is stored and counts as sent all the same, and is shown. docs/durability.md has it as a table.

Source: store CommitLog.handleDiskFlushAndHA, ha/GroupTransferService. Differs from Java 5.1.0, which with no slave
connected lets each send wait for slaveTimeout: here it is answered at once, as Java 4.9 does; and which heeds
minInSyncReplicas with a controller only.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from broker_py.broker.statistics import Statistics
from broker_py.broker.traffic import Counter
from broker_py.errors import RequestRefused, StoreError
from broker_py.replication.acks import AckTable
from broker_py.replication.config import ReplicationConfig
from broker_py.seams import Clock
from broker_py.store.store import Store
from broker_py.wire.codes import ResponseCode
from broker_py.wire.command import FLAG_ONEWAY, Command, Reply

log = logging.getLogger(__name__)

MAX_UNACKNOWLEDGED_BYTES: Final = 256 << 20
"""Of the log: what is known of its messages is in memory until they are acknowledged, or given up."""


class Sender(Protocol):
    """Who sent a message: a connection, or the broker itself."""

    def reply(self, command: Command, reply: Reply) -> None:
        """Tell what became of it."""


@dataclass(slots=True)
class _Sent:
    end: int
    command: Command
    peer: Sender
    reply: Reply
    began: float
    latency: Counter | None
    deadline: float = 0.0


class AckPolicy:
    """Holds the replies to sends until their messages are as safe as the profile asks, and moves dispatch along.

    `request_flush` asks for an fdatasync soon; `grown` tells the followers of the log that there is more. While
    `max_waiting` sends wait, no more are taken.
    """

    def __init__(
        self,
        store: Store,
        acks: AckTable,
        replication: ReplicationConfig,
        statistics: Statistics,
        clock: Clock,
        *,
        sync_flush: bool,
        sync_replicas: int,
        request_flush: Callable[[], None],
        grown: Callable[[], None],
        dispatched: Callable[[], None],
    ) -> None:
        self._store = store
        self._acks = acks
        self._replication = replication
        self.statistics = statistics
        self._clock = clock
        self._sync_flush = sync_flush
        self._replicas = sync_replicas
        self._request_flush = request_flush
        self._grown = grown
        self._dispatched = dispatched
        self._patient = sync_flush or sync_replicas > 1
        self._staged: list[_Sent] = []
        self._began = 0.0
        self._waiting: deque[_Sent] = deque()
        self.max_waiting = 10_000
        self._released = 0  # log offset up to which messages are shown though no slave has them

    def require_replicas(self) -> None:
        """RequestRefused while fewer brokers are in sync than minInSyncReplicas: nothing is stored then."""
        needed = self._replication.min_in_sync_replicas
        if self._replicas <= 1 or needed <= 1:
            return
        found = self._acks.in_sync(self._store.written.value, self._replication.ha_max_gap_not_in_sync)
        if found < needed:
            self.statistics.put_failed += 1
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"in-sync replicas not enough: {found}, this broker included, and minInSyncReplicas is {needed}",
            )

    def require_room(self) -> None:
        """RequestRefused while too much waits to be flushed or copied: nothing is stored then."""
        if len(self._waiting) >= self.max_waiting:
            why = f"{len(self._waiting)} sends wait to be flushed or copied (sendThreadPoolQueueCapacity)"
        elif self._store.written.value - self._store.dispatched.value > MAX_UNACKNOWLEDGED_BYTES:
            why = f"more than {MAX_UNACKNOWLEDGED_BYTES >> 20} MiB wait to be flushed or copied"
        else:
            return
        self.statistics.put_failed += 1
        raise RequestRefused(ResponseCode.SYSTEM_BUSY, f"[OVERLOAD]system busy, start flow control for a while: {why}")

    def expect(
        self, end: int, command: Command, peer: Sender, reply: Reply, wait: bool, latency: Counter | None = None
    ) -> None:
        """Answer a send with `reply` once what lies before `end` is safe; without `wait`, once it is written.

        `latency` counts how many milliseconds that took.
        """
        if command.flag & FLAG_ONEWAY:
            wait = False  # nobody is told
        if not self._staged:
            self._began = self._clock.monotonic()
        self._staged.append(_Sent(end if wait else 0, command, peer, reply, self._began, latency))

    def commit(self) -> None:
        """Write what was appended since the last call, and answer what that makes safe. The end of each batch."""
        staged = self._staged
        if not staged:
            return
        self._staged = []
        try:
            self._store.commit()
        except (OSError, StoreError) as error:
            log.error("%d messages are refused, since the log can't be written: %s", len(staged), error)
            self.statistics.put_failed += len(staged)
            refusal = Reply(ResponseCode.SERVICE_NOT_AVAILABLE, f"the message can't be stored: {error}")
            for sent in staged:
                sent.peer.reply(sent.command, refusal)
            return
        self._grown()
        if self._patient:
            self._queue(staged)
        else:
            self._answer(staged)
        self.advance()

    def _answer(self, sends: list[_Sent]) -> None:
        """Answer sends, and note how long they took: those that are answered together count as their first one."""
        if not sends:
            return
        milliseconds = int((self._clock.monotonic() - sends[0].began) * 1000)
        self.statistics.put_times.add(milliseconds, len(sends))
        for sent in sends:
            sent.peer.reply(sent.command, sent.reply)
            if sent.latency is not None:
                sent.latency.add(milliseconds, 0)

    def _queue(self, staged: list[_Sent]) -> None:
        deadline = self._clock.monotonic() + self._timeout_seconds()
        self._answer([sent for sent in staged if sent.end == 0])
        for sent in staged:
            if sent.end:
                sent.deadline = deadline
                sent.command.strip()
                self._waiting.append(sent)
        self._give_up_slaves()
        if self._sync_flush:
            self._request_flush()

    def _timeout_seconds(self) -> float:
        flush_timeout_ms = self._store.config.sync_flush_timeout if self._sync_flush else 0
        slave_timeout_ms = self._replication.slave_timeout if self._replicas > 1 else 0
        return max(flush_timeout_ms, slave_timeout_ms) / 1000

    def _give_up_slaves(self) -> bool:
        """If too few slaves are in sync, let nothing wait for them: it is stored here alone, answered and shown so."""
        written = self._store.written.value
        gap = self._replication.ha_max_gap_not_in_sync
        if self._replicas <= 1 or self._acks.in_sync(written, gap) >= self._replicas:
            return False
        for sent in self._waiting:
            if self._acks.replicated_offset(sent.end) < sent.end:
                sent.reply.code = ResponseCode.SLAVE_NOT_AVAILABLE
        self._released = written
        return True

    def visible(self) -> int:
        """The log offset up to which messages are acknowledged, and so may be consumed."""
        written = self._store.written.value
        bound = self._store.flushed.value if self._sync_flush else written
        if self._replicas > 1:
            bound = min(bound, max(self._acks.replicated_offset(written), self._released))
        return bound

    def advance(self) -> None:
        """Something became safer: dispatch it, and answer who waited for it."""
        bound = self.visible()
        if self._store.dispatched.value < bound:
            self._store.dispatch(bound)
            self._dispatched()
        waiting, safe = self._waiting, []
        while waiting and waiting[0].end <= bound:
            safe.append(waiting.popleft())
        self._answer(safe)

    def expire(self) -> None:
        """Answer the sends that have waited for too long: stored, but not as safe as asked for."""
        now = self._clock.monotonic()
        waiting, late = self._waiting, []
        moved = self.visible() < self._store.written.value and self._give_up_slaves()
        while waiting and waiting[0].deadline <= now:
            sent = waiting.popleft()
            if self._acks.replicated_offset(sent.end) >= sent.end:
                sent.reply.code = ResponseCode.FLUSH_DISK_TIMEOUT
            else:
                sent.reply.code = ResponseCode.FLUSH_SLAVE_TIMEOUT
                self._released = max(self._released, sent.end)
                moved = True
            late.append(sent)
        self._answer(late)
        if moved:
            self.advance()

    def fail_waiting(self, why: str) -> None:
        """The disk failed: nothing that waits for it may be acknowledged, now or later.

        FLUSH_DISK_TIMEOUT would be an acknowledgement: to clients it says that the message is stored.
        """
        waiting, self._waiting = self._waiting, deque()
        refusal = Reply(ResponseCode.SERVICE_NOT_AVAILABLE, f"the message is not on disk: {why}")
        for sent in waiting:
            sent.peer.reply(sent.command, refusal)

    @property
    def waiting(self) -> int:
        """How many sends wait."""
        return len(self._waiting)

    def figures(self) -> dict[str, str]:
        """What waits to be acknowledged, under the names of Java's queue of sends."""
        waited = 0.0
        if self._waiting:
            waited = self._clock.monotonic() - self._waiting[0].deadline + self._timeout_seconds()
        return {
            "sendThreadPoolQueueSize": str(len(self._waiting)),
            "sendThreadPoolQueueCapacity": str(self.max_waiting),
            "sendThreadPoolQueueHeadWaitTimeMills": str(max(0, int(waited * 1000))),
        }
