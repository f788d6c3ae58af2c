"""Wait for what takes its time on a real host."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.5


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Return when the condition holds; a failure that names `what` after too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(PAUSE_SECONDS)
