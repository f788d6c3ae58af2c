"""Members of a group by RocketMQ's Java client and by its Go client: programs that join and leave as they are told.

See Members.java and go_members/main.go, which take the same commands.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from broker_py.model.message_queue import MessageQueue
from tests.interop.java import compiled
from tests.support.cluster import until
from tests.support.members import Got, Journal

_HERE: Final = Path(__file__).resolve().parent
_PATIENCE_SECONDS: Final = 60.0


def why_no_go() -> str | None:
    """Return what is missing on this machine to run the Go program, or None."""
    return "there is no Go (go)" if shutil.which("go") is None else None


needs_go: Final = pytest.mark.skipif(why_no_go() is not None, reason=str(why_no_go()))


def java_members(directory: Path) -> list[str]:
    """Compile the Java program and return its command."""
    class_path, home = compiled(_HERE / "Members.java", directory / "java-members"), directory / "java-home"
    options = ["-Xmx256m", "-XX:+UseSerialGC", f"-Duser.home={home}", f"-Drocketmq.client.logRoot={home}/logs"]
    return ["java", *options, "-cp", class_path, "Members"]


def go_members(directory: Path) -> list[str]:
    """Build the Go program, whose modules Go fetches once, and return its command."""
    program = directory / "go-members"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=_HERE / "go_members", check=True)
    return [str(program)]


class MemberProgram:
    """A program whose members consume a topic in a group."""

    def __init__(self, process: asyncio.subprocess.Process, topic: str, journal: Journal) -> None:
        self._process = process
        self._topic = topic
        self._journal = journal
        self._said: set[str] = set()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        command: list[str],
        directory: Path,
        namesrv: str,
        topic: str,
        group: str,
        journal: Journal,
        mode: str = "concurrent",
        work_ms: int = 0,
    ) -> AsyncIterator["MemberProgram"]:
        """Start the program, which has no members yet."""
        with open(directory / f"{Path(command[0]).name}.log", "wb") as log:
            process = await asyncio.create_subprocess_exec(
                *[*command, namesrv, topic, group, mode, str(work_ms)],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "HOME": str(directory)},
            )
        program = cls(process, topic, journal)
        try:
            await program._hears("ready")
            yield program
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await program._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            words = line.decode().split()
            if words[:1] == ["got"]:
                name, broker, queue_id, offset, key, began_ms, ended_ms = words[1:]
                queue = MessageQueue(self._topic, broker, int(queue_id))
                self._journal.entries.append(Got(name, queue, int(offset), int(key), int(began_ms), int(ended_ms)))
            else:
                self._said.add(" ".join(words))

    def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())

    async def _hears(self, words: str) -> None:
        async def said() -> bool:
            assert self._process.returncode is None, f"the program ended with {self._process.returncode}"
            return words in self._said

        await until(said, f"the program says {words}", _PATIENCE_SECONDS)

    async def join(self, name: str) -> None:
        """Have a further member join, under a name that was not used before."""
        self._tell(f"join {name}")
        await self._hears(f"joined {name}")

    async def leave(self, name: str) -> None:
        """Have a member leave."""
        self._tell(f"leave {name}")
        await self._hears(f"left {name}")
