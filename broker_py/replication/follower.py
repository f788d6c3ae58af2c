"""How a slave applies what its master sends: first compare, then append.

    own log     ├──────────────────┼───── tail ─────┤ end
    frames                         ├─ equal? ─┼─ equal? ┼── appended ──►
                           first report: `position`, which each frame moves on

Java appends whatever comes, so that a former master, or a store that was mixed up, is silently corrupted. Here the end
of the log is asked for once more: only a log that ends as the master's does grows. On the first connection to a master
that is `haCompareBytes`, since a log that Java mixed up may end like its master's; later the last record, or 64 KiB.
"""

from typing import Final

from broker_py.errors import ProtocolError, StoreError
from broker_py.replication.log import ReplicaLog
from broker_py.replication.master_log import FollowRefused
from broker_py.replication.protocol import Frame

_TAIL_BYTES: Final = 64 * 1024


class LogsDiverge(FollowRefused):
    """The slave's log isn't a part of its master's; a person has to choose which one stays."""


def first_report(log: ReplicaLog, compare_bytes: int = 0, master_min_offset: int = 0) -> int:
    """Return the log offset to ask the master for: somewhat before the end, or 0 when the log is empty.

    At least `compare_bytes` before it, if this log and the master's reach so far back.
    """
    end = log.end
    if end == 0:
        return 0
    resume = log.resume_offset()
    if resume >= end:  # no whole record near: bytes can be compared as well, wherever they start
        resume = max(log.min_offset, end - _TAIL_BYTES)
    start = max(min(resume, end - compare_bytes), log.min_offset, master_min_offset)
    return max(start, 1)  # 0 would tell the master that the log is empty


class Follower:
    """The state of a slave's copy on one connection. `position`: all below it is here and known to be the master's."""

    def __init__(self, log: ReplicaLog, compare_bytes: int = 0, master_min_offset: int = 0) -> None:
        self._log = log
        self._own_end = log.end
        self._run: list[memoryview] = []  # consecutive data not yet written, all of one segment
        self._run_start = 0
        self._run_end = 0
        self.position = first_report(log, compare_bytes, master_min_offset)

    @property
    def comparing(self) -> bool:
        """True until the tail of the slave's own log was seen to be the master's."""
        return self.position < self._own_end

    def take(self, frames: list[Frame]) -> None:
        """Compare and append the data of `frames`, then move `position`.

        ProtocolError when a frame isn't the one that has to come next, LogsDiverge when the tails differ, StoreError or
        OSError from the log. What was appended before an error stays.
        """
        self._run_end = self.position
        for frame in frames:
            self._expect(frame)
            data = frame.data
            if self.comparing:
                data = data[self._compare(data) :]
            if data:
                self._gather(data)
        self._write_run()

    def _expect(self, frame: Frame) -> None:
        if frame.log_offset == self._run_end:
            return
        if self._run_end != 0:
            raise ProtocolError(f"the master sent the log from {frame.log_offset}, {self._run_end} comes next")
        if not frame.data:
            return
        if self._log.segment_end(frame.log_offset - 1) != frame.log_offset:
            raise ProtocolError(
                f"the master sent the log from {frame.log_offset}, an empty log needs the start of a file: "
                "is mappedFileSizeCommitLog the same on both?"
            )
        self._run_end = frame.log_offset

    def _compare(self, data: memoryview) -> int:
        """Return how many bytes of `data` the log holds already."""
        size = min(len(data), self._own_end - self.position)
        compared = 0
        while compared < size:
            own = self._log.read(self.position, size - compared)
            if not own:
                raise StoreError(f"the log can't be read at {self.position}")
            theirs = data[compared : compared + len(own)]
            if theirs != own:
                self._diverge(own, theirs)
            compared += len(own)
            self.position += len(own)
        self._run_end = self.position
        return size

    def _diverge(self, own: bytes, theirs: memoryview) -> None:
        same = next(i for i in range(len(own)) if own[i] != theirs[i])
        raise LogsDiverge(
            f"logs diverge at {self.position + same}: this store holds other data than its master; "
            "stop this broker and move its store away, so that it copies the master's"
        )

    def _gather(self, data: memoryview) -> None:
        start = self._run_end
        segment_end = self._log.segment_end(start)
        if start + len(data) > segment_end:
            raise ProtocolError(
                f"the master sent {len(data)} bytes from {start}, across the end of a file at {segment_end}: "
                "mappedFileSizeCommitLog must be the same on both"
            )
        if not self._run:
            self._run_start = start
        self._run.append(data)
        self._run_end = start + len(data)
        if self._run_end == segment_end:
            self._write_run()

    def _write_run(self) -> None:
        if not self._run:
            return
        data = b"".join(self._run)
        self._run.clear()
        self._log.append_raw(self._run_start, data)
        self.position = self._run_end
