"""The other end of a connection, in memory."""

import asyncio
from typing import Any

from broker_py.errors import Unreachable
from broker_py.wire.command import FLAG_ONEWAY, Command, Reply


class MemoryPeer:
    """A `broker.peer.Peer` that keeps what it gets. `answers` are its replies to requests, in their order."""

    def __init__(self, host: str = "10.0.0.9", port: int = 50_000) -> None:
        self.host = host
        self.port = port
        self.name = f"{host}:{port}"
        self.is_open = True
        self.is_writable = True
        self.attachment: Any = None
        self.replies: list[tuple[Command, Reply]] = []
        self.sent: list[Command] = []
        self.answers: list[Command] = []

    def reply(self, command: Command, reply: Reply) -> None:
        """Keep a reply, as a connection does with those that are wanted."""
        if not command.flag & FLAG_ONEWAY:
            self.replies.append((command, reply))

    def send(self, command: Command) -> None:
        """Keep a one-way request."""
        self.sent.append(command)

    async def request(self, command: Command, timeout_seconds: float) -> Command:
        """Keep a request and answer it; without an answer the time is up."""
        await asyncio.sleep(0)
        self.sent.append(command)
        if not self.answers:
            raise Unreachable(f"{self.name} did not answer request {command.code} in {timeout_seconds:g} s")
        return self.answers.pop(0)

    def reply_to(self, command: Command) -> Reply | None:
        """Return the reply to a request, or None while there is none."""
        found = [reply for asked, reply in self.replies if asked is command]
        assert len(found) <= 1, "a request was answered twice"
        return found[0] if found else None

    @property
    def codes(self) -> list[int]:
        """The codes of all replies."""
        return [reply.code for _, reply in self.replies]
