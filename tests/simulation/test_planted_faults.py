"""The simulations prove themselves: each planted fault is caught.

To hunt one takes up to minutes of a processor, so a normal run hunts a few, and sees of the others that their place is
still there in the source. `PLANTED_STATES=2400 pytest tests/simulation/test_planted_faults.py` hunts all, each in so
many crash states.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.hunt import Endless, within
from tests.simulation.planted import FAULTS, Fault, hunt, plant

STATES: Final = int(os.environ.get("PLANTED_STATES", "0"))
SOON_CAUGHT: Final = ("the log is not forced", "a failed sync counts", "a slave appends where it should not")
HUNTED: Final = [fault for fault in FAULTS if STATES or fault.name in SOON_CAUGHT]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", HUNTED, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    verdict = hunt(fault, STATES or 2400)
    record_property("planted", str(verdict))
    assert verdict.caught, str(verdict)


def test_those_that_a_normal_run_hunts_are_there() -> None:
    assert {fault.name for fault in FAULTS} >= set(SOON_CAUGHT)
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_place(fault: Fault, tmp_path: Path) -> None:
    plant(fault, tmp_path)
    planted = (tmp_path / "broker_py" / fault.module).read_text(encoding="utf-8")
    assert fault.sound not in planted or fault.broken in planted


def test_a_fault_whose_place_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"store/store\.py has its place 0 times"):
        plant(Fault("gone", "store/store.py", "no such line\n", ""), tmp_path)


def test_a_simulation_without_an_end_is_ended() -> None:
    def turn_for_ever() -> None:
        while True:
            try:
                "".join(str(number) for number in range(100))
            except Exception:
                continue

    with pytest.raises(Endless, match=r"not done after 0\.05 s of the processor, at .*test_planted_faults\.py"):
        within(0.05, turn_for_ever)
    assert within(60.0, lambda: 7) == 7
