"""How long sends take while another consumer reads what is not in memory: `python -m tests.bench.cold_reads`.

A broker of its own, in a directory that is removed in the end, gets a backlog. Then periods take turns: sends alone
(calm); sends while a consumer in a process of its own reads the backlog from memory (warm: what sharing the processor
costs); and the same with the page cache of the store's files dropped every 0.2 s, by posix_fadvise, so that
nothing else on the machine is touched (cold). All is bounded by the size of the backlog, the number and the length of
the periods.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tests.support.cluster import Cluster, Daemon
from tests.support.direct import Direct

BODY = bytes(1000)
SENDERS = 4
BACKLOG_SENDERS = 64
COOL_SECONDS = 0.2


def cool(store: Path) -> None:
    """Have nothing of the old files in memory. What is not on disk yet stays, as it must."""
    for pattern in ("commitlog/*", "consumequeue/*/*/*"):
        for path in store.glob(pattern):
            fd = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)


def read_bytes(broker: Daemon) -> int:
    """How much the broker has had read from disks."""
    assert broker.process is not None
    lines = Path(f"/proc/{broker.process.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def percentile(times: list[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


async def fill(direct: Direct, broker: Daemon, messages: int) -> None:
    """Send the backlog."""
    left = messages

    async def sender(queue_id: int) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            assert (await direct.send(broker.address, "Old", BODY, queue_id)).code == 0

    await asyncio.gather(*(sender(number % 4) for number in range(BACKLOG_SENDERS)))


async def sends(direct: Direct, broker: Daemon, seconds: float) -> list[float]:
    """Send for a while; return how long each took."""
    times: list[float] = []
    end = perf_counter() + seconds

    async def sender(queue_id: int) -> None:
        while (start := perf_counter()) < end:
            assert (await direct.send(broker.address, "New", BODY, queue_id)).code == 0
            times.append(perf_counter() - start)
            await asyncio.sleep(0.002)

    await asyncio.gather(*(sender(number) for number in range(SENDERS)))
    return times


async def reads(address: str, cooled_store: Path | None) -> int:
    """Read the backlog from its start, again and again, until SIGTERM; return how many messages."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    count = 0
    cooled = 0.0
    async with Direct() as direct:
        while not stop.is_set():
            for queue_id in range(4):
                queue_offset = 0
                while not stop.is_set():
                    if cooled_store is not None and perf_counter() - cooled > COOL_SECONDS:
                        cool(cooled_store)
                        cooled = perf_counter()
                    pulled = await direct.pull(address, "Old", queue_id, queue_offset)
                    if not pulled.messages:
                        break
                    count += len(pulled.messages)
                    queue_offset = pulled.offsets.next_begin_offset
    return count


class Reader:
    """The consumer's process, for a block; `count` is what it read."""

    def __init__(self, broker: Daemon, period: str) -> None:
        argv = [sys.executable, "-m", "tests.bench.cold_reads", "--read", broker.address]
        self._argv = [*argv, "--cool", str(broker.store)] if period == "cold" else argv
        self._idle = period == "calm"
        self._process: subprocess.Popen[bytes] | None = None
        self.count = 0

    async def start(self) -> None:
        """Begin to read."""
        if not self._idle:
            self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE)
            await asyncio.sleep(1)  # for its start

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self.count = int(self._process.communicate()[0])


async def run(cluster: Cluster, options: argparse.Namespace) -> None:
    """Take turns and print."""
    broker = cluster.broker(mappedFileSizeCommitLog=64 << 20, flushDiskType=options.flush)
    await broker.start()
    async with Direct() as direct:
        await fill(direct, broker, options.messages)
        await broker.stop()  # everything is on disk, and can be dropped from memory
        await broker.start()
        print(f"{options.messages} messages of {len(BODY)} bytes are old, {options.flush}")
        print("period      sends   p50 ms   p99 ms   max ms  read msgs  from disk MB")
        await sends(direct, broker, 1.0)
        all_times: dict[str, list[float]] = {"calm": [], "warm": [], "cold": []}
        for _ in range(options.rounds):
            for period, times in all_times.items():
                reader = Reader(broker, period)
                await reader.start()
                before = read_bytes(broker)
                taken = await sends(direct, broker, options.seconds)
                from_disk = read_bytes(broker) - before
                reader.stop()
                times.extend(taken)
                show(period, taken, reader.count, from_disk)
        for period, times in all_times.items():
            show(f"all {period}", times, 0, 0)
        for period in ("warm", "cold"):
            ratio = percentile(all_times[period], 0.99) / percentile(all_times["calm"], 0.99)
            print(f"99th percentile, {period} by calm: {ratio:.2f}")


def show(period: str, times: list[float], count: int, from_disk: int) -> None:
    """Print a line of the table."""
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    worst = max(times) * 1000
    print(
        f"{period:8} {len(times):7} {p50:8.2f} {p99:8.2f} {worst:8.2f} {count:10} {from_disk / 1e6:13.1f}", flush=True
    )


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--messages", type=int, default=200_000, help="size of the backlog")
    parser.add_argument("--rounds", type=int, default=4, help="calm and cold periods, in turns")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a period")
    parser.add_argument("--flush", choices=["ASYNC_FLUSH", "SYNC_FLUSH"], default="ASYNC_FLUSH")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--cool", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help="where the store lies, on the disk that is to be measured")
    options = parser.parse_args()
    if options.read:
        print(asyncio.run(reads(options.read, options.cool)))
        return
    with tempfile.TemporaryDirectory(prefix="cold-reads-", dir=options.directory) as directory:
        cluster = Cluster(Path(directory))
        try:
            asyncio.run(run(cluster, options))
        finally:
            cluster.kill()


if __name__ == "__main__":
    main()
