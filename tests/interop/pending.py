"""The official Java client as programs that leave messages which are not done with: see Pending.java, Popping.java."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker_py.client.messages import ReceivedMessage
from tests.interop.java import compiled
from tests.support.cluster import PATIENCE, Daemon
from tests.support.direct import Direct

_HERE: Final = Path(__file__).parent
_SECONDS: Final = 120.0 * PATIENCE
_LATE_MS: Final = 4000 * PATIENCE


class JavaProgram:
    """One of them while it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def running(cls, name: str, directory: Path, *arguments: str) -> AsyncIterator["JavaProgram"]:
        """Compile and start NAME.java; it ends with the block."""
        class_path, home = compiled(_HERE / f"{name}.java", directory / "classes"), directory / "home"
        options = ["-Xmx128m", "-XX:+UseSerialGC", f"-Duser.home={home}", f"-Drocketmq.client.logRoot={home}/logs"]
        process = await asyncio.create_subprocess_exec(
            *["java", *options, "-cp", class_path, name, *arguments],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            program = cls(process)
            await program._answer("ready")
            yield program
        finally:
            process.kill()
            await process.wait()

    async def does(self, *words: object) -> list[list[str]]:
        """Give a command, and return the words of each line that it says before it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        return await self._answer(str(words[0]))

    async def _answer(self, wanted: str) -> list[list[str]]:
        assert self._process.stdout is not None
        said: list[list[str]] = []
        while (line := (await asyncio.wait_for(self._process.stdout.readline(), _SECONDS)).decode().strip()) != wanted:
            assert line, "the program ended"
            assert not line.startswith("failed"), line
            said.append(line.split(" "))
        return said


async def by_key(direct: Direct, broker: Daemon, topic: str, queues: int = 4) -> dict[str, list[ReceivedMessage]]:
    """Return what is in a topic, by key, which is the body too."""
    found: dict[str, list[ReceivedMessage]] = defaultdict(list)
    for queue_id in range(queues):
        for message in await direct.read_queue(broker.address, topic, queue_id):
            assert message.body.decode() == message.keys
            found[message.keys or ""].append(message)
    return dict(found)


@dataclass(frozen=True)
class Change:
    """The time in which one broker ended and another began, and in what of it messages may come again."""

    began_ms: int
    ended_ms: int
    again_ms: int = 0


@dataclass(frozen=True)
class Delivery:
    """How a message came that must not come before `due_ms`."""

    key: str
    messages: list[ReceivedMessage]
    due_ms: int

    def faults(self, changes: list[Change]) -> list[str]:
        """Return what is wrong with it."""
        due_ms = self.due_ms
        times = sorted(message.stored_ms for message in self.messages)
        found = [f"{self.key} came {due_ms - times[0]} ms early"] if times[0] < due_ms else []
        # What was due while nobody served comes when somebody does.
        while_away = [change.ended_ms for change in changes if change.began_ms - 1000 <= due_ms <= change.ended_ms]
        if times[0] > max([due_ms, *while_away]) + _LATE_MS:
            found.append(f"{self.key} came {times[0] - due_ms} ms late")
        may_come_again = any(change.began_ms - change.again_ms <= due_ms <= change.began_ms for change in changes)
        if len(times) > (2 if may_come_again else 1):
            after = [due_ms - change.began_ms for change in changes]
            found.append(f"{self.key} came {len(times)} times, due {after} ms after the changes")
        return found
