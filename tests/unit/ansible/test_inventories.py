"""The inventories that come with the product place what RocketMQ's folders of the same names describe."""

import pathlib
from typing import Any

import pytest
import yaml

from plugins.filter.topology import Instance, host_addresses, place_brokers, place_nameservers, topology_problems

INVENTORIES = pathlib.Path(__file__).resolve().parents[3] / "inventories"
OS1, OS2 = "192.168.56.11", "192.168.56.12"


def placed(name: str) -> tuple[list[Instance], list[Instance]]:
    """Return the name servers and the brokers of an inventory, with the roles' defaults for what it leaves out."""
    inventory: dict[str, Any] = yaml.safe_load((INVENTORIES / name / "hosts.yml").read_text())["all"]
    hostvars = inventory["children"]["nameserver"]["hosts"]
    hosts = list(inventory["children"]["broker"]["hosts"])
    addresses = host_addresses(hosts, hostvars)
    words = inventory["vars"]
    brokers = place_brokers(
        hosts,
        addresses,
        words["broker_sets"],
        words.get("broker_slaves_per_master", 0),
        words.get("broker_replication", "async"),
        10911,
        1000,
    )
    return place_nameservers(list(hostvars), addresses, 1, 9876), brokers


def test_single_is_one_name_server_and_one_master() -> None:
    nameservers, brokers = placed("single")
    assert [nameserver["address"] for nameserver in nameservers] == [f"{OS1}:9876"]
    assert [(broker["name"], broker["address"]) for broker in brokers] == [("broker-a", f"{OS1}:10911")]


def test_2m_noslave_is_a_master_on_each_host() -> None:
    _, brokers = placed("2m-noslave")
    assert [(broker["name"], broker["address"], broker["role"]) for broker in brokers] == [
        ("broker-a", f"{OS1}:10911", "ASYNC_MASTER"),
        ("broker-b", f"{OS2}:10911", "ASYNC_MASTER"),
    ]


@pytest.mark.parametrize(("name", "role"), [("2m-2s-async", "ASYNC_MASTER"), ("2m-2s-sync", "SYNC_MASTER")])
def test_2m_2s_is_a_name_server_a_master_and_the_others_slave_on_each_host(name: str, role: str) -> None:
    nameservers, brokers = placed(name)
    assert [nameserver["address"] for nameserver in nameservers] == [f"{OS1}:9876", f"{OS2}:9876"]
    assert [(broker["name"], broker["address"], broker["role"], broker["store"]) for broker in brokers] == [
        ("broker-a", f"{OS1}:10911", role, "store"),
        ("broker-a-s", f"{OS2}:11911", "SLAVE", "store-s"),
        ("broker-b", f"{OS2}:10911", role, "store"),
        ("broker-b-s", f"{OS1}:11911", "SLAVE", "store-s"),
    ]


@pytest.mark.parametrize("name", ["single", "2m-noslave", "2m-2s-async", "2m-2s-sync"])
def test_no_inventory_has_a_problem(name: str) -> None:
    nameservers, brokers = placed(name)
    assert topology_problems(brokers, nameservers) == []


@pytest.mark.parametrize("name", ["single", "2m-noslave", "2m-2s-async", "2m-2s-sync"])
def test_an_inventory_names_no_variable_that_no_role_has(name: str) -> None:
    roles = INVENTORIES.parent / "roles"
    known = {key for path in roles.glob("*/defaults/main.yml") for key in yaml.safe_load(path.read_text()) or {}}
    inventory = yaml.safe_load((INVENTORIES / name / "hosts.yml").read_text())["all"]
    assert set(inventory["vars"]) <= known
