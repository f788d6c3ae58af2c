"""The pid file, and finding daemons by their command lines."""

import os
from pathlib import Path

import pytest

from broker_py.errors import ConfigError
from broker_py.runtime.process import PidFile, find_daemons, read_pid, runs_daemon


@pytest.mark.parametrize(
    "line",
    [
        "/opt/mq/bin/python3 /opt/mq/bin/mqbroker -c broker.properties",
        "python /usr/local/bin/mqbroker",
        "python3.11 -I -X importtime -W ignore /opt/mq/bin/mqbroker",
        "/usr/bin/pypy3 mqbroker",
        "python3 -m broker_py.cli.mqbroker -c broker.properties",
        "python3 -u -Im broker_py.cli.mqbroker",
    ],
)
def test_the_command_line_of_a_daemon_is_known(line: str) -> None:
    assert runs_daemon(line.split(), "mqbroker")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "python3",
        "vim /opt/mq/bin/mqbroker",
        "sh /opt/mq/bin/mqbroker",
        "python3 tool.py mqbroker",
        "python3 -c mqbroker",
        "python3 - mqbroker",
        "python3 -m",
        "python3 -m broker_py.cli.mqadmin mqbroker",
        "python3 /opt/mq/bin/mqnamesrv",
        "python3 /opt/mq/bin/mqbroker --check -c broker.properties",
        "python3 -m broker_py.cli.mqbroker -p",
    ],
)
def test_what_is_no_daemon_is_left_alone(line: str) -> None:
    assert not runs_daemon(line.split(), "mqbroker")


def process(proc: Path, pid: int, line: str, parent: int = 1) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes("".join(part + "\0" for part in line.split()).encode())
    (folder / "stat").write_text(f"{pid} (a (strange) name) S {parent} 0")


def test_daemons_are_found_with_the_lowest_pid_first(tmp_path: Path) -> None:
    process(tmp_path, 300, "python3 /bin/mqbroker")
    process(tmp_path, 20, "python3 -m broker_py.cli.mqbroker")
    process(tmp_path, 10, "python3 /bin/mqnamesrv")
    process(tmp_path, 11, "")
    (tmp_path / "12").mkdir()
    (tmp_path / "uptime").write_text("1")
    assert find_daemons("mqbroker", str(tmp_path)) == [20, 300]
    assert find_daemons("mqnamesrv", str(tmp_path)) == [10]


def test_a_process_that_a_daemon_forked_is_not_one_more(tmp_path: Path) -> None:
    process(tmp_path, 20, "python3 /bin/mqbroker")
    process(tmp_path, 21, "python3 /bin/mqbroker", parent=20)
    assert find_daemons("mqbroker", str(tmp_path)) == [20]


def test_a_search_does_not_find_itself(tmp_path: Path) -> None:
    process(tmp_path, os.getpid(), "python3 /bin/mqbroker")
    assert find_daemons("mqbroker", str(tmp_path)) == []


def test_the_pid_file_holds_the_pid_while_the_daemon_is_ready(tmp_path: Path) -> None:
    path = tmp_path / "run" / "namesrv.pid"
    pid_file = PidFile(str(path))
    assert read_pid(str(path)) is None
    pid_file.write()
    assert path.read_text() == f"{os.getpid()}\n"
    assert read_pid(str(path)) == os.getpid()
    assert os.listdir(path.parent) == ["namesrv.pid"]
    pid_file.remove()
    assert not path.exists()


def test_a_pid_file_that_somebody_else_wrote_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "namesrv.pid"
    pid_file = PidFile(str(path))
    pid_file.write()
    path.write_text("1\n")
    pid_file.remove()
    assert path.read_text() == "1\n"
    path.unlink()
    pid_file.remove()


def test_a_pid_file_without_a_pid_is_none(tmp_path: Path) -> None:
    (tmp_path / "pid").write_bytes(b"\xffnone")
    assert read_pid(str(tmp_path / "pid")) is None


def test_a_pid_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"pidFile: .* can't be written"):
        PidFile(str(tmp_path / "file" / "pid")).write()
