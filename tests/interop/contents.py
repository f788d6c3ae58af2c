"""All that a broker holds, as the official Java client reads it: see Contents.java."""

import asyncio
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.interop.java import compiled
from tests.support.cluster import PATIENCE

_SOURCE: Final = Path(__file__).with_name("Contents.java")
_SECONDS: Final = 120.0
SYSTEM_QUEUES: Final = {"SCHEDULE_TOPIC_XXXX": 18, "RMQ_SYS_TRANS_HALF_TOPIC": 1, "RMQ_SYS_TRANS_OP_HALF_TOPIC": 1}


@dataclass(frozen=True)
class Held:
    """Messages by (topic, queue id, queue offset), all that the client sees of each, and the offsets of a group.

    The offsets are those of queues that hold something: brokers differ in what they say of others.
    """

    messages: dict[tuple[str, int, int], str]
    offsets: dict[tuple[str, int], int]

    def keys(self, topics: tuple[str, ...]) -> Counter[str]:
        """Return how often each first key is in some topics."""
        found: Counter[str] = Counter()
        for (topic, _, _), line in self.messages.items():
            if topic in topics:
                properties = dict(
                    item.split("=", 1) for item in b64decode(line.split(" ")[-1]).decode().split(";") if item
                )
                found[properties["KEYS"].split()[0]] += 1
        return found


class Contents:
    """The program, compiled into `directory`, with the name server that it asks for routes."""

    def __init__(self, directory: Path, namesrv_addr: str) -> None:
        self._home = directory / "home"
        self._class_path = compiled(_SOURCE, directory / "classes")
        self.namesrv_addr = namesrv_addr

    async def fill(self, run: str, topics: tuple[str, ...], plain: int, delayed: int = 0, half: int = 0) -> None:
        """Send messages: plain ones, one in four of a batch, delayed ones, and half ones, of which a third is ended."""
        await self._run("fill", run, ",".join(topics), str(plain), str(delayed), str(half))

    async def held(self, broker_name: str, queues: dict[str, int]) -> Held:
        """Return what the broker holds in those topics, with so many queues each."""
        output = await self._run("read", broker_name, *(f"{topic}:{count}" for topic, count in queues.items()))
        messages: dict[tuple[str, int, int], str] = {}
        offsets: dict[tuple[str, int], int] = {}
        for line in output.splitlines():
            kind, topic, queue_id, queue_offset, *rest = line.split(" ")
            if kind == "message":
                messages[topic, int(queue_id), int(queue_offset)] = " ".join(rest)
            elif (topic, int(queue_id), 0) in messages:
                offsets[topic, int(queue_id)] = int(queue_offset)
        return Held(messages, offsets)

    async def commit(self, broker_name: str, topic: str, queue_id: int, queue_offset: int) -> None:
        """Set where the reading group stands in a queue."""
        await self._run("commit", broker_name, topic, str(queue_id), str(queue_offset))

    async def settle(self, seconds: int) -> None:
        """Be there for so long, and end with a commit what brokers ask about."""
        await self._run("settle", str(seconds))

    async def _run(self, *arguments: str) -> str:
        options = ["-Xmx256m", "-XX:+UseSerialGC", f"-Duser.home={self._home}", "-Dfile.encoding=UTF-8"]
        process = await asyncio.create_subprocess_exec(
            *["java", *options, f"-Drocketmq.client.logRoot={self._home}/logs", "-cp", self._class_path],
            *["Contents", self.namesrv_addr, *arguments],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), _SECONDS * PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        said = output.decode()
        assert said.endswith("done\n"), f"{arguments}:\n{said[-1000:]}{errors.decode()[-4000:]}"
        return said.removesuffix("done\n")
