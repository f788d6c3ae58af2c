"""How late delayed and timed messages come, and what a million pending ones cost: `python -m tests.bench.deferred`.

A broker of its own, in a directory that is removed in the end. Lateness is from the moment a message is due, for a
timed one the end of its second, to its store time in its own topic.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from time import perf_counter

from broker_py.message.properties import TIMER_OUT_MS
from tests.support.cluster import Cluster, Daemon
from tests.support.direct import Direct

SENDERS = 16
PRECISION_MS = 1000
KINDS = {
    "level 1": ({"DELAY": "1"}, 1000),
    "level 2": ({"DELAY": "2"}, 5000),
    "level 3": ({"DELAY": "3"}, 10_000),
    "timer 3 s": ({"TIMER_DELAY_SEC": "3"}, 3000),
}


async def load(direct: Direct, broker: Daemon, topic: str, properties: dict[str, str], rate: int, seconds: int) -> None:
    """Send so many messages a second."""
    began = perf_counter()

    async def sender(first: int) -> None:
        for number in range(first, rate * seconds, SENDERS):
            await asyncio.sleep(max(0.0, began + number / rate - perf_counter()))
            assert (await direct.send(broker.address, topic, b"%d" % number, 0, properties)).code == 0

    await asyncio.gather(*(sender(first) for first in range(SENDERS)))


async def lateness(direct: Direct, broker: Daemon, kind: str, rate: int, seconds: int) -> None:
    """Print how late the messages of one kind are."""
    properties, wait_ms = KINDS[kind]
    topic = "Late-" + kind.replace(" ", "-")
    await load(direct, broker, topic, properties, rate, seconds)
    await asyncio.sleep(wait_ms / 1000 + 2)
    messages = await direct.read_queue(broker.address, topic)
    assert len(messages) == rate * seconds, f"{len(messages)} of {rate * seconds} were delivered"
    late = sorted(
        message.stored_ms
        - (
            int(message.properties[TIMER_OUT_MS]) + PRECISION_MS
            if TIMER_OUT_MS in message.properties
            else message.born_ms + wait_ms
        )
        for message in messages
    )
    assert late[0] >= 0, f"{-late[0]} ms early"
    at = [late[int(len(late) * share)] for share in (0.5, 0.99, 0.999)]
    print(f"{kind:10} {rate}/s: median {at[0]} ms, 99 % {at[1]} ms, 99.9 % {at[2]} ms, most {late[-1]} ms", flush=True)


def rss_mb(broker: Daemon) -> float:
    """The memory of a broker."""
    assert broker.process is not None
    status = Path(f"/proc/{broker.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def pending(direct: Direct, broker: Daemon, count: int) -> None:
    """Print what so many timed messages cost that are due within the hours after the next."""
    before = rss_mb(broker)

    async def sender(first: int) -> None:
        for number in range(first, count, SENDERS):
            properties = {"TIMER_DELAY_SEC": str(3600 + number % 36_000)}
            assert (await direct.send(broker.address, "Pending", b"x" * 100, 0, properties)).code == 0

    began = perf_counter()
    await asyncio.gather(*(sender(first) for first in range(SENDERS)))
    print(
        f"{count} timed messages sent in {perf_counter() - began:.0f} s, memory {before:.0f} -> {rss_mb(broker):.0f} MB"
    )
    for how in ("stop", "kill"):
        if how == "stop":
            await broker.stop()
        else:
            broker.kill()
        began = perf_counter()
        await broker.start()
        print(f"start after a {how} in {perf_counter() - began:.2f} s, memory {rss_mb(broker):.0f} MB", flush=True)


async def run(rate: int, seconds: int, count: int) -> None:
    """Measure all."""
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(Path(directory))
        try:
            broker = cluster.broker(mappedFileSizeCommitLog=1 << 28)
            await broker.start()
            async with Direct() as direct:
                for kind in KINDS:
                    await lateness(direct, broker, kind, rate, seconds)
                if count:
                    await pending(direct, broker, count)
        finally:
            cluster.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1000, help="messages a second")
    parser.add_argument("--seconds", type=int, default=10, help="how long to send each kind")
    parser.add_argument("--pending", type=int, default=1_000_000, help="timed messages that wait; 0: don't")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.rate, arguments.seconds, arguments.pending))
