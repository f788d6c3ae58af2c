"""The containers of labs and scenarios: what is decided without an engine, and that nobody else's are touched."""

import ipaddress
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import docker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers import LABEL, Lab, connection_inventory, first_free, placed, ssh_config
from engine import EngineError
from image import RECIPE, recipe_digest

OS1, OS2 = "192.168.56.11", "192.168.56.12"
STATE = pathlib.Path("/state")


class Thing:
    """A container or a network of an engine, which remembers whether it was removed."""

    def __init__(self, name: str, labels: dict[str, str], attrs: dict[str, Any] | None = None) -> None:
        self.name = name
        self.labels = labels
        self.attrs = {"Labels": labels, **(attrs or {})}
        self.status = "running"
        self.removed = False

    def remove(self, **_: Any) -> None:
        self.removed = True


class Things:
    """The containers or the networks of an engine."""

    def __init__(self, *things: Thing) -> None:
        self.things = things

    def get(self, name: str) -> Thing:
        for thing in self.things:
            if thing.name == name:
                return thing
        raise docker.errors.NotFound(name)

    def list(
        self, *, names: Sequence[str] | None = None, filters: Mapping[str, str] | None = None, **words: Any
    ) -> Any:
        found = [thing for thing in self.things if names is None or f"^{thing.name}$" in names]
        label, _, value = (filters or {}).get("label", "").partition("=")
        return [thing for thing in found if not label or thing.labels.get(label) == value]


class MemoryEngine:
    """An engine that has some containers and networks."""

    def __init__(self, *, containers: tuple[Thing, ...] = (), networks: tuple[Thing, ...] = ()) -> None:
        self.containers = Things(*containers)
        self.networks = Things(*networks)


def lab(engine: MemoryEngine, directory: pathlib.Path) -> Lab:
    lab = Lab(cast("docker.DockerClient", engine), "mine")
    lab.state = directory / "mine"
    return lab


def test_a_host_keeps_an_address_of_the_network() -> None:
    assert placed({"os1": OS1, "os2": OS2}, "192.168.56.0/24") == {"os1": OS1, "os2": OS2}


def test_a_host_of_another_network_keeps_the_last_part_of_its_address() -> None:
    assert placed({"os1": OS1}, "172.28.7.0/24") == {"os1": "172.28.7.11"}


@given(st.ip_addresses(v=4), st.integers(0, 255))
def test_every_address_ends_up_in_the_network(address: ipaddress.IPv4Address, third: int) -> None:
    network = f"172.28.{third}.0/24"
    moved = ipaddress.ip_address(placed({"os1": str(address)}, network)["os1"])
    assert moved in ipaddress.ip_network(network)
    assert moved.packed[-1] == address.packed[-1]


def test_the_free_network_overlaps_with_none_that_is_taken() -> None:
    assert first_free([]) == "192.168.56.0/24"
    assert first_free(["172.17.0.0/16", "192.168.56.128/25", "fd00::/64"]) == "172.28.56.0/24"
    with pytest.raises(EngineError, match=r"overlap with 192.168.56.0/24 and all up to 172.28.71.0/24"):
        first_free(["192.168.0.0/16", "172.16.0.0/12"])


def test_the_connection_checks_host_keys_that_the_lab_knows() -> None:
    words = connection_inventory({"os1": OS1}, STATE)["all"]
    assert words["hosts"] == {"os1": {"ansible_host": OS1}}
    assert "UserKnownHostsFile=/state/known_hosts" in words["vars"]["ansible_ssh_common_args"]
    assert "StrictHostKeyChecking" not in words["vars"]["ansible_ssh_common_args"]


def test_ssh_finds_a_host_by_its_name_and_by_its_address() -> None:
    assert "Host os1 192.168.56.11\n  HostName 192.168.56.11\n" in ssh_config({"os1": OS1}, STATE)


def test_another_recipe_is_another_image() -> None:
    assert recipe_digest(RECIPE) != recipe_digest(RECIPE + "RUN true\n")


def test_a_network_of_that_name_which_is_not_ours_is_left_alone(tmp_path: pathlib.Path) -> None:
    foreign = Thing("broker-py-mine", {}, {"IPAM": {"Config": [{"Subnet": "192.168.56.0/24"}]}})
    with pytest.raises(EngineError, match="belongs to somebody else"):
        lab(MemoryEngine(networks=(foreign,)), tmp_path).create({"os1": OS1}, "192.168.56.0/24")


def test_a_container_of_that_name_which_is_not_ours_is_left_alone(tmp_path: pathlib.Path) -> None:
    network = Thing("broker-py-mine", {LABEL: "mine"}, {"IPAM": {"Config": [{"Subnet": "192.168.56.0/24"}]}})
    engine = MemoryEngine(networks=(network,), containers=(Thing("broker-py-mine-os1", {LABEL: "other"}),))
    with pytest.raises(EngineError, match="isn't labelled broker-py"):
        lab(engine, tmp_path).create({"os1": OS1}, "192.168.56.0/24")


def test_a_lab_does_not_move_to_another_network(tmp_path: pathlib.Path) -> None:
    network = Thing("broker-py-mine", {LABEL: "mine"}, {"IPAM": {"Config": [{"Subnet": "192.168.56.0/24"}]}})
    with pytest.raises(EngineError, match=r"is on 192.168.56.0/24, not on 172.28.7.0/24"):
        lab(MemoryEngine(networks=(network,)), tmp_path).create({"os1": OS1}, "172.28.7.0/24")


def test_destroying_removes_what_carries_the_label_and_nothing_else(tmp_path: pathlib.Path) -> None:
    mine = (Thing("broker-py-mine-os1", {LABEL: "mine"}), Thing("broker-py-mine", {LABEL: "mine"}))
    others = (Thing("broker-py-mine-os2", {LABEL: "other"}), Thing("database", {}))
    engine = MemoryEngine(containers=(mine[0], *others), networks=(mine[1],))
    assert lab(engine, tmp_path).destroy()
    assert [thing.removed for thing in (*mine, *others)] == [True, True, False, False]
    assert not lab(MemoryEngine(), tmp_path).destroy()
