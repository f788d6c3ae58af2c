"""A broker that serves what is not in memory: which of its threads may wait for the disk."""

import asyncio
import os

import pytest

from broker_py.wire.codes import ResponseCode
from tests.support.cluster import Cluster, Daemon
from tests.support.direct import Direct
from tests.support.strace import TracedCalls, needs_strace

MESSAGES = 1500
BODY = bytes(4000)


def cool(broker: Daemon) -> None:
    """Have nothing of the store in memory; the test is skipped where it can't be had otherwise."""
    for path in [*broker.store.glob("commitlog/*"), *broker.store.glob("consumequeue/*/*/*")]:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.preadv(fd, [bytearray(100)], 0, os.RWF_NOWAIT)
        except BlockingIOError:
            continue
        except OSError as error:
            pytest.skip(f"this file system can't tell what is in memory: {error}")
        finally:
            os.close(fd)
        pytest.skip("this file system keeps in memory what it was told to forget")


@needs_strace
async def test_the_loop_makes_no_read_that_may_wait_for_the_disk_and_sends_go_on(cluster: Cluster) -> None:
    broker = cluster.broker(mappedFileSizeConsumeQueue=2000)
    await broker.start()
    async with Direct() as direct:
        bodies = [b"%d " % number + BODY for number in range(MESSAGES)]
        for start in range(0, MESSAGES, 50):
            await asyncio.gather(*(direct.send(broker.address, "T", body) for body in bodies[start : start + 50]))
    await broker.stop()
    await broker.start()
    async with Direct() as reading, Direct() as sending:
        first = await reading.read_queue(broker.address, "T", 0, MESSAGES - 1)
        assert len(first) == 1, "the broker has all it needs to serve, but for what is cold from here on"
        assert (await sending.send(broker.address, "New", b"new")).code == ResponseCode.SUCCESS, "the topic is made"
        assert broker.process is not None
        loop_thread = broker.process.pid
        with TracedCalls(loop_thread, "pread64,preadv2", broker.directory) as traced:
            cool(broker)
            reader = asyncio.create_task(reading.read_queue(broker.address, "T"))
            while not reader.done():
                sent = await sending.send(broker.address, "New", b"new")
                assert sent.code == ResponseCode.SUCCESS
                await asyncio.sleep(0.005)
            messages = await reader
    calls = traced.by_threads()
    assert sorted(message.body for message in messages) == sorted(bodies)
    asked = calls.pop(loop_thread)
    assert [call for call in asked if "pread64" in call or "RWF_NOWAIT" not in call] == []
    # How far the system reads ahead is its own affair, but it has to be begun in each file, by the threads for that.
    files = len(list((broker.store / "commitlog").iterdir()))
    assert sum(len(made) for made in calls.values()) >= files > 5
