"""`mqbroker` as far as it starts nothing: what it prints, and what it refuses before anything is touched."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_py.cli import mqbroker
from tests.support.ports import BROKER_PORTS, free_port


@pytest.fixture(autouse=True)
def _no_name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAMESRV_ADDR", raising=False)


@pytest.fixture
def port() -> int:
    """A port that a broker can listen on, with those beside it."""
    return free_port(BROKER_PORTS)


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


_OTHER = """
import fcntl, os, socket, sys
store, *ports = sys.argv[2:]
listeners = [socket.create_server(("127.0.0.1", int(port))) for port in ports]
lock = os.open(f"{store}/lock", os.O_RDWR | os.O_CREAT)
fcntl.lockf(lock, fcntl.LOCK_EX, 1, 0)
print("ready", flush=True)
sys.stdin.read()
"""


class OtherProcess:
    """A process with a store and ports; `as_broker`: its command line is a broker's."""

    def __init__(self, directory: Path, store: Path, *ports: int, as_broker: bool = False) -> None:
        store.mkdir(exist_ok=True)
        directory.mkdir()
        program = directory / ("mqbroker" if as_broker else "other")
        program.write_text(_OTHER)
        argv = [sys.executable, str(program), "run", str(store), *map(str, ports)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def end(self) -> None:
        """End it, and wait for that."""
        self._process.communicate()


StartOther = Callable[..., OtherProcess]


@pytest.fixture
def start_other(tmp_path: Path) -> Iterator[StartOther]:
    """Starts processes that hold a store and ports until the test ends."""
    started: list[OtherProcess] = []

    def start(store: str, *ports: int, as_broker: bool = False) -> OtherProcess:
        other = OtherProcess(tmp_path / f"other-{len(started)}", tmp_path / store, *ports, as_broker=as_broker)
        started.append(other)
        return other

    yield start
    for other in started:
        other.end()


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
        ("brokerRole=SYNC_MASTER\nminInSyncReplicas=3\n", "minInSyncReplicas is 3, more than inSyncReplicas (2)"),
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
    option: list[str], start_other: StartOther, write: Write, stderr: Callable[[], list[str]], tmp_path: Path
) -> None:
    start_other("store")
    assert mqbroker.main(["-c", str(write("")), *option]) == 1
    assert stderr() == [f"mqbroker: the store {tmp_path}/store is in use by another broker; set storePathRootDir"]
    assert os.listdir(tmp_path / "store") == ["lock"]


@pytest.mark.parametrize("option", [["--check"], []])
def test_a_store_that_another_broker_wrote_is_refused_with_what_to_do(
    option: list[str], write: Write, stderr: Callable[[], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    owner = tmp_path / "store" / "owner.json"
    owner.write_text('{"brokerClusterName":"DefaultCluster","brokerName":"broker-b"}')
    assert mqbroker.main(["-c", str(write("brokerName=broker-a\n")), *option]) == 1
    assert stderr() == [
        f"mqbroker: the store {tmp_path}/store belongs to broker broker-b of cluster DefaultCluster, and this is "
        f"broker broker-a of cluster DefaultCluster: set storePathRootDir, or remove {owner} to hand the store over"
    ]


# The file of a running broker


def test_a_check_of_the_file_of_the_running_broker_finds_no_fault(
    start_other: StartOther, write: Write, port: int, stderr: Callable[[], list[str]]
) -> None:
    start_other("store", port - 2, port, port + 1)
    assert check(write("")) == 0
    assert stderr() == ["mqbroker: this broker is running already"]


def test_a_check_under_another_name_of_a_file_with_other_ports_knows_the_running_broker_by_its_pid_file(
    start_other: StartOther, write: Write, port: int, stderr: Callable[[], list[str]], tmp_path: Path
) -> None:
    running = start_other("store", port + 8, port + 10, port + 11, as_broker=True)
    (tmp_path / "pid").write_text(f"{running.pid}\n")
    path = write(f"pidFile={tmp_path}/pid\n").rename(tmp_path / ".ansible_tmp_x")
    assert check(path) == 0
    assert stderr() == ["mqbroker: this broker is running already"]


def test_a_running_broker_can_not_be_given_the_port_nor_the_store_of_another_one(
    start_other: StartOther, write: Write, port: int, stderr: Callable[[], list[str]], tmp_path: Path
) -> None:
    running = start_other("store-a", port + 8, port + 10, port + 11, as_broker=True)
    (tmp_path / "pid").write_text(f"{running.pid}\n")
    start_other("store", port, as_broker=True)
    assert check(write(f"pidFile={tmp_path}/pid\n")) == 1
    assert stderr() == [
        f"mqbroker: port {port} is in use by another process; set listenPort",
        f"mqbroker: the store {tmp_path}/store is in use by another broker; set storePathRootDir",
    ]


def test_a_pid_file_that_a_dead_broker_left_names_nobody(
    start_other: StartOther, write: Write, port: int, stderr: Callable[[], list[str]], tmp_path: Path
) -> None:
    not_a_broker = start_other("store-a", port)
    (tmp_path / "pid").write_text(f"{not_a_broker.pid}\n")
    assert check(write(f"pidFile={tmp_path}/pid\n")) == 1
    assert stderr() == [f"mqbroker: port {port} is in use by another process; set listenPort"]


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
