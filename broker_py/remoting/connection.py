"""One connection: requests and replies in both directions, pipelined, matched by opaque.

The same class serves accepted and dialled connections, since a broker also sends requests to its clients.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from broker_py.errors import ProtocolError, RequestFailed, Unreachable
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.router import Router
from broker_py.remoting.waiting_time import WaitingTime
from broker_py.wire.codes import LANGUAGE_PYTHON, VERSION, ResponseCode
from broker_py.wire.command import FLAG_ONEWAY, FLAG_RESPONSE, Chunk, Command, Reply
from broker_py.wire.frame import MAX_FRAME_BYTES, FrameDecoder, encode_command, encode_frame

log = logging.getLogger(__name__)

WRITE_HIGH_WATER_BYTES: Final = 4 << 20
# A reply this long leaves at once, so that its reader works while the next is made: readers of several queues and
# the broker would else take turns. What has gathered before it may leave too: replies gather when they are true.
BULK_BYTES: Final = 4096
_OPAQUES: Final = count(1)
_OPAQUE_MASK: Final = 0x7FFFFFFF
_BUSY: Final = Reply(
    ResponseCode.SYSTEM_BUSY, "[OVERLOAD]system busy, start flow control for a while: too many requests in flight"
)


@dataclass(kw_only=True)
class ConnectionOwner:
    """What all connections of a server or client share."""

    router: Router
    outbox: Outbox
    max_in_flight: int = 20_000
    max_frame_bytes: int = MAX_FRAME_BYTES
    on_open: "Callable[[Connection], None]" = field(default=lambda _: None)
    on_close: "Callable[[Connection], None]" = field(default=lambda _: None)
    on_writable: "Callable[[Connection], None]" = field(default=lambda _: None)
    waiting_time: WaitingTime | None = None


class Connection(asyncio.Protocol):
    """A socket that speaks the remoting protocol.

    `name` is "host:port" of the peer. `attachment` is for the daemon: what it keeps about this peer.
    """

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self._router = owner.router
        self._outbox = owner.outbox
        self._decoder = FrameDecoder(owner.max_frame_bytes)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._gathered: list[Chunk] = []
        self._calls: dict[int, asyncio.Future[Command]] = {}
        self._unserved: list[Command] = []
        self._waiting_time = owner.waiting_time
        self.in_flight = 0
        self.is_writable = True
        self.name = "?"
        self.host = "?"
        self.port = 0
        self.last_active = self._loop.time()
        self.header_since: float | None = None
        self.attachment: Any = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        peer = transport.get_extra_info("peername")
        if peer:
            self.host, self.port = peer[0], peer[1]
            self.name = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        self._owner.on_open(self)

    def go_on_over(self, transport: asyncio.Transport) -> None:
        """Write to `transport` from here on, a layer above the socket."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Handle the commands that `data` completes, as one batch."""
        self.last_active = now = self._loop.time()
        try:
            commands = self._decoder.receive_data(data)
        except ProtocolError as error:
            log.warning("closing connection of %s: %s", self.name, error)
            self.close()
            return
        if self._decoder.pending_bytes:
            self.header_since = self._since() if self._decoder.header_pending() else None
        else:
            self.header_since = None
        if not commands:
            return
        if not self.is_writable:
            self._unserved += commands
            return
        waited_ms, waiting = 0, self._waiting_time
        if waiting is not None and now - waiting.since >= waiting.patience.seconds and self._transport is not None:
            waited_ms = waiting.of(self._transport, now)
        self._serve(commands, waited_ms)

    def _serve(self, commands: list[Command], waited_ms: int) -> None:
        """Handle commands as one batch, until the peer is found not to read its answers: the rest waits for it."""
        outbox, router, limit = self._outbox, self._router, self._owner.max_in_flight
        outbox.begin_batch()
        try:
            for number, command in enumerate(commands):
                if not self.is_writable:
                    self._unserved = commands[number:]
                    break
                if command.flag & FLAG_RESPONSE:
                    self._resolve(command)
                    continue
                self.in_flight += 1
                if waited_ms and self._refused(command, waited_ms, len(commands) - number - 1):
                    continue
                if command.flag & FLAG_ONEWAY:
                    router.dispatch(command, self)
                    self.in_flight -= 1
                elif self.in_flight > limit:
                    self.reply(command, _BUSY)
                else:
                    router.dispatch(command, self)
        finally:
            outbox.end_batch()

    def _refused(self, command: Command, waited_ms: int, behind: int) -> bool:
        """Answer a request that has waited for too long, before anything is done for it; a one-way one is dropped."""
        assert self._waiting_time is not None
        refusal = self._waiting_time.patience.refusal(command, waited_ms, behind)
        if refusal is None:
            return False
        if command.flag & FLAG_ONEWAY:
            self.in_flight -= 1
        else:
            self.reply(command, refusal)
        return True

    def _since(self) -> float:
        """When the header that is not complete began; a peer can't renew it by a byte now and then."""
        return self.last_active if self.header_since is None else self.header_since

    def pause_writing(self) -> None:
        """A peer that doesn't read its answers is not read from: its requests wait in its own buffers.

        Those that came already, with the one whose answer it was too much, wait here.
        """
        self.is_writable = False
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.is_writable = True
        if self._transport is None or self._transport.is_closing():
            return
        if self._unserved:
            unserved, self._unserved = self._unserved, []
            self._serve(unserved, 0)
        if self.is_writable and self.is_open:
            self._transport.resume_reading()
            self._owner.on_writable(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Fail the calls that wait for this peer, and tell the owner."""
        self._transport = None
        self._unserved.clear()
        calls, self._calls = self._calls, {}
        for future in calls.values():
            if not future.done():
                future.set_exception(Unreachable(f"connection to {self.name} was lost"))
        self._owner.on_close(self)

    # Answers to the peer's requests

    def reply(self, command: Command, reply: Reply) -> None:
        """Answer a request; nothing happens if it was one-way or the peer is gone."""
        if command.flag & FLAG_ONEWAY:
            return
        self.in_flight -= 1
        if self._transport is None:
            return
        body = reply.body
        chunks: Sequence[Chunk] = (body,) if isinstance(body, (bytes, bytearray, memoryview)) else body
        size = 0
        for chunk in chunks:
            size += len(chunk)
        head = encode_frame(
            reply.code,
            FLAG_RESPONSE,
            command.opaque,
            reply.remark,
            reply.ext,
            size,
            command.serialize_type,
            LANGUAGE_PYTHON,
            VERSION,
        )
        gathered = self._gathered
        if not gathered:
            self._outbox.add(self)
        gathered.append(head)
        if size:
            gathered.extend(chunks)
            if size >= BULK_BYTES:
                self.write_gathered()

    # Our own requests to the peer

    def send(self, command: Command) -> None:
        """Send a request that will not be answered."""
        command.flag |= FLAG_ONEWAY
        command.opaque = next(_OPAQUES) & _OPAQUE_MASK
        self._gather(encode_command(command))

    async def request(self, command: Command, timeout_seconds: float) -> Command:
        """Send a request and return its reply, whatever its code; Unreachable when none comes in time."""
        command.opaque = next(_OPAQUES) & _OPAQUE_MASK
        if self._transport is None:
            raise Unreachable(f"connection to {self.name} is closed")
        future: asyncio.Future[Command] = self._loop.create_future()
        self._calls[command.opaque] = future
        self._gather(encode_command(command))
        # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with the reply.
        timer = self._loop.call_later(timeout_seconds, self._give_up, command, timeout_seconds)
        try:
            return await future
        finally:
            timer.cancel()
            self._calls.pop(command.opaque, None)

    def _give_up(self, command: Command, timeout_seconds: float) -> None:
        future = self._calls.pop(command.opaque, None)
        if future is not None and not future.done():
            future.set_exception(
                Unreachable(f"{self.name} did not answer request {command.code} in {timeout_seconds:g} s")
            )

    def _gather(self, frame: bytes) -> None:
        if self._transport is None:
            return
        if not self._gathered:
            self._outbox.add(self)
        self._gathered.append(frame)

    def _resolve(self, command: Command) -> None:
        future = self._calls.pop(command.opaque, None)
        if future is None:
            log.debug("%s answered a request that nobody waits for: %r", self.name, command)
        elif not future.done():
            future.set_result(command)

    # The socket

    def write_gathered(self) -> None:
        """Write what has gathered, in one call."""
        gathered, transport = self._gathered, self._transport
        if gathered:
            self._gathered = []
            if transport is not None:
                if self.is_writable:  # what piles up for a peer that doesn't read is no sign of life
                    self.last_active = self._loop.time()
                transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    @property
    def is_open(self) -> bool:
        """True while the peer is there."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def unread_bytes(self) -> int:
        """What was written and the peer's system has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Close after what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


def expect_success(reply: Command) -> Command:
    """Return a reply that says success; any other is a RequestFailed."""
    if reply.code != ResponseCode.SUCCESS:
        raise RequestFailed(reply.code, reply.remark or "")
    return reply
