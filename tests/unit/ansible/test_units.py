"""The unit files that the roles install, as systemd reads them."""

import os
import pathlib
import shutil
import subprocess
from typing import Any

import jinja2
import pytest

TEMPLATES = pathlib.Path(__file__).resolve().parents[3] / "templates"
VARIABLES = {
    "common_bin_dir": "/usr/bin",
    "common_conf_dir": "/etc/broker-py",
    "common_run_dir": "/run/broker-py",
    "common_start_timeout_seconds": 900,
    "common_stop_timeout_seconds": 300,
    "common_user": "rocketmq",
    "common_watchdog_seconds": 120,
}
UNIT = {"role": "role broker", "description": "RocketMQ broker", "program": "env"}
DROP_IN = {
    "paths": ["/var/lib/broker-py/store", "/var/log/broker-py/broker-a"],
    "after": ["mqnamesrv@nameserver.service"],
    "open_files": 655350,
    "memory": {"high": 700 << 20, "max": 800 << 20},
}
HIGHEST_EXPOSURE = 15  # tenths of the score that `systemd-analyze security` gives

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")


def rendered(name: str, **variables: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["relpath"] = os.path.relpath
    return environment.get_template(name).render(VARIABLES | variables)


@pytest.fixture
def unit(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return the file of an instance with all that its drop-in adds."""
    file = tmp_path / "mqbroker@broker-a.service"
    file.write_text(rendered("unit.service.j2", __unit=UNIT))
    drop_in = tmp_path / f"{file.name}.d" / "broker-py.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(rendered("instance.conf.j2", __unit=UNIT, __drop_in=DROP_IN))
    return file


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_understands_every_line(unit: pathlib.Path) -> None:
    done = systemd_analyze("verify", "--man=no", "--recursive-errors=no", str(unit))
    complaints = [line for line in done.stderr.splitlines() if "mqbroker" in line or "broker-py.conf" in line]
    assert complaints == []


@needs_systemd
def test_a_mistake_would_be_noticed(unit: pathlib.Path) -> None:
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=on-fail"))
    assert "on-fail" in systemd_analyze("verify", "--man=no", "--recursive-errors=no", str(unit)).stderr


@needs_systemd
def test_a_unit_is_hardly_exposed(unit: pathlib.Path) -> None:
    done = systemd_analyze("security", "--offline=true", f"--threshold={HIGHEST_EXPOSURE}", str(unit))
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_a_drop_in_ties_the_unit_to_the_disk_that_it_writes_to() -> None:
    lines = rendered("instance.conf.j2", __unit=UNIT, __drop_in=DROP_IN).splitlines()
    paths = "/var/lib/broker-py/store /var/log/broker-py/broker-a"
    assert f"RequiresMountsFor={paths}" in lines
    assert f"ReadWritePaths={paths}" in lines
    assert "After=mqnamesrv@nameserver.service" in lines
    assert f"MemoryMax={800 << 20}" in lines


def test_a_host_without_name_server_waits_for_none() -> None:
    text = rendered("instance.conf.j2", __unit=UNIT, __drop_in=DROP_IN | {"after": []})
    assert "After=" not in text
