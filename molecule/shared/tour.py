"""Show the lab of containers: what runs where, and what to try next.

tour.py LAB SCENARIO      such as docker-lab 2m-2s-async
"""

import sys
from collections.abc import Sequence

from containers import LABS
from layout import TOP, Layout, read_layout


def lines_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def tour(layout: Layout) -> str:
    """Return the table of daemons, and commands to look further."""
    daemons = [(daemon.unit, daemon.host, daemon.endpoint) for daemon in layout.daemons]
    ssh = f"ssh -F {layout.state / 'ssh_config'}"
    inventories = " ".join(f"-i {inventory}" for inventory in layout.inventories).replace(f"{TOP}/", "")
    nameservers, master = layout.nameserver_addresses, layout.masters[0]
    steps = [
        ("the cluster", f".venv/bin/mqadmin clusterList -n '{nameservers}'"),
        ("send", f".venv/bin/mqquickstart producer -n '{nameservers}'"),
        ("receive", f".venv/bin/mqquickstart consumer -n '{nameservers}'"),
        ("a host", f"{ssh} {layout.hosts[0]}"),
        ("a journal", f"{ssh} {master.host} sudo journalctl --unit {master.unit}"),
        ("kill a master", f"{ssh} {master.host} sudo systemctl kill --signal KILL {master.unit}"),
        ("deploy again", f".venv/bin/ansible-playbook site.yml {inventories}"),
        ("the end", "make docker-lab-down"),
    ]
    return "\n".join(
        [
            *lines_of([("UNIT", "HOST", "ADDRESS"), *daemons]),
            "",
            f"A client's name servers: {nameservers}",
            "",
            *lines_of(steps),
        ]
    )


if __name__ == "__main__":
    lab, scenario = sys.argv[1:]
    print(tour(read_layout(TOP / "molecule" / scenario, LABS / lab)))
