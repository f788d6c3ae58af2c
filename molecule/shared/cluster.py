"""The deployed cluster as its clients see it, by the mqadmin of the release that its hosts have."""

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testinfra.host import Host

from layout import Daemon, Layout

BIN = "/opt/broker-py/current/bin"


@dataclass(frozen=True)
class Cluster:
    """A layout on its hosts."""

    layout: Layout
    hosts: Mapping[str, Host]

    def mqadmin(self, *words: str, nameservers: str | None = None) -> Any:
        """Return what a command of mqadmin answers as JSON, asked on the first host."""
        host = self.hosts[self.layout.hosts[0]]
        command = [
            *words,
            *self.layout.mqadmin,
            "-n",
            nameservers or self.layout.nameserver_addresses,
            "--output",
            "json",
        ]
        return json.loads(host.check_output(shlex.join([f"{BIN}/mqadmin", *command])))

    def reported_by(self, nameserver: Daemon) -> list[dict[str, Any]]:
        """Return the brokers that one name server reports."""
        rows: list[dict[str, Any]] = self.mqadmin("clusterList", nameservers=nameserver.endpoint)
        return rows

    def is_whole(self) -> bool:
        """Say whether every name server reports every broker, and all of them answer."""
        wanted = {broker.endpoint for broker in self.layout.brokers}
        return all(
            {row["brokerAddr"] for row in self.reported_by(nameserver) if row["reachable"]} == wanted
            for nameserver in self.layout.nameservers
        )

    def send(self, topic: str, master: Daemon) -> str:
        """Send a message to a master, which gets the topic if it has none of that name, and return its body."""
        body = f"to {master.name} at {time.time_ns()}"
        self.mqadmin("updateTopic", "-t", topic, "-b", master.endpoint, "-r", "1", "-w", "1")
        sent = self.mqadmin("sendMessage", "-t", topic, "-b", master.broker_name, "-p", body)
        assert sent["status"] == "SEND_OK", sent
        return body

    def stored(self, topic: str, broker_name: str) -> list[str]:
        """Return the bodies of all messages that a reader gets of a set: from its master, else from a slave."""
        received = self.mqadmin("consumeMessage", "-t", topic, "-b", broker_name, "-c", "10000")
        return [message["body"] for message in received]

    def log_end(self, broker: Daemon) -> int:
        """Return where the commit log of a broker ends."""
        return int(self.mqadmin("brokerStatus", "-b", broker.endpoint)["commitLogMaxOffset"])
