import contextlib
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Iterable

import pytest

from playbooks.lab.prerequisites import is_free, is_running, lab_ports, main, port_base, problems


def test_the_default_ports_are_rocketmqs_own() -> None:
    brokers = [10909, 10911, 10912, 11909, 11911, 11912, 12909, 12911, 12912, 13909, 13911, 13912]
    assert lab_ports(None) == [9876, 9877, *brokers]


def test_a_port_base_keeps_all_ports_in_the_block_that_the_message_promises() -> None:
    ports = lab_ports(20000)
    assert min(ports) == 20000
    assert max(ports) < 20050
    assert len(set(ports)) == 14


@pytest.mark.parametrize("text", ["80", "65500", "many", "-1"])
def test_a_port_base_that_can_not_work_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(ValueError, match=f"PORT_BASE is '{text}': set it to a number from 1024 to 65485"):
        port_base({"PORT_BASE": text})


def test_no_port_base_means_the_default_ports() -> None:
    assert port_base({}) is None
    assert port_base({"PORT_BASE": ""}) is None


def test_too_little_disk_says_what_is_there_what_is_needed_and_what_to_do() -> None:
    assert problems(100 << 20, []) == [
        "Only 100 MiB are free here and the lab needs 2048: make room, or put the clone on a larger disk."
    ]


def test_a_taken_port_names_the_port_and_the_way_round() -> None:
    (sentence,) = problems(10 << 30, [9876, 10911])
    assert sentence.startswith("Port 9876, 10911 is taken")
    assert "make lab PORT_BASE=" in sentence


def test_a_machine_with_room_and_free_ports_has_no_problem() -> None:
    assert problems(10 << 30, []) == []


def test_a_port_is_free_until_somebody_listens_on_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_lab_that_runs_is_known_by_a_live_process_with_a_file_of_its_own(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run").mkdir()
    pid_file = tmp_path / "run" / "broker-a.pid"
    program = "import signal; print('ready', flush=True); signal.pause()"
    command = [sys.executable, "-c", program, str(tmp_path / "broker-a.properties")]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        pid_file.write_text(f"{daemon.pid}\n")
        assert is_running(tmp_path)
    finally:
        daemon.kill()
        daemon.communicate()
    assert not is_running(tmp_path)


def test_a_pid_that_another_program_has_by_now_is_not_the_lab(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "broker-a.pid").write_text(f"{os.getpid()}\n")
    assert not is_running(tmp_path)


def listen_in(ports: Iterable[int]) -> socket.socket:
    for port in ports:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise AssertionError("no port is free")


def test_a_foreign_listener_makes_the_command_fail_with_one_sentence(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with listen_in(range(30000, 31000)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("PORT_BASE", str(port))
        assert main([str(tmp_path / ".lab")]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert f"Port {port}" in sentence
