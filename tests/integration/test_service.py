"""Daemons as a service manager and an operator's tools see them: notifications, checks of a file in use, owners."""

import asyncio
import hashlib
import json
import shutil
import socket
import sys
from pathlib import Path

from tests.support.cluster import CLUSTER_NAME, Cluster, Daemon, until
from tests.support.ports import BROKER_PORTS, free_port


class Manager:
    """The service manager's socket, which a daemon is given."""

    def __init__(self, directory: Path, daemon: Daemon) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(directory / "notify"))
        self._socket.setblocking(False)
        daemon.environment = {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "100000"}
        self.heard: list[str] = []

    def __enter__(self) -> "Manager":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def hears(self, wanted: str) -> str:
        """Return the first line from here on that begins so."""

        async def heard() -> str | None:
            while True:
                try:
                    self.heard += self._socket.recv(4096).decode().split("\n")
                except BlockingIOError:
                    break
            while self.heard:
                line = self.heard.pop(0)
                if line.startswith(wanted):
                    return line
            return None

        return await until(heard, f"the manager hears {wanted}")


def in_effect(daemon: Daemon) -> str:
    """The end of a daemon's status when its file, as it is now, is in effect."""
    digest = hashlib.sha256(daemon.config_file.read_bytes()).hexdigest()
    return f"; configuration sha256:{digest}, program {sys.prefix}"


async def check(daemon: Daemon, file: Path) -> tuple[int, str]:
    """Check a configuration file; return the exit status and what was said."""
    argv = [*daemon.argv()[:-1], str(file), "--check"]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_broker_tells_its_service_manager_what_it_does_and_what_is_in_effect(
    cluster: Cluster, tmp_path: Path
) -> None:
    broker = cluster.broker()
    with Manager(tmp_path, broker) as manager:
        await broker.start()
        await manager.hears("READY=1")
        status = await manager.hears("STATUS=")
        assert status.startswith(f"STATUS=The broker[broker-a, {broker.address}] boot success.")
        assert status.endswith(in_effect(broker))
        await manager.hears("WATCHDOG=1")
        async with cluster.client() as client:
            await client.brokers.update_config(broker.address, {"fileReservedTime": "99"})
        assert "fileReservedTime=99" in broker.config_file.read_text()
        assert (await manager.hears("STATUS=")).endswith(in_effect(broker))
        await broker.stop()
        await manager.hears("STOPPING=1")
        await manager.hears("EXTEND_TIMEOUT_USEC=")


async def test_a_name_server_tells_its_service_manager_too(cluster: Cluster, tmp_path: Path) -> None:
    nameserver = cluster.nameserver()
    with Manager(tmp_path, nameserver) as manager:
        await nameserver.start()
        await manager.hears("READY=1")
        assert (await manager.hears("STATUS=The Name Server boot success.")).endswith(in_effect(nameserver))
        await manager.hears("WATCHDOG=1")
        await nameserver.stop()
        await manager.hears("STOPPING=1")


async def test_a_broker_that_recovers_a_long_log_says_how_far_it_is(cluster: Cluster, tmp_path: Path) -> None:
    broker = cluster.broker()
    await broker.start()
    broker.kill()
    with Manager(tmp_path, broker) as manager:
        (broker.store / "commitlog").mkdir(exist_ok=True)
        (broker.store / "commitlog" / f"{0:020d}").write_bytes(bytes(1 << 20))
        await broker.start()
        await manager.hears("EXTEND_TIMEOUT_USEC=")
        assert await manager.hears("STATUS=") == "STATUS=recovering commit log: 0.0 of 0.0 GiB"
        await manager.hears("READY=1")


async def test_write_permission_of_a_broker_is_gone_from_routes_at_once_and_back_with_a_restart(
    cluster: Cluster,
) -> None:
    await cluster.nameserver().start()
    broker = cluster.broker(persistRuntimeConfig="false", registerNameServerPeriod=3_600_000)
    await broker.start()
    before = broker.config_file.read_bytes()
    async with cluster.client() as client:

        async def perm(wanted: int) -> bool:
            route = await client.name_servers.route(CLUSTER_NAME)
            return [queues.perm & 6 for queues in route.queue_datas] == [wanted]

        await until(lambda: perm(6), "the broker is registered")
        await client.brokers.update_config(broker.address, {"brokerPermission": "4"})
        await until(lambda: perm(4), "clients are told not to write", seconds=5)
        assert broker.config_file.read_bytes() == before
        assert "changed until the next start: brokerPermission=4" in broker.log()
        await broker.stop()
        await broker.start()
        await until(lambda: perm(6), "the file counts again")


async def test_the_file_of_a_running_broker_is_checked_under_any_name_and_with_other_ports(
    cluster: Cluster, tmp_path: Path
) -> None:
    broker, neighbour = cluster.broker("broker-a"), cluster.broker("broker-b", 1)
    await broker.start()
    await neighbour.start()
    copy = tmp_path / "copy"
    shutil.copy(broker.config_file, copy)
    running = "mqbroker: this broker is running already\n"
    assert await check(broker, copy) == (0, running)
    lines = f"listenPort={free_port(BROKER_PORTS)}\nhaListenPort=0\n"
    copy.write_text(f"{broker.config_file.read_text()}{lines}")
    status, said = await check(broker, copy)
    assert (status, said.splitlines()[-1] + "\n") == (0, running)

    copy.write_text(f"{broker.config_file.read_text()}haListenPort={neighbour.port}\n")
    status, said = await check(broker, copy)
    assert status == 1
    assert f"port {neighbour.port} is in use by another process; set haListenPort" in said
    copy.write_text(f"{broker.config_file.read_text()}storePathRootDir={neighbour.store}\n")
    status, said = await check(broker, copy)
    assert status == 1
    assert f"the store {neighbour.store} is in use by another broker" in said
    assert f"the store {neighbour.store} belongs to broker broker-b of cluster {CLUSTER_NAME}" in said


async def test_a_broker_refuses_the_store_of_another_one_until_it_is_handed_over(cluster: Cluster) -> None:
    broker = cluster.broker("broker-a")
    await broker.start()
    await broker.stop()
    owner = broker.store / "owner.json"
    assert json.loads(owner.read_text()) == {"brokerClusterName": CLUSTER_NAME, "brokerName": "broker-a"}
    heir = cluster.broker("broker-b", storePathRootDir=broker.store)
    assert f"remove {owner} to hand the store over" in await heir.refusal()
    owner.unlink()
    await heir.start()
    assert json.loads(owner.read_text())["brokerName"] == "broker-b"


async def test_full_logs_are_put_aside_and_so_many_are_kept(cluster: Cluster) -> None:
    nameserver = cluster.nameserver(logMaxFileBytes=4096, logKeptFiles=2)
    await nameserver.start()
    async with cluster.client() as client:
        for number in range(200):
            await client.name_servers.put_kv_config(nameserver.address, "n", f"key-{number}", "x" * 50)
    files = sorted(path.name for path in (nameserver.directory / "logs").iterdir())
    kept = [f"{name}{number}" for name in ("namesrv.log", "namesrv_audit.log") for number in ("", ".1", ".2")]
    assert files == kept
