"""Slaves that can't go on with their master's log: noticed, said, and nothing is copied over."""

import asyncio
import shutil
from pathlib import Path

import pytest

from broker_py.cli import mqadmin
from broker_py.client.brokers import ReplicationStatus
from tests.integration.test_replication import Pair, bodies, read
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

SMALL = 16_384


async def fault_of(cluster: Cluster, broker: Daemon, text: str) -> str:
    """Wait until a broker tells of a fault with some text, and return the fault."""
    async with cluster.client() as client:

        async def told() -> str | None:
            status: ReplicationStatus = await client.brokers.replication_status(broker.address)
            return status.fault if text in status.fault else None

        fault = await until(told, f"the fault {text!r} is told")
        info = await client.brokers.runtime_info(broker.address)
    assert text in info["replicationFault"]
    assert text in broker.log()
    return fault


def log_of(broker: Daemon) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(broker.store.glob("commitlog/*"))}


async def fill(direct: Direct, broker: Daemon, count: int, size: int = 1000) -> None:
    for number in range(count):
        await direct.send(broker.address, "T", b"%d " % number + bytes(size))


async def test_a_former_master_that_is_ahead_is_refused(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    pair = await Pair(cluster, mappedFileSizeCommitLog=SMALL).start()
    async with Direct() as direct:
        await fill(direct, pair.master, 5)
        await pair.caught_up(direct)
        pair.slave.kill()
        await fill(direct, pair.master, 5)  # these its slave never gets
        await pair.master.stop()
        # The slave becomes the master, and the master its slave.
        pair.slave.properties.update({"brokerId": 0, "brokerRole": "ASYNC_MASTER"})
        pair.master.properties.update({"brokerId": 1, "brokerRole": "SLAVE"})
        new_master, former = pair.slave, pair.master
        await new_master.start()
        before = log_of(former)
        await former.start()
        fault = await fault_of(cluster, former, "this store is ahead of its master")
        assert "move its store away" in fault
        assert await asyncio.to_thread(mqadmin.main, ["haStatus", "-b", former.address]) == 0
        assert "#Fault\t" in capsys.readouterr().out
        # The new master outgrows it: the ends differ now, and still nothing is copied over.
        await fill(direct, new_master, 20)
        await former.stop()
        await former.start()
        await fault_of(cluster, former, "logs diverge at")
    await former.stop()
    after = log_of(former)
    assert after == before


async def test_a_slave_behind_its_masters_oldest_file_is_refused(cluster: Cluster) -> None:
    pair = await Pair(cluster, mappedFileSizeCommitLog=SMALL).start()
    async with Direct() as direct:
        await fill(direct, pair.master, 5)
        await pair.caught_up(direct)
        pair.slave.kill()
        await fill(direct, pair.master, 60)
        await pair.master.stop()
        for path in sorted((pair.master.store / "commitlog").iterdir())[:2]:
            path.unlink()
        await pair.master.start()
        await pair.slave.start()
        fault = await fault_of(cluster, pair.slave, "the files between are deleted there")
        assert f"the master's log begins at {2 * SMALL}" in fault


@pytest.mark.parametrize("where", ["in the last record", "far behind the end"])
async def test_a_log_of_the_same_length_with_other_content_is_refused(cluster: Cluster, where: str) -> None:
    pair = await Pair(cluster).start()
    async with Direct() as direct:
        await fill(direct, pair.master, 200)
        await pair.caught_up(direct)
        await pair.slave.stop()
        path = sorted((pair.slave.store / "commitlog").iterdir())[0]
        data = bytearray(path.read_bytes())
        last = len(bytes(data).rstrip(b"\0"))
        record = last - 600 if where == "in the last record" else 20_000
        data[record] ^= 1
        path.write_bytes(data)
        await pair.slave.start()
        assert "move its store away" in await fault_of(cluster, pair.slave, f"logs diverge at {record}")


async def test_files_of_another_size_are_refused_before_anything_is_copied(cluster: Cluster) -> None:
    pair = Pair(cluster, mappedFileSizeCommitLog=SMALL)
    pair.slave.properties["mappedFileSizeCommitLog"] = 2 * SMALL
    await pair.nameserver.start()
    await pair.master.start()
    async with Direct() as direct:
        await fill(direct, pair.master, 50)
        await pair.slave.start()
        await fault_of(cluster, pair.slave, f"mappedFileSizeCommitLog is {2 * SMALL} here and {SMALL} on the master")
    await pair.slave.stop()
    assert not any(log_of(pair.slave).values())


async def test_a_slave_that_was_refused_follows_when_its_store_is_moved_away(cluster: Cluster) -> None:
    pair = await Pair(cluster).start()
    async with Direct() as direct:
        await fill(direct, pair.master, 20)
        await pair.caught_up(direct)
        await pair.master.stop()
        shutil.move(pair.master.store, Path(f"{pair.master.store}-lost"))
        await pair.master.start()
        await fault_of(cluster, pair.slave, "ahead of its master")
        await fill(direct, pair.master, 3)
        await pair.slave.stop()
        shutil.move(pair.slave.store, Path(f"{pair.slave.store}-old"))
        await pair.slave.start()
        copied = await read(direct, pair.slave, "T", 3)
        assert bodies(copied) == bodies(await direct.read_queue(pair.master.address, "T"))


async def test_master_and_slave_that_share_a_secret_replicate_and_nobody_else_does(
    cluster: Cluster, tmp_path: Path
) -> None:
    secrets = [tmp_path / name for name in ("secret", "other")]
    for path in secrets:
        path.write_text(f"{path.name} of some length, which nobody guesses\n")
    pair = await Pair(cluster, haSecretFile=secrets[0]).start()
    async with Direct() as direct:
        await fill(direct, pair.master, 5)
        assert len(await read(direct, pair.slave, "T", 5)) == 5
        await pair.slave.stop()
        pair.slave.properties["haSecretFile"] = secrets[1]
        await pair.slave.start()
        await fault_of(cluster, pair.slave, "the master didn't take the proof of the secret")
        await fault_of(cluster, pair.master, "its proof of the secret is wrong")
        await pair.slave.stop()
        del pair.slave.properties["haSecretFile"]
        await pair.slave.start()
        await fault_of(cluster, pair.master, "it doesn't offer to prove the secret")
        await fill(direct, pair.master, 5)
        assert len(await direct.read_queue(pair.slave.address, "T")) == 5
