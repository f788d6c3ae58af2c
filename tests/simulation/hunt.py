"""Simulate until something is wrong, of whatever `broker_py` is in the working directory: see `planted`.

    python -m tests.simulation.hunt --states 2400 --seed 20260001

Prints `CHECK: what it found` and exits with 1, or how many states were sound and exits with 0.
"""

import argparse
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, Protocol, TypeVar

import broker_py
from tests.simulation.deferred import deferrals
from tests.simulation.lives import lives
from tests.simulation.pair import pairs
from tests.simulation.replica import replicas

_ROUNDS: Final = 8
_SECONDS: Final = 120.0
"""Of the processor, for one small simulation: none takes ten."""

_T = TypeVar("_T")


class Simulation(Protocol):
    """What a simulation has seen."""

    states: int
    found: list[str]


class Endless(BaseException):
    """A simulation that is never done; no `except Exception` of what is simulated holds it up."""


def within(seconds: float, simulate: Callable[[], _T]) -> _T:
    """Return what `simulate` does; Endless, with the place where it was, after so much time of the processor."""

    def end(_number: int, frame: FrameType | None) -> None:
        places = [f"{Path(place.filename).name}:{place.lineno}" for place in traceback.extract_stack(frame)[-3:]]
        raise Endless(f"not done after {seconds:g} s of the processor, at {' > '.join(places)}")

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        return simulate()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def findings(states: int, seed: int) -> Iterator[tuple[str, int, list[str]]]:
    """Give (check, states, findings) of small simulations, in turn: a fault shows soon in the one that is for it."""
    # The less a state costs, the more of them. What timers write down comes late in a life: fewer, but longer ones.
    often = (("store", lives, states // 16), ("pair", pairs, states // 16), ("replica", replicas, states // 24))
    rarely = ("later deliveries", deferrals, states // 12)
    simulations: list[tuple[str, Callable[[int, int], Simulation], int]]
    for number in range(_ROUNDS):
        simulations = [*often, rarely] if number % 2 == 0 else [*often]
        for name, simulate, limit in simulations:
            run = partial(simulate, seed + number, limit)
            try:
                done = within(_SECONDS, run)
            except (Exception, Endless) as error:
                yield name, 0, [f"{type(error).__name__}: {error}"]
            else:
                yield name, done.states, done.found


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
