import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from plugins.filter.topology import (
    Instance,
    cluster_differences,
    foreign_listeners,
    host_addresses,
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


hosts = st.integers(1, 6).map(lambda count: {f"h{number}": f"10.0.0.{number + 1}" for number in range(count)})
set_names = st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True), min_size=1, max_size=8, unique=True).map(tuple)


@given(hosts, set_names, st.integers(0, 4))
def test_whatever_is_asked_for_can_work(addresses: dict[str, str], sets: tuple[str, ...], slaves: int) -> None:
    placed = brokers(addresses, sets, slaves, step=100)
    assert topology_problems(placed, nameservers(addresses)) == []
    assert len({(broker["host"], broker["store"]) for broker in placed}) == len(placed)
    assert len({broker["name"] for broker in placed}) == len(placed)


@given(hosts, set_names, st.integers(0, 4))
def test_ids_are_unique_and_one_is_the_master_and_no_slave_is_with_it(
    addresses: dict[str, str], sets: tuple[str, ...], slaves: int
) -> None:
    for name in sets:
        members = [broker for broker in brokers(addresses, sets, slaves) if broker["broker_name"] == name]
        assert sorted(member["broker_id"] for member in members) == list(range(slaves + 1))
        (master,) = [member for member in members if member["role"] == "ASYNC_MASTER"]
        assert master["broker_id"] == 0
        if len(addresses) > 1:
            assert master["host"] not in {member["host"] for member in members if member["role"] == "SLAVE"}


@given(hosts, set_names, st.integers(0, 4))
def test_no_two_instances_of_a_host_share_a_port(addresses: dict[str, str], sets: tuple[str, ...], slaves: int) -> None:
    ports = [
        (instance["host"], port)
        for instance in [*brokers(addresses, sets, slaves), *nameservers(addresses)]
        for port in instance["ports"]
    ]
    assert len(set(ports)) == len(ports)


@given(hosts, set_names, st.integers(0, 4))
def test_appending_a_set_moves_nothing_that_exists(
    addresses: dict[str, str], sets: tuple[str, ...], slaves: int
) -> None:
    assume("newest" not in sets)
    before = brokers(addresses, sets, slaves)
    assert brokers(addresses, (*sets, "newest"), slaves)[: len(before)] == before


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


def test_only_listeners_that_run_with_a_file_of_ours_are_ours() -> None:
    listeners: list[dict[str, Any]] = [
        {"port": 9876, "pid": 7, "argv": ["python", "bin/mqnamesrv", "-c", "/base/conf/nameserver.properties"]},
        {"port": 10911, "pid": 8, "argv": ["java", "BrokerStartup"]},
        {"port": 10912, "pid": None, "argv": []},
    ]
    assert foreign_listeners(listeners, "/base/conf") == [
        "port 10911 is taken by 'java BrokerStartup' with pid 8",
        "port 10912 is taken by a process of another user",
    ]


def test_a_derived_property_is_refused_in_any_spelling_of_its_case() -> None:
    assert refused_keys({"brokerIp1": "10.0.0.1", "fileReservedTime": 24}, ["brokerIP1"]) == ["brokerIp1"]
