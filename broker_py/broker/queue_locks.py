"""Which client may consume a queue in order (broker client/rebalance/RebalanceLockManager)."""

from dataclasses import dataclass
from typing import Final

from broker_py.model.message_queue import MessageQueue

LOCK_LIVES_MS: Final = 60_000


@dataclass
class _Lock:
    client_id: str
    renewed_ms: int


class QueueLocks:
    """(group, queue) → the client that holds it, until it gives it up or is silent for a minute."""

    def __init__(self) -> None:
        self._locks: dict[str, dict[MessageQueue, _Lock]] = {}

    def lock(self, group: str, client_id: str, queues: list[MessageQueue], now_ms: int) -> list[MessageQueue]:
        """Take or renew what is free, one's own or expired; return the queues that are the client's now."""
        locks = self._locks.setdefault(group, {})
        held: list[MessageQueue] = []
        for queue in queues:
            lock = locks.get(queue)
            if lock is None or lock.client_id == client_id or now_ms - lock.renewed_ms > LOCK_LIVES_MS:
                locks[queue] = _Lock(client_id, now_ms)
                held.append(queue)
        return held

    def unlock(self, group: str, client_id: str, queues: list[MessageQueue]) -> None:
        """Give up what the client holds; others' locks stay."""
        locks = self._locks.get(group, {})
        for queue in queues:
            lock = locks.get(queue)
            if lock is not None and lock.client_id == client_id:
                del locks[queue]
        if not locks:
            self._locks.pop(group, None)

    def expire(self, now_ms: int) -> None:
        """Drop the locks that nobody renews, so that groups that are gone take no memory."""
        for group, locks in list(self._locks.items()):
            for queue in [queue for queue, lock in locks.items() if now_ms - lock.renewed_ms > LOCK_LIVES_MS]:
                del locks[queue]
            if not locks:
                del self._locks[group]
