"""Daemons as processes: on free ports of this machine, with all their files in a temporary directory."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from broker_py.client.client import Client, Identity
from broker_py.errors import BrokerPyError
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.process import read_pid
from tests.support.ports import BROKER_PORTS, free_port

_T = TypeVar("_T")

PATIENCE_SECONDS: Final = 20.0
# On a machine that is busy with other things, all waiting may be made longer.
PATIENCE: Final = float(os.environ.get("TEST_PATIENCE", "1"))
CLUSTER_NAME: Final = "TestCluster"
_ROOT: Final = Path(__file__).resolve().parents[2]
_LOOPBACK: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.02
_LOG_TAIL_BYTES: Final = 8000


async def until(condition: Callable[[], Awaitable[_T | None]], what: str, seconds: float = PATIENCE_SECONDS) -> _T:
    """Return the first true answer; AssertionError with `what` when there is none in time.

    A condition that raises one of our errors (nobody answers yet) is not true yet.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds * PATIENCE
    last: object = None
    while loop.time() < deadline:
        try:
            answer = await condition()
            if answer:
                return answer
            last = answer
        except BrokerPyError as error:
            last = error
        await asyncio.sleep(_POLL_SECONDS)
    raise AssertionError(f"{what}: not in {seconds * PATIENCE:g} s, last: {last}")


class Daemon:
    """One daemon: its properties, its files below `directory`, and its process when it runs.

    `properties` may be changed between two starts; unless they are, a start takes the file as the last run left it.
    `environment` is added to the process's, `wrapper` is a command that ends in running the daemon's. A start may take
    `patience_seconds`.
    """

    patience_seconds = PATIENCE_SECONDS

    def __init__(self, command: str, directory: Path, port: int, properties: Mapping[str, object]) -> None:
        self.command = command
        self.directory = directory
        self.port = port
        self.properties = {"pidFile": directory / "pid", "listenPort": port, "bindAddress": _LOOPBACK, **properties}
        self.environment: dict[str, str] = {}
        self.wrapper: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._written: dict[str, object] = {}
        directory.mkdir(parents=True)

    @property
    def address(self) -> str:
        """Where it listens, as text."""
        return f"{_LOOPBACK}:{self.port}"

    @property
    def store(self) -> Path:
        """A broker's files."""
        return self.directory / "store"

    @property
    def config_file(self) -> Path:
        """The properties file it was started with."""
        return self.directory / "daemon.properties"

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process; it needs a moment until it serves."""
        assert self.process is None, f"{self.command} in {self.directory} runs already"
        self.write_files()
        environment = {**os.environ, "HOME": str(self.directory), "NAMESRV_ADDR": "", **self.environment}
        with open(self.directory / "output", "ab") as output:
            self.process = subprocess.Popen(
                self.argv(), cwd=_ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        return self.process

    def write_files(self) -> None:
        """Write the properties file, unless it was written with these properties."""
        if self._written != self.properties:
            self.config_file.write_text("".join(f"{name}={value}\n" for name, value in self.properties.items()))
            self._written = dict(self.properties)

    def argv(self) -> list[str]:
        """The command line."""
        return [*self.wrapper, sys.executable, "-m", f"broker_py.cli.{self.command}", "-c", str(self.config_file)]

    def serves(self, process: "subprocess.Popen[bytes]") -> bool:
        """True when the daemon of a process is ready."""
        return read_pid(str(self.properties["pidFile"])) == process.pid

    async def start(self) -> None:
        """Start the process and wait until it serves; AssertionError when it ends instead."""
        process = self.launch()

        async def ready() -> bool:
            assert process.poll() is None, f"{self.command} ended with {process.returncode}:\n{self.output()}"
            return self.serves(process)

        await until(ready, f"{self.command} in {self.directory} is ready", self.patience_seconds)

    async def refusal(self) -> str:
        """Start the process, which is to end by itself with status 1; return what it says."""
        process = self.launch()
        status = await self._ended(process)
        assert status == 1, f"{self.command} ended with {status}:\n{self.output()}"
        return self.output()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to end, and return its exit status."""
        process = self._running()
        process.send_signal(how)
        return await self._ended(process)

    async def _ended(self, process: "subprocess.Popen[bytes]") -> int:
        async def ended() -> bool:
            return process.poll() is not None

        await until(ended, f"the end of {self.command} in {self.directory}")
        self.process = None
        assert process.returncode is not None
        return process.returncode

    def kill(self) -> None:
        """End the process without a warning."""
        process = self._running()
        process.kill()
        process.wait()
        self.process = None

    def freeze(self) -> None:
        """Have the process stand still until `thaw`, with its connections open."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on."""
        self._running().send_signal(signal.SIGCONT)

    def resident_kib(self) -> int:
        """The process's memory."""
        with open(f"/proc/{self._running().pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, f"{self.command} in {self.directory} does not run"
        return self.process

    def output(self) -> str:
        """What it printed, over all starts."""
        path = self.directory / "output"
        return path.read_text(errors="replace") if path.exists() else ""

    def log(self) -> str:
        """What it logged, over all starts."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("logs/*"), reverse=True))


class Cluster:
    """Name servers and brokers that were made for one test, in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._daemons: list[Daemon] = []
        self._clients = 0

    def nameserver(self, **properties: object) -> Daemon:
        """Return a further name server, not started. Brokers and clients made after it use it."""
        return self.add(Daemon("mqnamesrv", *self.new_nameserver(**properties)))

    def new_nameserver(self, **properties: object) -> tuple[Path, int, dict[str, object]]:
        """Return directory, port and properties for a further name server."""
        directory = self._directory / f"nameserver-{len(self.nameservers())}"
        own = {"namesrvLogDir": directory / "logs", "kvConfigPath": directory / "kvConfig.json"}
        return directory, free_port(), {**own, **properties}

    def broker(self, name: str = "broker-a", broker_id: int = 0, /, **properties: object) -> Daemon:
        """Return a broker, not started: a slave where `broker_id` is not 0. Its log's files have one MiB."""
        return self.add(Daemon("mqbroker", *self.new_broker(name, broker_id, **properties)))

    def new_broker(self, name: str, broker_id: int, /, **properties: object) -> tuple[Path, int, dict[str, object]]:
        """Return directory, port and properties for a broker."""
        directory = self._directory / f"{name}-{broker_id}"
        port = free_port(BROKER_PORTS)
        own = {
            "brokerClusterName": CLUSTER_NAME,
            "brokerName": name,
            "brokerId": broker_id,
            "brokerRole": "SLAVE" if broker_id else "ASYNC_MASTER",
            "brokerIP1": _LOOPBACK,
            "haListenPort": port + 1,
            "namesrvAddr": self.namesrv_addr(),
            "storePathRootDir": directory / "store",
            "brokerLogDir": directory / "logs",
            "mappedFileSizeCommitLog": 1 << 20,
            "brokerFastFailureEnable": "false",  # the machine may be busy with other things
        }
        return directory, port, {**own, **properties}

    def add(self, daemon: Daemon) -> Daemon:
        """Take care of a daemon."""
        self._daemons.append(daemon)
        return daemon

    def nameservers(self) -> list[Daemon]:
        """Return the name servers that were made."""
        return [daemon for daemon in self._daemons if daemon.command == "mqnamesrv"]

    def namesrv_addr(self) -> str:
        """Return the addresses of the name servers, as the property has them."""
        return ";".join(daemon.address for daemon in self.nameservers())

    def client(self) -> Client:
        """Return a client of the name servers, another one each time."""
        self._clients += 1
        identity = Identity(_LOOPBACK, os.getpid(), self._clients)
        return Client(tuple(daemon.address for daemon in self.nameservers()), identity, SystemClock())

    def kill(self) -> None:
        """End what still runs."""
        for daemon in self._daemons:
            if daemon.process is not None:
                daemon.kill()

    def close(self) -> None:
        """End what still runs, and print the logs: they are shown with a failed test."""
        self.kill()
        for daemon in self._daemons:
            output, log = daemon.output()[-_LOG_TAIL_BYTES:], daemon.log()[-_LOG_TAIL_BYTES:]
            sys.stdout.write(f"--- {daemon.directory.name} at {daemon.address}\n{output}{log}\n")
