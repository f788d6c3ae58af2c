"""Which handler serves which request code, and what becomes of its result.

Codes and exceptions meet here and nowhere else: a RequestRefused is answered with its code, a body that can't be
read (ProtocolError, within a frame that was sound) and a disk that fails (StoreError, OSError) with SYSTEM_ERROR, and
so is any other exception, which is our own bug and logged with its trace (remoting netty/NettyRemotingAbstract).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from broker_py.errors import ProtocolError, RequestRefused, StoreError
from broker_py.remoting.peer import Peer
from broker_py.wire.codes import ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.header import decode_header

log = logging.getLogger(__name__)

_OVERLOAD: Final = "[OVERLOAD]system busy, start flow control for a while: too many requests wait for others"

_H = TypeVar("_H")
# None: the handler answers later, or never. A coroutine: a request that has to wait for somebody else.
Result = Reply | Coroutine[Any, Any, Reply] | None
Handle = Callable[[Command, Peer], Result]
Guard = Callable[[Command, Peer], None]

MAX_TASKS: Final = 20_000
"""Requests that wait for somebody else, of all connections: one-way ones count in no connection's limit."""


class Router:
    """Request code → handler; one for all connections of a daemon. `why(code)` ends the sentence of a refusal."""

    def __init__(self, why: Callable[[int], str] = lambda _: "") -> None:
        self._why = why
        self._routes: dict[int, Handle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._guard: Guard | None = None

    def guard(self, guard: Guard) -> None:
        """Have `guard` look at each request that has a handler; what it raises is the answer."""
        self._guard = guard

    def on(self, code: int, header_type: type[_H], handle: Callable[[_H, Command, Peer], Result]) -> None:
        """Serve requests of `code` by `handle`, which gets them with their header typed."""

        def route(command: Command, peer: Peer) -> Result:
            return handle(decode_header(header_type, command.ext), command, peer)

        self.on_command(code, route)

    def on_command(self, code: int, handle: Handle) -> None:
        """Serve requests of `code` by `handle`, which reads the ext fields itself or needs none."""
        assert code not in self._routes, f"two handlers for request code {code}"
        self._routes[code] = handle

    def codes(self) -> list[int]:
        """The codes of all requests that are served."""
        return sorted(self._routes)

    def wrap(self, code: int, wrapper: Callable[[Handle], Handle]) -> None:
        """Have requests of `code` served by what `wrapper` makes of their handler."""
        self._routes[code] = wrapper(self._routes[code])

    def dispatch(self, command: Command, peer: Peer) -> None:
        """Have a request served; its reply, if it has one now, goes to `peer`."""
        handle = self._routes.get(command.code)
        if handle is None:
            remark = f" request type {command.code} not supported{self._why(command.code)}"
            peer.reply(command, Reply(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark))
            return
        if self._guard is not None:
            try:
                self._guard(command, peer)
            except Exception as error:
                peer.reply(command, _failure(command, peer, error))
                return
        self.serve(handle, command, peer)

    def serve(self, handle: Handle, command: Command, peer: Peer) -> None:
        """Have a request served by `handle`, which need not be its code's: one that is served again, later."""
        try:
            result = handle(command, peer)
        except Exception as error:
            result = _failure(command, peer, error)
        if type(result) is Reply:
            peer.reply(command, result)
        elif result is not None:
            if len(self._tasks) >= MAX_TASKS:
                result.close()  # type: ignore[union-attr]
                peer.reply(command, Reply(ResponseCode.SYSTEM_BUSY, _OVERLOAD))
                return
            task = asyncio.get_running_loop().create_task(self._answer_later(result, command, peer))  # type: ignore[arg-type]
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, result: Coroutine[Any, Any, Reply], command: Command, peer: Peer) -> None:
        try:
            reply = await result
        except Exception as error:
            reply = _failure(command, peer, error)
        peer.reply(command, reply)


def _failure(command: Command, peer: Peer, error: Exception) -> Reply:
    if isinstance(error, RequestRefused):
        return Reply(error.code, error.remark)
    if isinstance(error, ProtocolError):
        log.warning("request %d from %s can't be read: %s", command.code, peer.name, error)
        return Reply(ResponseCode.SYSTEM_ERROR, str(error))
    if isinstance(error, (StoreError, OSError)):
        log.error("request %d from %s can't be served: %s", command.code, peer.name, error)
        return Reply(ResponseCode.SYSTEM_ERROR, str(error))
    log.exception("request %d from %s failed", command.code, peer.name)
    return Reply(ResponseCode.SYSTEM_ERROR, f"{type(error).__name__}: {error}")
