"""What the documentation of a module says of its options is what the module takes."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
DOCUMENTED_KEYS = ("type", "elements", "choices", "default", "required")


class Constructed(Exception):
    """The module was about to begin."""


def taken_by(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a module makes its AnsibleModule with."""
    module = import_module(f"plugins.modules.{name}")
    taken: dict[str, Any] = {}

    def take(**options: Any) -> None:
        taken.update(options)
        raise Constructed

    monkeypatch.setattr(module, "AnsibleModule", take)
    with pytest.raises(Constructed):
        module.main()
    return taken


def documented_options(name: str) -> dict[str, Any]:
    """Return the options of a module's documentation, with those of the fragments that it extends."""
    documentation = yaml.safe_load(import_module(f"plugins.modules.{name}").DOCUMENTATION)
    options: dict[str, Any] = dict(documentation.get("options") or {})
    for fragment in documentation.get("extends_documentation_fragment", []):
        _, _, file, *part = fragment.split(".")
        source = import_module(f"plugins.doc_fragments.{file}").ModuleDocFragment
        options |= yaml.safe_load(getattr(source, part[0].upper() if part else "DOCUMENTATION"))["options"]
    return options


def normal(option: dict[str, Any]) -> dict[str, Any]:
    """Return what of an option stands on both sides; false and absent mean the same of `required`."""
    return {key: option[key] for key in DOCUMENTED_KEYS if option.get(key) is not None and option[key] is not False} | {
        "default": option.get("default")
    }


@pytest.mark.parametrize("name", MODULES)
def test_documented_options_are_those_that_the_module_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {option: normal(spec) for option, spec in taken_by(name, monkeypatch)["argument_spec"].items()}
    assert {option: normal(text) for option, text in documented_options(name).items()} == taken


@pytest.mark.parametrize("name", MODULES)
def test_every_option_and_result_has_a_description_and_every_module_an_example(name: str) -> None:
    module = import_module(f"plugins.modules.{name}")
    results = yaml.safe_load(module.RETURN) or {}
    for what in [*documented_options(name).values(), *results.values()]:
        assert what["description"]
    examples = yaml.safe_load(module.EXAMPLES)
    assert any(f"broker_py.mq.{name}" in example for example in examples)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_knows_check_mode(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken_by(name, monkeypatch)["supports_check_mode"] is True


def test_the_action_group_has_the_modules_that_talk_to_a_cluster() -> None:
    talking = [name for name in MODULES if "broker_py.mq.cluster" in (ROOT / f"plugins/modules/{name}.py").read_text()]
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())
    assert runtime["action_groups"]["cluster"] == talking
