"""Show the lab: send and receive some messages, then print what runs where and what to try next.

    tour.py .lab/cluster.json

The file is written by playbooks/lab.yml. Exit status 1 when a message did not make it.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

TOPIC = "TopicTest"
MESSAGES = 1000
CONSUME_SECONDS = 60


def quickstart(cluster: Mapping[str, Any], *arguments: str) -> dict[str, Any]:
    """Run mqquickstart and return its summary; SystemExit with what it said when it fails."""
    command = [f"{cluster['bin_dir']}/mqquickstart", *arguments, "-n", cluster["nameservers"], "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr or done.stdout}")
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def pid_of(process: Mapping[str, str]) -> str:
    """Return the pid of a process, or why there is none."""
    try:
        return pathlib.Path(process["pid_file"]).read_text().strip()
    except OSError:
        return "down"


def short(path: str, top: pathlib.Path) -> str:
    """Return `path` relative to `top` where it is below."""
    place = pathlib.Path(path)
    return str(place.relative_to(top)) if place.is_relative_to(top) else path


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows, the first of them the header, with their columns aligned and two blanks between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def process_table(cluster: Mapping[str, Any], top: pathlib.Path) -> str:
    """Return the table of processes, paths relative to `top`."""
    rows = [["PROCESS", "ROLE", "ADDRESS", "PID", "STORE", "LOG"]]
    for process in cluster["processes"]:
        store = short(process["store"], top) if process["store"] else "-"
        row = [process["name"], process["role"], process["address"], pid_of(process), store]
        rows.append([*row, short(process["log"], top)])
    return table(rows)


def exchange_report(sent: Mapping[str, Any], received: Mapping[str, Any]) -> str:
    """Say what was sent and received, in two lines."""
    return (
        f"Sent      {sent['sent']} messages to topic {TOPIC}: {_by_broker(sent, 'to')}\n"
        f"Received  {received['received']} messages: {_by_broker(received, 'from')}"
    )


def _by_broker(summary: Mapping[str, Any], direction: str) -> str:
    return ", ".join(f"{count} {direction} {name}" for name, count in sorted(summary["brokers"].items())) or "none"


def next_steps(cluster: Mapping[str, Any], top: pathlib.Path) -> str:
    """Return the commands to look further and to stop."""
    bin_dir, nameservers = short(cluster["bin_dir"], top), cluster["nameservers"]
    rows = [
        ["the cluster", f"{bin_dir}/mqadmin clusterList -n '{nameservers}'"],
        ["a topic", f"{bin_dir}/mqadmin topicStatus -n '{nameservers}' -t {TOPIC}"],
        ["a message", f"{bin_dir}/mqadmin sendMessage -n '{nameservers}' -t {TOPIC} -p hello"],
        ["in scripts", ". .lab/env   (NAMESRV_ADDR, CLUSTER_NAME, BROKER_ADDRS)"],
        ["stop", "make lab-down   (make lab-clean also removes the data)"],
    ]
    return table([["TO SEE OR DO", "COMMAND"], *rows])


def main(arguments: Sequence[str]) -> int:
    """Send, receive, print; return the exit status."""
    file = pathlib.Path(arguments[0])
    cluster = json.loads(file.read_text())
    top = pathlib.Path.cwd()
    sent = quickstart(cluster, "producer", "--topic", TOPIC, "--count", str(MESSAGES))
    received = quickstart(
        cluster, "consumer", "--topic", TOPIC, "--count", str(sent["sent"]), "--timeout", str(CONSUME_SECONDS)
    )
    parts = [process_table(cluster, top), exchange_report(sent, received), next_steps(cluster, top)]
    sys.stdout.write("\n" + "\n\n".join(parts) + "\n")
    lost = sent["failed"] + max(0, sent["sent"] - received["received"])
    if lost:
        sys.stderr.write(f"{lost} of {MESSAGES} messages were not sent or not received: see the logs above.\n")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
