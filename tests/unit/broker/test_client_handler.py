"""Requests 34, 35, 38, 41, 42, 46, 203, 204 and 328."""

import errno
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.broker.handlers.clients import MAX_SUBSCRIPTIONS
from broker_py.model.group import GroupConfig
from broker_py.wire.codes import LANGUAGES, RequestCode, ResponseCode
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import Site, a_command, a_heartbeat

QUEUES = [{"topic": "T", "brokerName": "broker-a", "queueId": number} for number in range(2)]


def beat(site: Site, body: Any, peer: MemoryPeer | None = None) -> tuple[int, str]:
    reply = site.ask(RequestCode.HEART_BEAT, {}, body, peer)
    return reply.code, reply.remark or ""


def member_ids(site: Site, group: str = "g") -> list[str]:
    ids: list[str] = site.json(RequestCode.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": group})["consumerIdList"]
    return ids


# Heartbeats


def test_a_consumers_group_gets_settings_and_a_retry_topic() -> None:
    site = Site()
    assert site.heartbeat(MemoryPeer(), T="*").code == 0
    assert site.groups.get("g") == GroupConfig(group_name="g")
    retry = site.topics.require("%RETRY%g")
    assert (retry.read_queue_nums, retry.write_queue_nums, retry.perm) == (1, 1, 6)


def test_a_retry_topic_has_as_many_queues_as_its_groups_settings_say_or_is_not_made() -> None:
    site = Site()
    site.groups.put(GroupConfig(group_name="many", retry_queue_nums=3))
    site.groups.put(GroupConfig(group_name="none", retry_queue_nums=0))
    site.heartbeat(MemoryPeer(), "many", T="*")
    site.heartbeat(MemoryPeer(), "none", T="*")
    assert site.topics.require("%RETRY%many").read_queue_nums == 3
    assert "%RETRY%none" not in site.topics


def test_a_slave_makes_no_retry_topics_but_knows_its_clients() -> None:
    slave = Site(broker_role=BrokerRole.SLAVE, broker_id=1)
    assert slave.heartbeat(MemoryPeer(), T="*").code == 0
    assert "%RETRY%g" not in slave.topics
    assert member_ids(slave) == ["c1"]


def test_the_members_of_a_group_are_listed_in_the_order_they_came() -> None:
    site = Site()
    for name in ("b", "a"):
        site.heartbeat(MemoryPeer(), client_id=name, T="*")
    assert member_ids(site) == ["b", "a"]
    assert site.changed_groups == ["g", "g"]


def test_a_group_nobody_is_in_is_told_as_java_words_it() -> None:
    reply = Site().ask(RequestCode.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": "g"})
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert (reply.remark or "").startswith("no consumer for this group, g")


def test_one_client_can_be_in_many_groups() -> None:
    site = Site()
    peer = MemoryPeer()
    body = a_heartbeat("g", "c", {"T": "*"})
    body["consumerDataSet"] += a_heartbeat("h", "c", {"T": "*"})["consumerDataSet"]
    body["producerDataSet"] = [{"groupName": "p"}, {"groupName": "q"}]
    assert beat(site, body, peer)[0] == 0
    assert member_ids(site, "g") == member_ids(site, "h") == ["c"]
    assert {group for group, members in site.producers.groups().items() if members[0].peer is peer} == {"p", "q"}


def test_a_group_that_is_refused_does_not_keep_the_others_out() -> None:
    site = Site(auto_create_subscription_group=False)
    site.groups.put(GroupConfig(group_name="known"))
    body = a_heartbeat("unknown", "c", {"T": "*"})
    body["consumerDataSet"] += a_heartbeat("known", "c", {"T": "*"})["consumerDataSet"]
    body["producerDataSet"] = [{"groupName": "p"}]
    code, remark = beat(site, body)
    assert code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    assert "unknown" in remark
    assert member_ids(site, "known") == ["c"]
    assert set(site.producers.groups()) == {"p"}


def test_a_full_disk_refuses_members_of_a_group_without_retry_topic_and_knows_the_old_ones_on() -> None:
    site = Site()
    site.heartbeat(MemoryPeer(), "old", T="*")
    site.files.fail_writes = errno.ENOSPC
    assert site.heartbeat(MemoryPeer(), "old", "c2", T="*").code == 0
    reply = site.heartbeat(MemoryPeer(), "new", T="*")
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert "the topics can't be written" in (reply.remark or "")
    site.files.fail_writes = None
    assert site.heartbeat(MemoryPeer(), "new", T="*").code == 0


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (b"", "body is not JSON"),
        (b"{", "body is not JSON"),
        ([], "body is not a JSON object"),
        ({}, "no client"),
        ({"clientID": ""}, "no client"),
        ({"clientID": 5}, "clientID"),
        ({"clientID": "c", "consumerDataSet": 5}, "consumerDataSet is not a list"),
        ({"clientID": "c", "consumerDataSet": [5]}, "consumerDataSet has '5', which is not an object"),
        ({"clientID": "c", "producerDataSet": ["p"]}, "producerDataSet has 'p'"),
        ({"clientID": "c", "consumerDataSet": [{"groupName": "g", "subscriptionDataSet": ["T"]}]}, "has 'T'"),
        ({"clientID": "c", "producerDataSet": [{}] * 1001}, "producerDataSet has 1001 items; 1000 are allowed"),
        (a_heartbeat("g", "c", {f"T{n}": "*" for n in range(MAX_SUBSCRIPTIONS + 1)}), "1001 items"),
        (a_heartbeat("../g", "c", {"T": "*"}), "illegal characters"),
        (a_heartbeat("x" * 300, "c", {"T": "*"}), "1 to 248 characters"),
        (a_heartbeat("", "c", {"T": "*"}), "1 to 248 characters"),
    ],
)
def test_a_heartbeat_that_can_not_be_meant_is_refused_with_a_sentence(
    body: Any, remark: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()
    code, said = beat(site, body)
    assert code == ResponseCode.SYSTEM_ERROR
    assert remark in said
    assert all(record.exc_info is None for record in caplog.records)


def test_a_client_says_goodbye_to_the_groups_that_it_names() -> None:
    site = Site()
    peer = MemoryPeer()
    body = a_heartbeat("g", "c", {"T": "*"})
    body["producerDataSet"] = [{"groupName": "p"}]
    beat(site, body, peer)
    site.ask(RequestCode.UNREGISTER_CLIENT, {"clientID": "c", "producerGroup": "p"}, peer=peer)
    assert site.producers.groups() == {}
    assert member_ids(site) == ["c"]
    site.ask(RequestCode.UNREGISTER_CLIENT, {"clientID": "c", "consumerGroup": "g"}, peer=peer)
    assert site.consumers.get("g") is None
    assert site.ask(RequestCode.UNREGISTER_CLIENT, {"clientID": "c", "consumerGroup": "g"}, peer=peer).code == 0


# Queue locks


def lock(site: Site, client_id: str, code: int = RequestCode.LOCK_BATCH_MQ, queues: Any = QUEUES) -> Any:
    reply = site.ask(code, {}, {"consumerGroup": "g", "clientId": client_id, "mqSet": queues})
    assert reply.code == 0, reply.remark
    return reply.body


def test_queues_are_locked_by_one_client_at_a_time() -> None:
    site = Site()
    body = {"consumerGroup": "g", "clientId": "c1", "mqSet": QUEUES}
    assert site.json(RequestCode.LOCK_BATCH_MQ, {}, body) == {"lockOKMQSet": QUEUES}
    assert site.json(RequestCode.LOCK_BATCH_MQ, {}, {**body, "clientId": "c2"}) == {"lockOKMQSet": []}
    lock(site, "c1", RequestCode.UNLOCK_BATCH_MQ, QUEUES[:1])
    assert site.json(RequestCode.LOCK_BATCH_MQ, {}, {**body, "clientId": "c2"}) == {"lockOKMQSet": QUEUES[:1]}


@pytest.mark.parametrize("body", [b"x", {"mqSet": [5]}, {"mqSet": {}}, {"mqSet": [{"queueId": "x"}]}])
def test_a_lock_that_can_not_be_read_is_refused(body: Any) -> None:
    for code in (RequestCode.LOCK_BATCH_MQ, RequestCode.UNLOCK_BATCH_MQ):
        assert Site().ask(code, {}, body).code == ResponseCode.SYSTEM_ERROR


# What a consumer asks at its start


@pytest.mark.parametrize(
    ("subscription", "code"),
    [
        ({"topic": "T", "subString": "A || B"}, 0),
        ({"topic": "T", "subString": "*", "expressionType": "TAG"}, 0),
        ({"topic": "T", "subString": "||"}, ResponseCode.SUBSCRIPTION_PARSE_FAILED),
        ({"topic": "T", "subString": "a > 5", "expressionType": "SQL92"}, ResponseCode.SYSTEM_ERROR),
        (5, ResponseCode.SYSTEM_ERROR),
    ],
)
def test_a_consumer_is_told_whether_its_subscription_can_be_served(subscription: Any, code: int) -> None:
    body = {"clientId": "c", "group": "g", "subscriptionData": subscription}
    assert Site().ask(RequestCode.CHECK_CLIENT_CONFIG, {}, body).code == code


# Connections, for tools


def test_the_connections_of_a_group_are_shown_with_its_subscriptions() -> None:
    site = Site()
    command = a_command(
        RequestCode.HEART_BEAT, {}, a_heartbeat("g", "c", {"T": "A"}), language=LANGUAGES.index("GO"), version=431
    )
    site.receive(command, peer=MemoryPeer("10.0.0.7", 1234))
    shown = site.json(RequestCode.GET_CONSUMER_CONNECTION_LIST, {"consumerGroup": "g"})
    assert shown["connectionSet"] == [
        {"clientAddr": "10.0.0.7:1234", "clientId": "c", "language": "GO", "version": 431}
    ]
    assert shown["consumeFromWhere"] == "CONSUME_FROM_LAST_OFFSET"
    assert shown["consumeType"] == "CONSUME_PASSIVELY"
    assert shown["messageModel"] == "CLUSTERING"
    assert shown["subscriptionTable"]["T"]["subString"] == "A"


def test_a_group_that_is_not_online_is_told() -> None:
    reply = Site().ask(RequestCode.GET_CONSUMER_CONNECTION_LIST, {"consumerGroup": "g"})
    assert (reply.code, reply.remark) == (206, "the consumer group[g] not online")


def test_the_connections_of_producers_are_shown_by_group_and_all() -> None:
    site = Site()
    body = {"clientID": "c", "producerDataSet": [{"groupName": "p"}]}
    site.receive(a_command(RequestCode.HEART_BEAT, {}, body, version=400), peer=MemoryPeer("10.0.0.7", 1234))
    (shown,) = site.json(RequestCode.GET_PRODUCER_CONNECTION_LIST, {"producerGroup": "p"})["connectionSet"]
    assert (shown["clientId"], shown["clientAddr"]) == ("c", "10.0.0.7:1234")
    (entry,) = site.json(RequestCode.GET_ALL_PRODUCER_INFO)["data"]["p"]
    assert entry == {
        "clientId": "c",
        "language": "PYTHON",
        "lastUpdateTimestamp": site.clock.now_ms(),
        "remoteIP": "/10.0.0.7:1234",
        "version": 400,
    }
    reply = site.ask(RequestCode.GET_PRODUCER_CONNECTION_LIST, {"producerGroup": "unknown"})
    assert (reply.code, reply.remark) == (1, "the producer group[unknown] not exist")
