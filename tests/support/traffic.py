"""A client that sends and consumes without a pause until it is told to end, and then says what became of each message.

    python -m tests.support.traffic --namesrv 192.168.56.11:9876 --directory /tmp/traffic

It makes the topic where there is none, writes its pid to `pid` in the directory when messages flow both ways, keeps a
journal there, and ends at SIGTERM: nothing more is sent, what is left is consumed, and `report.json` and the exit
status say whether a message was lost or a send failed after the client's own retries. Lines of the journal:

    sent NUMBER BROKER QUEUE       acknowledged as safe
    unsafe NUMBER BROKER STATUS    stored by the master, and by nobody else
    failed NUMBER REASON           given up after all retries
    got NUMBER BROKER QUEUE        consumed
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from broker_py.admin.topics import update_topic
from broker_py.cli.session import open_client
from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import Producer, SendStatus
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.topic import PERM_READ, PERM_WRITE, TopicConfig
from broker_py.wire.codes import ResponseCode

TOPIC: Final = "Traffic"
GROUP: Final = "traffic-consumers"
_SENDERS: Final = 4
_POLL_SECONDS: Final = 0.1
_SHOWN: Final = 20
_TOP: Final = Path(__file__).resolve().parents[2]


@dataclass
class Tally:
    """What became of the messages, by their numbers."""

    sent: set[int] = field(default_factory=set)
    unsafe: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    got: set[int] = field(default_factory=set)
    duplicates: int = 0
    sent_to: Counter[str] = field(default_factory=Counter)
    got_from: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> set[int]:
        """Messages that were acknowledged and not consumed."""
        return self.sent - self.got

    def take(self, number: int, broker_name: str) -> None:
        """Count a consumed message."""
        self.duplicates += number in self.got
        self.got.add(number)
        self.got_from[broker_name] += 1

    def report(self) -> dict[str, Any]:
        """Return the sums, and the first few of what went wrong."""
        return {
            "acknowledged": len(self.sent),
            "unsafe": len(self.unsafe),
            "failed": len(self.failed),
            "consumed": len(self.got),
            "duplicates": self.duplicates,
            "lost": len(self.lost),
            "sent_to": dict(sorted(self.sent_to.items())),
            "got_from": dict(sorted(self.got_from.items())),
            "lost_numbers": sorted(self.lost)[:_SHOWN],
            "failures": list(self.failed.values())[:_SHOWN],
        }


class Traffic:
    """Senders and a consumer of one topic."""

    def __init__(self, client: Client, journal: IO[str], topic: str, group: str, rate: float) -> None:
        self.tally = Tally()
        self._producer: Producer = client.producer("traffic-producers")
        self._consumer = client.group_consumer(group, topic, self._take)
        self._journal = journal
        self._topic = topic
        self._pause_seconds = _SENDERS / rate
        self._next_number = 0
        self._sending = True

    async def run(self, end: asyncio.Event, ready: Path, rest_seconds: float) -> None:
        """Send and consume until `end`, then consume what is left; write the pid to `ready` when messages flow."""
        consuming = asyncio.create_task(self._consumer.run())
        sending = asyncio.gather(*(self._send_for_ever() for _ in range(_SENDERS)))
        while not (self.tally.got or end.is_set() or consuming.done()):
            await asyncio.sleep(_POLL_SECONDS)
        ready.write_text(f"{os.getpid()}\n")
        ending = asyncio.create_task(end.wait())
        await asyncio.wait({ending, consuming}, return_when=asyncio.FIRST_COMPLETED)
        self._sending = False
        await sending
        deadline = asyncio.get_running_loop().time() + rest_seconds
        while self.tally.lost and not consuming.done() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        self._consumer.stop()
        await consuming

    async def _send_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._sending:
            await self._send_one()
            due = max(due + self._pause_seconds, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _send_one(self) -> None:
        self._next_number += 1
        number = self._next_number
        message = OutgoingMessage(topic=self._topic, body=str(number).encode(), keys=str(number))
        try:
            result = await self._producer.send(message)
        except BrokerPyError as error:
            self.tally.failed[number] = f"{number}: {error}"
            self._note("failed", number, error)
            return
        self.tally.sent_to[result.broker_name] += 1
        if result.status is SendStatus.SEND_OK:
            self.tally.sent.add(number)
            self._note("sent", number, result.broker_name, result.queue_id)
        else:
            self.tally.unsafe.add(number)
            self._note("unsafe", number, result.broker_name, result.status.value)

    def _take(self, message: ReceivedMessage) -> None:
        number = int(message.body)
        self.tally.take(number, message.broker_name)
        self._note("got", number, message.broker_name, message.queue_id)

    def _note(self, *words: object) -> None:
        self._journal.write(" ".join(map(str, words)) + "\n")


async def make_topic(client: Client, cluster: str, topic: str, queues: int) -> None:
    """Make the topic on all masters of a cluster unless it is there."""
    try:
        await client.name_servers.route(topic)
    except RequestFailed as error:
        if error.code != ResponseCode.TOPIC_NOT_EXIST:
            raise
        config = TopicConfig(
            topic_name=topic, read_queue_nums=queues, write_queue_nums=queues, perm=PERM_READ | PERM_WRITE
        )
        for outcome in await update_topic(client, config, cluster=cluster):
            if outcome.error is not None:
                raise outcome.error from None


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Be the client until SIGTERM or SIGINT and return the report."""
    directory: Path = options.directory
    directory.mkdir(parents=True, exist_ok=True)
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with open_client(options.namesrv) as client:
        await make_topic(client, options.cluster, options.topic, options.queues)
        with open(directory / "journal", "a", encoding="utf-8") as journal:
            traffic = Traffic(client, journal, options.topic, options.group, options.rate)
            await traffic.run(end, directory / "pid", options.rest_seconds)
    return traffic.tally.report()


class TrafficProcess:
    """The driver as a process of its own, for a block: it goes on beside a playbook that is waited for."""

    def __init__(self, directory: Path, namesrv: str, *options: str) -> None:
        self._directory = directory
        self._argv: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.support.traffic",
            "--namesrv",
            namesrv,
            "--directory",
            directory,
        ]
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.report: dict[str, Any] = {}

    def __enter__(self) -> "TrafficProcess":
        self._directory.mkdir(parents=True, exist_ok=True)
        with open(self._directory / "output", "wb") as output:
            self._process = subprocess.Popen([*self._argv, *self._options], cwd=_TOP, stdout=output, stderr=output)
        while not (self._directory / "pid").exists():
            assert self._process.poll() is None, (self._directory / "output").read_text()
            time.sleep(_POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        self.report = json.loads((self._directory / "report.json").read_text())


def main() -> int:
    """Parse the options, run, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namesrv", required=True, help="name servers, host:port;host:port")
    parser.add_argument("--directory", type=Path, required=True, help="where pid, journal and report.json go")
    parser.add_argument("--cluster", default="DefaultCluster")
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--group", default=GROUP)
    parser.add_argument("--queues", type=int, default=4, help="queues a broker, where the topic is made")
    parser.add_argument("--rate", type=float, default=100, help="messages a second")
    parser.add_argument("--rest-seconds", type=float, default=60, help="how long the rest is consumed at the end")
    options = parser.parse_args()
    report = asyncio.run(run(options))
    text = json.dumps(report, indent=2)
    (options.directory / "report.json").write_text(f"{text}\n")
    sys.stdout.write(f"{text}\n")
    return 0 if report["acknowledged"] and not report["lost"] and not report["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
