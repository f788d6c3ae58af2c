"""The event loop of a daemon, and how it is told to stop."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

log = logging.getLogger(__name__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# Hardly anything that a request makes is part of a cycle: looking for cycles every 700 objects is wasted on it.
_GC_THRESHOLDS: Final = (10_000, 10, 10)
# A thread that computes (keys on their way into the index) lets the loop go on after so long, not after 5 ms.
_SWITCH_SECONDS: Final = 0.0005
_KILLED_BY: Final = 128  # plus the signal's number: the exit status that a shell would report


def run_daemon(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `serve(stop)` until it returns, in a loop of its own.

    SIGTERM or SIGINT sets `stop`, upon which `serve` ends what it does in its own time. A second signal ends the
    process at once. What `serve` raises is raised here.
    """
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)
    asyncio.run(_with_signals(serve))


async def _with_signals(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_unhandled)
    stop = asyncio.Event()

    def received(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("%s again: ending at once", number.name)
            logging.shutdown()
            os._exit(_KILLED_BY + number)
        log.info("%s: stopping", number.name)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, received, number)
    try:
        await serve(stop)
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _log_unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG001
    """Log what no task or callback caught: a bug of ours that must not go unseen."""
    log.error("unhandled: %s", context["message"], exc_info=context.get("exception"))
