"""How a daemon is told to stop."""

import asyncio
import logging
import os
import signal
import subprocess
import sys

import pytest

from broker_py.errors import ConfigError
from broker_py.runtime.loop import run_daemon

STUBBORN = """
import asyncio
from broker_py.runtime.loop import run_daemon
async def serve(stop):
    print("ready", flush=True)
    await stop.wait()
    print("stopping", flush=True)
    await asyncio.Event().wait()
run_daemon(serve)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_daemon_end_in_its_own_time(number: signal.Signals) -> None:
    steps: list[str] = []

    async def serve(stop: asyncio.Event) -> None:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        await stop.wait()
        steps.append("flushed")

    run_daemon(serve)
    assert steps == ["flushed"]


def test_a_second_signal_ends_a_daemon_that_does_not_end() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "ready\n"
        daemon.send_signal(signal.SIGTERM)
        assert daemon.stdout.readline() == "stopping\n"
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 128 + signal.SIGTERM


def test_what_the_daemon_raises_reaches_its_caller_and_signals_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def serve(stop: asyncio.Event) -> None:
        raise ConfigError("the port is taken")

    with pytest.raises(ConfigError, match="the port is taken"):
        run_daemon(serve)
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_no_task_caught_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(stop: asyncio.Event) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        loop = asyncio.get_running_loop()
        loop.call_soon(fail)
        loop.call_soon(stop.set)
        await stop.wait()

    run_daemon(serve)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("unhandled: Exception in callback")
    assert record.exc_info is not None
