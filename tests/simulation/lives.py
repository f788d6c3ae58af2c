"""Lives of a store, one after the other, cut short at every operation in several ways."""

from collections.abc import Callable
from random import Random

from tests.simulation.crasher import POLICIES, Crasher, left_by
from tests.simulation.workload import Kept, Workload, violations
from tests.support.memory_files import MemoryFiles


def lives(seed: int, limit: int) -> Crasher:
    """Run workloads until so many crash states were looked at; each life goes on from a crash of the one before."""
    crasher = Crasher(seed, limit)
    random = Random(seed)

    def watch(workload: Workload) -> None:
        crasher.watch(workload, lambda image, again: violations(image, workload, again=again))

    while not crasher.done():
        workload = Workload(random, MemoryFiles())
        for _ in range(4):
            watch(workload)
            workload.run(random.randrange(5, 60))
            crasher.found += workload.found
            if crasher.done():
                break
            workload.files.on_step = None
            workload = next_life(workload, random, watch)
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
