"""Kill, freeze and cut off the brokers of a synchronous pair under load; nothing acknowledged may be lost.

    python -m tests.faults --kills 200 --seconds 600
    python -m tests.faults --brokers java --kills 10 --seconds 120      RocketMQ's own brokers in their place

A SYNC_MASTER with SYNC_FLUSH and its slave, several producers with many sends under way, readers of each queue and a
consumer group. Prints its seed, what it did and one line of figures, and exits with 1 when the history has what may not
be: see `history`.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.run import Plan, Report, run
from tests.interop.java import MixedCluster, why_not


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run_in(directory: Path, plan: Plan, brokers: str) -> Report:
    """Do a run with all files in a directory."""
    cluster = MixedCluster(directory)
    try:
        return await run(cluster, cluster.java_broker if brokers == "java" else cluster.broker, plan)
    except BaseException:
        cluster.close()
        raise
    finally:
        cluster.kill()


def main() -> int:
    """Parse the options, run, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="the run ends after so many kills")
    parser.add_argument("--seconds", type=float, default=120, help="or after this time")
    parser.add_argument("--seed", type=int, help="of all that happens; the timing of processes is not in it")
    parser.add_argument("--senders", type=int, default=8, help="sends under way of each of 4 producers")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two faults, on average")
    parser.add_argument("--brokers", choices=("ours", "java"), default="ours")
    parser.add_argument("--directory", type=Path, help="where stores and logs go, to be kept")
    options = parser.parse_args()
    if options.brokers == "java" and (missing := why_not()) is not None:
        say(missing)
        return os.EX_UNAVAILABLE
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    plan = Plan(
        seed=seed,
        kills=options.kills,
        seconds=options.seconds,
        senders=options.senders,
        pause_seconds=options.pause,
    )
    logging.basicConfig(level=logging.ERROR)  # clients warn of every broker that is gone
    say(f"{options.brokers}: seed {seed}, {plan.kills} kills or {plan.seconds:g} s")
    with tempfile.TemporaryDirectory() as temporary:
        report = asyncio.run(run_in(options.directory or Path(temporary), plan, options.brokers))
    for text in (*report.found.texts, *(f"refused: {text}" for text in sorted(report.refusals)[:5])):
        say(text)
    say(report.summary())
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
