"""`mqnamesrv` as a process: it starts, serves a broker and a client, and stops when asked."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_py.model.topic import TopicConfig
from broker_py.wire.command import Command
from broker_py.wire.register_body import RegisterBody
from tests.support.remoting import RawClient, connect

LIMIT_SECONDS = 30


class Process:
    """A name server in a home directory of its own, on a free port."""

    def __init__(self, home: Path, port: int = 0) -> None:
        self.log = home / "logs" / "rocketmqlogs" / "namesrv.log"
        self.pid_file = home / "namesrv.pid"
        config = home / f"namesrv-{port}.properties"
        if not config.exists():
            text = f"listenPort={port}\nbindAddress=127.0.0.1\npidFile={self.pid_file}\nkvConfigPath=~/kv.json\n"
            config.write_text(text)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "broker_py.cli.mqnamesrv", "-c", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(home)},
        )

    def ready_port(self) -> int:
        """Wait for the line that says it is ready, and return its port."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("The Name Server boot success. serializeType=JSON, address 127.0.0.1:"), line
        return int(line.rpartition(":")[2])

    def ended(self) -> tuple[int, str]:
        """Wait for its end, and return its exit status and what it said on stderr."""
        _, errors = self.process.communicate(timeout=LIMIT_SECONDS)
        return self.process.returncode, errors


@pytest.fixture
def nameserver(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def registration() -> Command:
    topics = {name: TopicConfig(topic_name=name) for name in ("TopicTest", "Other")}
    ext = {
        "brokerName": "broker-a",
        "brokerAddr": "127.0.0.1:10911",
        "clusterName": "DefaultCluster",
        "haServerAddr": "127.0.0.1:10912",
        "brokerId": "0",
        "compressed": "false",
        "bodyCrc32": "0",
    }
    return Command(103, ext, RegisterBody(topics=topics).encode())


async def route(client: RawClient) -> Command:
    return await client.ask(Command(105, {"topic": "TopicTest"}))


def test_a_broker_registers_a_client_finds_it_and_the_server_stops_when_asked(nameserver: Process) -> None:
    async def scenario(port: int) -> None:
        broker, client = await connect(port), await connect(port)
        assert (await broker.ask(registration())).code == 0
        found = await route(client)
        assert json.loads(found.body)["brokerDatas"][0]["brokerAddrs"] == {"0": "127.0.0.1:10911"}
        broker.close()
        deadline = asyncio.get_running_loop().time() + LIMIT_SECONDS
        while (await route(client)).code != 17:
            assert asyncio.get_running_loop().time() < deadline, "the broker is still there"
        nameserver.process.send_signal(signal.SIGTERM)
        assert await client.receive() is None

    port = nameserver.ready_port()
    assert nameserver.pid_file.read_text() == f"{nameserver.process.pid}\n"
    asyncio.run(scenario(port))
    assert nameserver.ended() == (0, "")
    assert not nameserver.pid_file.exists()
    log = nameserver.log.read_text()
    assert "INFO  nameserver: broker-a (id 0) registered from 127.0.0.1:10911 with 2 topics\n" in log
    assert "INFO  nameserver: broker-a (id 0) at 127.0.0.1:10911 left: its connection was lost\n" in log


def test_a_port_that_is_taken_is_told_in_one_sentence(nameserver: Process, tmp_path: Path) -> None:
    port = nameserver.ready_port()
    status, errors = Process(tmp_path, port).ended()
    assert status == 1
    assert errors == f"mqnamesrv: can't listen on 127.0.0.1:{port}: Address already in use\n"
    assert nameserver.pid_file.read_text() == f"{nameserver.process.pid}\n"


def test_values_and_changed_properties_survive_a_restart(nameserver: Process, tmp_path: Path) -> None:
    async def change(port: int) -> None:
        client = await connect(port)
        put = Command(100, {"namespace": "ORDER_TOPIC_CONFIG", "key": "TopicTest", "value": "broker-a:4"})
        assert (await client.ask(put)).code == 0
        assert (await client.ask(Command(318, body=b"orderMessageEnable=true"))).code == 0
        refused = await client.ask(Command(318, body=b"kvConfigPath=/tmp/elsewhere"))
        assert refused.code == 1
        assert "kvConfigPath can't be changed" in (refused.remark or "")

    async def look(port: int) -> None:
        client = await connect(port)
        assert (await client.ask(registration())).code == 0
        assert json.loads((await route(client)).body)["orderTopicConf"] == "broker-a:4"
        client.close()

    asyncio.run(change(nameserver.ready_port()))
    nameserver.process.send_signal(signal.SIGINT)
    assert nameserver.ended()[0] == 0
    again = Process(tmp_path)
    try:
        asyncio.run(look(again.ready_port()))
    finally:
        again.process.terminate()
        assert again.ended()[0] == 0


def test_mqshutdown_stops_the_one_in_the_pid_file_and_waits_until_it_is_gone(nameserver: Process) -> None:
    nameserver.ready_port()
    command = [sys.executable, "-m", "broker_py.cli.mqshutdown", "namesrv", "-o", "json"]
    command += ["--pid-file", str(nameserver.pid_file), "--wait", str(LIMIT_SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    pid = nameserver.process.pid
    assert (done.returncode, json.loads(done.stdout)) == (0, {"daemon": "mqnamesrv", "pids": [pid], "running": []})
    assert done.stderr == f"The mqnamesrv({pid}) is asked to stop.\n"
    assert nameserver.ended()[0] == 0
