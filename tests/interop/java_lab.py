"""A cluster of RocketMQ's own daemons where the lab's would be, described for the playbooks that move it to ours.

They run detached, as people run them who have no service manager: a script each that starts and stops them.
"""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from plugins.filter.topology import place_brokers, place_nameservers
from tests.interop.java import JavaDaemon
from tests.support.rolled_lab import RolledLab, release_of

SETS: Final = ("broker-a", "broker-b")
LOG_FILE_BYTES: Final = 16 << 20
_LOOPBACK: Final = "127.0.0.1"
_CLUSTER: Final = "DefaultCluster"
_RELEASE: Final = "1.0.0"
_POLL_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 120.0
_START: Final = """#!/bin/sh
cd {directory}
setsid {command} </dev/null >>output 2>&1 &
echo $! >java.pid
"""
_STOP: Final = """#!/bin/sh
kill "$(cat {directory}/java.pid)"
"""


class JavaLab(RolledLab):
    """A name server and two sets of RocketMQ, and the inventory that has them become ours."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "lab", _RELEASE)
        hosts, addresses = ["localhost"], {"localhost": _LOOPBACK}
        self.nameservers = place_nameservers(hosts, addresses, 1, self.port_base)
        self.brokers = place_brokers(hosts, addresses, SETS, 1, "async", self.port_base + 11, 10)
        self._java = home / "java"
        self.daemons = {each["name"]: self._nameserver(each) for each in self.nameservers}
        self.daemons |= {each["name"]: self._broker(each) for each in self.brokers}
        self.variables |= {
            "broker_replication": "async",
            "broker_config": {
                "bindAddress": _LOOPBACK,
                "mappedFileSizeCommitLog": LOG_FILE_BYTES,
                "fileReservedTime": 72,
            },
            "migration_nameservers": {
                each["name"]: {**self._commands(each["name"]), "kv_config": str(self.kv_config(each["name"]))}
                for each in self.nameservers
            },
            "migration_brokers": {
                each["name"]: {**self._commands(each["name"]), "store": str(self.daemons[each["name"]].store)}
                for each in self.brokers
            },
        }

    def kv_config(self, name: str) -> Path:
        """Where a name server of RocketMQ keeps its KV configurations."""
        return self._java / name / "kvConfig.json"

    def _nameserver(self, placed: dict[str, Any]) -> JavaDaemon:
        name = placed["name"]
        return self._daemon("mqnamesrv", placed, {"kvConfigPath": self.kv_config(name)})

    def _broker(self, placed: dict[str, Any]) -> JavaDaemon:
        properties = {
            "brokerClusterName": _CLUSTER,
            "brokerName": placed["broker_name"],
            "brokerId": placed["broker_id"],
            "brokerRole": placed["role"],
            "brokerIP1": _LOOPBACK,
            "haListenPort": placed["listen_port"] + 1,
            "namesrvAddr": self.address,
            "storePathRootDir": self._java / placed["name"] / "store",
            "mappedFileSizeCommitLog": LOG_FILE_BYTES,
            "timerWheelEnable": "false",
            "messageIndexEnable": "false",
        }
        return self._daemon("mqbroker", placed, properties)

    def _daemon(self, command: str, placed: dict[str, Any], properties: dict[str, object]) -> JavaDaemon:
        daemon = JavaDaemon(command, self._java / placed["name"], placed["listen_port"], properties)
        daemon.write_files()
        texts = {"start": _START, "stop": _STOP}
        for name, text in texts.items():
            script = daemon.directory / name
            script.write_text(
                text.format(directory=shlex.quote(str(daemon.directory)), command=shlex.join(daemon.argv()))
            )
            script.chmod(0o755)
        return daemon

    def _commands(self, name: str) -> dict[str, list[str]]:
        return {word: [str(self.daemons[name].directory / word)] for word in ("stop", "start")}

    def start(self) -> None:
        """Start all of RocketMQ's daemons and wait until each broker says that it serves."""
        for daemon in self.daemons.values():
            subprocess.run([str(daemon.directory / "start")], check=True)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while "boot success" not in daemon.output():
                assert time.monotonic() < deadline, daemon.output() + daemon.log()
                time.sleep(_POLL_SECONDS)

    def sides(self) -> dict[str, str]:
        """Say who runs each daemon now: "java", "ours", or both or none of them."""
        found = {}
        for name, daemon in self.daemons.items():
            own = self.home / "run" / f"{name}.pid"
            ours = own.exists() and bool(release_of(int(own.read_text())))
            running = [*(["java"] if _runs(self._java_pid(daemon)) else []), *(["ours"] if ours else [])]
            found[name] = " and ".join(running) or "none"
        return found

    def _java_pid(self, daemon: JavaDaemon) -> int:
        file = daemon.directory / "java.pid"
        return int(file.read_text()) if file.exists() else 0

    def stores(self) -> dict[str, str]:
        """Say whose the store of each broker is."""
        places = {each["name"]: self.home / each["store"] for each in self.brokers}
        return {
            name: "java" if (self.daemons[name].store / "commitlog").is_dir() else "ours"
            for name, path in places.items()
            if (self.daemons[name].store / "commitlog").is_dir() != (path / "commitlog").is_dir()
        }

    def close(self) -> None:
        """End all daemons."""
        self.play("playbooks/stop.yml")
        for daemon in self.daemons.values():
            pid = self._java_pid(daemon)
            if _runs(pid):
                os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        return pid > 0 and bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False
