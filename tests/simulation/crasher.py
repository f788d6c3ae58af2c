"""Crashes at operations on files: what is left of them, and what is wrong with it."""

from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from tests.support.memory_files import EVERYTHING_KEPT, NOTHING_KEPT, CrashPolicy, MemoryFiles

POLICIES: Final = (
    NOTHING_KEPT,
    EVERYTHING_KEPT,
    CrashPolicy(),
    CrashPolicy(keep_change=0.6, tear=0.9, keep_names=0.9),
    CrashPolicy(keep_change=0.7, tear=0.7, keep_names=0.7, in_order=True),
    None,
)
"""What a power cut keeps of what was not forced; None is the end of the process alone."""


def left_by(files: MemoryFiles, random: Random, policy: CrashPolicy | None) -> MemoryFiles:
    """Return the files that the next start finds."""
    return files.kill() if policy is None else files.crash(random, policy)


class Owner(Protocol):
    """Who has files, which may be others later."""

    files: MemoryFiles


class Crasher:
    """Takes an image of the files at every operation, by one policy after the other, until `limit` are looked at."""

    def __init__(self, seed: int, limit: int) -> None:
        self.random = Random(seed)
        self.limit = limit
        self.states = 0
        self.found: list[str] = []

    def watch(self, owner: Owner, violations: Callable[[MemoryFiles, bool], list[str]]) -> None:
        """Crash before each operation on its files; `violations` of an image are to look twice where the flag says."""

        def crash(operation: str) -> None:
            if self.done():
                return
            policy_round, number = divmod(self.states, len(POLICIES))
            self.states += 1
            image = left_by(owner.files, self.random, POLICIES[number])
            for text in violations(image, policy_round % 2 == 0):
                self.found.append(f"crash before {operation!r}, state {self.states}: {text}")

        owner.files.on_step = crash

    def done(self) -> bool:
        """True when there is no need for another state."""
        return self.states >= self.limit or bool(self.found)
