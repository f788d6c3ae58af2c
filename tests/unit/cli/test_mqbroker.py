"""`mqbroker` as far as it starts nothing: what it prints, and what it refuses before anything is touched."""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_py.cli import mqbroker


@pytest.fixture(autouse=True)
def _no_name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAMESRV_ADDR", raising=False)


@pytest.fixture
def port() -> int:
    """A port that is free with the one behind it and the second before it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            found: int = probe.getsockname()[1]
        try:
            for number in (found - 2, found, found + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return found


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, port: int) -> Write:
    """Writes a properties file that has its own port, store and address, and the given lines."""

    def write_file(lines: str) -> Path:
        path = tmp_path / "broker.conf"
        path.write_text(
            f"listenPort={port}\nstorePathRootDir={tmp_path}/store\nbindAddress=127.0.0.1\nbrokerIP1=127.0.0.1\n{lines}"
        )
        return path

    return write_file


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Returns the lines on stderr; there must be nothing on stdout."""

    def lines() -> list[str]:
        out, err = capsys.readouterr()
        assert out == ""
        return err.splitlines()

    return lines


@pytest.fixture
def busy_store(tmp_path: Path) -> Iterator[Path]:
    """The store of another process."""
    store = tmp_path / "store"
    store.mkdir()
    ready_read, ready_write = os.pipe()
    end_read, end_write = os.pipe()
    child = os.fork()
    if child == 0:  # the other process: it must not come back into the tests
        os.close(end_write)
        file = os.open(store / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 0)
        os.write(ready_write, b"x")
        os.read(end_read, 1)
        os._exit(0)
    os.read(ready_read, 1)
    yield store
    os.close(end_write)
    os.waitpid(child, 0)
    for descriptor in (ready_read, ready_write, end_read):
        os.close(descriptor)


def check(path: Path) -> int:
    return mqbroker.main(["-c", str(path), "--check"])


def test_a_sound_file_is_checked_in_silence_and_nothing_is_touched(
    write: Write, stderr: Callable[[], list[str]], tmp_path: Path
) -> None:
    assert check(write("")) == 0
    assert stderr() == []
    assert not (tmp_path / "store").exists()


def test_what_has_no_effect_here_is_one_warning(write: Write, stderr: Callable[[], list[str]]) -> None:
    assert check(write("sendMessageThreadPoolNums=16\nrocketmqHome=/opt\n")) == 0
    (line,) = stderr()
    assert "properties of RocketMQ that have no effect here: sendMessageThreadPoolNums, rocketmqHome" in line


def test_old_and_misspelt_names_are_taken_with_a_note(write: Write, stderr: Callable[[], list[str]]) -> None:
    assert check(write("mapedFileSizeCommitLog=1073741824\nauthoCreateSubscriptionGroup=true\n")) == 0
    first, second = stderr()
    assert "mapedFileSizeCommitLog" in first
    assert "autoCreateSubscriptionGroup" in second


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("brokerRole=SLAVE\n", "brokerRole is SLAVE and brokerId is 0, which is the master's; a slave has 1 or more"),
        ("brokerId=1\n", "brokerRole is ASYNC_MASTER and brokerId is 1; a master has 0"),
        ("brokerRole=SYNC_MASTER\nminInSyncReplicas=2\n", "minInSyncReplicas is 2, more than inSyncReplicas (1)"),
        ("brokerIP1=my-host\n", "brokerIP1 is my-host, which is not an IP address"),
        ("borkerName=a\n", "borkerName is not a known property; did you mean brokerName?"),
        ("brokerName=broker-a \n", "brokerName has a blank at an end of its value; remove it"),
        ("brokerRole=MASTER\n", "brokerRole"),
        ("listenPort=99999\n", "listenPort"),
        ("flushDiskType=SOMETIMES\n", "flushDiskType"),
        ("namesrvAddr=host\n", "namesrvAddr"),
    ],
)
@pytest.mark.parametrize("option", [["--check"], []])
def test_what_can_not_be_meant_is_refused_before_anything_is_touched(
    lines: str, sentence: str, option: list[str], write: Write, stderr: Callable[[], list[str]], tmp_path: Path
) -> None:
    assert mqbroker.main(["-c", str(write(lines)), *option]) == 1
    said = stderr()
    assert any(sentence in line for line in said), said
    assert all(line.startswith("mqbroker: ") for line in said)
    assert not (tmp_path / "store").exists()


def test_the_replication_port_can_not_be_the_brokers_own(
    write: Write, port: int, stderr: Callable[[], list[str]]
) -> None:
    assert check(write(f"haListenPort={port - 2}\n")) == 1
    assert any(f"haListenPort is {port - 2}, which the broker itself listens on" in line for line in stderr())


@pytest.mark.parametrize(
    ("distance", "name"),
    [(0, "listenPort"), (-2, "listenPort, which takes the port 2 below it too"), (1, "haListenPort")],
)
@pytest.mark.parametrize("option", [["--check"], []])
def test_a_port_that_is_in_use_is_told_by_the_property_to_set(
    distance: int,
    name: str,
    option: list[str],
    write: Write,
    port: int,
    stderr: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + distance))
        taken.listen()
        assert mqbroker.main(["-c", str(write("")), *option]) == 1
    assert stderr() == [f"mqbroker: port {port + distance} is in use by another process; set {name}"]
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("option", [["--check"], []])
def test_a_store_that_another_broker_has_is_refused(
    option: list[str], busy_store: Path, write: Write, stderr: Callable[[], list[str]]
) -> None:
    assert mqbroker.main(["-c", str(write("")), *option]) == 1
    assert stderr() == [f"mqbroker: the store {busy_store} is in use by another broker; set storePathRootDir"]
    assert os.listdir(busy_store) == ["lock"]


def test_a_check_of_the_file_of_the_running_broker_finds_no_fault(
    busy_store: Path, write: Write, port: int, stderr: Callable[[], list[str]]
) -> None:
    assert busy_store.exists()
    with socket.socket() as own:
        own.bind(("127.0.0.1", port))
        own.listen()
        assert check(write("")) == 0
    assert stderr() == ["mqbroker: this broker is running already"]


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert mqbroker.main(["-c", "/none/broker.conf"]) == 1
    assert capsys.readouterr().err == "mqbroker: /none/broker.conf can't be read: No such file or directory\n"


def test_all_properties_are_printed_as_they_would_be_read(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("brokerName=broker-b\nflushDiskType=SYNC_FLUSH\n")
    assert mqbroker.main(["-c", str(path), "-p"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert {"brokerName=broker-b", "flushDiskType=SYNC_FLUSH", "haListenPort=0", "autoCreateTopicEnable=true"} <= set(
        lines
    )
    assert lines == sorted(lines)
    path.write_text(text)
    assert mqbroker.main(["-c", str(path), "-p"]) == 0
    assert capsys.readouterr().out == text


def test_the_important_properties_are_printed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert mqbroker.main(["-c", str(write("")), "-m"]) == 0
    names = [line.partition("=")[0] for line in capsys.readouterr().out.splitlines()]
    assert {"brokerName", "brokerId", "brokerRole", "namesrvAddr", "listenPort"} <= set(names)
    assert "traceOn" not in names


def test_name_servers_on_the_command_line_count_more_than_those_of_the_file(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("namesrvAddr=10.0.0.1:9876\n")
    assert mqbroker.main(["-c", str(path), "-n", "10.0.0.2:9876;10.0.0.3:9876", "-m"]) == 0
    assert "namesrvAddr=10.0.0.2:9876;10.0.0.3:9876\n" in capsys.readouterr().out


def test_name_servers_of_the_environment_are_checked_too(
    write: Write, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("NAMESRV_ADDR", "nowhere")
    assert check(write("")) == 1
    assert any("NAMESRV_ADDR" in line for line in stderr())
    assert check(write("namesrvAddr=10.0.0.1:9876\n")) == 0


@pytest.mark.parametrize("argv", [["--what"], ["-p", "--check"], ["-c"], ["--che"]])
def test_an_option_that_makes_no_sense_is_a_fault_of_usage(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        mqbroker.main(argv)
    assert end.value.code == 2
