"""What the modules that talk to a cluster share."""

import sys
from pathlib import Path
from typing import Any

import pytest

from broker_py.errors import RequestFailed
from plugins.module_utils.cluster import ClusterFault, masters, run, sentence, use_release
from tests.unit.client.fake_cluster import FakeCluster


class Ended(Exception):
    """The module ended."""


class Module:
    """AnsibleModule, as far as `run` uses it."""

    def __init__(self, nameservers: str, bin_dir: str) -> None:
        self.params = {"nameservers": nameservers, "bin_dir": bin_dir}
        self.check_mode = False
        self.failed: dict[str, Any] | None = None
        self.succeeded: dict[str, Any] | None = None

    def fail_json(self, **result: Any) -> None:
        self.failed = result
        raise Ended

    def exit_json(self, **result: Any) -> None:
        self.succeeded = result
        raise Ended


def end(module: Module, work: Any) -> None:
    with pytest.raises(Ended):
        run(module, work)


def environment(top: Path) -> str:
    """Make a virtual environment with an empty site-packages, and return the directory of its commands."""
    (top / "lib" / "python3.99" / "site-packages").mkdir(parents=True)
    (top / "bin").mkdir()
    return str(top / "bin")


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_work_gets_a_client_and_its_result_is_the_modules(cluster: FakeCluster, tmp_path: Path) -> None:
    async def work(client: Any, params: Any, check_mode: bool) -> dict[str, Any]:
        return {"changed": check_mode, "topics": await client.name_servers.topics()}

    cluster.store_a.add_topic("T")
    module = Module(cluster.namesrv, environment(tmp_path))
    end(module, work)
    assert module.succeeded == {"changed": False, "topics": ["T"]}


def test_a_cluster_that_can_not_be_reached_is_a_sentence(tmp_path: Path) -> None:
    async def work(client: Any, params: Any, check_mode: bool) -> dict[str, Any]:
        await client.name_servers.topics()
        return {}

    module = Module("127.0.0.1:1", environment(tmp_path))
    end(module, work)
    assert module.failed == {"msg": "127.0.0.1:1 can't be connected to: Connection refused"}


def test_name_servers_that_are_no_addresses_are_named(tmp_path: Path) -> None:
    async def work(client: Any, params: Any, check_mode: bool) -> dict[str, Any]:
        raise AssertionError("there is no client")

    module = Module("10.0.0.1", environment(tmp_path))
    end(module, work)
    assert module.failed == {"msg": "'10.0.0.1' is not an address of the form host:port"}


def test_a_fault_carries_facts(cluster: FakeCluster, tmp_path: Path) -> None:
    async def work(client: Any, params: Any, check_mode: bool) -> dict[str, Any]:
        raise ClusterFault("not yet", left=["17"])

    module = Module(cluster.namesrv, environment(tmp_path))
    end(module, work)
    assert module.failed == {"msg": "not yet", "left": ["17"]}


def test_a_release_that_is_older_than_the_collection_is_told(cluster: FakeCluster, tmp_path: Path) -> None:
    async def work(client: Any, params: Any, check_mode: bool) -> dict[str, Any]:
        raise ImportError("cannot import name 'survey'")

    module = Module(cluster.namesrv, environment(tmp_path))
    end(module, work)
    assert module.failed is not None
    assert "lacks what this collection needs (cannot import name 'survey')" in module.failed["msg"]


def test_the_site_packages_beside_bin_dir_are_searched_with_their_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_dir = environment(tmp_path)
    elsewhere = tmp_path / "checkout"
    elsewhere.mkdir()
    packages = tmp_path / "lib" / "python3.99" / "site-packages"
    (packages / "editable.pth").write_text(f"{elsewhere}\n")
    use_release(bin_dir + "/")
    assert {str(packages), str(elsewhere)} <= set(sys.path)


def test_a_bin_dir_without_a_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "broker_py", None)
    with pytest.raises(ClusterFault, match=r"There is no broker_py in /nowhere, .* of bin_dir /nowhere/bin"):
        use_release("/nowhere/bin")


def test_masters_are_those_of_a_cluster_or_of_broker_names(cluster: FakeCluster) -> None:
    a, b = cluster.a.address, cluster.b.address
    both = cluster.ask(lambda client: masters(client, {"cluster": "C", "brokers": None}))
    assert both == {"broker-a": a, "broker-b": b}
    one = cluster.ask(lambda client: masters(client, {"cluster": None, "brokers": ["broker-b"]}))
    assert one == {"broker-b": b}


def test_a_remark_ends_before_its_links() -> None:
    assert sentence(RequestFailed(17, "no topic T\nSee a page")) == "code 17: no topic T"
