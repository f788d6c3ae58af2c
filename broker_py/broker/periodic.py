"""Work that is done again and again while the broker runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from broker_py.errors import BrokerPyError

log = logging.getLogger(__name__)

_CANCEL_AGAIN_SECONDS: Final = 0.5


class Periodic:
    """Runs functions at intervals, each in a task of its own. One that fails is logged and runs again next time."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: Callable[[], float], work: Callable[[], "Awaitable[None] | None"]) -> None:
        """Run `work` every `seconds()`, which is asked each time, first after that time."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._repeat(seconds, work)))

    def keep(self, work: Awaitable[None]) -> None:
        """Run `work`, which does not end by itself, until `stop`."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._run(work)))

    async def _run(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            log.exception("work that should not end has ended")

    async def _repeat(self, seconds: Callable[[], float], work: Callable[[], "Awaitable[None] | None"]) -> None:
        while True:
            await asyncio.sleep(seconds())
            try:
                result = work()
                if result is not None:
                    await result
            except (OSError, BrokerPyError) as error:
                log.error("periodic work failed, and will be tried again: %s", error)
            except Exception:
                log.exception("periodic work failed")

    async def stop(self) -> None:
        """End all of it."""
        running = {task for task in self._tasks if not task.done()}
        while running:
            for task in running:
                task.cancel()
            # Once may not be enough: before Python 3.12 asyncio.wait_for can lose a cancellation.
            _, running = await asyncio.wait(running, timeout=_CANCEL_AGAIN_SECONDS)
