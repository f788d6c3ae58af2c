"""What the service manager hears."""

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from broker_py.runtime.notify import ServiceManager
from tests.support.clock import ManualClock


class Manager:
    """The manager's end: a datagram socket at a path, or at an abstract address written with @."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(20)

    def receive(self) -> list[str]:
        """The lines of the next datagram."""
        return self._socket.recv(4096).decode().split("\n")

    def received(self) -> list[list[str]]:
        """All datagrams that are there."""
        self._socket.setblocking(False)
        found: list[list[str]] = []
        while True:
            try:
                found.append(self.receive())
            except BlockingIOError:
                return found

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    ours = Manager(str(tmp_path / "notify"))
    yield ours
    ours.close()


def daemon(
    manager: Manager, environment: Mapping[str, str] | None = None, clock: ManualClock | None = None
) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": manager.address, **(environment or {})}, clock or ManualClock())


def test_what_keeps_a_daemon_from_its_work_stands_before_its_status_until_it_is_over(manager: Manager) -> None:
    told = daemon(manager)
    told.fault("messages are refused: the disk\nis full")
    told.ready("it serves")
    told.status("it serves anew")
    told.fault(None)
    assert [lines[-1] for lines in manager.received()] == [
        "STATUS=messages are refused: the disk is full; it serves",
        "STATUS=messages are refused: the disk is full; it serves anew",
        "STATUS=it serves anew",
    ]


def test_a_daemon_is_ready_with_its_status_in_one_datagram(manager: Manager) -> None:
    daemon(manager).ready("it serves")
    assert manager.received() == [["READY=1", "STATUS=it serves"]]


def test_an_abstract_socket_is_told_too() -> None:
    manager = Manager(f"@broker-py-test-{os.getpid()}")
    daemon(manager).status("it serves")
    assert manager.received() == [["STATUS=it serves"]]
    manager.close()


def test_without_a_manager_nothing_is_told() -> None:
    nobody = ServiceManager({"WATCHDOG_USEC": "1000000"}, ManualClock())
    nobody.ready("it serves")
    nobody.progress("it gets on")
    with nobody.stopping():
        pass
    asyncio.run(asyncio.wait_for(nobody.watch(), 20))


def test_a_manager_that_is_gone_stops_nothing_and_is_logged_once(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    manager.close()
    to_nobody = daemon(manager)
    to_nobody.ready("it serves")
    to_nobody.status("it serves")
    assert [record.getMessage() for record in caplog.records] == [
        f"the service manager at {manager.address} can't be told: [Errno 111] Connection refused"
    ]


def test_progress_asks_for_more_time_but_not_at_every_step(manager: Manager) -> None:
    clock = ManualClock()
    told = daemon(manager, clock=clock)
    for step in range(6):
        told.progress(f"step {step}")
        clock.advance(1000)
    extension = "EXTEND_TIMEOUT_USEC=120000000"
    assert manager.received() == [[extension, f"STATUS=step {step}"] for step in (0, 2, 4)]


def test_more_time_is_asked_for_while_a_daemon_stops(manager: Manager) -> None:
    with daemon(manager).stopping():
        stopping = manager.receive()
        assert stopping[0] == "STOPPING=1"
        assert stopping[1].startswith("STATUS=stopping")
        assert manager.receive() == ["EXTEND_TIMEOUT_USEC=120000000"]


def test_a_loop_that_turns_is_reported_twice_in_the_watchdogs_time(manager: Manager) -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        watching = asyncio.create_task(daemon(manager, {"WATCHDOG_USEC": "200000"}).watch())
        began = loop.time()
        for _ in range(3):
            assert await loop.run_in_executor(None, manager.receive) == ["WATCHDOG=1"]
        watching.cancel()
        return loop.time() - began

    assert asyncio.run(scenario()) > 0.19


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}],
)
def test_a_manager_that_does_not_watch_this_process_hears_no_watchdog(
    environment: dict[str, str], manager: Manager
) -> None:
    asyncio.run(asyncio.wait_for(daemon(manager, environment).watch(), 20))
    assert manager.received() == []


def test_a_watchdog_for_this_process_is_heeded(manager: Manager) -> None:
    async def scenario() -> None:
        environment = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}
        watching = asyncio.create_task(daemon(manager, environment).watch())
        await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(scenario())
    assert manager.received() == [["WATCHDOG=1"]]
