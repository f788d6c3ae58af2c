"""The official Java client as a program that tests talk to: see Takeover.java."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.interop.java import compiled
from tests.support.cluster import until

_SOURCE: Final = Path(__file__).with_name("Takeover.java")
_PROGRAM: Final = "Takeover"
_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Event:
    """A message that was acknowledged by a broker or got from one."""

    key: int
    broker: str
    at_ms: int


@dataclass
class Events:
    """What the Java program said."""

    sent: list[Event] = field(default_factory=list)
    got: list[Event] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def take(self, line: str) -> None:
        """Note a line."""
        kind, *rest = line.split(" ", 3)
        if kind in {"sent", "got"}:
            key, broker, at_ms = rest
            (self.sent if kind == "sent" else self.got).append(Event(int(key), broker, int(at_ms)))
        elif kind == "failed":
            self.failed.append(line)
        else:
            self.words.add(kind)

    @property
    def lost(self) -> set[int]:
        """The messages that were acknowledged and not consumed."""
        return {event.key for event in self.sent} - {event.key for event in self.got}

    @property
    def duplicates(self) -> int:
        """How often a message was consumed again."""
        return len(self.got) - len({event.key for event in self.got})


class JavaClient:
    """The Java program, and what it said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.events = Events()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def running(
        cls, directory: Path, namesrv_addr: str, topic: str, messages_per_second: int
    ) -> AsyncIterator["JavaClient"]:
        """Compile and start the program; its producer and consumer run from the beginning of the block."""
        class_path, home = compiled(_SOURCE, directory / "classes"), directory / "home"
        options = ["-Xmx256m", "-XX:+UseSerialGC", f"-Duser.home={home}", f"-Drocketmq.client.logRoot={home}/logs"]
        process = await asyncio.create_subprocess_exec(
            *["java", *options, "-cp", class_path, _PROGRAM, namesrv_addr, topic, str(messages_per_second)],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            client = cls(process)
            await client.hears("ready")
            yield client
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.events.take(line.decode().rstrip("\n"))

    def tell(self, command: str) -> None:
        """Give a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())

    async def hears(self, word: str) -> None:
        """Wait until the program says a word."""

        async def said() -> bool:
            return word in self.events.words

        await until(said, f"the Java program says {word}", _PATIENCE_SECONDS)

    async def end(self) -> None:
        """Let the program end."""
        self.tell("quit")
        await asyncio.wait_for(self._process.wait(), _PATIENCE_SECONDS)
        await self._reading
