"""How long a broker that was killed takes to its first accepted message: `python -m tests.bench.recovery`.

A broker of its own, in a directory that is removed in the end, is filled and killed with SIGKILL right behind a load,
so that what lies behind its last checkpoint has to be recovered. Then it is started: the time until a send is answered
counts, its interpreter's start included. Given `--cold`, the page cache of the store's files is dropped before each
start, as a start of the host would find it.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from broker_py.errors import BrokerPyError
from tests.bench.cold_reads import cool
from tests.support.cluster import Cluster
from tests.support.direct import Direct

SENDERS = 32
TICK_SECONDS = 0.002


async def fill(direct: Direct, address: str, size: int, body: bytes) -> int:
    """Send until so many bytes of bodies are stored; return how many messages that were."""
    numbers: Iterator[int] = iter(range(size // len(body)))

    async def sender(queue_id: int) -> int:
        count = 0
        for _ in numbers:
            assert (await direct.send(address, "T", body, queue_id)).code == 0
            count += 1
        return count

    return sum(await asyncio.gather(*(sender(number % 4) for number in range(SENDERS))))


async def first_accepted(direct: Direct, address: str, body: bytes) -> None:
    """Return when a send is accepted."""
    while True:
        try:
            reply = await direct.send(address, "T", body)
        except BrokerPyError:  # nobody listens yet
            await asyncio.sleep(TICK_SECONDS)
        else:
            assert reply.code == 0
            return


async def run(cluster: Cluster, options: argparse.Namespace) -> None:
    """Fill, kill, start, several times, and print."""
    broker = cluster.broker()
    body = bytes(options.body)
    await broker.start()
    async with Direct() as direct:
        began = perf_counter()
        count = await fill(direct, broker.address, int(options.gigabytes * 1e9), body)
        print(f"{count} messages of {len(body)} bytes sent in {perf_counter() - began:.0f} s")
    for _ in range(options.rounds):
        async with Direct() as direct:
            await fill(direct, broker.address, 20_000_000, body)
        broker.kill()
        stored = sum(path.stat().st_blocks * 512 for path in (broker.store / "commitlog").iterdir())
        if options.cold:
            cool(broker.store)
        async with Direct() as direct:
            began = perf_counter()
            broker.launch()
            await first_accepted(direct, broker.address, body)
            seconds = perf_counter() - began
        print(f"{stored / 1e9:.2f} GB of log: {seconds:.2f} s to the first accepted message", flush=True)


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--gigabytes", type=float, default=10.0, help="size of the store")
    parser.add_argument("--body", type=int, default=16_000, help="bytes of a message")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="nothing of the store is in memory")
    parser.add_argument("--directory", type=Path, help="where the store lies, on the disk that is to be measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recovery-", dir=options.directory) as directory:
        cluster = Cluster(Path(directory))
        try:
            asyncio.run(run(cluster, options))
        finally:
            cluster.kill()


if __name__ == "__main__":
    main()
