"""What the client library reaches against a broker of ours: a producer with 64 sends in flight, a push consumer.

python -m tests.bench.client [MESSAGES]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from broker_py.client import (
    Client,
    ConsumeContext,
    ConsumeFromWhere,
    ConsumeStatus,
    OutgoingMessage,
    PushOptions,
    ReceivedMessage,
)
from tests.support.client_lab import ClientLab
from tests.support.cluster import CLUSTER_NAME, Cluster

IN_FLIGHT = 64
BODY = bytes(1024)


async def send(client: Client, topic: str, count: int) -> float:
    """Send so many messages; return messages a second."""
    producer = client.producer("bench")
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in numbers:
            await producer.send(OutgoingMessage(topic=topic, body=BODY))

    began = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - began)


async def consume(client: Client, topic: str, count: int) -> float:
    """Consume so many messages; return messages a second, from the first on."""
    done = asyncio.Event()
    got, began = 0, 0.0

    async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        nonlocal got, began
        began = began or time.perf_counter()
        got += len(messages)
        if got >= count:
            done.set()
        return ConsumeStatus.SUCCESS

    options = PushOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET)
    async with client.push_consumer("bench", {topic: "*"}, listen, options):
        await asyncio.wait_for(done.wait(), 120)
        return count / (time.perf_counter() - began)


async def measure(count: int) -> None:
    """Print both figures."""
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(Path(directory) / "bench")
        try:
            nameserver = cluster.nameserver()
            await nameserver.start()
            await cluster.broker(mappedFileSizeCommitLog=1 << 28).start()
            lab = ClientLab(nameserver.address, CLUSTER_NAME)
            async with lab.client() as client:
                topic = await lab.topic(client, "Bench")
                print(f"producer, {IN_FLIGHT} in flight, 1 KiB: {await send(client, topic, count):,.0f} messages/s")
                print(f"push consumer, 4 queues, 1 KiB: {await consume(client, topic, count):,.0f} messages/s")
        finally:
            cluster.close()


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000))
