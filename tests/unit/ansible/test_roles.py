"""What Ansible checks, what a role defaults to, and what its README says are one thing."""

import re
from typing import Any

import pytest
import yaml

from tests.unit.ansible.role_readme import CHECKS, ROLES, load, options_of, phases_of, readme, role_names

roles = pytest.mark.parametrize("role", role_names())


@roles
def test_the_specs_of_a_role_have_the_keys_and_values_of_its_defaults(role: str) -> None:
    defaults = load(role, "defaults/main.yml")
    assert {name: option["default"] for name, option in options_of(role).items()} == defaults


@roles
def test_every_option_has_a_type_and_a_description(role: str) -> None:
    for name, option in options_of(role).items():
        assert option["type"], name
        assert option["description"].rstrip().endswith("."), name


@roles
def test_the_readme_of_a_role_is_what_its_specs_make_of_it(role: str) -> None:
    assert (ROLES / role / "README.md").read_text() == readme(role), "run make docs"


def included_files(role: str) -> set[str]:
    """Return the names of a role's task files that others of its task files import or include."""
    text = "\n".join(path.read_text() for path in (ROLES / role / "tasks").glob("*.yml"))
    names = re.findall(r"(?:import|include)_tasks:\s*(?:file:\s*)?(\w+)\.yml", text)
    return set(names)


@roles
def test_every_entry_point_has_a_spec_so_that_ansible_validates_it(role: str) -> None:
    specs = set(load(role, "meta/argument_specs.yml")["argument_specs"])
    tasks = {path.stem for path in (ROLES / role / "tasks").glob("*.yml")}
    assert specs <= tasks
    assert tasks - included_files(role) <= specs


@pytest.mark.parametrize("role", [role for role in role_names() if phases_of(role)])
def test_main_checks_first_and_runs_its_phases_under_the_tags_that_the_readme_names(role: str) -> None:
    tasks: list[dict[str, Any]] = yaml.safe_load((ROLES / role / "tasks/main.yml").read_text())
    checks, *phases = phases_of(role)
    assert checks == CHECKS
    assert [task["tags"] for task in tasks] == [["always"], *([role, phase, f"{role}_{phase}"] for phase in phases)]


@pytest.mark.parametrize("role", ["nameserver", "broker"])
def test_a_property_that_the_role_derives_can_not_be_set_by_hand(role: str) -> None:
    common = yaml.safe_load((ROLES / "common/vars/main.yml").read_text())
    tls = {key for step in common["__common_tls_steps"].values() for key in step}
    variables = (ROLES / role / "vars/main.yml").read_text()
    content = yaml.safe_load(variables)
    owned = set(content[f"__{role}_owned_keys"])
    if role == "broker":
        derived = set(content["__broker_derived_properties"])
        derived |= {key for keys in content["__broker_role_properties"].values() for key in keys}
        secured = dict(content["__broker_security_properties"])
        derived |= {key for keys in (*secured.pop("tls").values(), *secured.values()) for key in keys}
    else:
        derived = {line.split("'")[1] for line in variables.splitlines() if line.startswith("       '")}
    assert derived | tls == owned
