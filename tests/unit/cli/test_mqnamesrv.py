"""`mqnamesrv` and `mqshutdown` as far as they start and stop nothing."""

import os
from pathlib import Path

import pytest

from broker_py.cli import mqnamesrv, mqshutdown


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "namesrv.properties"
    path.write_text("listenPort=9877\nkvConfigPath=~/kv.json\nrocketmqHome=/opt\n")
    return path


def test_a_sound_file_is_checked_in_silence_but_for_warnings(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mqnamesrv.main(["-c", str(config_file), "--check"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("mqnamesrv: namesrv.properties: properties of RocketMQ that have no effect here: rocketmqHome\n")


def test_a_faulty_file_is_told_fault_by_fault(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file.write_text("listenPrt=1\nlistenPort=70000\n")
    assert mqnamesrv.main(["-c", str(config_file), "--check"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "line 1: listenPrt is not a known property; did you mean listenPort?" in first
    assert "line 2: listenPort is 70000, allowed is 0 to 65535" in second


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert mqnamesrv.main(["-c", "/none/namesrv.properties"]) == 1
    assert capsys.readouterr().err == ("mqnamesrv: /none/namesrv.properties can't be read: No such file or directory\n")


def test_properties_are_printed(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mqnamesrv.main(["-c", str(config_file), "-p"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"listenPort=9877", f"kvConfigPath={os.path.expanduser('~/kv.json')}"} <= set(lines)
    assert {"scanNotActiveBrokerInterval=10000", "serverChannelMaxIdleTimeSeconds=120"} <= set(lines)
    assert lines == sorted(lines)


def test_the_important_properties_are_printed(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mqnamesrv.main(["-c", str(config_file), "-m"]) == 0
    assert [line.partition("=")[0] for line in capsys.readouterr().out.splitlines()] == ["kvConfigPath", "listenPort"]


@pytest.mark.parametrize("argv", [["--what"], ["-p", "-m"], ["-c"], ["--che"]])
def test_an_option_that_makes_no_sense_is_a_fault_of_usage(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        mqnamesrv.main(argv)
    assert end.value.code == 2


def test_a_daemon_that_does_not_run_can_not_be_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pid_file = tmp_path / "broker.pid"
    for content in (None, "not a pid\n", f"{os.getpid()}\n"):
        if content is not None:
            pid_file.write_text(content)
        assert mqshutdown.main(["broker", "--pid-file", str(pid_file)]) == 1
        assert capsys.readouterr().err == "mqshutdown: No mqbroker running.\n"


def test_only_brokers_and_name_servers_can_be_stopped() -> None:
    with pytest.raises(SystemExit) as end:
        mqshutdown.main(["everything"])
    assert end.value.code == 2
