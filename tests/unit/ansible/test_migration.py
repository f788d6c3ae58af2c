"""When a Java cluster can become ours, and who runs where."""

from typing import Any

import pytest

from plugins.filter.migration import (
    daemon_side,
    kv_problems,
    named_problems,
    property_problems,
    running_problems,
    store_problems,
)

JAVA, OURS = "/home/rocketmq/store", "/var/lib/broker-py/store"
WANTED = {"mappedFileSizeCommitLog": 1 << 30, "fileReservedTime": 72}
INSTANCE = {"name": "broker-a", "listen_port": 10911}
FILE = "/etc/broker-py/broker-a.properties"
STORE = {
    "side": "java",
    "begun": False,
    "log_file_bytes": [1 << 30],
    "queue_file_bytes": [6_000_000],
    "link": False,
    "movable": True,
    "empty": True,
}
RUNNING = {
    "storePathRootDir": JAVA,
    "fileReservedTime": "72",
    "maxMessageSize": "4194304",
    "flushDiskType": "ASYNC_FLUSH",
    "enableDLegerCommitLog": "false",
}


def judged(**found: Any) -> list[str]:
    return store_problems("broker-a", {**STORE, **found}, JAVA, OURS, WANTED, True)


def asked(properties: dict[str, Any] | None = None, /, **running: str) -> list[str]:
    return property_problems("broker-a", JAVA, {**RUNNING, **running}, {**WANTED, **(properties or {})})


@pytest.mark.parametrize(
    ("argv", "side"),
    [
        ([["/opt/broker-py/current/bin/mqbroker", "-c", FILE]], "ours"),
        ([["java", "-cp", "...", "org.apache.rocketmq.broker.BrokerStartup", "-c", "broker.conf"]], "java"),
        ([[]], "java"),
        ([], "none"),
    ],
)
def test_ours_is_known_by_the_file_that_it_runs_with(argv: list[list[str]], side: str) -> None:
    others = [{"port": 10912, "argv": ["x", FILE]}]
    assert daemon_side([*others, *({"port": 10911, "argv": each} for each in argv)], INSTANCE, FILE) == side


def test_every_instance_has_to_be_described_and_nothing_else() -> None:
    known = ["broker-a", "broker-b"]
    assert named_problems({"broker-a": {}, "broker-b": {}}, ["broker-a"], "migration_brokers", known) == []
    assert named_problems({"broker-z": {}}, ["broker-a"], "migration_brokers", known) == [
        "migration_brokers does not say how Java's broker-a is stopped and started",
        "migration_brokers has broker-z, which the inventory does not",
    ]


def test_a_store_that_only_has_to_be_renamed_is_no_problem() -> None:
    assert judged() == []
    assert judged(log_file_bytes=[], queue_file_bytes=[]) == []


def test_a_store_that_is_ours_already_is_not_judged_again() -> None:
    assert judged(side="ours", empty=False, log_file_bytes=[4096]) == []


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"side": "none"}, "move that to /home/rocketmq/store/commitlog"),
        ({"side": "both"}, "a store in /home/rocketmq/store and one in /var/lib/broker-py/store"),
        ({"link": True}, "its commitlog as a link"),
        ({"movable": False}, "set common_data_dir to a directory of the same mounted file system"),
        ({"empty": False}, "/var/lib/broker-py/store, which is not empty"),
        ({"log_file_bytes": [1 << 20]}, "set mappedFileSizeCommitLog to 1048576 in broker_config"),
        ({"queue_file_bytes": [40, 6_000_000]}, "files of 40 and 6000000 bytes"),
    ],
)
def test_a_store_that_can_t_be_taken_over_is_refused_with_what_to_do(found: dict[str, Any], says: str) -> None:
    [problem] = judged(**found)
    assert says in problem


@pytest.mark.parametrize(("unit", "problems"), [(True, 1), (False, 0)])
def test_a_unit_sees_no_home_directories(unit: bool, problems: int) -> None:
    assert len(store_problems("broker-a", STORE, JAVA, "/home/rocketmq/ours", WANTED, unit)) == problems


def test_the_size_of_a_consume_queue_s_files_is_rounded_up_as_both_brokers_do() -> None:
    wanted = {**WANTED, "mappedFileSizeConsumeQueue": 39}
    assert store_problems("broker-a", {**STORE, "queue_file_bytes": [40]}, JAVA, OURS, wanted, True) == []


@pytest.mark.parametrize("side", ["java", "ours"])
def test_who_runs_has_to_be_whose_the_store_is(side: str) -> None:
    other = {"java": "ours", "ours": "java"}[side]
    assert running_problems("broker-a", {**STORE, "side": side}, side) == []
    assert len(running_problems("broker-a", {**STORE, "side": side}, other)) == 1


def test_nobody_may_run_only_where_a_move_was_interrupted() -> None:
    assert running_problems("broker-a", STORE, "none") == ["broker-a of Java does not run: start it first"]
    assert running_problems("broker-a", {**STORE, "begun": True}, "none") == []
    assert running_problems("broker-a", {**STORE, "side": "ours"}, "none") == []


def test_a_java_broker_that_does_what_ours_will_do_is_no_problem() -> None:
    assert asked() == []
    assert asked(storePathRootDir=f"{JAVA}/", storePathCommitLog=f"{JAVA}//commitlog") == []
    assert asked({"flushDiskType": "SYNC_FLUSH"}, flushDiskType="SYNC_FLUSH") == []


@pytest.mark.parametrize(
    ("running", "says"),
    [
        ({"storePathRootDir": "/data/store"}, "has its store in /data/store: set store"),
        ({"storePathCommitLog": "/ssd/log"}, "has its log in /ssd/log"),
        ({"enableControllerMode": "true"}, "run by controllers"),
        ({"enableDLegerCommitLog": "true"}, "DLedger"),
        ({"aclEnable": "true"}, "aclEnable=true, and ours would have false: set broker_acl_enable to true"),
        ({"enablePropertyFilter": "true"}, "set enablePropertyFilter in broker_config"),
        ({"messageDelayLevel": "1s 1h"}, "messageDelayLevel=1s 1h, and ours would have 1s 5s"),
        ({"fileReservedTime": "168"}, "fileReservedTime=168, and ours would have 72: set fileReservedTime"),
        ({"maxMessageSize": "8388608"}, "ours would have 4194304"),
        ({"flushDiskType": "SYNC_FLUSH"}, "set broker_flush_disk_type"),
    ],
)
def test_what_ours_would_do_otherwise_is_refused(running: dict[str, str], says: str) -> None:
    problem = asked(**running)[0]
    assert says in problem


@pytest.mark.parametrize("value", [True, "true"])
def test_a_cluster_with_access_rules_moves_to_one_with_access_rules(value: bool | str) -> None:
    assert asked({"aclEnable": value}, aclEnable="true") == []


def test_a_timer_that_java_has_must_not_be_off_here() -> None:
    assert asked(timerWheelEnable="true") == []
    [problem] = asked({"timerWheelEnable": False}, timerWheelEnable="true")
    assert "set timerWheelEnable in broker_config" in problem
    assert asked({"timerWheelEnable": False}, timerWheelEnable="false") == []


def test_kv_configurations_elsewhere_would_be_left_behind() -> None:
    assert kv_problems("nameserver", "/root/namesrv/kvConfig.json", {}) == []
    assert kv_problems("nameserver", "/a/kv.json", {"kvConfigPath": "/a//kv.json"}) == []
    [problem] = kv_problems("nameserver", "/a/kv.json", {"kvConfigPath": "/b/kv.json"})
    assert "/b/kv.json" in problem
