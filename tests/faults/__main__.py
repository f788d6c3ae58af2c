"""Kill, freeze and cut off brokers under load; nothing acknowledged may be lost.

    python -m tests.faults --kills 200 --seconds 600
    python -m tests.faults --brokers java --kills 10 --seconds 120      RocketMQ's own brokers in their place
    python -m tests.faults --load timer --kills 50                      also delay, transaction, retry, pop

The first two: a SYNC_MASTER with SYNC_FLUSH and its slave, several producers with many sends under way, readers of each
queue and a consumer group. With another load than `pair`: one broker, which is killed and started again under one kind
of message. Prints its seed, what it did and one line of figures, and exits with 1 when there is what may not be: see
`history`, `promises`, `retries`, `pops`, `ordered_pops`.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.rounds import LOADS, Rounds, RoundsReport, run_rounds
from tests.faults.run import Plan, Report, run
from tests.interop.java import MixedCluster, why_not
from tests.support.cluster import Cluster


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


async def rounds_in(directory: Path, rounds: Rounds) -> RoundsReport:
    """Do a run of kills under one kind of message."""
    cluster = Cluster(directory)
    try:
        return await run_rounds(cluster, rounds)
    except BaseException:
        cluster.close()
        raise
    finally:
        cluster.kill()


def main() -> int:
    """Parse the options, run, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", choices=("pair", *LOADS), default="pair", help="a pair's, or a kind of message's")
    parser.add_argument("--kills", type=int, default=20, help="the run ends after so many kills")
    parser.add_argument("--seconds", type=float, default=120, help="or after this time; pair")
    parser.add_argument("--seed", type=int, help="of all that happens; the timing of processes is not in it")
    parser.add_argument("--senders", type=int, default=8, help="sends under way of each of 4 producers; pair")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two faults, on average")
    parser.add_argument("--brokers", choices=("ours", "java"), default="ours", help="pair")
    parser.add_argument("--directory", type=Path, help="where stores and logs go, to be kept")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    logging.basicConfig(level=logging.ERROR)  # clients warn of every broker that is gone
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.directory or Path(temporary)
        if options.load == "pair":
            return run_pair(options, seed, directory)
        rounds = Rounds(load=options.load, seed=seed, kills=options.kills, pause_seconds=options.pause)
        say(f"{rounds.load}: seed {seed}, {rounds.kills} kills")
        return tell(asyncio.run(rounds_in(directory, rounds)))


def run_pair(options: argparse.Namespace, seed: int, directory: Path) -> int:
    """Do the run of a pair, return the exit status."""
    if options.brokers == "java" and (missing := why_not()) is not None:
        say(missing)
        return os.EX_UNAVAILABLE
    plan = Plan(
        seed=seed,
        kills=options.kills,
        seconds=options.seconds,
        senders=options.senders,
        pause_seconds=options.pause,
    )
    say(f"{options.brokers}: seed {seed}, {plan.kills} kills or {plan.seconds:g} s")
    return tell(asyncio.run(run_in(directory, plan, options.brokers)))


def tell(report: Report | RoundsReport) -> int:
    """Print what came of a run, return the exit status."""
    for text in (*report.found.texts, *(f"refused: {text}" for text in sorted(report.refusals)[:5])):
        say(text)
    say(report.summary())
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
