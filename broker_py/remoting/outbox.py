"""When replies leave: those of one wakeup in one write a connection."""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Writer(Protocol):
    """A connection that gathers what it is to write."""

    def write_gathered(self) -> None:
        """Write it, in one call."""


class Outbox:
    """The connections of a daemon that have something to write.

    While a batch of received requests is handled, replies gather; `end_batch` first calls `before_write`
    (the broker commits its log there, so that no reply leaves before its record is written) and then writes.
    Replies from timers and other threads' results leave at the end of the loop's turn.
    """

    def __init__(self, before_write: Callable[[], None] | None = None) -> None:
        self._before_write = before_write
        self._waiting: list[Writer] = []
        self._in_batch = False
        self._scheduled = False

    def begin_batch(self) -> None:
        """From here on replies gather until `end_batch`."""
        self._in_batch = True

    def end_batch(self) -> None:
        """Commit what the batch did and write what it answered."""
        try:
            if self._before_write is not None:
                self._before_write()
        finally:
            self._in_batch = False
            self._write()

    def add(self, connection: Writer) -> None:
        """Note that `connection` has something to write."""
        self._waiting.append(connection)
        if not self._in_batch and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if not self._in_batch:
            self._write()

    def _write(self) -> None:
        waiting = self._waiting
        if waiting:
            self._waiting = []
            for connection in waiting:
                connection.write_gathered()
