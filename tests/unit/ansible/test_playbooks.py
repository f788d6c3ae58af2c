"""What the playbooks that may interrupt service have in common, and in which order they go."""

import pathlib
from typing import Any

import pytest
import yaml

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"
OPERATIONS = ("roll", "restart", "upgrade", "rollback", "scale_out", "scale_in", "migrate", "migrate_back", "hand_over")


def plays(name: str) -> list[dict[str, Any]]:
    """Return the plays of a playbook without those that it imports."""
    content: list[dict[str, Any]] = yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text())
    return [play for play in content if "hosts" in play]


def imports(name: str) -> list[str]:
    content: list[dict[str, Any]] = yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text())
    return [play["ansible.builtin.import_playbook"] for play in content if "hosts" not in play]


def rolled(play: dict[str, Any]) -> str:
    """Return what a play of roll.yml restarts."""
    [task] = play["tasks"]
    role = task["ansible.builtin.import_role"]["name"].rpartition(".")[2]
    return " ".join([role, *task["vars"].get("broker_kinds", [])])


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_stops_everywhere_at_the_first_failure(name: str) -> None:
    assert all(play["any_errors_fatal"] for play in plays(name) if play["name"] != "Show what clients find now")


def test_a_roll_asks_and_looks_before_it_restarts_one_at_a_time_masters_last() -> None:
    asks, looks, *rolls, prunes = plays("roll")
    assert "serial" not in asks
    assert "serial" not in looks
    assert prunes["tasks"][0]["ansible.builtin.import_role"]["tasks_from"] == "prune"
    assert [play["serial"] for play in rolls] == [1, 1, 1]
    assert [rolled(play) for play in rolls] == ["nameserver", "broker slave", "broker master"]


def test_a_move_looks_before_it_moves_one_daemon_at_a_time_masters_last() -> None:
    resumes, looks, asks, *moves = plays("hand_over")
    assert resumes["serial"] == 1
    assert "serial" not in looks
    assert "serial" not in asks
    assert [play["serial"] for play in moves] == [1, 1, 1]
    entries = [(play["tasks"][0]["ansible.builtin.include_role"], play["tasks"][0].get("vars")) for play in moves]
    assert [(entry["tasks_from"], given) for entry, given in entries] == [
        ("nameservers", None),
        ("brokers", {"migration_kinds": ["slave"]}),
        ("brokers", {"migration_kinds": ["master"]}),
    ]


def test_nothing_is_installed_for_a_move_before_it_is_known_that_it_can_be_made() -> None:
    content = yaml.safe_load((PLAYBOOKS / "migrate.yml").read_text())
    order = [play.get("ansible.builtin.import_playbook") or play["name"] for play in content]
    assert order[:3] == ["preflight.yml", "Look at the stores of Java", "runtime.yml"]
    assert order[-1] == "hand_over.yml"


@pytest.mark.parametrize("name", ["restart", "upgrade", "rollback"])
def test_nothing_but_the_roll_restarts(name: str) -> None:
    assert imports(name)[0] == "roll.yml"
    tasks = [task for play in plays(name) for task in play["tasks"]]
    entries = [task["ansible.builtin.import_role"] for task in tasks if "ansible.builtin.import_role" in task]
    assert {entry["name"] for entry in entries} == {"broker_py.mq.runtime"}
    assert {entry.get("tasks_from", "main") for entry in entries} <= {"links", "want", "main"}


def test_a_set_goes_slaves_first() -> None:
    retiring = [
        task["vars"]["broker_kinds"]
        for play in plays("scale_in")
        for task in play["tasks"]
        if task.get("ansible.builtin.import_role", {}).get("tasks_from") == "retire"
    ]
    assert retiring == [["slave"], ["master"]]
