"""Stores with one damaged file, of every kind and at every place; `BIT_ROT_CASES` says how many."""

import os
from collections.abc import Callable
from random import Random

import pytest

from tests.simulation.rotten import grown, rot, violations

CASES = int(os.environ.get("BIT_ROT_CASES", "240"))
SEED = int(os.environ.get("BIT_ROT_SEED", "20260001"))
SHARDS = 4


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_damage_is_never_served_and_takes_nothing_else_along(
    shard: int, record_property: Callable[[str, object], None]
) -> None:
    found: list[str] = []
    cases = CASES // SHARDS
    for number in range(cases):
        seed = (SEED + shard) * 1_000_000 + number
        random = Random(seed)
        site = grown(random)
        change = rot(site, random)
        found += [f"seed {seed}, {change}: {text}" for text in violations(site, change)]
    record_property("rotten_stores", cases)
    record_property("violations", len(found))
    assert not found, "\n".join(found[:10])
