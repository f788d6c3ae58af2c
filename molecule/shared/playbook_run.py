"""Run a playbook on a layout's hosts and say what it reported."""

import os
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

from layout import TOP, Layout

RECAP = re.compile(r"^(\S+)\s*: ok=\d+\s+changed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class PlaybookRun:
    """What a run of a playbook came to."""

    succeeded: bool
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """Return how many tasks changed something, by host."""
        return {host: int(count) for host, count in RECAP.findall(self.output)}


def run_playbook(layout: Layout, playbook: str, *arguments: str) -> PlaybookRun:
    """Run a playbook of the product with the layout's inventories."""
    inventories = [word for inventory in layout.inventories for word in ("-i", str(inventory))]
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).with_name("ansible-playbook")), *inventories, playbook, *arguments],
        cwd=TOP,
        env={**os.environ, "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "4000"},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return PlaybookRun(succeeded=done.returncode == 0, output=done.stdout)
