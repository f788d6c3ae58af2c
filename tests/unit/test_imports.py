"""Who may import whom: the arrows between the packages, and what the pure modules keep away from."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2] / "broker_py"

VOCABULARY: Final = {"model", "errors", "seams"}
# Package → packages that it may import beyond itself and the vocabulary.
ARROWS: Final[dict[str, set[str]]] = {
    "model": set(),
    "errors": set(),
    "seams": set(),
    "wire": set(),
    "message": set(),
    "filter": set(),
    "runtime": set(),
    "remoting": {"wire"},
    "store": {"message"},
    "replication": {"store"},
    "nameserver": {"remoting", "wire"},
    "client": {"remoting", "wire", "message", "runtime"},
    "proxy": {"client", "message"},
    "admin": {"client"},
    "dashboard": {"admin"},
    "broker": {"remoting", "wire", "message", "filter", "store", "replication"},
}
IMPURE_LIBRARIES: Final = {"asyncio", "socket", "threading", "time", "os"}
PURE_PACKAGES: Final = {"model", "errors", "seams", "message", "filter", "wire", "store"}
NOT_PURE_AFTER_ALL: Final = {"store.flusher", "store.warmer"}
PURE_MODULES: Final = {
    "replication.acks",
    "replication.backoff",
    "replication.config",
    "replication.follower",
    "replication.liveness",
    "replication.log",
    "replication.progress",
    "replication.protocol",
    "replication.rate",
    "nameserver.broker_set",
    "nameserver.config",
    "nameserver.kv_config",
    "nameserver.route_table",
    "nameserver.route_views",
    "nameserver.topic_queues",
    "broker.ack_policy",
    "broker.clients",
    "broker.config",
    "broker.consumer_offsets",
    "broker.groups",
    "broker.long_polling",
    "broker.metadata",
    "remoting.peer",
    "broker.queue_locks",
    "broker.replica_log",
    "broker.statistics",
    "broker.store_owner",
    "broker.tag_filter",
    "broker.traffic",
    "broker.topics",
}


def modules() -> dict[str, Path]:
    """All modules by their name within the package, `store.flusher`."""
    found: dict[str, Path] = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """The full names of what a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_packages(path: Path) -> set[str]:
    """The packages of ours that a module imports from."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("broker_py.")}


def libraries(path: Path) -> set[str]:
    """The top names of all else that a module imports."""
    return {name.split(".")[0] for name in imports(path)} - {"broker_py"}


MODULES: Final = modules()


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.split(".")[0] != "cli"))
def test_a_package_imports_only_what_its_arrows_point_at(module: str) -> None:
    package = module.split(".", maxsplit=1)[0]
    assert package in ARROWS, f"{package} has no arrows yet: say here what it may import"
    assert own_packages(MODULES[module]) <= ARROWS[package] | VOCABULARY | {package, "__version__"}


def test_commands_are_imported_by_nobody() -> None:
    importers = [name for name, path in MODULES.items() if "cli" in own_packages(path) and not name.startswith("cli")]
    assert importers == []


def test_the_arrows_go_round_in_no_circle() -> None:
    reached: dict[str, set[str]] = {}

    def reach(package: str, path: tuple[str, ...]) -> set[str]:
        assert package not in path, f"a circle: {' → '.join((*path, package))}"
        if package not in reached:
            found = set(ARROWS[package])
            for imported in ARROWS[package]:
                found |= reach(imported, (*path, package))
            reached[package] = found
        return reached[package]

    for package in ARROWS:
        reach(package, ())


@pytest.mark.parametrize(
    "module",
    sorted(
        name
        for name in MODULES
        if (name.split(".")[0] in PURE_PACKAGES and name not in NOT_PURE_AFTER_ALL) or name in PURE_MODULES
    ),
)
def test_a_pure_module_knows_neither_loop_nor_socket_nor_thread_nor_clock_nor_disk(module: str) -> None:
    assert not libraries(MODULES[module]) & IMPURE_LIBRARIES


def test_the_pure_modules_are_there() -> None:
    assert not PURE_MODULES - MODULES.keys()


def test_nothing_but_the_standard_library_is_imported_but_yaml_by_its_one_module() -> None:
    foreign = {name: libraries(path) - sys.stdlib_module_names for name, path in MODULES.items()}
    assert foreign.pop("runtime.yaml_text") == {"yaml"}
    assert {name: found for name, found in foreign.items() if found} == {}
