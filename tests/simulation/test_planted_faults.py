"""The simulations prove themselves: each planted fault is caught; `PLANTED_STATES` says in how many crash states."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.planted import FAULTS, Fault, hunt, plant

STATES: Final = int(os.environ.get("PLANTED_STATES", "2400"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    verdict = hunt(fault, STATES)
    record_property("planted", str(verdict))
    assert verdict.caught, str(verdict)


def test_a_fault_whose_place_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"store/store\.py has its place 0 times"):
        plant(Fault("gone", "store/store.py", "no such line\n", ""), tmp_path)
