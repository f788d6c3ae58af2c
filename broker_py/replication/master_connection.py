"""The slave's end of a connection: reads the log from its master and reports how far it holds it."""

import asyncio
import logging
from collections.abc import Callable

from broker_py.errors import BrokerPyError, Unreachable
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.connection import PeerConnection
from broker_py.replication.follower import Follower
from broker_py.replication.log import ReplicaLog
from broker_py.replication.protocol import Frame, FrameDecoder, encode_report
from broker_py.seams import Clock

_logger = logging.getLogger(__name__)


class MasterConnection(PeerConnection):
    """The master, over one TCP connection. Reports never go back while it lasts.

    `closed` gets the reason when the connection is over. `productive` tells that the master has answered, and well.
    """

    def __init__(self, log: ReplicaLog, config: ReplicationConfig, on_append: Callable[[], None], clock: Clock) -> None:
        super().__init__(config, clock)
        self.closed: asyncio.Future[BrokerPyError] = asyncio.get_running_loop().create_future()
        self.productive = False
        self.caught_up = False
        self._log = log
        self._on_append = on_append
        self._frames = FrameDecoder()
        self._follower: Follower | None = None
        self._reported = 0
        self._warned = False

    @property
    def comparing(self) -> bool:
        """True until the master has shown that it holds the end of this log, too."""
        return self._follower is None or self._follower.comparing

    def opened(self) -> None:
        """Ask for the log, at once: a Java master waits for nothing else."""
        self._follower = Follower(self._log)
        position = self._follower.position
        _logger.info("connected to master %s, log ends at %d, asking from %d", self.peer, self._log.end, position)
        self._report(position)

    def receive(self, data: bytes) -> None:
        """Apply the frames that `data` completes: one append per segment, and one report."""
        frames = self._frames.receive_data(data)
        if not frames:
            return
        assert self._follower is not None
        end = self._log.end
        try:
            self._follower.take(frames)
        finally:
            grown = self._log.end - end
            if grown:
                self.rate.add(grown, self._clock.monotonic())
                self._on_append()
        self.productive = True
        self.writable()
        if not frames[-1].data:
            self._note_heartbeat(frames[-1])

    def heartbeat(self) -> None:
        """Tell the master that this slave lives."""
        assert self._follower is not None
        self._report(self._follower.position)

    def writable(self) -> None:
        """Report what has come since the last report, unless reports pile up already."""
        assert self._follower is not None
        if self._follower.position > self._reported and not self.paused:
            self._report(self._follower.position)

    def lost(self, error: BrokerPyError) -> None:
        """Pass the reason on."""
        if not self.productive and isinstance(error, Unreachable):
            error = Unreachable(f"{error}, before it had sent anything (the master's log may tell why)")
        if not self.closed.done():
            self.closed.set_result(error)

    def _report(self, position: int) -> None:
        self._reported = position
        self.write([encode_report(position)])

    def _note_heartbeat(self, frame: Frame) -> None:
        """A heartbeat is sent when there is nothing else to send, so it tells where the master's log ends."""
        if self.comparing and not self._warned:
            self._warned = True
            _logger.warning(
                "master %s has sent its log up to %d, this store ends at %d: it may hold records its master has lost",
                self.peer,
                frame.log_offset,
                self._log.end,
            )
        if not self.comparing and not self.caught_up:
            self.caught_up = True
            _logger.info("caught up with master %s at %d", self.peer, self._log.end)
