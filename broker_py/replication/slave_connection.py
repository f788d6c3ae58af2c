"""The master's end of a connection: reads a slave's reports and sends it the log."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from broker_py.errors import BrokerPyError, StoreError
from broker_py.replication.acks import AckTable, slave_identity
from broker_py.replication.attempts import MAX_FAILURES, WINDOW_SECONDS, Attempts
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.connection import PeerConnection
from broker_py.replication.log import ReplicaLog
from broker_py.replication.progress import SlaveProgress, SlaveRefused
from broker_py.replication.protocol import FRAME_HEADER, REPORT, ReportDecoder, encode_frame_header
from broker_py.replication.secret import MasterHandshake, Secret, is_hello
from broker_py.seams import Clock
from broker_py.store.handles import NotCached, Patience

_logger = logging.getLogger(__name__)

Fetch = Callable[[object, NotCached, Callable[[OSError | None], None]], bool]
"""owner, what to bring into memory, what to call then; False when it can't be done."""

# By how often bytes were missed in a row: that they are gone again before they are sent happens where memory is short.
_PATIENCE: Final = (Patience.NONE, Patience.LITTLE, Patience.LITTLE, Patience.WAIT)
_TURN_BYTES: Final = 256 * 1024  # of log per turn of the event loop, so that no transfer holds up the clients


class SlaveConnection(PeerConnection):
    """One slave, over one TCP connection."""

    def __init__(
        self,
        number: int,
        log: ReplicaLog,
        config: ReplicationConfig,
        acks: AckTable,
        clock: Clock,
        *,
        on_ack: Callable[[], None],
        on_ready: Callable[[], None],
        on_lost: Callable[["SlaveConnection"], None],
        fetch: Fetch,
        secret: Secret | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        """`number` names the connection in `acks`; `on_ready` is called when `pump` has something to do.

        `fetch` brings old parts of the log into memory, for which nobody else is to wait. With a `secret`, nothing but
        its proof is taken from a slave first; `attempts` are those of all slaves.
        """
        super().__init__(config, clock)
        self.number = number
        self.progress = SlaveProgress()
        self._log = log
        self._acks = acks
        self._on_ack = on_ack
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._reports = ReportDecoder()
        self._caught_up = False
        self._attempts = attempts or Attempts()
        self._secret = secret
        self._handshake = None if secret is None else MasterHandshake(secret)
        self._deadline: asyncio.TimerHandle | None = None
        self._fetch = fetch
        self._fetching = False
        self._misses = 0

    @property
    def stranger(self) -> bool:
        """True until the slave has proved the secret, where there is one."""
        return self._handshake is not None

    def opened(self) -> None:
        """Give the slave a moment to prove the secret, unless its address has failed too often."""
        if self._secret is None:
            return
        if self._attempts.blocked(self.peer_ip, self._clock.monotonic()):
            raise SlaveRefused(
                f"{MAX_FAILURES} proofs of the secret from its address failed within {WINDOW_SECONDS:.0f} s; "
                "it is heard again when that is over"
            )
        seconds = self._secret.patience_seconds
        error = SlaveRefused(f"it didn't prove the secret of haSecretFile within {seconds:.0f} s")
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._fail_proof, error)

    def _fail_proof(self, error: SlaveRefused) -> None:
        self._attempts.failed(self.peer_ip, self._clock.monotonic())
        self.abort(error)

    def _shake_hands(self, handshake: MasterHandshake, data: bytes) -> None:
        try:
            answer = handshake.receive(data)
        except SlaveRefused as error:
            self._fail_proof(error)
            return
        if answer:
            self.write([answer])
        if handshake.done:
            self._end_handshake()
            self._attempts.succeeded(self.peer_ip)

    def _end_handshake(self) -> None:
        self._handshake = None
        if self._deadline is not None:
            self._deadline.cancel()

    def pump(self) -> bool:
        """Send the next frames; True when there is more that could be sent at once."""
        if self.ended is not None or self.paused or self._fetching or not self.progress.started:
            return False
        try:
            end = self._log.end
            chunks = self._frames(end)
        except NotCached as miss:
            self._misses += 1
            self._fetching = self._fetch(self, miss, self._fetched)
            if self._fetching:
                return False
            self._misses = len(_PATIENCE)
            return True
        except (BrokerPyError, OSError) as error:
            self.abort(error)
            return False
        if chunks:
            self.write(chunks)
        return self.progress.sent < end and not self.paused

    def receive(self, data: bytes) -> None:
        """Take reports: acknowledgements, and the first one a request for the log."""
        if self._handshake is not None:
            self._shake_hands(self._handshake, data)
            return
        if not self.progress.started and len(data) >= REPORT.size and is_hello(data):
            raise SlaveRefused("it wants to prove a secret, and there is no haSecretFile here: give both one, or none")
        report = self._reports.receive_data(data)
        if report is None:
            return
        end = self._log.end
        first = not self.progress.started
        self.progress.report(report, self._log.min_offset, end)
        if first:
            sent = self.progress.sent
            _logger.info("slave %s connected, gets the log from %d, %d bytes behind", self.peer, sent, end - sent)
            self._acks.join(self.number, slave_identity(self.peer_ip, self.local_ip, self.number))
            self._on_ready()
        self._acks.acknowledge(self.number, report)
        self._note_catching_up(end)
        self._on_ack()

    def heartbeat(self) -> None:
        """Tell the slave that the master lives, and which offset comes next."""
        if self.progress.started:
            self.write([encode_frame_header(self.progress.sent, 0)])

    def writable(self) -> None:
        """Go on sending."""
        self._on_ready()

    def lost(self, error: BrokerPyError) -> None:
        """Forget the slave."""
        self._end_handshake()
        if self.progress.started:
            self._acks.leave(self.number)
            _logger.warning("slave %s lost, it holds the log up to %d: %s", self.peer, self.progress.acked, error)
        elif isinstance(error, SlaveRefused):
            _logger.warning("slave %s refused: %s", self.peer, error)
        else:
            _logger.info("%s left the replication port without a report: %s", self.peer, error)
        self._on_lost(self)

    def _frames(self, end: int) -> list[bytes]:
        """Return headers and data of the next frames, a turn's worth."""
        chunks: list[bytes] = []
        budget = _TURN_BYTES
        while budget > 0 and self.progress.sent < end:
            try:
                data = self._next_data(end)
            except NotCached:
                if chunks:
                    break
                raise
            chunks.append(encode_frame_header(self.progress.sent, len(data)))
            chunks.append(data)
            self.progress.advance(len(data))
            budget -= len(data) + FRAME_HEADER.size
        if chunks:
            self.rate.add(_TURN_BYTES - budget, self._clock.monotonic())
        return chunks

    def _next_data(self, end: int) -> bytes:
        sent = self.progress.sent
        if sent < self._log.min_offset:
            raise SlaveRefused(f"the files that hold {sent} were deleted before the slave had them")
        patience = _PATIENCE[min(self._misses, len(_PATIENCE) - 1)]
        data = self._log.read(sent, min(self._config.ha_transfer_batch_size, end - sent), patience)
        if not data:
            raise StoreError(f"the log can't be read at {sent}")
        self._misses = 0
        return data

    def _fetched(self, error: OSError | None) -> None:
        self._fetching = False
        if error is not None:
            self.abort(error)
        elif self.ended is None:
            self._on_ready()

    def _note_catching_up(self, end: int) -> None:
        if self.progress.acked == end and not self._caught_up:
            self._caught_up = True
            _logger.info("slave %s caught up at %d", self.peer, end)
