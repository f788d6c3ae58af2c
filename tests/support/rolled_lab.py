"""A cluster that playbooks deploy on this machine from releases, to try on it what may interrupt service."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from broker_py.cli.session import open_client
from broker_py.client.client import Client
from playbooks.lab.prerequisites import is_free, lab_ports
from tests.support.traffic import TrafficProcess
from tests.support.wheels import make_wheel

_T = TypeVar("_T")

_TOP: Final = pathlib.Path(__file__).resolve().parents[2]
# Clients hear of a drain after 30 s. Until then it takes what they send, and while it is stopped they go elsewhere.
_HURRIED: Final = {"broker_drain_seconds": 1, "broker_drain_quiet_seconds": 0}


class RolledLab:
    """A name server and two sets that replicate synchronously in `home`, from releases that Ansible installs there."""

    def __init__(self, home: pathlib.Path, version: str) -> None:
        self.home = home
        self.port_base = next(base for base in range(28_000, 30_000, 70) if all(map(is_free, lab_ports(base))))
        self.address = f"127.0.0.1:{self.port_base}"
        self.variables: dict[str, object] = {
            **_HURRIED,
            "broker_replication": "sync",
            "common_bin_dir": str(home / "programs/current/bin"),
            "common_nameservers_per_host": 1,
            "runtime_install": True,
            "runtime_wheel": str(make_wheel(home / "wheels", version)),
        }

    def play(self, playbook: str, *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LAB_DIR": str(self.home), "PORT_BASE": str(self.port_base), "NO_COLOR": "1"}
        program = str(pathlib.Path(sys.executable).with_name("ansible-playbook"))
        given = json.dumps(self.variables | variables)
        command = [program, "-i", "inventories/lab", playbook, *options, "-e", given]
        return subprocess.run(
            command, cwd=_TOP, env={**environment, "COLUMNS": "4000"}, capture_output=True, text=True, check=False
        )

    def changed(self, playbook: str, **variables: object) -> int:
        """Run a playbook that has to succeed and return how many tasks changed something."""
        done = self.play(playbook, **variables)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        return int(re.findall(r"changed=(\d+)", done.stdout)[-1])

    def traffic(self, name: str) -> TrafficProcess:
        return TrafficProcess(self.home / name, self.address, "--rate", "50")

    def running(self) -> dict[str, tuple[int, str]]:
        """Return the pid and the release of each instance that is ready."""
        found = {file.stem: int(file.read_text()) for file in (self.home / "run").glob("*.pid")}
        return {name: (pid, release_of(pid)) for name, pid in found.items() if release_of(pid)}

    def ask(self, question: Callable[[Client], Awaitable[_T]]) -> _T:
        async def main() -> _T:
            async with open_client(self.address) as client:
                return await question(client)

        return asyncio.run(main())

    def permissions(self) -> set[str]:
        """Return the permissions of all masters."""

        async def ask(client: Client) -> set[str]:
            brokers = (await client.name_servers.cluster_info()).brokers.values()
            configs = [await client.brokers.config(broker.broker_addrs[0]) for broker in brokers]
            return {config["brokerPermission"] for config in configs}

        return self.ask(ask)


def release_of(pid: int) -> str:
    """Return the version that a process runs; empty when it does not run."""
    try:
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
    match = re.match(r".*/releases/([^/-]+)-", command)
    return match[1] if match else ""
