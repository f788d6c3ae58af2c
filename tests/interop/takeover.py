"""Kill a master again and again while the official Java client sends and consumes; nothing acknowledged may be lost.

    python -m tests.interop.takeover --rounds 20

Two name servers, broker-a and broker-b with an asynchronous slave each. A round:

    the slave follows ─► pause the consumer ─► a backlog grows ─► kill -9 broker-a's master ─► resume ─►
    the slave serves the backlog, broker-b takes what is sent ─► start the master ─► it serves again

At the end every message whose send was acknowledged must have been consumed. Prints a line a round and a summary,
and exits with 1 when a message is lost or a round did not go on without the master.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import loads_object
from tests.interop.java import why_not
from tests.interop.java_client import Event, Events, JavaClient
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

TOPIC: Final = "Takeover"
KILLED: Final = "broker-a"
OTHER: Final = "broker-b"
_ROUND_SECONDS: Final = 30.0
_REST_SECONDS: Final = 90.0


def now_ms() -> int:
    """The time as the Java program says it."""
    return time.time_ns() // 1_000_000


def first_after(events: list[Event], at_ms: int, broker: str | None = None) -> Event | None:
    """Return the first event after a time, of one broker if it is named."""
    return next((event for event in events if event.at_ms > at_ms and broker in (None, event.broker)), None)


@dataclass(frozen=True)
class Round:
    """What happened in a round; times in milliseconds after the kill."""

    backlog: int
    first_sent_ms: int
    first_from_slave_ms: int
    from_slave: int
    sent_meanwhile: int
    master_back_ms: int
    killed_for_ms: int


class Takeover:
    """The client of a run and the master that is killed."""

    def __init__(self, client: JavaClient, master: Daemon, options: argparse.Namespace) -> None:
        self._client = client
        self._master = master
        self._backlog_seconds: float = options.backlog_seconds
        self._down_seconds: float = options.down_seconds

    async def round(self) -> Round:
        """Kill the master, see that all goes on without it, and bring it back."""
        client, events = self._client, self._client.events
        await until(self._followed, "the slave follows the master", _ROUND_SECONDS)
        client.tell("pause")
        await asyncio.sleep(self._backlog_seconds)
        backlog = {event.key for event in events.sent if event.broker == KILLED} - {event.key for event in events.got}
        killed_ms = now_ms()
        self._master.kill()
        client.tell("resume")
        first_sent = await self._first(events.sent, killed_ms, None, "a message is sent without the master")
        if backlog:
            await self._first(events.got, killed_ms, KILLED, "the slave serves messages")
        await asyncio.sleep(self._down_seconds)
        down_ms = now_ms()
        await self._master.start()
        back = await self._first(events.sent, down_ms, KILLED, "the master takes messages again")
        await self._first(events.got, back.at_ms, KILLED, "the master's messages are consumed again")
        while_down = [event for event in events.got if killed_ms < event.at_ms < down_ms and event.broker == KILLED]
        return Round(
            backlog=len(backlog),
            first_sent_ms=first_sent.at_ms - killed_ms,
            first_from_slave_ms=while_down[0].at_ms - killed_ms if while_down else -1,
            from_slave=len(while_down),
            sent_meanwhile=sum(killed_ms < event.at_ms < down_ms for event in events.sent),
            master_back_ms=back.at_ms - down_ms,
            killed_for_ms=down_ms - killed_ms,
        )

    async def _followed(self) -> bool:
        async with Direct() as direct:
            status = (await direct.tell(self._master.address, RequestCode.GET_BROKER_HA_STATUS)).body
        return any(slave["inSync"] for slave in loads_object(status)["haConnectionInfo"])

    async def _first(self, events: list[Event], at_ms: int, broker: str | None, what: str) -> Event:
        async def happened() -> Event | None:
            return first_after(events, at_ms, broker)

        return await until(happened, what, _ROUND_SECONDS)

    async def finish(self) -> None:
        """Stop sending, and let the consumer get what is left."""
        self._client.tell("finish")
        await self._client.hears("finished")

        async def consumed() -> bool:
            return not self._client.events.lost

        try:
            await until(consumed, "everything is consumed", _REST_SECONDS)
        except AssertionError:
            pass  # the summary says what is lost
        await self._client.end()


async def start_cluster(cluster: Cluster) -> Daemon:
    """Start two name servers, two masters and two slaves; return the master to kill."""
    for _ in range(2):
        await cluster.nameserver().start()
    masters = {name: cluster.broker(name, mappedFileSizeCommitLog=64 << 20) for name in (KILLED, OTHER)}
    slaves = [cluster.broker(name, 1, mappedFileSizeCommitLog=64 << 20) for name in masters]
    for broker in [*masters.values(), *slaves]:
        await broker.start()
    async with Direct() as direct:
        for master in masters.values():
            await direct.make_topic(master.address, TOPIC)
    async with cluster.client() as client:

        async def routed() -> bool:
            return len((await client.name_servers.route(TOPIC)).broker_datas) == len(masters)

        await until(routed, "the topic is on both brokers")
    return masters[KILLED]


async def run(options: argparse.Namespace, directory: Path) -> bool:
    """Run all rounds and print the figures; True when nothing is lost."""
    cluster = Cluster(directory)
    try:
        master = await start_cluster(cluster)
        async with JavaClient.running(directory / "client", cluster.namesrv_addr(), TOPIC, options.rate) as client:
            await until(lambda: _warm(client), "messages are sent and consumed", _ROUND_SECONDS)
            takeover = Takeover(client, master, options)
            rounds = [await _shown(number, takeover) for number in range(1, options.rounds + 1)]
            await takeover.finish()
    except BaseException:
        cluster.close()
        raise
    cluster.kill()
    return summary(rounds, client.events)


async def _warm(client: JavaClient) -> bool:
    return all(
        {event.broker for event in events} == {KILLED, OTHER} for events in (client.events.sent, client.events.got)
    )


async def _shown(number: int, takeover: Takeover) -> Round:
    """Run a round and print its line."""
    result = await takeover.round()
    if number == 1:
        say(" round  backlog  first sent  first from slave  from slave  sent meanwhile  down  master back")
    say(
        f"{number:6}  {result.backlog:7}  {result.first_sent_ms:7} ms  {result.first_from_slave_ms:13} ms  "
        f"{result.from_slave:10}  {result.sent_meanwhile:14}  {result.killed_for_ms / 1000:3.1f}s  "
        f"{result.master_back_ms:8} ms"
    )
    return result


def summary(rounds: list[Round], events: Events) -> bool:
    """Print the sums; True when nothing is lost and the slave served in every round that left it something."""
    say(
        f"rounds {len(rounds)}, acknowledged {len(events.sent)}, failed {len(events.failed)}, "
        f"consumed {len({event.key for event in events.got})}, duplicates {events.duplicates}, lost {len(events.lost)}"
    )
    for line in events.failed[:5]:
        say(line)
    if events.lost:
        say(f"lost keys: {sorted(events.lost)[:20]}")
    return not events.lost and all(result.from_slave or not result.backlog for result in rounds)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Parse the options, run, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=300, help="messages a second")
    parser.add_argument("--backlog-seconds", type=float, default=2.5, help="how long the consumer pauses before a kill")
    parser.add_argument("--down-seconds", type=float, default=3.0, help="how long the master stays away at least")
    parser.add_argument("--directory", type=Path, help="where stores and logs go, to be kept")
    options = parser.parse_args()
    missing = why_not()
    if missing is not None:
        say(missing)
        return os.EX_UNAVAILABLE
    if options.directory is not None:
        return 0 if asyncio.run(run(options, options.directory)) else 1
    with tempfile.TemporaryDirectory() as directory:
        return 0 if asyncio.run(run(options, Path(directory))) else 1


if __name__ == "__main__":
    sys.exit(main())
