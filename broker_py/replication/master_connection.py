"""The slave's end of a connection: reads the log from its master and reports how far it holds it."""

import asyncio
import logging
from collections.abc import Callable

from broker_py.errors import BrokerPyError, Unreachable
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.connection import PeerConnection
from broker_py.replication.follower import Follower
from broker_py.replication.log import ReplicaLog
from broker_py.replication.master_log import FollowRefused, ahead_of_master
from broker_py.replication.protocol import Frame, FrameDecoder, encode_report
from broker_py.replication.secret import Secret, SlaveHandshake
from broker_py.seams import Clock

_logger = logging.getLogger(__name__)


class MasterConnection(PeerConnection):
    """The master, over one TCP connection. Reports never go back while it lasts.

    `closed` gets the reason when the connection is over. `productive` tells that the master has answered, and well.
    """

    def __init__(
        self,
        log: ReplicaLog,
        config: ReplicationConfig,
        on_append: Callable[[], None],
        clock: Clock,
        compare_bytes: int = 0,
        master_min_offset: int = 0,
        secret: Secret | None = None,
    ) -> None:
        """See `first_report` for the two numbers. With a `secret`, both sides prove it first."""
        super().__init__(config, clock)
        self.closed: asyncio.Future[BrokerPyError] = asyncio.get_running_loop().create_future()
        self.productive = False
        self.caught_up = False
        self._log = log
        self._on_append = on_append
        self._frames = FrameDecoder()
        self._follower: Follower | None = None
        self._compare_bytes = compare_bytes
        self._master_min_offset = master_min_offset
        self._secret = secret
        self._handshake: SlaveHandshake | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._reported = 0
        self._idle_at: int | None = None  # log offset of a heartbeat that came before the comparing was done

    @property
    def comparing(self) -> bool:
        """True until the master has shown that it holds the end of this log, too."""
        return self._follower is None or self._follower.comparing

    def opened(self) -> None:
        """Ask for the log, at once, as a Java master waits for nothing else; or prove the secret before."""
        if self._secret is None:
            self._ask()
            return
        self._handshake = SlaveHandshake(self._secret)
        error = FollowRefused(
            f"the master shows within {self._secret.patience_seconds:.0f} s no knowledge of a secret: give it the same "
            "haSecretFile, or give none to either (a Java broker can't have one)"
        )
        self._deadline = asyncio.get_running_loop().call_later(self._secret.patience_seconds, self.abort, error)
        self.write([self._handshake.hello])

    def _shake_hands(self, handshake: SlaveHandshake, data: bytes) -> bytes:
        """Return what of `data` is behind the handshake."""
        answer, rest = handshake.receive(data)
        if answer:
            self.write([answer])
        if handshake.done:
            self._end_handshake()
            self._ask()
        return rest

    def _end_handshake(self) -> None:
        self._handshake = None
        if self._deadline is not None:
            self._deadline.cancel()

    def _ask(self) -> None:
        self._follower = Follower(self._log, self._compare_bytes, self._master_min_offset)
        position = self._follower.position
        _logger.info("connected to master %s, log ends at %d, asking from %d", self.peer, self._log.end, position)
        self._report(position)

    def receive(self, data: bytes) -> None:
        """Apply the frames that `data` completes: one append per segment, and one report."""
        if self._handshake is not None:
            data = self._shake_hands(self._handshake, data)
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
        for frame in frames:
            if not frame.data:
                self._note_heartbeat(frame)
        self.productive = True
        self.writable()

    def heartbeat(self) -> None:
        """Tell the master that this slave lives."""
        if self._follower is not None:
            self._report(self._follower.position)

    def writable(self) -> None:
        """Report what has come since the last report, unless reports pile up already."""
        if self._follower is not None and self._follower.position > self._reported and not self.paused:
            self._report(self._follower.position)

    def lost(self, error: BrokerPyError) -> None:
        """Pass the reason on."""
        if self._handshake is not None and self._handshake.proved and isinstance(error, Unreachable):
            error = FollowRefused("the master didn't take the proof of the secret: is haSecretFile the same on both?")
        self._end_handshake()
        if not self.productive and isinstance(error, Unreachable):
            error = Unreachable(f"{error}, before it had sent anything (the master's log may tell why)")
        if not self.closed.done():
            self.closed.set_result(error)

    def _report(self, position: int) -> None:
        self._reported = position
        self.write([encode_report(position)])

    def _note_heartbeat(self, frame: Frame) -> None:
        """A heartbeat is sent when there is nothing else to send, so it tells where the master's log ends."""
        if self.comparing:
            if frame.log_offset == self._idle_at:
                raise ahead_of_master(self._log.end, frame.log_offset)
            self._idle_at = frame.log_offset  # once it may be a master that stood still for a moment
            return
        if not self.caught_up:
            self.caught_up = True
            _logger.info("caught up with master %s at %d", self.peer, self._log.end)
