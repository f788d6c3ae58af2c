"""mqadmin as scripts and people see it: stdout, stderr, exit status."""

import json
import subprocess
import sys
from typing import Any

import pytest

from broker_py.cli.catalogue import COMMANDS, REFUSED
from broker_py.cli.mqadmin import main
from broker_py.message.ids import offset_message_id, pack_host
from broker_py.model.group import GroupConfig
from broker_py.model.subscription import ConsumerData
from broker_py.model.topic import TopicConfig
from broker_py.wire.codes import RequestCode
from tests.unit.client.fake_cluster import FakeCluster

Capture = pytest.CaptureFixture[str]
NOBODY = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAMESRV_ADDR", raising=False)


@pytest.fixture
def topic(cluster: FakeCluster) -> str:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("T", 2)
    cluster.store_a.fill("T", 1, [b"one", b"two"])
    return "T"


def status(*argv: object) -> int:
    """Return the exit status of mqadmin, as the process would have it."""
    try:
        return main([str(each) for each in argv])
    except SystemExit as end:
        return int(end.code or 0)


def data(capsys: Capture, *argv: object) -> Any:
    """Return what a successful command prints as JSON."""
    assert status(*argv) == 0
    return json.loads(capsys.readouterr().out)


def lines(capsys: Capture, *argv: object) -> list[str]:
    """Return the lines that a successful command prints."""
    assert status(*argv) == 0
    return capsys.readouterr().out.splitlines()


# Help, usage, exit statuses


@pytest.mark.parametrize("argv", [["-h"], ["--help"], ["help"]])
def test_help_lists_all_commands(capsys: Capture, argv: list[str]) -> None:
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


def test_without_a_command_the_list_is_a_usage_error(capsys: Capture) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert (captured.out, "clusterList" in captured.err) == ("", True)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_options(capsys: Capture, name: str) -> None:
    assert status("help", name) == 0
    out = capsys.readouterr().out
    assert ("--namesrvAddr" in out) == (name not in ("checkStore", "dumpLog", "checkAcl", "checkTls", "completion"))
    assert ("--output" in out) == (name != "completion")
    assert f"example: mqadmin {name}" in out or not COMMANDS[name].example


@pytest.mark.parametrize("name", REFUSED)
def test_a_command_that_makes_no_sense_here_says_why(capsys: Capture, name: str) -> None:
    assert status(name, "-n", NOBODY) == 1
    assert capsys.readouterr().err == f"mqadmin {name}: {REFUSED[name]}\n"


def test_an_unknown_command_is_answered_with_the_nearest_one(capsys: Capture) -> None:
    assert status("clusterlst") == 2
    assert "did you mean clusterList?" in capsys.readouterr().err


def test_a_missing_option_is_a_usage_error_that_names_it(capsys: Capture) -> None:
    assert status("topicRoute", "-n", NOBODY) == 2
    assert "-t/--topic" in capsys.readouterr().err


def test_without_name_server_the_option_is_named(capsys: Capture) -> None:
    assert status("topicList") == 2
    assert "NAMESRV_ADDR" in capsys.readouterr().err


def test_a_name_server_that_is_no_address_is_a_usage_error(capsys: Capture) -> None:
    assert status("topicList", "-n", "nonsense") == 2
    assert "'nonsense' is not an address" in capsys.readouterr().err


def test_the_environment_names_the_name_server(
    cluster: FakeCluster, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMESRV_ADDR", cluster.namesrv)
    assert data(capsys, "topicList", "-o", "json") == []


def test_an_unreachable_name_server_is_status_3_and_one_sentence(capsys: Capture) -> None:
    assert status("clusterList", "-n", NOBODY) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert NOBODY in captured.err


def test_a_refusal_is_status_1_and_one_sentence_with_the_code(cluster: FakeCluster, capsys: Capture) -> None:
    assert status("topicRoute", "-n", cluster.namesrv, "-t", "Nowhere") == 1
    err = capsys.readouterr().err
    assert err == "mqadmin topicRoute: No topic route info in name server for the topic: Nowhere (CODE: 17)\n"


def test_a_broker_by_its_address_needs_no_name_server(cluster: FakeCluster, capsys: Capture) -> None:
    assert data(capsys, "brokerStatus", "-b", cluster.a.address, "-o", "json")["brokerActive"] == "true"


def test_help_does_not_wait_for_the_event_loop_to_be_imported() -> None:
    code = "import sys; from broker_py.cli.mqadmin import main; main(['-h']); sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_a_command_imports_neither_producers_nor_consumers(cluster: FakeCluster) -> None:
    code = (
        "import sys; from broker_py.cli.mqadmin import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "topicList", "-n", cluster.namesrv]
    imported = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True).stderr
    heavy = {"client.producer", "client.push_consumer", "client.pull_consumer", "client.administration", "runtime.tls"}
    assert {f"broker_py.{name}" for name in heavy}.isdisjoint(imported.split())
    assert "broker_py.client.brokers" in imported.split()


# Clusters and brokers


def test_cluster_list_is_a_table_with_rocketmqs_columns(cluster: FakeCluster, capsys: Capture) -> None:
    header, first, *_ = lines(capsys, "clusterList", "-n", cluster.namesrv)
    assert header.split("  ")[0] == "#Cluster Name"
    assert first.split()[:5] == ["C", "broker-a", "0", cluster.a.address, "V5_1_0"]
    assert header.index("#Addr") == first.index(cluster.a.address)


def test_cluster_list_as_json(cluster: FakeCluster, capsys: Capture) -> None:
    brokers = data(capsys, "clusterList", "-n", cluster.namesrv, "-o", "json")
    assert [(each["brokerName"], each["brokerId"], each["inTps"]) for each in brokers] == [
        ("broker-a", 0, 12.5),
        ("broker-a", 1, 12.5),
        ("broker-b", 0, 12.5),
    ]


def test_cluster_list_with_totals(cluster: FakeCluster, capsys: Capture) -> None:
    header, first, *_ = lines(capsys, "clusterList", "-m", "-n", cluster.namesrv)
    assert "#InTotalYest" in header
    assert first.split() == ["C", "broker-a", "0", "20", "0", "100", "0"]


def test_a_silent_broker_is_in_the_list_and_the_reason_on_stderr(cluster: FakeCluster, capsys: Capture) -> None:
    cluster.do(cluster.b.stop())
    assert status("clusterList", "-n", cluster.namesrv) == 0
    captured = capsys.readouterr()
    assert "unreachable" in captured.out
    assert "broker-b (id 0)" in captured.err


def test_broker_properties_are_shown_changed_and_shown_again(cluster: FakeCluster, capsys: Capture) -> None:
    address = cluster.a.address
    assert "fileReservedTime" + " " * 34 + "=  48" in lines(capsys, "getBrokerConfig", "-b", address)
    assert status("updateBrokerConfig", "-b", address, "-k", "fileReservedTime", "-v", "72") == 0
    assert f"update broker config success, {address}" in capsys.readouterr().out
    assert data(capsys, "getBrokerConfig", "-b", address, "-o", "json")["fileReservedTime"] == "72"


def test_properties_of_a_cluster_tell_masters_from_slaves(cluster: FakeCluster, capsys: Capture) -> None:
    out = lines(capsys, "getBrokerConfig", "-c", "C", "-n", cluster.namesrv)
    assert f"============Master of broker-a: {cluster.a.address}============" in out
    assert f"============Slave 1 of broker-a: {cluster.slave.address}============" in out


def test_runtime_values_of_a_cluster_come_with_addresses(cluster: FakeCluster, capsys: Capture) -> None:
    out = lines(capsys, "brokerStatus", "-c", "C", "-n", cluster.namesrv)
    assert any(line.startswith(cluster.slave.address) and "putTps" in line for line in out)


def test_a_refused_property_is_status_1(cluster: FakeCluster, capsys: Capture) -> None:
    assert status("updateBrokerConfig", "-b", cluster.a.address, "-k", "noSuch", "-v", "1") == 1
    assert "noSuch is not a property" in capsys.readouterr().err


def test_a_change_that_not_all_brokers_could_be_told_is_status_3(cluster: FakeCluster, capsys: Capture) -> None:
    cluster.do(cluster.b.stop())
    argv = ("updateBrokerConfig", "-c", "C", "-k", "fileReservedTime", "-v", "72", "-n", cluster.namesrv)
    assert status(*argv) == 3
    captured = capsys.readouterr()
    assert cluster.a.address in captured.out
    assert cluster.b.address in captured.err


def test_write_permission_is_wiped_and_added(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    where = ("-b", "broker-a", "-n", cluster.namesrv)
    wiped = f"wipe write perm of broker[broker-a] in name server[{cluster.namesrv}] OK, 1"
    assert lines(capsys, "wipeWritePerm", *where) == [wiped]
    assert cluster.store_a.topics[topic].perm == 4
    [outcome] = data(capsys, "addWritePerm", *where, "-o", "json")
    assert outcome == {"address": cluster.namesrv, "done": True, "count": 1}


# Topics


def test_a_topic_is_made_listed_shown_and_deleted(cluster: FakeCluster, capsys: Capture) -> None:
    where = ("-n", cluster.namesrv)
    made = lines(capsys, "updateTopic", "-c", "C", "-t", "New", "-r", 4, "-w", 2, "-p", 6, *where)
    assert made[0].startswith(f"create topic to {cluster.a.address} success")
    assert lines(capsys, "topicList", *where) == ["New"]
    route = json.loads("\n".join(lines(capsys, "topicRoute", "-t", "New", *where)))
    assert [queues["writeQueueNums"] for queues in route["queueDatas"]] == [2, 2]
    assert lines(capsys, "topicRoute", "-l", "-t", "New", *where)[-1].split() == ["Total:", "2", "8", "4"]
    assert status("deleteTopic", "-t", "New", "-c", "C", *where) == 0
    assert cluster.store_a.topics == {}


@pytest.mark.parametrize("argv", [["-o", "true", "-o", "json"], ["-o", "true", "--output", "json"]])
def test_option_o_of_update_topic_is_order_and_output(cluster: FakeCluster, capsys: Capture, argv: list[str]) -> None:
    outcomes = data(capsys, "updateTopic", "-c", "C", "-t", "New", *argv, "-n", cluster.namesrv)
    assert [outcome["done"] for outcome in outcomes] == [True, True]
    assert cluster.store_a.topics["New"].order


def test_option_o_of_update_topic_takes_nothing_else(capsys: Capture) -> None:
    assert status("updateTopic", "-b", NOBODY, "-t", "New", "-o", "maybe") == 2
    assert "'maybe' is neither true nor false" in capsys.readouterr().err


def test_queue_numbers_permission_and_flags_default_to_rocketmqs(cluster: FakeCluster) -> None:
    assert status("updateTopic", "-b", cluster.a.address, "-t", "New", "-u", "true", "-s", "true") == 0
    assert cluster.store_a.topics["New"] == TopicConfig(
        topic_name="New", read_queue_nums=8, write_queue_nums=8, perm=6, topic_sys_flag=3
    )


def test_an_illegal_topic_name_is_refused_before_anything_is_asked(capsys: Capture) -> None:
    assert status("updateTopic", "-b", NOBODY, "-t", "a b") == 1
    assert "illegal characters" in capsys.readouterr().err


def test_a_broker_and_a_cluster_exclude_one_another(capsys: Capture) -> None:
    assert status("updateTopic", "-b", NOBODY, "-c", "C", "-t", "New") == 2


def test_permission_is_changed(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    out = lines(capsys, "updateTopicPerm", "-b", cluster.a.address, "-t", topic, "-p", 4)
    assert out == [f"update topic perm from 6 to 4 in {cluster.a.address} success"]
    assert cluster.store_a.topics[topic].perm == 4


def test_topic_status_shows_each_queue(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    queues = data(capsys, "topicStatus", "-t", topic, "-n", cluster.namesrv, "-o", "json")
    assert [(each["brokerName"], each["queueId"], each["maxOffset"]) for each in queues] == [
        ("broker-a", 0, 0),
        ("broker-a", 1, 2),
        ("broker-b", 0, 0),
        ("broker-b", 1, 0),
    ]
    header, *_ = lines(capsys, "topicStatus", "-t", topic, "-n", cluster.namesrv)
    assert header.split("  ")[0] == "#Broker Name"


def test_topic_list_with_clusters(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    header, row = lines(capsys, "topicList", "-c", "-n", cluster.namesrv)
    assert header.split() == ["#Cluster", "Name", "#Topic", "#Consumer", "Group"]
    assert row.split() == ["C", topic]


# Groups


def test_progress_of_a_group(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    cluster.store_a.join("10.0.0.9@1#1", ConsumerData(group_name="G"))
    cluster.store_a.offsets["G", topic, 1] = 1
    where = ("-n", cluster.namesrv)
    header, row, *rest = lines(capsys, "consumerProgress", "-g", "G", "-s", "true", *where)
    assert "#Client IP" in header
    assert row.split()[:7] == [topic, "broker-a", "1", "2", "1", "N/A", "1"]
    assert "Consume Diff Total: 1" in rest
    progress = data(capsys, "consumerProgress", "-g", "G", "-o", "json", *where)
    assert (progress["diffTotal"], progress["queues"][0]["consumerOffset"]) == (1, 1)
    header, row = lines(capsys, "consumerProgress", *where)
    assert row.split() == ["G", "1", "V5_1_0", "PUSH", "CLUSTERING", "1", "1"]
    [group] = data(capsys, "consumerProgress", "-o", "json", *where)
    assert (group["group"], group["count"]) == ("G", 1)


def test_a_group_is_made_as_mqadmin_makes_it_shown_and_deleted(cluster: FakeCluster, capsys: Capture) -> None:
    where = ("-g", "G", "-n", cluster.namesrv)
    made = data(capsys, "updateSubGroup", "-c", "C", "-r", 3, "-o", "true", "-d", "true", "-o", "json", *where)
    assert [each["done"] for each in made] == [True, True]
    assert cluster.store_a.groups["G"] == GroupConfig(
        group_name="G",
        retry_max_times=3,
        consume_message_orderly=True,
        consume_from_min_enable=False,
        consume_broadcast_enable=True,
    )
    shown = data(capsys, "getConsumerConfig", "-o", "json", *where)
    assert [(each["brokerName"], each["retryMaxTimes"]) for each in shown] == [("broker-a", 3), ("broker-b", 3)]
    assert lines(capsys, "getConsumerConfig", *where)[0].strip("=") == "C:broker-a"
    cluster.store_a.add_topic("%RETRY%G")
    assert status("deleteSubGroup", "-c", "C", *where) == 0
    assert (cluster.store_a.groups, cluster.store_a.topics) == ({}, {})


def test_a_group_is_deleted_from_one_broker_with_its_offsets(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.groups["G"] = GroupConfig(group_name="G")
        store.offsets["G", "T", 0] = 1
    assert status("deleteSubGroup", "-b", cluster.a.address, "-g", "G", "-r", "true") == 0
    assert (cluster.store_a.groups, cluster.store_a.offsets) == ({}, {})
    assert (list(cluster.store_b.groups), cluster.store_b.offsets) == (["G"], {("G", "T", 0): 1})


def test_a_group_that_no_broker_knows_is_status_1(cluster: FakeCluster, capsys: Capture) -> None:
    assert status("getConsumerConfig", "-g", "H", "-n", cluster.namesrv) == 1
    assert "no broker knows the consumer group H" in capsys.readouterr().err


def test_a_retry_policy_that_is_no_object_is_a_usage_error(capsys: Capture) -> None:
    assert status("updateSubGroup", "-b", NOBODY, "-g", "G", "-p", "[1]") == 2
    assert "is not a JSON object" in capsys.readouterr().err


def test_replication_is_shown_by_a_master_and_by_a_slave(cluster: FakeCluster, capsys: Capture) -> None:
    slave = {"addr": "10.0.0.2:4000", "slaveAckOffset": 90, "diff": 10, "inSync": True, "transferFromWhere": 95}
    cluster.a.replication = {"master": True, "masterCommitLogMaxOffset": 100, "haConnectionInfo": [slave]}
    shown = lines(capsys, "haStatus", "-b", cluster.a.address)
    assert "#InSyncSlaveNum\t1" in shown
    assert shown[-2].split() == ["10.0.0.2:4000", "90", "10", "0.00", "OK", "95"]
    of_cluster = data(capsys, "haStatus", "-c", "C", "-o", "json", "-n", cluster.namesrv)
    assert [(each["isMaster"], each["logEnd"], len(each["slaves"])) for each in of_cluster] == [
        (True, 100, 1),
        (True, 0, 0),
    ]
    cluster.slave.replication = {"master": False, "haClientRuntimeInfo": {"masterAddr": "m:1", "maxOffset": 90}}
    assert lines(capsys, "haStatus", "-b", cluster.slave.address)[:2] == ["#MasterAddr\tm:1", "#CommitLogMaxOffset\t90"]
    for broker in (cluster.a, cluster.slave):
        broker.replication["fault"] = "this store is ahead"
        assert "#Fault\tthis store is ahead" in lines(capsys, "haStatus", "-b", broker.address)


# Messages


def test_a_message_is_sent_and_found_again(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    where = ("-t", topic, "-n", cluster.namesrv)
    argv = ("-p", "find me", "-k", "key", "-c", "TagQ", "-b", "broker-b", "-i", 1)
    header, row = lines(capsys, "sendMessage", *where, *argv)
    assert header.split("  ")[0] == "#Broker Name"
    assert row.split()[:3] == ["broker-b", "1", "SEND_OK"]
    message_id = row.split()[3]
    found = lines(capsys, "queryMsgByOffset", *where, "-b", "broker-b", "-i", 1, "-o", 0)
    assert f"{'MessageID:':<20} {message_id}" in found
    assert f"{'Message Body:':<20} find me" in found
    message = data(capsys, "queryMsgByOffset", *where, "-b", "broker-b", "-i", 1, "-o", 0, "-o", "json")
    assert (message["body"], message["tags"], message["keys"]) == ("find me", "TagQ", "key")


def test_a_body_that_is_no_text_is_given_in_hexadecimal(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    cluster.store_a.fill(topic, 0, [b"\xff\x00"])
    argv = ("-t", topic, "-b", "broker-a", "-i", 0, "-o", 0, "--output", "json", "-n", cluster.namesrv)
    message = data(capsys, "queryMsgByOffset", *argv)
    assert (message["bodyHex"], "body" in message) == ("ff00", False)


def test_a_message_is_found_by_its_key_and_by_both_its_ids(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    where = ("-t", topic, "-n", cluster.namesrv)
    for name in ("broker-a", "broker-b"):
        lines(capsys, "sendMessage", *where, "-p", f"on {name}", "-k", "key other", "-b", name, "-i", 1)
    header, *rows = lines(capsys, "queryMsgByKey", *where, "-k", "key")
    assert header.split("  ")[0] == "#Message ID"
    assert len(rows) == 2
    messages = data(capsys, "queryMsgByKey", *where, "-k", "other", "-o", "json")
    assert sorted(message["body"] for message in messages) == ["on broker-a", "on broker-b"]
    unique = messages[0]["messageId"]
    assert f"{'MessageID:':<20} {unique}" in lines(capsys, "queryMsgByUniqueKey", *where, "-i", unique)
    (message,) = data(capsys, "queryMsgByUniqueKey", *where, "-i", unique, "-a", "-o", "json")
    assert message == messages[0] | {"tracks": []}
    ip, _, port = cluster.b.address.partition(":")
    stored_there = next(each for each in messages if each["brokerName"] == "broker-b")
    offset_id = offset_message_id(pack_host(ip, int(port)), stored_there["logOffset"])
    found = lines(capsys, "queryMsgById", "-i", offset_id, "-n", cluster.namesrv)
    assert f"{'Message Body:':<20} on broker-b" in found


def test_the_oldest_message_with_a_unique_id_is_shown_or_all(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    cluster.store_a.fill(topic, 0, [b"again", b"again"])
    argv = ("queryMsgByUniqueKey", "-t", topic, "-i", b"again".hex().upper(), "-n", cluster.namesrv, "-o", "json")
    offsets = [message["queueOffset"] for message in data(capsys, *argv, "-a")]
    assert len(offsets) == 2
    assert [message["queueOffset"] for message in data(capsys, *argv)] == [min(offsets)]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["queryMsgByKey", "-k", "none"], "no message of {topic} has the key none"),
        (["queryMsgByUniqueKey", "-i", "none"], "no message of {topic} has the id none"),
        (["queryMsgById", "-i", "none"], "'none' is not an offset message id"),
        (["queryMsgById", "-i", "{id}"], "can not find message by the offset, 77"),
    ],
)
def test_a_message_that_is_not_there_is_status_1(
    cluster: FakeCluster, capsys: Capture, topic: str, argv: list[str], text: str
) -> None:
    ip, _, port = cluster.a.address.partition(":")
    offset_id = offset_message_id(pack_host(ip, int(port)), 77)
    where = () if argv[0] == "queryMsgById" else ("-t", topic)
    assert status(*[each.format(id=offset_id) for each in argv], *where, "-n", cluster.namesrv) == 1
    assert text.format(topic=topic) in capsys.readouterr().err


def test_query_without_offset_is_a_usage_error(cluster: FakeCluster, capsys: Capture) -> None:
    assert status("queryMsgByOffset", "-t", "T", "-b", "b", "-i", 0, "-n", cluster.namesrv) == 2
    assert "-o N" in capsys.readouterr().err


def test_no_message_at_an_offset_is_status_1(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    assert status("queryMsgByOffset", "-t", topic, "-b", "broker-a", "-i", 1, "-o", 9, "-n", cluster.namesrv) == 1
    assert "no message 9" in capsys.readouterr().err


def test_messages_are_consumed_from_a_queue_and_an_offset(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    where = ("-t", topic, "-n", cluster.namesrv)
    assert status("consumeMessage", *where) == 0
    captured = capsys.readouterr()
    assert [line.split("BODY: ")[1] for line in captured.out.splitlines()] == ["one", "two"]
    assert captured.err == "2 messages of T\n"
    messages = data(capsys, "consumeMessage", *where, "-b", "broker-a", "-i", 1, "-o", 1, "-c", 5, "-o", "json")
    assert [message["body"] for message in messages] == ["two"]


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["consumeMessage", "-i", "1"], "needs its broker"),
        (["consumeMessage", "-o", "1"], "needs its queue"),
        (["consumeMessage", "-s", "2", "-e", "1"], "after the end"),
        (["consumeMessage", "-s", "yesterday"], "'yesterday' is neither"),
        (["consumeMessage", "-c", "0"], "'0' is not a number from 1 on"),
        (["sendMessage", "-p", "x", "-i", "1"], "needs its broker"),
        (["queryMsgByOffset", "-b", "b", "-i", "0", "-o", "0", "-f", "no-such"], "'no-such' is not a charset"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(capsys: Capture, argv: list[str], what: str) -> None:
    assert status(*argv, "-t", "T", "-n", NOBODY) == 2
    assert what in capsys.readouterr().err


def test_a_time_of_day_is_understood(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    argv = ("consumeMessage", "-t", topic, "-n", cluster.namesrv, "-e", "2001-01-01#00:00:00:000", "-o", "json")
    assert data(capsys, *argv) == []


def test_a_send_that_every_broker_refuses_is_status_1(cluster: FakeCluster, capsys: Capture, topic: str) -> None:
    for broker in (cluster.a, cluster.b):
        broker.refuse[RequestCode.SEND_MESSAGE_V2] = (14, 99)
    assert status("sendMessage", "-t", topic, "-p", "x", "-n", cluster.namesrv) == 1
    assert "(CODE: 14)" in capsys.readouterr().err
