"""Simulate until something is wrong, of whatever `broker_py` is in the working directory: see `planted`.

    python -m tests.simulation.hunt --states 2400 --seed 20260001

Prints `CHECK: what it found` and exits with 1, or how many states were sound and exits with 0.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import broker_py
from tests.simulation.deferred import deferrals
from tests.simulation.lives import lives
from tests.simulation.pair import pairs
from tests.simulation.replica import replicas

_ROUNDS: Final = 8


def findings(states: int, seed: int) -> Iterator[tuple[str, int, list[str]]]:
    """Give (check, states, findings) of small simulations, in turn: a fault shows soon in the one that is for it.

    Later deliveries, of which a state costs ten times as much, are the last.
    """
    for number in range(_ROUNDS):
        for name, simulate in (("store", lives), ("pair", pairs), ("replica", replicas)):
            try:
                done = simulate(seed + number, states // _ROUNDS // 3)
            except Exception as error:
                yield name, 0, [f"{type(error).__name__}: {error}"]
            else:
                yield name, done.states, done.found
    try:
        last = deferrals(seed, states // 6)
    except Exception as error:
        yield "later deliveries", 0, [f"{type(error).__name__}: {error}"]
    else:
        yield "later deliveries", last.states, last.found


def main() -> int:
    """Parse the options, run, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=20260001)
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    where = Path(broker_py.__file__).resolve().parent.parent
    assert where == Path.cwd().resolve(), f"broker_py is that of {where}"
    states = 0
    for check, seen, found in findings(options.states, options.seed):
        states += seen
        if found:
            sys.stdout.write(f"{check}: {found[0]}\n")
            return 1
    sys.stdout.write(f"{states} crash states, 0 violations\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
