"""Lives of a store, of brokers with transactions and later deliveries, a replica and a pair, cut short in several ways.

`CRASH_STATES` says how many states, `CRASH_SEED` where the random numbers begin.
"""

import os
from collections.abc import Callable
from typing import Final

import pytest

from tests.simulation.deferred import deferrals
from tests.simulation.hunt import Simulation
from tests.simulation.lives import lives
from tests.simulation.pair import pairs
from tests.simulation.replica import replicas
from tests.simulation.transactions import TransactionCrasher

STATES: Final = int(os.environ.get("CRASH_STATES", "2400"))
SEED: Final = int(os.environ.get("CRASH_SEED", "20260001"))
SHARDS: Final = 8
Record = Callable[[str, object], None]


def judge(simulation: Simulation, seed: int, record_property: Record) -> None:
    """Count the states, and fail when something was found."""
    record_property("crash_states", simulation.states)
    record_property("violations", len(simulation.found))
    assert not simulation.found, "\n".join([f"seed {seed}", *simulation.found[:10]])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEED, SEED + SHARDS))
def test_what_was_flushed_survives_a_crash_at_any_operation(seed: int, record_property: Record) -> None:
    judge(lives(seed, STATES * 5 // 8 // SHARDS), seed, record_property)


@pytest.mark.timeout(3600)
def test_a_replica_continues_from_whatever_a_crash_leaves(record_property: Record) -> None:
    judge(replicas(SEED, STATES // 8), SEED, record_property)


@pytest.mark.timeout(3600)
def test_no_transaction_is_forgotten_whenever_a_broker_crashes(record_property: Record) -> None:
    crasher = TransactionCrasher(SEED, STATES // 8)
    crasher.run()
    judge(crasher, SEED, record_property)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_what_a_pair_acknowledged_both_have_whoever_ends(seed: int, record_property: Record) -> None:
    judge(pairs(seed, STATES // 8), seed, record_property)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_what_is_to_come_later_comes_and_not_early_whatever_a_crash_leaves(seed: int, record_property: Record) -> None:
    judge(deferrals(seed, STATES // 16), seed, record_property)
