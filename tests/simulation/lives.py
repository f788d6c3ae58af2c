"""Lives of a store, one after the other, cut short at every operation in several ways."""

from collections.abc import Callable
from random import Random

from tests.simulation.workload import Kept, Workload, violations
from tests.support.memory_files import EVERYTHING_KEPT, NOTHING_KEPT, CrashPolicy, MemoryFiles

POLICIES = (
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
        if workload is None or self.done():
            return
        policy_round, number = divmod(self.states, len(POLICIES))
        self.states += 1
        image = left_by(workload.files, self.random, POLICIES[number])
        for text in violations(image, workload, again=policy_round % 2 == 0):
            self.found.append(f"crash before {operation!r}, state {self.states}: {text}")

    def done(self) -> bool:
        """True when there is no need for another state."""
        return self.states >= self.limit or bool(self.found)


def lives(seed: int, limit: int) -> Crasher:
    """Run workloads until so many crash states were looked at; each life goes on from a crash of the one before."""
    crasher = Crasher(seed, limit)
    random = Random(seed)
    while not crasher.done():
        workload = Workload(random, MemoryFiles())
        for _ in range(4):
            crasher.watch(workload)
            workload.run(random.randrange(5, 60))
            crasher.found += workload.found
            if crasher.done():
                break
            workload.files.on_step = None
            workload = next_life(workload, random, crasher.watch)
    return crasher


def next_life(workload: Workload, random: Random, watch: Callable[[Workload], None]) -> Workload:
    """The workload after a crash, or after somebody has removed the queues; its start is watched, too."""
    flushed: list[Kept] = workload.flushed()
    files = left_by(workload.files, random, random.choice(POLICIES))
    if random.random() < 0.3:
        _remove_queues(files)
    return Workload(
        random,
        files,
        workload.clock,
        flushed,
        workload.deleted,
        workload.number,
        workload.metadata,
        workload.saved,
        workload.gone,
        watch,
    )


def _remove_queues(files: MemoryFiles) -> None:
    """Delete all consume queues, which a start is to build anew from the log."""
    for directory in files.directories("/store/consumequeue"):
        for name in files.list_dir(directory):
            path = f"{directory}/{name}"
            files.remove_dir(path) if files.is_dir(path) else files.remove(path)
        files.sync_dir(directory)
