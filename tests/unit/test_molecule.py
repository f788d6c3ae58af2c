"""The scenarios of Molecule: that none skips a step quietly, and how they are run."""

import pathlib
import shutil
import sys
from typing import Any

import pytest
import yaml

from scenarios import environment, scenarios, table
from tour import lines_of

TOP = pathlib.Path(__file__).resolve().parents[2]
SHARED = yaml.safe_load((TOP / ".config/molecule/config.yml").read_text())
ALL = sorted(file.parent for file in TOP.glob("molecule/*/molecule.yml"))
# What Molecule does with no playbook but converge.yml.
BY_CONVERGE = {"converge": "converge", "check": "converge", "idempotence": "converge", "syntax": "converge"}


def steps(scenario: pathlib.Path) -> tuple[list[str], dict[str, str]]:
    """Return the test sequence of a scenario and the playbook of each step."""
    own: dict[str, Any] = yaml.safe_load((scenario / "molecule.yml").read_text())
    sequence = own.get("scenario", {}).get("test_sequence", SHARED["scenario"]["test_sequence"])
    playbooks = {**SHARED["ansible"]["playbooks"], **own.get("ansible", {}).get("playbooks", {})}
    return sequence, playbooks


@pytest.mark.parametrize("scenario", ALL, ids=lambda path: path.name)
def test_every_step_has_its_playbook(scenario: pathlib.Path) -> None:
    sequence, playbooks = steps(scenario)
    for step in sequence:
        action, *named = step.split()
        for playbook in named or [playbooks[BY_CONVERGE.get(action, action)]]:
            assert (scenario / playbook).is_file(), f"{scenario.name}: {step} has no {playbook}"


@pytest.mark.parametrize("scenario", ALL, ids=lambda path: path.name)
def test_every_scenario_runs_twice_and_is_looked_at(scenario: pathlib.Path) -> None:
    actions = [step.split()[0] for step in steps(scenario)[0]]
    assert actions[0] == actions[-1] == "destroy"
    assert {"create", "check", "converge", "idempotence", "verify"} <= set(actions)


@pytest.mark.parametrize("folder", sorted(TOP.glob("molecule/**/tests")), ids=lambda path: path.parent.name)
def test_every_folder_of_tests_has_tests(folder: pathlib.Path) -> None:
    assert any("def test_" in file.read_text() for file in folder.glob("test_*.py"))


def test_the_scenarios_that_are_run_are_those_that_containers_can_show(tmp_path: pathlib.Path) -> None:
    for name in ("upgrade", "raid", "another", "single"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "molecule.yml").touch()
    assert scenarios(tmp_path) == ["single", "upgrade", "another"]


def test_molecule_finds_the_programs_beside_it_whoever_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    programs = pathlib.Path(sys.executable).parent
    for name in ("molecule", "ansible-config", "ansible-playbook"):
        assert shutil.which(name, path=environment()["PATH"]) == str(programs / name)


def test_the_table_has_times_in_minutes_and_seconds() -> None:
    rows = [("single", "passed", 61.7), ("2m-2s-async", "failed", 600.0)]
    assert table(rows).splitlines() == ["single       passed   1:01", "2m-2s-async  failed  10:00"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert lines_of([("a", "b"), ("long", "c")]) == ["a     b", "long  c"]
