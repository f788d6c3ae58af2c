"""What replication asks of the commit log."""

from typing import Protocol

from broker_py.store.handles import Patience


class ReplicaLog(Protocol):
    """A commit log as a row of bytes, cut into segments (files) of one size.

    Its methods may raise StoreError or OSError.
    """

    @property
    def min_offset(self) -> int:
        """Log offset of the first byte kept: the start of a segment."""

    @property
    def end(self) -> int:
        """Log offset behind the last byte written (staged records don't count); 0 when nothing ever was."""

    def read(self, log_offset: int, size: int, patience: Patience = Patience.WAIT) -> bytes:
        """Return up to `size` written bytes from `log_offset`, at least one below `end`; never across a segment.

        NotCached when that would take more patience.
        """

    def segment_end(self, log_offset: int) -> int:
        """Return the end of the segment that holds `log_offset`, whether that segment exists or not."""

    def append_raw(self, log_offset: int, data: bytes) -> None:
        """Write bytes of one segment at `log_offset`, which is `end`, or any segment's start when the log is empty.

        They are in the page cache when it returns, which is what an acknowledgement promises.
        """

    def resume_offset(self) -> int:
        """Return the start of the last whole record if it lies within the last 64 KiB, else `end`."""
