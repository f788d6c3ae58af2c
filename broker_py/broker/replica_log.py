"""The store as replication sees it: a row of bytes."""

from broker_py.store.handles import Patience
from broker_py.store.store import Store


class StoreLog:
    """A `replication.log.ReplicaLog`: what a master's source sends, and what a slave's sink appends to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def min_offset(self) -> int:
        """Log offset of the first byte kept."""
        return self._store.log.min_offset

    @property
    def end(self) -> int:
        """Log offset behind the last byte written."""
        return 0 if self._store.log.empty else self._store.written.value

    def read(self, log_offset: int, size: int, patience: Patience = Patience.WAIT) -> bytes:
        """Return written bytes of one segment; NotCached when that would take more patience."""
        return self._store.without_waiting(patience, self._store.log.read, log_offset, size)

    def segment_end(self, log_offset: int) -> int:
        """Return the end of the segment that holds a log offset."""
        return self._store.log.segment_end(log_offset)

    def append_raw(self, log_offset: int, data: bytes) -> None:
        """Write bytes behind the end."""
        self._store.append_raw(log_offset, data)
        self._store.commit()

    def resume_offset(self) -> int:
        """Return the start of the last whole record within the last 64 KiB, else the end."""
        return self._store.resume_offset()
