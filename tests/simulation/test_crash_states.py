"""Random lives of a store, cut short at every operation in several ways; `CRASH_STATES` says how many states."""

import os
from collections.abc import Callable
from random import Random

import pytest

from tests.simulation.workload import Kept, Workload, violations
from tests.support.memory_files import EVERYTHING_KEPT, NOTHING_KEPT, CrashPolicy, MemoryFiles

STATES = int(os.environ.get("CRASH_STATES", "2400"))
SEED = int(os.environ.get("CRASH_SEED", "20260001"))
SHARDS = 8
POLICIES = (
    NOTHING_KEPT,
    EVERYTHING_KEPT,
    CrashPolicy(),
    CrashPolicy(keep_change=0.6, tear=0.9, keep_names=0.9),
    CrashPolicy(keep_change=0.7, tear=0.7, keep_names=0.7, in_order=True),
)


class Crasher:
    """Takes an image of the files at every operation, by one policy after the other."""

    def __init__(self, seed: int, limit: int) -> None:
        self.random = Random(seed)
        self.limit = limit
        self.states = 0
        self.found: list[str] = []
        self.workload: Workload | None = None

    def watch(self, workload: Workload) -> None:
        """Crash before each operation of this workload from now on."""
        self.workload = workload
        workload.files.on_step = self.crash

    def crash(self, operation: str) -> None:
        """Check what a crash before `operation` leaves."""
        workload = self.workload
        if workload is None or self.states >= self.limit:
            return
        policy = POLICIES[self.states % len(POLICIES)]
        self.states += 1
        image = workload.files.crash(self.random, policy)
        for text in violations(image, workload.flushed(), workload.deleted, workload.clock):
            self.found.append(f"crash before {operation!r}, state {self.states}: {text}")


def lives(seed: int, limit: int) -> Crasher:
    """Run workloads until so many crash states were looked at; each life goes on from a crash of the one before."""
    crasher = Crasher(seed, limit)
    random = Random(seed)
    while crasher.states < limit and not crasher.found:
        workload = Workload(random, MemoryFiles())
        for _ in range(4):
            crasher.watch(workload)
            workload.run(random.randrange(5, 60))
            if crasher.states >= limit:
                break
            workload.files.on_step = None
            workload = next_life(workload, random)
    return crasher


def next_life(workload: Workload, random: Random) -> Workload:
    """The workload after a power cut."""
    flushed: list[Kept] = workload.flushed()
    files = workload.files.crash(random, random.choice(POLICIES))
    return Workload(random, files, workload.clock, flushed, workload.deleted, workload.number, workload.metadata)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_what_was_flushed_survives_a_crash_at_any_operation(
    shard: int, record_property: Callable[[str, object], None]
) -> None:
    crasher = lives(SEED + shard, STATES // SHARDS)
    record_property("crash_states", crasher.states)
    record_property("violations", len(crasher.found))
    assert not crasher.found, "\n".join([f"seed {SEED + shard}", *crasher.found[:10]])
