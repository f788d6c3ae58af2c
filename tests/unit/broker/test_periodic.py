"""Work that is done again and again."""

import asyncio
import logging

import pytest

from broker_py.broker.periodic import Periodic
from broker_py.errors import StoreError


def run_until(count: int, failure: Exception | None) -> None:
    """Run work that fails at first, until it was called `count` times, and stop it."""

    async def scenario() -> None:
        periodic = Periodic()
        calls = 0
        done = asyncio.Event()

        def work() -> None:
            nonlocal calls
            calls += 1
            if calls == count:
                done.set()
            if calls == 1 and failure is not None:
                raise failure

        periodic.every(lambda: 0.0, work)
        await asyncio.wait_for(done.wait(), 10)
        await periodic.stop()
        stopped_at = calls
        await asyncio.sleep(0)
        assert calls == stopped_at

    asyncio.run(scenario())


def test_work_is_done_until_it_is_stopped() -> None:
    run_until(3, None)


@pytest.mark.parametrize(
    ("failure", "with_trace"), [(OSError("no space"), False), (StoreError("no space"), False), (KeyError("x"), True)]
)
def test_work_that_fails_is_logged_and_done_again_and_only_our_own_faults_with_their_trace(
    failure: Exception, with_trace: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        run_until(2, failure)
    (record,) = caplog.records
    assert (record.exc_info is not None) == with_trace


def test_work_may_wait_and_its_period_is_asked_for_each_time() -> None:
    async def scenario() -> None:
        periodic = Periodic()
        asked: list[int] = []
        done = asyncio.Event()

        def seconds() -> float:
            asked.append(len(asked))
            return 0.0

        async def work() -> None:
            await asyncio.sleep(0)
            if len(asked) == 3:
                done.set()

        periodic.every(seconds, work)
        await asyncio.wait_for(done.wait(), 10)
        await periodic.stop()

    asyncio.run(scenario())


def test_endless_work_that_dies_is_not_passed_over_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        periodic = Periodic()

        async def work() -> None:
            raise KeyError("a bug")

        periodic.keep(work())
        for _ in range(5):
            await asyncio.sleep(0)
        await periodic.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert "has ended" in caplog.text
    assert "a bug" in caplog.text


def test_endless_work_ends_with_the_others() -> None:
    async def scenario() -> bool:
        periodic = Periodic()
        ended = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        periodic.keep(work())
        await asyncio.sleep(0)
        await periodic.stop()
        return ended.is_set()

    assert asyncio.run(scenario())
