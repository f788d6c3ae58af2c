"""When a rolling operation may go on."""

from typing import Any

import pytest

from plugins.filter.rolling import (
    drained_master,
    forgotten_brokers,
    gate_problems,
    health_problems,
    instance_problems,
    joining_sets,
    left_brokers,
    masterless_set,
    ordered_topics_of,
    rollback_target,
    settings_to_copy,
    uncaught_slaves,
    without_peers,
)
from plugins.filter.topology import place_brokers

NAMESERVERS = ["os1:9876", "os2:9876"]
HOSTS = ["os1", "os2"]
PLAIN = {"read_queues": 4, "write_queues": 4, "perm": 6, "order": False, "attributes": {}}
Info = dict[str, Any]


def placed(sets: tuple[str, ...] = ("broker-a", "broker-b"), slaves: int = 1, replication: str = "sync") -> list[Any]:
    return place_brokers(HOSTS, {host: host for host in HOSTS}, sets, slaves, replication, 10911, 1000)


def cluster(instances: list[Any]) -> Info:
    """Return what `cluster_info` says of instances that all run and are well."""
    brokers = [
        {
            "broker_name": each["broker_name"],
            "broker_id": each["broker_id"],
            "address": each["address"],
            "name_servers": list(NAMESERVERS),
            "reachable": True,
            "role": each["role"],
            "permission": 6,
            "log_end": 1000,
            "disk_ratio": 0.1,
        }
        for each in instances
    ]
    names = dict.fromkeys(each["broker_name"] for each in instances)
    sets = {
        name: {"slaves": [{"address": each["address"], "lag_bytes": 0} for each in brokers if each["broker_id"]]}
        for name in names
    }
    return {
        "brokers": brokers,
        "sets": sets,
        "problems": [],
        "topics": {name: {"Orders": PLAIN} for name in names},
        "subscription_groups": {name: {"billing": {"retry_max_times": 3}} for name in names},
        "groups": {},
    }


def broker(info: Info, address: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = [each for each in info["brokers"] if each["address"] == address]
    return found


def named(instances: list[Any], name: str) -> Any:
    [found] = [each for each in instances if each["name"] == name]
    return found


def test_a_cluster_that_is_what_was_placed_has_no_problems() -> None:
    assert instance_problems(cluster(placed()), placed(), NAMESERVERS, 0) == []


def test_an_empty_answer_is_a_problem_for_every_instance() -> None:
    nothing: Info = {"brokers": [], "sets": {}}
    problems = instance_problems(nothing, placed(), NAMESERVERS, 0)
    assert sum("no name server reports it" in problem for problem in problems) == len(placed())
    assert "broker-a-s does not follow the master of broker-a" in problems


def test_a_broker_that_one_name_server_does_not_know_is_not_there_yet() -> None:
    info = cluster(placed())
    broker(info, "os1:10911")["name_servers"] = ["os1:9876"]
    assert instance_problems(info, placed(), NAMESERVERS, 0) == [
        "broker-a is not registered at the name server os2:9876"
    ]


def test_a_broker_that_is_silent_or_has_another_role_is_a_problem() -> None:
    info = cluster(placed())
    broker(info, "os1:10911")["reachable"] = False
    broker(info, "os2:10911")["role"] = "ASYNC_MASTER"
    assert instance_problems(info, placed(), NAMESERVERS, 0) == [
        "broker-a at os1:10911 does not answer",
        "broker-b runs as ASYNC_MASTER and should be SYNC_MASTER",
    ]


def test_a_slave_may_be_as_far_behind_as_is_allowed_and_no_further() -> None:
    info = cluster(placed())
    for slave in info["sets"]["broker-a"]["slaves"]:
        slave["lag_bytes"] = 100
    assert instance_problems(info, placed(), NAMESERVERS, 100) == []
    assert instance_problems(info, placed(), NAMESERVERS, 99) == [
        "broker-a-s is 100 bytes behind its master, at most 99 are fine"
    ]


def test_a_broker_that_comes_back_with_a_shorter_log_or_without_a_topic_does_not_pass_the_gate() -> None:
    before, now = cluster(placed()), cluster(placed())
    broker(now, "os1:10911")["log_end"] = 999
    now["topics"]["broker-a"] = {}
    assert gate_problems(now, before, named(placed(), "broker-a"), placed(), NAMESERVERS, 0) == [
        "broker-a lost messages: its log ends at 999 and ended at 1000 before",
        "broker-a has lost the topic Orders",
    ]


def test_the_gate_looks_at_the_set_of_the_instance_only() -> None:
    before, now = cluster(placed()), cluster(placed())
    broker(now, "os2:10911")["reachable"] = False
    assert gate_problems(now, before, named(placed(), "broker-a-s"), placed(), NAMESERVERS, 0) == []


@pytest.mark.parametrize(
    ("name", "slaves", "replication", "drained"),
    [
        ("broker-a", 1, "async", "broker-a"),
        ("broker-a-s", 1, "async", None),
        ("broker-a-s", 1, "sync", "broker-a"),
        ("broker-a-s", 2, "sync", None),  # the other slave confirms
    ],
)
def test_a_master_is_drained_for_itself_and_for_the_slave_that_its_sends_need(
    name: str, slaves: int, replication: str, drained: str | None
) -> None:
    instances = placed(slaves=slaves, replication=replication)
    master = drained_master(named(instances, name), instances)
    assert (master and master["name"]) == drained


def test_a_set_without_peers_is_not_drained_as_nobody_could_take_its_messages() -> None:
    alone = placed(sets=("broker-a",))
    assert without_peers(alone[0], alone)
    assert drained_master(alone[0], alone) is None
    assert not without_peers(placed()[0], placed())


def test_slaves_of_a_drained_master_must_hold_everything_but_others_may_be_a_bit_behind() -> None:
    info, instances = cluster(placed()), placed()
    for slave in info["sets"]["broker-a"]["slaves"]:
        slave["lag_bytes"] = 1
    master = named(instances, "broker-a")
    assert uncaught_slaves(info, master, instances, None, 10) == []
    assert uncaught_slaves(info, master, instances, master, 10) == [
        "broker-a-s is 1 bytes behind its master, at most 0 are fine"
    ]
    assert uncaught_slaves(info, named(instances, "broker-a-s"), instances, master, 10) == []


def test_a_name_server_is_back_when_it_reports_what_was_there() -> None:
    before, now = cluster(placed()), cluster(placed())
    assert forgotten_brokers(now, before, "os1:9876") == []
    broker(now, "os2:10911")["name_servers"].remove("os1:9876")
    assert forgotten_brokers(now, before, "os1:9876") == [
        "the name server os1:9876 does not report broker-b with id 0 at os2:10911, which was there before"
    ]


def links(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"current": current, "previous": previous} for current, previous in pairs]


@pytest.mark.parametrize(
    ("releases", "target"),
    [
        (links(("2", "1"), ("2", "1")), "1"),
        (links(("2", "1"), ("1", "")), "1"),  # the upgrade stopped half-way
        (links(("2", "1"), ("1", "0")), "1"),
        (links(("1", ""), ("1", "")), ""),
        (links(("2", "1"), ("2", "0")), ""),
    ],
)
def test_a_rollback_goes_to_the_release_that_all_hosts_had(releases: list[dict[str, str]], target: str) -> None:
    found = rollback_target(releases)
    assert found["release"] == target
    assert bool(found["problem"]) == (target == "")


def test_a_set_joins_until_its_master_may_be_written_to_and_has_topics() -> None:
    instances = placed(sets=("broker-a", "broker-b", "broker-c", "broker-d"))
    info = cluster([each for each in instances if each["broker_name"] != "broker-d"])
    broker(info, named(instances, "broker-b")["address"])["permission"] = 4
    info["topics"]["broker-c"] = {}
    assert joining_sets(info, instances) == ["broker-b", "broker-c", "broker-d"]


def test_a_cluster_without_topics_has_no_set_that_joins() -> None:
    info = cluster(placed())
    info["topics"] = {"broker-a": {}, "broker-b": {}}
    assert joining_sets(info, placed()) == []


def test_what_a_new_set_lacks_is_copied_and_what_it_has_stays() -> None:
    info = cluster(placed())
    info["topics"]["broker-a"] = {"Orders": PLAIN, "New": {**PLAIN, "perm": 4}, "Steps": {**PLAIN, "order": True}}
    info["subscription_groups"]["broker-b"] = {}
    assert settings_to_copy(info, "broker-a", "broker-b") == {
        "groups": [{"name": "billing", "retry_max_times": 3}],
        "topics": [{"name": "New", **PLAIN, "perm": 4}, {"name": "Steps", **PLAIN, "order": True}],
        "ordered": [{"name": "Steps"}],
    }


def test_a_topic_that_is_ordered_anywhere_is_looked_at_again() -> None:
    info = cluster(placed())
    info["topics"]["broker-a"]["Steps"] = {**PLAIN, "order": True}
    info["topics"]["broker-b"]["Steps"] = PLAIN
    assert ordered_topics_of(info, "broker-b") == ["Steps"]


def test_a_set_whose_master_is_away_can_not_tell_what_is_left_on_it() -> None:
    info = cluster(placed())
    assert masterless_set(info, "broker-a") == []
    broker(info, "os1:10911")["reachable"] = False
    assert masterless_set(info, "broker-a") == ["broker-a has no master that answers: start it first"]
    assert masterless_set(info, "broker-z") == []


def test_a_set_is_gone_when_no_name_server_reports_it() -> None:
    assert left_brokers(cluster(placed()), "broker-z") == []
    assert left_brokers(cluster(placed(slaves=0)), "broker-a") == ["os1:10911 is still reported by os1:9876, os2:9876"]


def test_health_names_disks_and_groups_over_their_limits() -> None:
    info = cluster(placed())
    info["problems"] = ["a name server does not answer"]
    info["groups"] = {"billing": {"Orders": 11, "Other": 10}, "dead": {"Orders": 99}}
    broker(info, "os1:10911")["disk_ratio"] = 0.91
    assert health_problems(info, 0.9, 10, ["dead"]) == [
        "a name server does not answer",
        "the disk of os1:10911 (broker-a) is 91% full, 90% is the limit",
        "the group billing is 11 messages of Orders behind, 10 are the limit",
    ]
