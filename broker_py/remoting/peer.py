"""The other end of a connection, as routers, tables and handlers see it."""

from typing import Any, Protocol

from broker_py.wire.command import Command, Reply


class Peer(Protocol):
    """What is asked of a `remoting.connection.Connection`; `attachment` is for the handlers' own use."""

    attachment: Any

    @property
    def name(self) -> str:
        """host:port"""

    @property
    def host(self) -> str:
        """Its IP address."""

    @property
    def port(self) -> int:
        """Its port."""

    @property
    def is_open(self) -> bool:
        """True while it is there."""

    @property
    def is_writable(self) -> bool:
        """False while it doesn't read what was written to it already: what can wait is not to be added."""

    def reply(self, command: Command, reply: Reply) -> None:
        """Answer a request; nothing happens if it was one-way or the peer is gone."""

    def send(self, command: Command) -> None:
        """Send a request that will not be answered."""

    async def request(self, command: Command, timeout_seconds: float) -> Command:
        """Send a request and return its reply, whatever its code; Unreachable when none comes in time."""
        ...
