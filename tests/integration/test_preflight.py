"""The preflight playbook on this machine: everything that is wrong in one message, and nothing changed."""

import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import pytest
import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
TOO_MUCH_BYTES = 1 << 60

pytestmark = pytest.mark.timeout(120)


def preflight(home: pathlib.Path, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the playbook for a cluster on this machine, with everything below `home`."""
    inventory = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "ansible_remote_tmp": str(home / "tmp"),
        "common_address": "127.0.0.1",
        "common_service_manager": "process",
        "common_conf_dir": str(home / "conf"),
        "common_data_dir": str(home / "data"),
        "common_nameserver_port": 33876,
        "broker_listen_port": 33911,
        "preflight_disk_free_bytes": 1,
        "preflight_memory_master_bytes": 1,
        **variables,
    }
    groups = {name: {"hosts": {"localhost": None}} for name in ("nameserver", "broker")}
    hosts = home / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"all": {"vars": inventory, "children": groups}}))
    program = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
    return subprocess.run(
        [program, "-i", str(hosts), "playbooks/preflight.yml", *arguments],
        cwd=TOP,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("mode", [(), ("--check", "--diff")])
def test_all_that_is_wrong_is_refused_at_once_and_nothing_is_changed(
    tmp_path: pathlib.Path, mode: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        done = preflight(
            tmp_path,
            *mode,
            common_nameserver_port=port,
            broker_sets=["broker-a", "broker-a"],
            common_wheel="/some/wheel.whl",
            preflight_disk_free_bytes=TOO_MUCH_BYTES,
            preflight_memory_master_bytes=TOO_MUCH_BYTES,
        )
    assert done.returncode != 0
    message = done.stdout[done.stdout.index("Nothing was changed") :]
    for part in (
        "- broker-a has the ids [0, 0]: each must occur once",
        "- localhost: has the variable common_wheel, which was renamed: set runtime_wheel",
        "are needed for nameserver, broker-a, broker-a and the system: place less",
        f"are needed for {tmp_path}/data/store",
        f"- localhost: needs port {port}, which is taken by '",
    ):
        assert part in message, done.stdout
    assert "changed=0" in done.stdout
    assert "failed=1" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} <= {"hosts.yml", "tmp"}


def test_a_machine_that_can_run_what_is_placed_on_it_passes_without_java(tmp_path: pathlib.Path) -> None:
    done = preflight(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "No Java is needed" in done.stdout
    assert "changed=0" in done.stdout


def test_a_broker_that_the_inventory_would_move_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "broker-b.properties").write_text("brokerName=broker-b\nstorePathRootDir=/data/store-2\n")
    done = preflight(tmp_path)
    assert done.returncode != 0
    assert "localhost: has broker-b, which the inventory no longer does" in done.stdout
    skipped = preflight(tmp_path, preflight_skip=["moved"])
    assert skipped.returncode == 0, skipped.stdout
