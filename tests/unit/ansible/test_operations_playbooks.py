"""Promises of the playbooks of day two that hold in their text."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.modules.subscription_group import SETTINGS_OPTIONS

TOP = Path(__file__).resolve().parents[3]
PLAYBOOKS = TOP / "playbooks"
Task = dict[str, Any]


def plays(name: str) -> list[dict[str, Any]]:
    """Return the plays of a playbook; those that it imports count as one play each."""
    content: list[dict[str, Any]] = yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text())
    return content


def tasks(name: str) -> list[Task]:
    """Return the tasks of a playbook's own plays."""
    return [task for play in plays(name) for task in play.get("tasks", [])]


def arguments(name: str, action: str) -> dict[str, Any]:
    """Return the arguments of the only task of a playbook that has this action."""
    [found] = [task[action] for task in tasks(name) if action in task]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("variable", "module"), [("topics", "topic"), ("subscription_groups", "subscription_group")])
def test_what_may_be_declared_is_what_the_module_is_given(variable: str, module: str) -> None:
    spec = arguments("topics", "ansible.builtin.validate_argument_spec")["argument_spec"][variable]["options"]
    assert spec.keys() == arguments("topics", f"broker_py.mq.{module}").keys() - {"cluster"}


def test_a_declared_group_may_have_all_settings_of_a_group_with_their_types() -> None:
    spec = arguments("topics", "ansible.builtin.validate_argument_spec")["argument_spec"]
    declared = spec["subscription_groups"]["options"]
    assert {name: declared[name] for name in declared if name != "name"} == SETTINGS_OPTIONS


@pytest.mark.parametrize("module", ["topic", "topic_shrink", "subscription_group", "metadata_restore"])
def test_a_playbook_gives_a_module_only_options_that_it_has(module: str) -> None:
    documented = yaml.safe_load(importlib.import_module(f"plugins.modules.{module}").DOCUMENTATION)["options"]
    common = {"nameservers", "bin_dir", "credentials_file", "tls_config_file", "cluster", "brokers"}
    for file in [*PLAYBOOKS.glob("*.yml"), *PLAYBOOKS.glob("tasks/*.yml")]:
        for entry in yaml.safe_load(file.read_text()):
            for task in entry.get("tasks", [entry]):
                given = task.get(f"broker_py.mq.{module}", {})
                assert given.keys() <= documented.keys() | common, file.name


def test_nothing_is_uninstalled_before_the_cluster_was_named() -> None:
    first, stop, *rest = plays("uninstall")
    assert set(first["hosts"].split(":")) == {"nameserver", "broker"}
    assert first["any_errors_fatal"] is True
    [check] = [task["ansible.builtin.assert"]["that"] for task in first["tasks"] if "ansible.builtin.assert" in task]
    assert check == "uninstall_confirm | default('') == common_cluster_name"
    assert stop["ansible.builtin.import_playbook"] == "stop.yml"
    assert all("tasks" in play for play in rest)


def test_data_is_removed_only_where_it_was_asked_for() -> None:
    given = [task["vars"] for task in tasks("uninstall") if "vars" in task]
    assert given == [
        {f"{role}_uninstall_data": "{{ uninstall_data | default(false) | bool }}"}
        for role in ("broker", "nameserver", "common")
    ]


def test_everything_stops_slaves_first_and_name_servers_last() -> None:
    kinds = [play["tasks"][0].get("vars", {}).get("broker_kinds") for play in plays("stop")]
    assert kinds == [["slave"], ["master"], None]
    assert [play["hosts"] for play in plays("stop")] == ["broker", "broker", "nameserver"]


def test_a_support_bundle_asks_and_changes_nothing() -> None:
    [hosts] = [play for play in plays("support_bundle") if play["hosts"] == "nameserver:broker"]
    for task in hosts["tasks"]:
        if "ansible.builtin.command" in task:
            assert task["changed_when"] is False, task["name"]
        elif "ansible.builtin.copy" in task:
            assert task["delegate_to"] == "localhost", task["name"]
            assert "broker_py.mq.masked" in task["ansible.builtin.copy"]["content"], task["name"]
