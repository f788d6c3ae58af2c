"""What runs where, as a scenario's layout.json says it: the tests' own word, which no inventory and no role writes.

{"inventories": ["inventories/single"], "hosts": {"rocketmq-os1": {"nameserver": 9876, "broker-a": 10911}}}
"""

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
SLAVE_SUFFIX = "-s"


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A name server or a broker: where it should be, and what it should be called there."""

    host: str
    address: str
    name: str
    port: int

    @property
    def is_broker(self) -> bool:
        return not self.name.startswith("nameserver")

    @property
    def is_slave(self) -> bool:
        return self.is_broker and self.name.endswith(SLAVE_SUFFIX)

    @property
    def broker_name(self) -> str:
        return self.name.removesuffix(SLAVE_SUFFIX)

    @property
    def unit(self) -> str:
        return f"{'mqbroker' if self.is_broker else 'mqnamesrv'}@{self.name}.service"

    @property
    def properties_file(self) -> str:
        return f"/etc/broker-py/{self.name}.properties"

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A cluster on hosts, the inventories that deploy it there, and the options that mqadmin needs to be let in."""

    inventories: tuple[pathlib.Path, ...]
    daemons: tuple[Daemon, ...]
    state: pathlib.Path
    mqadmin: tuple[str, ...] = ()

    @property
    def hosts(self) -> list[str]:
        return sorted({daemon.host for daemon in self.daemons})

    @property
    def nameservers(self) -> list[Daemon]:
        return [daemon for daemon in self.daemons if not daemon.is_broker]

    @property
    def nameserver_addresses(self) -> str:
        return ";".join(daemon.endpoint for daemon in self.nameservers)

    @property
    def brokers(self) -> list[Daemon]:
        return [daemon for daemon in self.daemons if daemon.is_broker]

    @property
    def masters(self) -> list[Daemon]:
        return [daemon for daemon in self.brokers if not daemon.is_slave]

    @property
    def slaves(self) -> list[Daemon]:
        return [daemon for daemon in self.brokers if daemon.is_slave]

    def daemon(self, name: str) -> Daemon:
        """Return the only daemon of that name."""
        (found,) = [daemon for daemon in self.daemons if daemon.name == name]
        return found


def read_layout(scenario: pathlib.Path, state: pathlib.Path, name: str = "layout.json") -> Layout:
    """Return a layout of a scenario whose hosts are those that `state`, a lab's directory, says how to reach."""
    connection = state / "connection.yml"
    reached = yaml.safe_load(connection.read_text())["all"]["hosts"]
    words = json.loads((scenario / name).read_text())
    return Layout(
        inventories=(*(TOP / inventory for inventory in words["inventories"]), connection),
        daemons=_daemons(words["hosts"], {host: words["ansible_host"] for host, words in reached.items()}),
        state=state,
        mqadmin=tuple(words.get("mqadmin", ())),
    )


def _daemons(hosts: Mapping[str, Mapping[str, Any]], addresses: Mapping[str, str]) -> tuple[Daemon, ...]:
    return tuple(
        Daemon(host=host, address=addresses[host], name=name, port=port)
        for host, ports in hosts.items()
        for name, port in ports.items()
    )
