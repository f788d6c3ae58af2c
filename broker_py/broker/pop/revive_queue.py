"""One queue of the revive log as far as it was read: what is not acknowledged, and when it comes back."""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from broker_py.broker.pop.checkpoints import Ack, Checkpoint, Key

TIMED_GRACE_MS: Final = 3000
"""What a timer brings comes at its time, check points a second before their acks: those are waited for."""


@dataclass(slots=True, eq=False)
class Pending:
    """A check point with messages that are not acknowledged.

    `pin` is the revive offset from which on the log has to be read to know it. `busy`: it is being revived, or written
    anew.
    """

    checkpoint: Checkpoint
    pin: int
    due_ms: int
    busy: bool = False
    done: bool = False


class ReviveQueue:
    """Reads in order what the log has, by `apply`; `next_offset` is where to read on."""

    def __init__(self, queue_id: int, next_offset: int) -> None:
        self.queue_id = queue_id
        self.next_offset = next_offset
        self._pending: dict[Key, Pending] = {}
        self._due: list[tuple[int, int, Pending]] = []
        self._pins: list[tuple[int, int, Pending]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, key: Key) -> bool:
        return key in self._pending

    def apply(self, revive_offset: int, entry: Checkpoint | Ack) -> None:
        """Take what lies at a revive offset."""
        if isinstance(entry, Ack):
            pending = self._pending.get(entry.key)
            if pending is not None:
                pending.checkpoint.ack(entry.queue_offset)
                self.settle(pending)
            return
        known = self._pending.get(entry.key)
        if known is None:
            self._add(Pending(entry, revive_offset, entry.revive_time + (TIMED_GRACE_MS if entry.timed else 0)))
        else:
            self._renewed(known, revive_offset, entry)

    def _add(self, pending: Pending) -> None:
        if not pending.checkpoint.unacked():
            return
        self._pending[pending.checkpoint.key] = pending
        self._pin(pending)
        self.delay(pending, pending.due_ms)

    def _renewed(self, pending: Pending, revive_offset: int, again: Checkpoint) -> None:
        """The check point was written anew: the log may be forgotten before it, if it knows all acks till then."""
        known = pending.checkpoint
        for queue_offset in again.queue_offsets:
            if queue_offset not in known.queue_offsets:
                known.queue_offsets.append(queue_offset)
        settled = set(again.queue_offsets) - set(again.unacked())
        if set(known.queue_offsets) - set(known.unacked()) <= settled:
            pending.pin = revive_offset
            self._pin(pending)
        for queue_offset in settled:
            known.ack(queue_offset)
        pending.busy = False
        self.settle(pending)
        if not pending.done:
            self.delay(pending, pending.due_ms)

    def _pin(self, pending: Pending) -> None:
        self._number += 1
        heappush(self._pins, (pending.pin, self._number, pending))

    def delay(self, pending: Pending, due_ms: int) -> None:
        """Have a check point come up at another time."""
        pending.due_ms = due_ms
        self._number += 1
        heappush(self._due, (due_ms, self._number, pending))

    def settle(self, pending: Pending, *, drop: bool = False) -> None:
        """Forget a check point if all of it is acknowledged, or in any case."""
        if not pending.done and (drop or not pending.checkpoint.unacked()):
            pending.done = True
            del self._pending[pending.checkpoint.key]

    def due(self, now_ms: int) -> Pending | None:
        """Return a check point whose time is up, once for each time that it was `delay`ed."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, _, pending = heappop(self._due)
            if not pending.done and not pending.busy and due_ms == pending.due_ms:
                return pending
        return None

    def oldest(self) -> Pending | None:
        """Return the check point that the log has to be kept for the longest."""
        while self._pins and (self._pins[0][2].done or self._pins[0][2].pin != self._pins[0][0]):
            heappop(self._pins)
        return self._pins[0][2] if self._pins else None

    def passed(self) -> int:
        """Return the last revive offset that is not needed any more, -1 without any (what Java commits)."""
        oldest = self.oldest()
        return (self.next_offset if oldest is None else oldest.pin) - 1
