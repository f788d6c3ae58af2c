"""Writes the README of each role from its argument specs, so that it can't say anything else than Ansible checks.

What the specs can't say (why, and when to choose what) stands in `docs.md` of the role and is put behind them. Run it
with `make docs`; a test fails when a README is not what this would write.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import yaml

ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
CHECKS = "preflight"  # the phase that always runs


def role_names() -> list[str]:
    """Return the names of the roles."""
    return sorted(path.name for path in ROLES.iterdir())


def load(role: str, path: str) -> Mapping[str, Any]:
    """Return the content of one of a role's YAML files."""
    content: Mapping[str, Any] = yaml.safe_load((ROLES / role / path).read_text())
    return content


def phases_of(role: str) -> list[str]:
    """Return the phases of a role in the order of its tasks/main.yml; none when it has entry points only."""
    main = ROLES / role / "tasks/main.yml"
    tasks = yaml.safe_load(main.read_text()) if main.exists() else []
    return [str(task["ansible.builtin.import_tasks"]).removesuffix(".yml") for task in tasks]


def options_of(role: str) -> dict[str, Any]:
    """Return the options of all entry points of a role by name."""
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def readme(role: str) -> str:
    """Return what the README of a role should hold."""
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    description = load(role, "meta/main.yml")["galaxy_info"]["description"]
    entries = "".join(f"| `{name}` | {spec['short_description']} |\n" for name, spec in specs.items())
    inputs = "".join(_input_row(name, option) for name, option in options_of(role).items())
    return (
        f"# Role {role}\n\n{description}. This file is made by `make docs` from `meta/argument_specs.yml`.\n\n"
        f"## Entry points\n\n| `tasks_from` | what it does |\n| --- | --- |\n{entries}\n"
        f"## Inputs\n\n| variable | type | default | meaning |\n| --- | --- | --- | --- |\n{inputs}"
        f"{_tags(role)}{_docs(role)}"
    )


def _input_row(name: str, option: Mapping[str, Any]) -> str:
    kind = option["type"] if "elements" not in option else f"list of {option['elements']}"
    choices = f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}." if "choices" in option else ""
    return (
        f"| `{name}` | {kind} | `{_shown(option['default'])}` | {' '.join(option['description'].split())}{choices} |\n"
    )


def _shown(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
    return value if isinstance(value, str) and value else text


def _tags(role: str) -> str:
    phases = [phase for phase in phases_of(role) if phase != CHECKS]
    if not phases:
        return ""
    rows = "".join(f"| `{role}`, `{phase}`, `{role}_{phase}` | {phase} |\n" for phase in phases)
    return f"\n## Tags\n\n| tags | what runs, behind the checks that always do |\n| --- | --- |\n{rows}"


def _docs(role: str) -> str:
    docs = ROLES / role / "docs.md"
    return f"\n{docs.read_text()}" if docs.exists() else ""


def main() -> None:
    """Write all READMEs."""
    for role in role_names():
        (ROLES / role / "README.md").write_text(readme(role))


if __name__ == "__main__":
    main()
