"""The playbooks, on this machine, with real processes: what `make lab` does, in a directory and on ports of its own."""

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from playbooks.lab.prerequisites import is_free, lab_ports
from playbooks.lab.tour import main as tour

TOP = pathlib.Path(__file__).resolve().parents[2]
INSTANCES = {"nameserver", "nameserver-2", "broker-a", "broker-a-s", "broker-b", "broker-b-s"}
COMMANDS = ("mqnamesrv", "mqbroker", "mqadmin", "mqquickstart")
COMMAND = """#!{python}
import sys
sys.path.insert(0, {top!r})
from broker_py.cli.{name} import main
sys.exit(main())
"""

# In the order of this file: each test finds the lab as the one before left it, which is what an operator does too.
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("lab")]


class Lab:
    """A lab in `home`, and Ansible to work on it."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir()
        for name in COMMANDS:
            script = self.bin / name
            script.write_text(COMMAND.format(python=sys.executable, top=str(TOP), name=name))
            script.chmod(0o755)
        bases = range(30_000, 32_000, 50)
        self.port_base = next(base for base in bases if all(map(is_free, lab_ports(base))))

    def ansible(self, *arguments: str, program: str = "ansible-playbook") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LAB_DIR": str(self.home), "PORT_BASE": str(self.port_base), "NO_COLOR": "1"}
        command = [str(pathlib.Path(sys.executable).parent / program), "-i", "inventories/lab", *arguments]
        command += ["-e", f"common_bin_dir={self.bin}"]
        return subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)

    def deploy(self) -> int:
        """Run what `make lab` runs and return how many tasks changed something."""
        done = self.ansible("site.yml", "playbooks/lab.yml")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        return int(re.findall(r"changed=(\d+)", done.stdout)[-1])

    def pids(self) -> dict[str, int]:
        """Return the pid of each instance that is ready and alive."""
        found = {file.stem: int(file.read_text()) for file in (self.home / "run").glob("*.pid")}
        return {name: pid for name, pid in found.items() if is_alive(pid)}


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended and that nobody has waited for has no command line."""
    command = pathlib.Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        assert lab.deploy() > 0
        yield lab
    finally:
        lab.ansible("playbooks/stop.yml")


def test_all_instances_run_and_what_is_sent_is_received(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.pids().keys() == INSTANCES
    assert tour([str(lab.home / "cluster.json")]) == 0
    assert "Received  1000 messages" in capsys.readouterr().out


def test_the_ports_are_those_that_the_prerequisites_look_at(lab: Lab) -> None:
    files = (lab.home / "conf").glob("*.properties")
    listening = {int(re.findall(r"^listenPort=(\d+)$", file.read_text(), re.MULTILINE)[0]) for file in files}
    assert listening <= set(lab_ports(lab.port_base))
    assert len(listening) == len(INSTANCES)


def test_scripts_find_the_addresses_in_shell_variables(lab: Lab) -> None:
    shown = subprocess.run(
        ["sh", "-c", '. "$1"; echo "$NAMESRV_ADDR $CLUSTER_NAME $BROKER_ADDRS"', "sh", str(lab.home / "env")],
        capture_output=True,
        text=True,
        check=True,
    )
    base = lab.port_base
    assert shown.stdout.split() == [
        f"127.0.0.1:{base};127.0.0.1:{base + 1}",
        "DefaultCluster",
        f"127.0.0.1:{base + 11};127.0.0.1:{base + 31}",
    ]


def test_a_second_run_changes_nothing_and_doubles_no_process(lab: Lab) -> None:
    before = lab.pids()
    assert lab.deploy() == 0
    assert lab.pids() == before


def test_the_gate_names_the_broker_that_is_missing_and_the_next_run_starts_only_that(lab: Lab) -> None:
    before = lab.pids()
    os.kill(before["broker-b-s"], 9)
    gate = lab.ansible("playbooks/gate.yml", "-e", "broker_gate_retries=3")
    assert gate.returncode != 0
    assert "broker-b with id 1 should be at" in gate.stdout.replace("\n        ", " ")
    assert lab.ansible("playbooks/broker.yml", "--tags", "service").returncode == 0
    after = lab.pids()
    assert {name for name in INSTANCES if after[name] != before[name]} == {"broker-b-s"}


def test_a_changed_configuration_leaves_alone_what_runs_until_the_roll_restarts_what_reads_it(lab: Lab) -> None:
    before = lab.pids()
    extra = json.dumps({"broker_config": {"bindAddress": "127.0.0.1", "fileReservedTime": 72}})
    assert lab.ansible("playbooks/broker.yml", "-e", extra).returncode == 0
    assert "fileReservedTime=72\n" in (lab.home / "conf" / "broker-a-s.properties").read_text()
    assert lab.pids() == before
    quick = json.dumps({"broker_drain_seconds": 0, "broker_drain_quiet_seconds": 1})
    rolled = lab.ansible("playbooks/roll.yml", "-e", extra, "-e", quick)
    assert rolled.returncode == 0, rolled.stdout[-4000:] + rolled.stderr
    after = lab.pids()
    assert after.keys() == INSTANCES
    assert {name for name in INSTANCES if after[name] != before[name]} == INSTANCES - {"nameserver", "nameserver-2"}


def test_a_misspelt_property_is_refused_by_the_broker_and_the_old_file_stays(lab: Lab) -> None:
    before, files = lab.pids(), sorted((lab.home / "conf").iterdir())
    content = [file.read_text() for file in files]
    extra = json.dumps({"broker_config": {"bindAddress": "127.0.0.1", "fileReservdTime": 1}})
    done = lab.ansible("playbooks/broker.yml", "--tags", "configure", "-e", extra)
    assert done.returncode != 0
    assert "fileReservedTime" in done.stdout
    assert [file.read_text() for file in files] == content
    assert lab.pids() == before


def test_a_property_that_the_inventory_decides_is_refused_before_anything_changes(lab: Lab) -> None:
    extra = json.dumps({"broker_config": {"brokerRole": "SLAVE"}})
    done = lab.ansible("playbooks/preflight.yml", "-e", extra)
    assert done.returncode != 0
    assert "sets brokerRole, which the inventory" in done.stdout
    assert "changed=0" in done.stdout


def test_stopping_leaves_no_process(lab: Lab) -> None:
    running = lab.pids()
    assert lab.ansible("playbooks/stop.yml").returncode == 0
    assert lab.pids() == {}
    assert not any(map(is_alive, running.values()))
