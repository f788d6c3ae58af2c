"""mqadmin's commands that move groups, look after brokers and name servers, and show clients and accounts."""

import json
from pathlib import Path
from typing import Any

import pytest

from broker_py.cli.mqadmin import main
from broker_py.message.ids import offset_message_id, pack_host
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import ConsumerData, Subscription
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Reply
from tests.unit.client.fake_broker import FakeServer, json_reply
from tests.unit.client.fake_cluster import FakeCluster

Capture = pytest.CaptureFixture[str]
Ask = Any


@pytest.fixture(autouse=True)
def _environment(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESRV_ADDR", cluster.namesrv)
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("T", 2)
    cluster.store_a.fill("T", 1, [b"one", b"two"])


def mqadmin(capsys: Capture, *argv: object) -> tuple[int, str, str]:
    """Return the exit status, stdout and stderr of mqadmin."""
    try:
        status = main([str(each) for each in argv])
    except SystemExit as end:
        status = int(end.code or 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def data(capsys: Capture, *argv: object) -> Any:
    """Return what a successful command prints as JSON."""
    status, out, err = mqadmin(capsys, *argv, "--output", "json")
    assert status == 0, err
    return json.loads(out)


def serve(server: FakeServer, code: int, value: Any = None, **ext: str) -> None:
    """Have a server answer a code with JSON."""
    server.on(code, None, lambda *_: Reply(ext=ext or None, body=json_reply(value).body if value is not None else b""))


def asked(server: FakeServer, code: int) -> list[dict[str, str]]:
    """Return the header fields of the requests of a code."""
    return [command.ext for command in server.requests if command.code == code]


# Offsets


def test_a_reset_without_members_sets_the_offsets(cluster: FakeCluster, capsys: Capture) -> None:
    moves = data(capsys, "resetOffsetByTime", "-g", "G", "-t", "T", "-s", "0")
    assert [(each["brokerName"], each["queueId"], each["from"], each["to"]) for each in moves] == [
        ("broker-a", 0, None, 0),
        ("broker-a", 1, None, 0),
        ("broker-b", 0, None, 0),
        ("broker-b", 1, None, 0),
    ]
    assert cluster.store_a.offsets["G", "T", 1] == 0


def test_a_dry_run_of_a_reset_shows_from_and_to_and_changes_nothing(cluster: FakeCluster, capsys: Capture) -> None:
    cluster.store_a.offsets["G", "T", 1] = 2
    status, out, err = mqadmin(capsys, "resetOffsetByTime", "-g", "G", "-t", "T", "-s", "0", "--dry-run")
    assert status == 0
    assert out.splitlines()[3].split() == ["broker-a", "1", "2", "0"]
    assert "nothing was changed" in err
    assert cluster.store_a.offsets["G", "T", 1] == 2


def test_a_reset_that_is_not_forced_does_not_go_forward(cluster: FakeCluster, capsys: Capture) -> None:
    cluster.store_a.offsets["G", "T", 1] = 1
    moves = data(capsys, "resetOffsetByTime", "-g", "G", "-t", "T", "-s", "now", "-f", "false")
    assert moves[1]["to"] == 1


def test_a_reset_of_a_group_with_members_is_the_brokers(cluster: FakeCluster, capsys: Capture) -> None:
    for broker in (cluster.a, cluster.b):
        broker.store.join("10.0.0.9@1#1", ConsumerData(group_name="G"))
        queue = MessageQueue("T", broker.name, 1)
        serve(broker, RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, {"offsetTable": {queue: 1}})
    moves = data(capsys, "resetOffsetByTime", "-g", "G", "-t", "T", "-s", "5")
    assert [(each["brokerName"], each["queueId"], each["to"]) for each in moves] == [
        ("broker-a", 1, 1),
        ("broker-b", 1, 1),
    ]
    assert asked(cluster.a, RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)[0]["timestamp"] == "5"


def test_one_queue_can_be_set_to_an_offset(cluster: FakeCluster, capsys: Capture) -> None:
    command = ("resetOffsetByTime", "-g", "G", "-t", "T", "-s", "now", "-b", cluster.a.address, "-q", 1, "-o", 0)
    assert data(capsys, *command)["to"] == 0
    assert cluster.store_a.offsets["G", "T", 1] == 0


def test_a_queue_without_its_broker_is_a_usage_error(capsys: Capture) -> None:
    status, _, err = mqadmin(capsys, "resetOffsetByTime", "-g", "G", "-t", "T", "-s", "now", "-q", 1)
    assert (status, "-b ADDR" in err) == (2, True)


def test_skipping_goes_to_the_end(cluster: FakeCluster, capsys: Capture) -> None:
    mqadmin(capsys, "skipAccumulatedMessage", "-g", "G", "-t", "T", "--dry-run")
    assert ("G", "T", 1) not in cluster.store_a.offsets
    status, out, _ = mqadmin(capsys, "skipAccumulatedMessage", "-g", "G", "-t", "T")
    assert (status, "messages[2]" in out) == (0, True)
    assert cluster.store_a.offsets["G", "T", 1] == 2


def test_cloning_takes_the_offsets_of_the_topic_alone(cluster: FakeCluster, capsys: Capture) -> None:
    cluster.store_a.offsets["G", "T", 1] = 2
    cluster.store_a.offsets["G", "U", 0] = 9
    status, out, _ = mqadmin(capsys, "cloneGroupOffset", "-s", "G", "-d", "H", "-t", "T", "-o", "true")
    assert (status, "clone group offset success" in out) == (0, True)
    assert {key: value for key, value in cluster.store_a.offsets.items() if key[0] == "H"} == {("H", "T", 1): 2}


def test_cloning_a_group_that_stands_nowhere_fails(capsys: Capture) -> None:
    status, _, err = mqadmin(capsys, "cloneGroupOffset", "-s", "Gone", "-d", "H", "-t", "T")
    assert (status, "nothing to copy" in err) == (1, True)


# Dry runs of what deletes


@pytest.mark.parametrize(
    "argv",
    [
        ("deleteTopic", "-c", "C", "-t", "T"),
        ("deleteSubGroup", "-c", "C", "-g", "G"),
        ("wipeWritePerm", "-b", "broker-a"),
        ("deleteKvConfig", "-s", "N", "-k", "K"),
        ("updateOrderConf", "-t", "T", "-m", "delete"),
        ("cleanExpiredCQ",),
        ("deleteExpiredCommitLog", "-c", "C"),
        ("cleanUnusedTopic",),
        ("deleteAclConfig", "-c", "C", "-a", "shop"),
    ],
)
def test_a_dry_run_only_reads(cluster: FakeCluster, capsys: Capture, argv: tuple[str, ...]) -> None:
    status, out, _ = mqadmin(capsys, *argv, "--dry-run")
    assert (status, out.startswith("would ")) == (0, True)
    changes = {
        RequestCode.DELETE_TOPIC_IN_BROKER,
        RequestCode.DELETE_SUBSCRIPTIONGROUP,
        RequestCode.WIPE_WRITE_PERM_OF_BROKER,
        RequestCode.DELETE_KV_CONFIG,
        RequestCode.DELETE_ACL_CONFIG,
        RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE,
        RequestCode.DELETE_EXPIRED_COMMITLOG,
        RequestCode.CLEAN_UNUSED_TOPIC,
    }
    assert not [each.code for server in cluster.servers for each in server.requests if each.code in changes]


# Upkeep


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cleanExpiredCQ", RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE),
        ("deleteExpiredCommitLog", RequestCode.DELETE_EXPIRED_COMMITLOG),
        ("cleanUnusedTopic", RequestCode.CLEAN_UNUSED_TOPIC),
    ],
)
def test_upkeep_is_done_by_all_masters(cluster: FakeCluster, capsys: Capture, name: str, code: int) -> None:
    for broker in (cluster.a, cluster.b):
        serve(broker, code)
    status, out, _ = mqadmin(capsys, name)
    assert (status, out.splitlines()[0]) == (0, "success")
    assert [len(asked(each, code)) for each in (cluster.a, cluster.b, cluster.slave)] == [1, 1, 0]


def test_upkeep_that_one_broker_refuses_is_status_1(cluster: FakeCluster, capsys: Capture) -> None:
    serve(cluster.a, RequestCode.CLEAN_UNUSED_TOPIC)
    status, out, err = mqadmin(capsys, "cleanUnusedTopic", "-c", "C")
    assert (status, out.splitlines()[0], cluster.b.address in err) == (1, "false", True)


def test_queue_units_are_shown_from_the_oldest_there_is(cluster: FakeCluster, capsys: Capture) -> None:
    unit = {"physicOffset": 70, "physicSize": 9, "tagsCode": 0, "eval": True}
    serve(cluster.a, RequestCode.QUERY_CONSUME_QUEUE, {"maxQueueIndex": 6, "minQueueIndex": 5, "queueData": [unit]})
    status, out, _ = mqadmin(capsys, "queryCq", "-t", "T", "-q", 1, "-i", 0)
    assert status == 0
    assert "max: 6, min: 5" in out
    assert "idx: 5\nConsumeQueueData{physicOffset=70, physicSize=9, tagsCode=0, eval=true}" in out


def test_a_slaves_flush_offset_can_be_set(cluster: FakeCluster, capsys: Capture) -> None:
    serve(cluster.slave, RequestCode.RESET_MASTER_FLUSH_OFFSET)
    status, out, _ = mqadmin(capsys, "resetMasterFlushOffset", "-b", cluster.slave.address, "-o", 77)
    assert (status, out) == (0, "reset master flush offset to 77 success\n")
    assert asked(cluster.slave, RequestCode.RESET_MASTER_FLUSH_OFFSET) == [{"masterFlushOffset": "77"}]


# Name servers, order, allocation


def test_name_server_properties_can_be_seen_and_changed(cluster: FakeCluster, capsys: Capture) -> None:
    cluster.name_server.on(RequestCode.GET_NAMESRV_CONFIG, None, lambda *_: Reply(body=b"listenPort=9876\n"))
    serve(cluster.name_server, RequestCode.UPDATE_NAMESRV_CONFIG)
    assert data(capsys, "getNamesrvConfig") == {cluster.namesrv: {"listenPort": "9876"}}
    assert mqadmin(capsys, "updateNamesrvConfig", "-k", "a", "-v", "b")[0] == 0
    assert cluster.name_server.requests[-1].body == b"a=b\n"


def test_keys_of_name_servers(cluster: FakeCluster, capsys: Capture) -> None:
    assert mqadmin(capsys, "updateKvConfig", "-s", "N", "-k", "K", "-v", "V")[0] == 0
    assert cluster.name_server.order_conf == {"K": "V"}
    assert mqadmin(capsys, "deleteKvConfig", "-s", "N", "-k", "K")[0] == 0
    assert cluster.name_server.order_conf == {}


def test_the_order_of_a_topic(cluster: FakeCluster, capsys: Capture) -> None:
    assert mqadmin(capsys, "updateOrderConf", "-t", "T", "-m", "put", "-v", "broker-a:4")[0] == 0
    assert data(capsys, "updateOrderConf", "-t", "T", "-m", "get")["orderConf"] == "broker-a:4"
    assert mqadmin(capsys, "updateOrderConf", "-t", "T", "-m", "delete")[0] == 0
    assert mqadmin(capsys, "updateOrderConf", "-t", "T", "-m", "get")[0] == 1
    assert mqadmin(capsys, "updateOrderConf", "-t", "T", "-m", "put", "-v", "nonsense")[0] == 2


def test_allocation_shares_all_queues(capsys: Capture) -> None:
    shares = data(capsys, "allocateMQ", "-t", "T", "-i", "10.0.0.1,10.0.0.2")["result"]
    assert [[each["brokerName"] for each in share] for share in shares.values()] == [["broker-a"] * 2, ["broker-b"] * 2]


def test_the_clusters_of_a_topic(capsys: Capture) -> None:
    assert data(capsys, "topicClusterList", "-t", "T") == ["C"]


# Clients


def test_producers_of_a_topics_brokers_are_listed_once(cluster: FakeCluster, capsys: Capture) -> None:
    member = {"clientId": "10.0.0.9@1", "clientAddr": "10.0.0.9:5", "language": "JAVA", "version": 433}
    for broker in (cluster.a, cluster.b):
        serve(broker, RequestCode.GET_PRODUCER_CONNECTION_LIST, {"connectionSet": [member]})
    _, out, _ = mqadmin(capsys, "producerConnection", "-g", "P", "-t", "T")
    assert out.split() == ["0001", "10.0.0.9@1", "10.0.0.9:5", "JAVA", "V5_1_0"]
    serve(cluster.a, RequestCode.GET_ALL_PRODUCER_INFO, {"data": {"P": [{"clientId": "10.0.0.9@1"}]}})
    _, out, _ = mqadmin(capsys, "producer", "-b", cluster.a.address)
    assert out.startswith("producer group (P) instance : clientId=10.0.0.9@1")


def _online(cluster: FakeCluster) -> str:
    client_id = "10.0.0.9@1#1"
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("%RETRY%G", 1)
        store.join(client_id, ConsumerData(group_name="G"))
    info = {
        "properties": {"PROP_CLIENT_VERSION": "V5_1_0"},
        "subscriptionSet": [{"topic": "T", "subString": "*"}],
        "mqTable": {MessageQueue("T", "broker-a", 1): {"commitOffset": 2}},
        "mqPopTable": {MessageQueue("T", "broker-b", 0): {"waitAckCount": 7, "droped": False}},
        "statusTable": {"T": {"pullRT": 1.5}},
        "jstack": "main runs",
    }
    for broker in (cluster.a, cluster.b):
        broker.running_info = info
    return client_id


def test_the_members_of_a_group_and_what_they_do(cluster: FakeCluster, capsys: Capture) -> None:
    client_id = _online(cluster)
    _, out, _ = mqadmin(capsys, "consumerConnection", "-g", "G")
    assert client_id in out
    assert "ConsumeType: " in out
    _, out, _ = mqadmin(capsys, "consumerStatus", "-g", "G")
    assert "Same subscription in the same group of consumer" in out
    _, out, _ = mqadmin(capsys, "consumerStatus", "-g", "G", "-i", client_id, "-s")
    assert all(
        part in out
        for part in ("#Consumer Properties#", "PROP_CLIENT_VERSION", "#Consumer Offset#", "waitAckCount=7", "main runs")
    )
    assert asked(cluster.a, RequestCode.GET_CONSUMER_RUNNING_INFO)[-1]["jstackEnable"] == "true"


@pytest.mark.parametrize(
    ("orderly", "queue", "what"),
    [
        ("true", {"locked": False, "lastLockTimestamp": 0}, "can't lock for a while"),
        ("true", {"locked": True, "droped": True, "tryUnlockTimes": 3}, "unlock 3 times, still failed"),
        ("false", {"cachedMsgCount": 5, "lastConsumeTimestamp": 0}, "can't consume for a while, maybe blocked"),
        ("true", {"locked": True}, None),
        ("false", {"cachedMsgCount": 0, "lastConsumeTimestamp": 0}, None),
    ],
)
def test_queues_that_a_member_does_not_get_on_with_are_named(
    cluster: FakeCluster, capsys: Capture, orderly: str, queue: dict[str, object], what: str | None
) -> None:
    client_id = _online(cluster)
    for broker in (cluster.a, cluster.b):
        broker.running_info = {
            "properties": {"PROP_CONSUME_TYPE": "CONSUME_PASSIVELY", "PROP_CONSUMEORDERLY": orderly},
            "mqTable": {MessageQueue("T", "broker-a", 1): queue},
        }
    _, out, _ = mqadmin(capsys, "consumerStatus", "-g", "G")
    stuck = data(capsys, "consumerStatus", "-g", "G")["stuckQueues"]
    if what is None:
        assert stuck == []
    else:
        place = f"{client_id} MessageQueue [topic=T, brokerName=broker-a, queueId=1] "
        assert stuck[0].startswith(place + what)
        assert place + what in out


def test_a_client_that_is_no_member_is_named(cluster: FakeCluster, capsys: Capture) -> None:
    _online(cluster)
    status, _, err = mqadmin(capsys, "consumerStatus", "-g", "G", "-i", "nobody")
    assert (status, "nobody is no member of G" in err) == (1, True)


def test_the_consume_mode_of_a_group(cluster: FakeCluster, capsys: Capture) -> None:
    serve(cluster.a, RequestCode.SET_MESSAGE_REQUEST_MODE)
    command = ("setConsumeMode", "-b", cluster.a.address, "-t", "T", "-g", "G", "-m", "POP", "-q", 4)
    status, out, _ = mqadmin(capsys, *command)
    assert (status, "set consume mode to" in out) == (0, True)
    assert json.loads(cluster.a.requests[-1].body) == {
        "topic": "T",
        "consumerGroup": "G",
        "mode": "POP",
        "popShareQueueNum": 4,
    }


def test_a_message_can_be_sent_again_or_consumed_at_once(cluster: FakeCluster, capsys: Capture) -> None:
    ip, _, port = cluster.a.address.rpartition(":")
    offset_id = offset_message_id(pack_host(ip, int(port)), data(capsys, "consumeMessage", "-t", "T")[0]["logOffset"])
    serve(cluster.a, RequestCode.CONSUME_MESSAGE_DIRECTLY, {"consumeResult": "CR_SUCCESS", "spentTimeMills": 3})
    assert data(capsys, "queryMsgById", "-i", offset_id, "-g", "G", "-d", "x@1")["spentTimeMills"] == 3
    assert asked(cluster.a, RequestCode.CONSUME_MESSAGE_DIRECTLY) == [
        {"consumerGroup": "G", "clientId": "x@1", "jstackEnable": "false", "msgId": offset_id, "topic": "T"}
    ]
    assert "SEND_OK" in mqadmin(capsys, "queryMsgById", "-i", offset_id, "-s", "true")[1]
    status, _, err = mqadmin(capsys, "queryMsgById", "-i", offset_id, "-g", "G")
    assert (status, "-g GROUP -d ID" in err) == (2, True)


def _track(capsys: Capture, offset: int) -> Any:
    _, out, _ = mqadmin(capsys, "queryMsgByOffset", "-t", "T", "-b", "broker-a", "-i", 1, "-o", offset)
    (shown,) = data(capsys, "queryMsgByOffset", "-t", "T", "-b", "broker-a", "-i", 1, "-o", offset)["tracks"]
    fields = f"consumerGroup={shown['consumerGroup']}, trackType={shown['trackType']}"
    assert f"MessageTrack [{fields}, exceptionDesc={shown['error'] or 'null'}]" in out
    return shown


def test_a_message_is_shown_with_what_groups_did_with_it(cluster: FakeCluster, capsys: Capture) -> None:
    client_id = _online(cluster)
    cluster.store_a.offsets["G", "T", 1] = 1

    def join(*tags: str, kind: str = "CONSUME_PASSIVELY") -> None:
        subscription = Subscription(topic="T", tags=tags)
        for store in (cluster.store_a, cluster.store_b):
            store.join(client_id, ConsumerData(group_name="G", consume_type=kind, subscriptions=(subscription,)))

    join("x")
    assert _track(capsys, 0) == {"consumerGroup": "G", "trackType": "CONSUMED_BUT_FILTERED", "error": None}
    join()
    assert _track(capsys, 0)["trackType"] == "CONSUMED"
    assert _track(capsys, 1)["trackType"] == "NOT_CONSUME_YET"
    join(kind="CONSUME_ACTIVELY")
    assert _track(capsys, 1)["trackType"] == "PULL"
    join(kind="CONSUME_POP")
    assert _track(capsys, 1)["trackType"] == "UNKNOWN"


def test_a_group_without_members_is_not_online(cluster: FakeCluster, capsys: Capture) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("%RETRY%G", 1)
    cluster.store_a.offsets["G", "T", 1] = 1
    track = _track(capsys, 0)
    assert (track["trackType"], track["error"].startswith("CODE:206 DESC:")) == ("NOT_ONLINE", True)


def test_that_a_message_was_sent_is_recorded_on_demand(cluster: FakeCluster, capsys: Capture) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("RMQ_SYS_TRACE_TOPIC", 1)
    argv = ("sendMessage", "-t", "T", "-p", "body", "-k", "k l", "-c", "tag")
    untraced = data(capsys, *argv)["messageId"]
    sent = data(capsys, *argv, "-m", "true")
    (record,) = data(capsys, "consumeMessage", "-t", "RMQ_SYS_TRACE_TOPIC")
    assert record["keys"] == f"{sent['messageId']} k l"
    fields = record["body"].removesuffix("\x02").split("\x01")
    assert fields[0] == "Pub"
    assert fields[2:8] == ["DefaultRegion", "TOOLS_PRODUCER", "T", sent["messageId"], "tag", "k l"]
    assert [fields[9], *fields[11:]] == ["4", "0", sent["offsetId"], "true"]
    (trace,) = data(capsys, "queryMsgTraceById", "-i", sent["messageId"])
    assert (trace["kind"], trace["group"], trace["success"]) == ("Pub", "TOOLS_PRODUCER", True)
    assert mqadmin(capsys, "queryMsgTraceById", "-i", untraced)[0] == 1


def test_a_message_whose_record_is_refused_is_sent_all_the_same(cluster: FakeCluster, capsys: Capture) -> None:
    status, out, err = mqadmin(capsys, "sendMessage", "-t", "T", "-p", "body", "-m", "true")
    assert (status, "SEND_OK" in out, "that is not recorded: " in err) == (1, True, True)


@pytest.mark.parametrize(
    "argv",
    [
        ("wipeWritePerm", "-b", "broker-x"),
        ("addWritePerm", "-b", "broker-x"),
        ("queryMsgByOffset", "-t", "T", "-b", "broker-x", "-i", 0, "-o", 0),
        ("sendMessage", "-t", "T", "-p", "x", "-b", "broker-x", "-i", 0),
    ],
)
def test_a_broker_that_nobody_knows_is_answered_with_a_near_one(capsys: Capture, argv: tuple[object, ...]) -> None:
    status, _, err = mqadmin(capsys, *argv)
    assert status != 0
    assert "there is no broker broker-x; did you mean broker-" in err


def test_a_reset_of_a_group_that_never_was_says_so(capsys: Capture) -> None:
    status, _, err = mqadmin(capsys, "resetOffsetByTime", "-g", "typo", "-t", "T", "-s", "now")
    assert (status, "the group typo had no offset in T before" in err) == (0, True)
    assert "had no offset" not in mqadmin(capsys, "resetOffsetByTime", "-g", "typo", "-t", "T", "-s", "now")[2]


# Statistics


def test_statistics_of_a_topic_are_summed_over_brokers(cluster: FakeCluster, capsys: Capture) -> None:
    for broker in (cluster.a, cluster.b):
        broker.store.offsets["G", "T", 1] = 0
        rates = {"statsMinute": {"tps": 1.5, "sum": 9}, "statsHour": {"sum": 20}, "statsDay": {"sum": 0}}
        serve(broker, RequestCode.VIEW_BROKER_STATS_DATA, rates)
    [row] = data(capsys, "statsAll", "-t", "T")
    assert (row["group"], row["inTps"], row["outTps"], row["inMessages24Hours"]) == ("G", 3.0, 3.0, 40)


def test_what_no_broker_counts_is_zero(capsys: Capture) -> None:
    status, out, _ = mqadmin(capsys, "statsAll")
    assert (status, "NO_CONSUMER" in out) == (0, True)
    assert data(capsys, "statsAll", "-a") == []


def test_all_groups_of_a_broker(cluster: FakeCluster, capsys: Capture) -> None:
    queue = MessageQueue("T", "broker-a", 1)
    offsets = {"offsetTable": {queue: {"brokerOffset": 9, "consumerOffset": 4, "lastTimestamp": 1_700_000_000_000}}}
    body = {"consumeStatsList": [{"G": [offsets]}], "totalDiff": 5}
    serve(cluster.a, RequestCode.GET_BROKER_CONSUME_STATS, body)
    found = data(capsys, "brokerConsumeStats", "-b", cluster.a.address)
    assert (found["totalDiff"], found["queues"][0]["diff"]) == (5, 5)
    assert data(capsys, "brokerConsumeStats", "-b", cluster.a.address, "-l", 6)["queues"] == []


# Messages


def test_printing_a_topic_and_a_queue(capsys: Capture) -> None:
    status, out, _ = mqadmin(capsys, "printMsg", "-t", "T")
    assert status == 0
    assert "minOffset=0, maxOffset=2, MessageQueue [topic=T, brokerName=broker-a, queueId=1]" in out
    assert "BODY: two" in out
    _, out, err = mqadmin(capsys, "printMsgByQueue", "-t", "T", "-a", "broker-a", "-i", 1, "-p", "true", "-f", "true")
    assert ("BODY: NOT PRINT BODY" in out, "Count: 2" in out, "2 messages" in err) == (True, True, True)
    status, _, err = mqadmin(capsys, "printMsg", "-t", "T", "-l", 1)
    assert "there may be more" in err


def test_timed_sends(cluster: FakeCluster, capsys: Capture) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("broker-a", 1)
        store.add_topic("broker-b", 1)
    found = data(capsys, "checkMsgSendRT", "-t", "T", "-a", 3)
    assert [each["sent"] for each in found["sends"]] == [True] * 3
    assert mqadmin(capsys, "sendMsgStatus", "-b", "broker-a", "-c", 2)[1].count("SEND_OK") == 2
    assert [each["successCount"] for each in data(capsys, "clusterRT", "-a", 2)] == [2, 2]
    cluster.a.answer_sends_with = cluster.b.answer_sends_with = ResponseCode.SYSTEM_BUSY
    assert mqadmin(capsys, "checkMsgSendRT", "-t", "T", "-a", 2)[0] == 1


# Accounts


def test_accounts_are_changed_at_all_replicas(cluster: FakeCluster, capsys: Capture) -> None:
    for broker in (cluster.a, cluster.b, cluster.slave):
        for code in (
            RequestCode.UPDATE_AND_CREATE_ACL_CONFIG,
            RequestCode.DELETE_ACL_CONFIG,
            RequestCode.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG,
        ):
            serve(broker, code)
    assert mqadmin(capsys, "updateAclConfig", "-c", "C", "-a", "shop", "-s", "secret", "-t", "T=PUB,U=SUB")[0] == 0
    [ext] = asked(cluster.slave, RequestCode.UPDATE_AND_CREATE_ACL_CONFIG)
    assert (ext["accessKey"], ext["secretKey"], ext["topicPerms"], ext["admin"]) == (
        "shop",
        "secret",
        "T=PUB,U=SUB",
        "false",
    )
    assert mqadmin(capsys, "updateGlobalWhiteAddr", "-c", "C", "-g", "10.0.0.*")[0] == 0
    assert asked(cluster.b, RequestCode.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG) == [{"globalWhiteAddrs": "10.0.0.*"}]
    assert mqadmin(capsys, "deleteAclConfig", "-c", "C", "-a", "shop")[0] == 0
    assert asked(cluster.slave, RequestCode.DELETE_ACL_CONFIG) == [{"accessKey": "shop"}]


def test_accounts_and_their_versions_are_shown(cluster: FakeCluster, capsys: Capture) -> None:
    accounts = {"globalWhiteAddrs": ["10.0.0.*"], "plainAccessConfigs": [{"accessKey": "shop", "admin": True}]}
    serve(cluster.a, RequestCode.GET_BROKER_CLUSTER_ACL_CONFIG, accounts)
    _, out, _ = mqadmin(capsys, "getAclConfig", "-b", cluster.a.address)
    assert "accessKey         : shop" in out
    files = json.dumps({"/conf/plain_acl.yml": {"counter": 3, "timestamp": 1_700_000_000_000}})
    serve(cluster.a, RequestCode.GET_BROKER_CLUSTER_ACL_INFO, None, clusterName="C", allAclFileVersion=files)
    [row] = data(capsys, "clusterAclConfigVersion", "-b", cluster.a.address)
    assert (row["clusterName"], row["aclFilePath"], row["counter"]) == ("C", "/conf/plain_acl.yml", 3)


# Export


def test_exports_add_up_what_masters_have(cluster: FakeCluster, capsys: Capture, tmp_path: Path) -> None:
    status, out, _ = mqadmin(capsys, "exportMetadata", "-c", "C", "-f", tmp_path)
    assert (status, out) == (0, f"export {tmp_path}/metadata.json success\n")
    written = json.loads((tmp_path / "metadata.json").read_text())
    assert written["topicConfigTable"]["T"]["readQueueNums"] == 4
    assert mqadmin(capsys, "exportConfigs", "-c", "C", "-f", tmp_path)[0] == 0
    scale = json.loads((tmp_path / "configs.json").read_text())["clusterScale"]
    assert scale == {"namesrvSize": 1, "masterBrokerSize": 2, "slaveBrokerSize": 1}
    assert mqadmin(capsys, "exportMetrics", "-c", "C", "-f", tmp_path)[0] == 0
    totals = json.loads((tmp_path / "metrics.json").read_text())["totalData"]
    assert totals["totalTps"]["totalNormalInTps"] == 25.0


# Names


def test_a_topic_that_does_not_exist_is_answered_with_the_nearest_one(cluster: FakeCluster, capsys: Capture) -> None:
    cluster.store_a.add_topic("orders", 1)
    _, _, err = mqadmin(capsys, "topicStatus", "-t", "ordesr")
    assert "there is no topic ordesr; did you mean orders?" in err


def test_a_cluster_that_does_not_exist_is_answered_with_the_known_ones(capsys: Capture) -> None:
    status, _, err = mqadmin(capsys, "clusterList", "-c", "D")
    assert (status, "known: C" in err) == (1, True)


def test_an_unknown_option_is_answered_with_the_nearest_one(capsys: Capture) -> None:
    status, _, err = mqadmin(capsys, "clusterList", "--wach", "3")
    assert (status, "did you mean --watch?" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["topicSt"], ["topicStatus"]),
        (["topicStatus", "--wa"], ["--watch"]),
        (["topicStatus", "-t", ""], ["T"]),
        (["clusterList", "-c", ""], ["C"]),
        (["wipeWritePerm", "-b", "broker-"], ["broker-a", "broker-b"]),
        (["clusterList", "-o", "y"], ["yaml"]),
        (["nonsense", "-t", ""], []),
    ],
)
def test_completion_offers_what_there_is(capsys: Capture, words: list[str], wanted: list[str]) -> None:
    assert mqadmin(capsys, "__complete", *words) == (0, "".join(f"{each}\n" for each in wanted), "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(capsys: Capture, shell: str) -> None:
    status, out, _ = mqadmin(capsys, "completion", shell)
    assert (status, "mqadmin __complete" in out) == (0, True)
