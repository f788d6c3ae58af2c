"""What is judged before anything is changed, on what two hosts of the usual pair might have shown."""

import pathlib
from typing import Any

import pytest
import yaml

from plugins.filter.preflight import (
    CLUSTER_CHECKS,
    HOST_CHECKS,
    cluster_problems,
    host_problems,
    probe_addresses,
    variable_problems,
)
from plugins.filter.topology import Instance, place_brokers, place_nameservers

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "preflight"
ADDRESSES = {"os1": "192.168.56.11", "os2": "192.168.56.12"}
NAMESERVERS = place_nameservers(["os1", "os2"], ADDRESSES, 1, 9876)
BROKERS = place_brokers(["os1", "os2"], ADDRESSES, ["broker-a", "broker-b"], 1, "async", 10911, 1000)
DATA, CONF = "/var/lib/broker-py", "/etc/broker-py"
GIB, MIB = 1 << 30, 1 << 20
NEEDS: dict[str, Any] = {
    "systems": {"Debian": ["12", "13"], "Ubuntu": ["22.04", "24.04"]},
    "python": "3.10",
    "service_manager": "systemd",
    "memory_bytes": {"system": 256 * MIB, "nameserver": 64 * MIB, "master": 256 * MIB, "slave": 192 * MIB},
    "disk_free_bytes": 2 * GIB,
    "raid_mounts": [],
    "cluster_name": "DefaultCluster",
    "conf_dir": CONF,
    "data_dir": DATA,
}
FACTS: dict[str, Any] = {
    "userspace_bits": "64",
    "distribution": "Debian",
    "distribution_version": "12.7",
    "python_version": "3.11.2",
    "python": {"executable": "/usr/bin/python3"},
}


def empty_store(path: str) -> dict[str, Any]:
    return {
        "path": path,
        "identity": "",
        "device": "1",
        "mount": "/",
        "free_bytes": 50 * GIB,
        "used_bytes": 0,
        "owner": {},
        "holder": {},
    }


def seen(host: str = "os1", **changes: Any) -> dict[str, Any]:
    """Return what host_info finds on a host that nothing is deployed on yet, with changes."""
    found: dict[str, Any] = {
        "init": "systemd",
        "systemd": True,
        "clock": {"asked_seconds": 100.0, "read_seconds": 100.5},
        "addresses": [ADDRESSES[host]],
        "names": {address: [address] for address in ADDRESSES.values()},
        "listeners": [],
        "stores": [empty_store(f"{DATA}/store"), empty_store(f"{DATA}/store-s")],
        "configured": {},
    }
    return {**found, **changes}


def with_store(**changes: Any) -> dict[str, Any]:
    """Return what is found on a host whose first store is not an empty one."""
    return seen(stores=[{**empty_store(f"{DATA}/store"), **changes}, empty_store(f"{DATA}/store-s")])


def on(host: str, instances: list[Instance]) -> list[Instance]:
    return [instance for instance in instances if instance["host"] == host]


def judged(
    found: dict[str, Any] | None = None,
    *,
    facts: dict[str, Any] | None = None,
    needs: dict[str, Any] | None = None,
    memory_bytes: int = 2 * GIB,
    unanswered: dict[str, str] | None = None,
    skip: tuple[str, ...] = (),
) -> list[str]:
    """Return the problems of os1, which is as it should be but for the arguments."""
    return host_problems(
        {**FACTS, **(facts or {})},
        found or seen(),
        memory_bytes,
        unanswered or {},
        on("os1", NAMESERVERS),
        on("os1", BROKERS),
        {**NEEDS, **(needs or {})},
        skip,
    )


def compared(found: dict[str, dict[str, Any]], *, answered: float = 101.0, skip: tuple[str, ...] = ()) -> list[str]:
    """Return the problems of all hosts together."""
    return cluster_problems(found, BROKERS, ADDRESSES, answered, 5, DATA, skip)


def both(os1: dict[str, Any], os2: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"os1": seen("os1", **os1), "os2": seen("os2", **os2)}


# ---- one host


def test_a_bare_host_that_has_all_it_needs_has_no_problem() -> None:
    assert judged() == []


def test_two_gib_of_memory_are_enough_for_a_name_server_a_master_and_a_slave() -> None:
    assert judged(memory_bytes=2 * GIB) == []


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = with_store(free_bytes=GIB)
    found["listeners"] = [{"port": 10911, "pid": 8, "argv": ["java", "BrokerStartup"]}]
    found["stores"][1]["free_bytes"] = GIB
    assert judged(found, facts={"python_version": "3.9.2"}, memory_bytes=512 * MIB) == [
        "has Python 3.9.2 at /usr/bin/python3, 3.10 or newer is needed: set ansible_python_interpreter",
        "has 512 MiB of memory, 768 MiB are needed for nameserver, broker-a, broker-b-s and the system: place less on"
        " it with broker_hosts, or lower preflight_memory_<kind>_bytes",
        f"has 1024 MiB free in /, 4096 MiB are needed for {DATA}/store, {DATA}/store-s: make room, move common_data_dir"
        " or lower preflight_disk_free_bytes",
        "needs port 10911, which is taken by 'java BrokerStartup' with pid 8: stop that or set broker_listen_port",
    ]


def test_a_check_is_left_out_by_its_name() -> None:
    assert judged(memory_bytes=MIB) != []
    assert judged(memory_bytes=MIB, skip=("memory",)) == []


def test_the_names_of_the_checks_are_those_that_the_role_accepts() -> None:
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    assert specs["main"]["options"]["preflight_skip"]["choices"] == [*HOST_CHECKS, *CLUSTER_CHECKS]
    described = [line.split("`")[1] for line in (ROLE / "docs.md").read_text().splitlines() if line.startswith("| `")]
    assert described == [*HOST_CHECKS, *CLUSTER_CHECKS]


def test_a_32_bit_user_space_is_refused() -> None:
    assert judged(facts={"userspace_bits": "32"}) == [
        "has a 32-bit user space, 64 bit is needed: install a 64-bit system"
    ]


@pytest.mark.parametrize(("name", "version"), [("Debian", "13"), ("Ubuntu", "22.04"), ("Ubuntu", "24.04")])
def test_the_tested_systems_are_taken(name: str, version: str) -> None:
    assert judged(facts={"distribution": name, "distribution_version": version}) == []


@pytest.mark.parametrize(("name", "version"), [("Debian", "11.9"), ("Debian", "120"), ("Fedora", "40")])
def test_another_system_is_refused_under_systemd_and_taken_for_a_trial(name: str, version: str) -> None:
    facts = {"distribution": name, "distribution_version": version}
    (problem,) = judged(facts=facts)
    assert problem.startswith(f"runs {name} {version}, tested are Debian 12, Debian 13, Ubuntu 22.04, Ubuntu 24.04:")
    assert judged(facts=facts, needs={"service_manager": "process"}) == []


def test_python_3_9_is_older_than_3_10() -> None:
    assert judged(facts={"python_version": "3.9.18"}) != []
    assert judged(facts={"python_version": "3.10.0"}) == []


def test_units_need_systemd_and_processes_do_not() -> None:
    found = seen(systemd=False, init="bash")
    assert judged(found)[0].startswith("was started by bash and not by systemd")
    assert judged(found, needs={"service_manager": "process"}) == []


def test_what_a_store_uses_already_counts_as_room() -> None:
    nearly_full = [{**empty_store(path), "free_bytes": GIB} for path in (f"{DATA}/store", f"{DATA}/store-s")]
    assert judged(seen(stores=nearly_full)) != []
    assert judged(seen(stores=[{**store, "used_bytes": 3 * GIB // 2} for store in nearly_full])) == []


def test_stores_on_disks_of_their_own_need_their_own_room_only() -> None:
    stores = [
        {**empty_store(f"{DATA}/{name}"), "free_bytes": 2 * GIB, "device": name, "mount": f"{DATA}/{name}"}
        for name in ("store", "store-s")
    ]
    assert judged(seen(stores=stores)) == []


def test_a_disk_is_judged_when_its_array_is_mounted_and_not_before() -> None:
    small = [{**empty_store(f"{DATA}/{name}"), "free_bytes": MIB} for name in ("store", "store-s")]
    assert judged(seen(stores=small), needs={"raid_mounts": [DATA]}) == []
    mounted = [{**store, "mount": DATA} for store in small]
    assert judged(seen(stores=mounted), needs={"raid_mounts": [DATA]}) != []
    assert judged(seen(stores=small), needs={"raid_mounts": ["/var/lib/other"]}) != []


def test_a_port_that_a_daemon_of_ours_has_is_ours() -> None:
    listeners = [
        {"port": 9876, "pid": 7, "argv": ["python3", "mqnamesrv", "-c", f"{CONF}/nameserver.properties"]},
        {"port": 10911, "pid": 8, "argv": ["python3", "mqbroker", "-c", f"{CONF}/broker-a.properties"]},
    ]
    assert judged(seen(listeners=listeners)) == []


def test_a_port_that_a_daemon_with_another_file_has_is_taken() -> None:
    command = ["python3", "mqnamesrv", "-c", "/home/me/nameserver.properties"]
    assert judged(seen(listeners=[{"port": 9876, "pid": 7, "argv": command}])) == [
        f"needs port 9876, which is taken by '{' '.join(command)}' with pid 7: stop that or set common_nameserver_port"
    ]


def test_a_listener_that_we_may_not_look_into_is_not_ours() -> None:
    (problem,) = judged(seen(listeners=[{"port": 10909, "pid": 0, "argv": []}]))
    assert problem.startswith("needs port 10909, which is taken by a process of another user")


def test_the_ports_of_a_machine_that_fail_alike_are_one_problem() -> None:
    silent = {
        "192.168.56.12:9876": "timed out",
        "192.168.56.12:10911": "timed out",
        "192.168.56.13:9876": "Connection refused",
    }
    assert judged(unanswered=silent) == [
        "can't reach 192.168.56.12 on the ports 9876, 10911 (timed out): open them in the firewalls between, or set"
        " common_address of 192.168.56.12",
        "can't reach 192.168.56.13 on port 9876 (Connection refused): open them in the firewalls between, or set"
        " common_address of 192.168.56.13",
    ]


@pytest.mark.parametrize(
    "owner",
    [
        {"brokerClusterName": "DefaultCluster", "brokerName": "broker-x"},
        {"brokerClusterName": "Other", "brokerName": "broker-a"},
    ],
)
def test_a_store_of_another_broker_or_cluster_is_refused(owner: dict[str, str]) -> None:
    (problem,) = judged(with_store(owner=owner, identity="1:2"))
    whose = f"broker {owner['brokerName']} of cluster {owner['brokerClusterName']}"
    assert problem.startswith(f"has a store of {whose} in {DATA}/store, where broker-a of cluster DefaultCluster")


def test_a_store_of_the_same_broker_is_kept() -> None:
    owner = {"brokerClusterName": "DefaultCluster", "brokerName": "broker-a"}
    assert judged(with_store(owner=owner, identity="1:2")) == []


def test_a_store_may_be_in_use_by_its_own_broker_only() -> None:
    ours = {"pid": 8, "argv": ["python3", "mqbroker", "-c", f"{CONF}/broker-a.properties"]}
    other = {"pid": 8, "argv": ["python3", "mqbroker", "-c", f"{CONF}/broker-b-s.properties"]}
    assert judged(with_store(holder=ours, identity="1:2")) == []
    for holder in (other, {"pid": 9, "argv": ["java", "BrokerStartup"]}, {"pid": 0, "argv": []}):
        (problem,) = judged(with_store(holder=holder, identity="1:2"))
        assert problem.startswith(f"has a store in {DATA}/store that is in use by ")


def test_two_stores_that_are_one_directory_are_refused() -> None:
    stores = [{**empty_store(f"{DATA}/{name}"), "identity": "1:2"} for name in ("store", "store-s")]
    assert judged(seen(stores=stores)) == [
        f"has one directory behind the stores of broker-a and broker-b-s, {DATA}/store-s: give each its own"
    ]


# ---- all hosts


def test_two_bare_hosts_agree() -> None:
    assert compared(both({}, {})) == []


def test_a_clock_that_is_an_hour_behind_is_found() -> None:
    late = {"asked_seconds": 100.0, "read_seconds": 100.5 - 3600}
    assert compared(both({}, {"clock": late})) == [
        "os1: its clock is at least 3599.0 s ahead of that of os2, 5 s are allowed: have both follow a time server, or"
        " set preflight_clock_skew_seconds"
    ]


def test_of_three_clocks_the_one_that_is_alone_is_named() -> None:
    found = {**both({}, {}), "os3": seen(clock={"asked_seconds": 100.0, "read_seconds": 160.0})}
    assert [problem.partition(":")[0] for problem in compared(found, skip=("addresses",))] == ["os3"]


def test_a_right_clock_is_never_accused_however_slow_the_answers_are() -> None:
    quick = {"asked_seconds": 100.0, "read_seconds": 100.0}
    slow = {"asked_seconds": 100.0, "read_seconds": 130.0}
    assert compared(both({"clock": quick}, {"clock": slow}), answered=130.0) == []


def test_an_address_that_its_host_does_not_have_is_refused_once() -> None:
    assert compared(both({"addresses": ["10.0.2.15"]}, {})) == [
        "os1: advertises 192.168.56.11, which none of its interfaces has (10.0.2.15): set common_address, or add"
        " addresses to preflight_skip where an address is translated on the way"
    ]
    assert compared(both({"addresses": ["10.0.2.15"]}, {}), skip=("addresses",)) == []


def named(os1_sees: list[str], os2_sees: list[str]) -> list[str]:
    """Return the problems when os1 advertises a name that resolves so on the two hosts."""
    found = both({"names": {"os1.lan": os1_sees}}, {"names": {"os1.lan": os2_sees, "192.168.56.12": []}})
    addresses = {**ADDRESSES, "os1": "os1.lan"}
    return cluster_problems(found, BROKERS, addresses, 101.0, 5, DATA, ())


def test_a_name_may_mean_loopback_on_its_own_host_only() -> None:
    assert named(["127.0.1.1"], ["192.168.56.11"]) == []
    assert [problem.partition(":")[0] for problem in named(["127.0.1.1"], ["127.0.1.1"])] == ["os2"]


def test_a_name_that_resolves_to_another_machine_or_to_nothing_is_refused() -> None:
    assert named(["192.168.56.11"], ["10.9.9.9"]) == [
        "os2: resolves os1.lan, which os1 advertises, to 10.9.9.9; os1 has 192.168.56.11: correct the name service or"
        " /etc/hosts, or set common_address"
    ]
    assert "to nothing" in named(["192.168.56.11"], [])[0]


def configured(name: str, store: str, broker_name: str = "broker-a") -> dict[str, Any]:
    return {"configured": {name: {"brokerName": broker_name, "storePathRootDir": f"{DATA}/{store}"}}}


def test_brokers_that_are_where_they_are_placed_stay() -> None:
    assert compared(both(configured("broker-a", "store"), configured("broker-a-s", "store-s"))) == []


def test_a_broker_that_exists_on_another_host_is_refused_with_the_pin_that_keeps_it() -> None:
    moved = both(configured("broker-a-s", "store-s"), configured("broker-a", "store"))
    assert compared(moved) == [
        "os1: has broker-a-s, which the inventory places on os2: keep it with broker_hosts: {broker-a: [os2, os1]}",
        "os2: has broker-a, which the inventory places on os1: keep it with broker_hosts: {broker-a: [os2, os1]}",
    ]


def test_a_broker_that_would_start_on_another_store_is_refused() -> None:
    (problem,) = compared(both(configured("broker-a", "store-2"), {}))
    assert problem.startswith(f"os1: has the messages of broker-a in {DATA}/store-2, the inventory says {DATA}/store:")


def test_a_broker_that_the_inventory_has_forgotten_is_refused() -> None:
    (problem,) = compared(both(configured("broker-c", "store-2", "broker-c"), {}))
    assert problem.startswith("os1: has broker-c, which the inventory no longer does: put it back")
    assert compared(both(configured("broker-c", "store-2", "broker-c"), {}), skip=("moved",)) == []


# ---- variables and ports


def test_a_renamed_variable_is_refused_with_its_successor() -> None:
    assert variable_problems(["common_wheel"], {"common_wheel": "runtime_wheel"}, {}) == [
        "has the variable common_wheel, which was renamed: set runtime_wheel"
    ]


def test_every_variable_that_was_renamed_has_successors_that_exist() -> None:
    renamed = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__preflight_renamed"]
    defaults = {
        name for path in ROLE.parent.glob("*/defaults/main.yml") for name in yaml.safe_load(path.read_text()) or {}
    }
    assert not defaults & set(renamed)
    for successors in renamed.values():
        assert set(successors.replace(" and ", ", ").split(", ")) <= defaults


def test_a_property_that_the_inventory_decides_is_refused_with_its_variable() -> None:
    refused = {"broker_config": ["brokerRole", "brokerId"], "nameserver_config": []}
    (problem,) = variable_problems([], {}, refused)
    assert problem.startswith("sets brokerRole, brokerId, which the inventory decides: remove it from broker_config")


def test_a_host_has_to_reach_name_servers_brokers_and_the_replication_of_its_masters_on_the_others() -> None:
    assert probe_addresses("os1", NAMESERVERS, BROKERS, ["os1", "os2"]) == [
        "192.168.56.12:9876",
        "192.168.56.12:11911",
        "192.168.56.12:10911",
        "192.168.56.12:10912",
    ]


def test_a_host_that_is_not_in_the_play_can_not_be_asked_to_listen() -> None:
    assert probe_addresses("os1", NAMESERVERS, BROKERS, ["os1"]) == []
