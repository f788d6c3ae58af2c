import json
from typing import Any

from plugins.filter.topology import (
    Instance,
    cluster_differences,
    host_addresses,
    pin_problems,
    place_brokers,
    place_nameservers,
    refused_keys,
    topology_problems,
)

TWO_HOSTS = {"os1": "192.168.56.11", "os2": "192.168.56.12"}
SETS = ("broker-a", "broker-b")


def brokers(
    addresses: dict[str, str] = TWO_HOSTS,
    sets: tuple[str, ...] = SETS,
    slaves: int = 1,
    replication: str = "async",
    port: int = 10911,
    step: int = 1000,
) -> list[Instance]:
    return place_brokers(list(addresses), addresses, sets, slaves, replication, port, step)


def nameservers(addresses: dict[str, str] = TWO_HOSTS, per_host: int = 1, port: int = 9876) -> list[Instance]:
    return place_nameservers(list(addresses), addresses, per_host, port)


def shown(instances: list[Instance], *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(instance[field] for field in fields) for instance in instances]


def test_two_hosts_get_a_master_each_and_the_slave_of_the_other() -> None:
    assert shown(brokers(), "host", "name", "role", "broker_id", "listen_port", "store") == [
        ("os1", "broker-a", "ASYNC_MASTER", 0, 10911, "store"),
        ("os2", "broker-a-s", "SLAVE", 1, 11911, "store-s"),
        ("os2", "broker-b", "ASYNC_MASTER", 0, 10911, "store"),
        ("os1", "broker-b-s", "SLAVE", 1, 11911, "store-s"),
    ]


def test_synchronous_replication_is_a_matter_of_the_masters_role() -> None:
    assert {broker["role"] for broker in brokers(replication="sync")} == {"SYNC_MASTER", "SLAVE"}


def test_one_host_takes_all_instances_on_ports_and_stores_of_their_own() -> None:
    lab = brokers({"localhost": "127.0.0.1"})
    assert shown(lab, "name", "listen_port", "store") == [
        ("broker-a", 10911, "store"),
        ("broker-a-s", 11911, "store-s"),
        ("broker-b", 12911, "store-2"),
        ("broker-b-s", 13911, "store-s2"),
    ]
    assert topology_problems(lab, nameservers({"localhost": "127.0.0.1"}, per_host=2)) == []


def test_a_broker_takes_the_port_two_below_and_the_one_above_its_own() -> None:
    assert brokers()[0]["ports"] == [10909, 10911, 10912]


def test_further_name_servers_of_a_host_take_the_ports_that_follow() -> None:
    found = nameservers({"localhost": "127.0.0.1"}, per_host=2)
    assert shown(found, "name", "address") == [("nameserver", "127.0.0.1:9876"), ("nameserver-2", "127.0.0.1:9877")]


def test_a_host_is_advertised_by_the_most_explicit_address_it_has() -> None:
    hostvars = {"a": {"common_address": "10.0.0.1", "ansible_host": "1.2.3.4"}, "b": {"ansible_host": "b.lan"}, "c": {}}
    assert host_addresses(["a", "b", "c"], hostvars) == {"a": "10.0.0.1", "b": "b.lan", "c": "c"}


def placed_on(addresses: dict[str, str], sets: tuple[str, ...], slaves: int, **pins: list[str]) -> dict[str, list[str]]:
    """Return the hosts of each set, its master's first."""
    found: dict[str, list[str]] = {}
    pinned = {name.replace("_", "-"): members for name, members in pins.items()}
    for broker in place_brokers(list(addresses), addresses, sets, slaves, "async", 10911, 1000, pinned):
        found.setdefault(broker["broker_name"], []).append(broker["host"])
    return found


FIVE_HOSTS = {f"os{number}": f"10.0.0.{number}" for number in range(1, 6)}


def test_with_a_slave_each_the_hosts_form_pairs_and_the_last_ones_a_ring_of_three() -> None:
    sets = ("broker-a", "broker-b", "broker-c", "broker-d", "broker-e")
    assert placed_on(FIVE_HOSTS, sets, 1) == {
        "broker-a": ["os1", "os2"],
        "broker-b": ["os2", "os1"],
        "broker-c": ["os3", "os4"],
        "broker-d": ["os4", "os5"],
        "broker-e": ["os5", "os3"],
    }


def test_a_pinned_set_is_where_the_pin_says() -> None:
    assert placed_on(FIVE_HOSTS, SETS, 1, broker_b=["os5", "os3"]) == {
        "broker-a": ["os1", "os2"],
        "broker-b": ["os5", "os3"],
    }


def test_a_set_that_is_pinned_nowhere_is_gone_and_its_place_stays_empty() -> None:
    left = place_brokers(["os1"], {"os1": "10.0.0.1"}, SETS, 0, "async", 10911, 1000, {"broker-a": []})
    assert shown(left, "name", "listen_port", "store") == [("broker-b", 12911, "store-2")]


def test_a_pin_that_can_not_be_followed_is_refused_and_not_followed() -> None:
    pins = {"broker-a": ["os9", "os2"], "broker-b": ["os1"], "broker-z": []}
    assert pin_problems(pins, SETS, list(TWO_HOSTS), 1) == [
        "broker_hosts pins broker-z, which broker_sets does not name",
        "broker_hosts pins broker-a to os9, which is not in the group broker",
        "broker_hosts pins broker-b to 1 of the hosts, it needs 2: one for the master and each of"
        " broker_slaves_per_master, or none to keep only its place",
    ]
    assert placed_on(TWO_HOSTS, SETS, 1, broker_a=["os9", "os2"])["broker-a"] == ["os1", "os2"]


def test_pins_that_can_be_followed_are_no_problem() -> None:
    assert pin_problems({"broker-a": ["os2", "os1"], "broker-b": []}, SETS, list(TWO_HOSTS), 1) == []


def test_a_pair_that_is_pinned_to_one_host_is_refused() -> None:
    pinned = place_brokers(["os1", "os2"], TWO_HOSTS, SETS, 1, "async", 10911, 1000, {"broker-a": ["os1", "os1"]})
    assert "broker-a has its master and a slave on 192.168.56.11 although there are other hosts" in problems(pinned)


def test_one_machine_under_two_names_would_give_two_brokers_one_store() -> None:
    aliased = {"os1": "192.168.56.11", "alias": "192.168.56.11"}
    found = problems(brokers(aliased, slaves=0), nameservers({"os1": "192.168.56.11"}))
    assert "broker-a and broker-b would both keep their messages in store on 192.168.56.11" in found


def problems(placed: list[Instance], names: list[Instance] | None = None) -> str:
    return "; ".join(topology_problems(placed, names or nameservers()))


def test_a_name_given_twice_is_refused() -> None:
    found = problems(brokers(sets=("broker-a", "broker-a")))
    assert "broker-a has the ids [0, 1, 0, 1]" in found
    assert "broker-a has 2 masters, it needs exactly one" in found
    assert "broker_sets" in found


def test_a_slave_with_the_masters_id_is_refused() -> None:
    placed = brokers(sets=("broker-a",))
    placed[1]["broker_id"] = 0
    assert "broker-a has a SLAVE with id 0" in problems(placed)


def test_a_set_without_a_master_is_refused() -> None:
    assert "broker-a has 0 masters" in problems(brokers(sets=("broker-a",))[1:])


def test_a_synchronous_master_without_a_slave_is_refused() -> None:
    assert "set broker_slaves_per_master to 1" in problems(brokers(slaves=0, replication="sync"))


def test_a_pair_on_one_machine_is_refused_although_the_inventory_gives_it_two_names() -> None:
    aliased = {"os1": "192.168.56.11", "alias": "192.168.56.11", "os2": "192.168.56.12"}
    found = problems(brokers(aliased, sets=("broker-a",)), nameservers({"os2": "192.168.56.12"}))
    assert "broker-a has its master and a slave on 192.168.56.11 although there are other hosts" in found


def test_two_name_servers_of_one_machine_on_one_port_are_refused() -> None:
    aliased = {"os1": "192.168.56.11", "alias": "192.168.56.11"}
    found = problems(brokers(sets=("broker-a",)), nameservers(aliased))
    assert "nameserver and nameserver on alias would both listen on 9876" in found


def test_brokers_whose_ports_overlap_are_refused_with_the_variables_that_move_them() -> None:
    found = problems(brokers({"os1": "10.0.0.1"}, step=2))
    assert "broker-a and broker-a-s on os1 would both listen on 10911" in found
    assert "broker_port_step (4 or more)" in found


def test_a_broker_on_the_port_of_a_name_server_is_refused() -> None:
    assert "nameserver and broker-a on os1 would both listen on 9876" in problems(brokers(port=9878))


def test_a_port_beyond_the_last_is_refused() -> None:
    assert "would listen on 65536, which is no port" in problems(brokers(port=65535, slaves=0))


def test_loopback_is_refused_as_the_address_of_one_of_several_hosts() -> None:
    found = problems(brokers({"os1": "127.0.0.1", "os2": "192.168.56.12"}))
    assert "os1 would advertise 127.0.0.1, which other hosts can't reach: set common_address" in found


def test_a_name_with_a_blank_is_refused() -> None:
    assert "the broker name 'broker a' has other characters" in problems(brokers(sets=("broker a",)))


def reported(placed: list[Instance], cluster: str = "DefaultCluster") -> list[dict[str, Any]]:
    return [
        {
            "clusterName": cluster,
            "brokerName": broker["broker_name"],
            "brokerId": broker["broker_id"],
            "brokerAddr": broker["address"],
            "reachable": True,
        }
        for broker in placed
    ]


def differences(report: list[dict[str, Any]], status: int = 0, error: str = "") -> list[str]:
    command = ["mqadmin", "clusterList", "-n", "192.168.56.11:9876", "-o", "json"]
    answer = {"cmd": command, "rc": status, "stdout": json.dumps(report), "stderr": error}
    return cluster_differences([answer], "DefaultCluster", brokers())


def test_a_report_that_equals_the_inventory_has_no_differences() -> None:
    assert differences(reported(brokers())[::-1]) == []


def test_an_empty_report_misses_every_broker() -> None:
    assert len(differences([])) == 4


def test_asking_no_name_server_proves_nothing() -> None:
    assert cluster_differences([], "DefaultCluster", brokers()) == ["no name server was asked"]


def test_a_broker_elsewhere_one_too_many_and_one_that_is_silent_are_differences() -> None:
    report = reported(brokers())
    report[0]["brokerAddr"] = "10.9.9.9:10911"
    report[1]["reachable"] = False
    report.append({**report[0], "brokerName": "old"})
    assert differences(report) == [
        "192.168.56.11:9876 says: broker-a with id 0 should be at 192.168.56.11:10911 and is 10.9.9.9:10911",
        "192.168.56.11:9876 says: old with id 0 is at 10.9.9.9:10911 and not in the inventory",
        "192.168.56.11:9876 says: broker-a with id 1 at 192.168.56.12:11911 does not answer",
    ]


def test_the_brokers_of_another_cluster_on_the_same_name_server_do_not_count() -> None:
    assert differences([*reported(brokers()), *reported(brokers(sets=("other",)), cluster="Other")]) == []


def test_a_name_server_that_does_not_answer_is_a_difference() -> None:
    assert differences([], status=3, error="mqadmin: no answer\n") == ["192.168.56.11:9876 says: mqadmin: no answer"]


def test_a_derived_property_is_refused_in_any_spelling_of_its_case() -> None:
    assert refused_keys({"brokerIp1": "10.0.0.1", "fileReservedTime": 24}, ["brokerIP1"]) == ["brokerIp1"]
