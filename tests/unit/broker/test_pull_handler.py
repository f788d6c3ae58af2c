"""Requests 11, 361 and 33."""

from dataclasses import replace
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.broker.long_polling import ParkedPulls
from broker_py.errors import StoreError
from broker_py.message.tags import tags_code
from broker_py.model.group import GroupConfig
from broker_py.model.topic import TopicConfig
from broker_py.replication.config import ReplicationConfig
from broker_py.store.config import StoreConfig
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import FLAG_ONEWAY
from broker_py.wire.headers.pull import PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION, PULL_SUSPEND
from tests.support.stores import a_message
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE, Site, a_command, a_heartbeat, a_pull, bodies_of, body_of, ext_of

FORGETFUL = replace(STORE, access_message_in_memory_max_ratio=0)


def a_slave(**site: Any) -> Site:
    """A slave that copied three messages of queue 0 of `T`."""
    slave = Site(broker_role=BrokerRole.SLAVE, broker_id=1, **site)
    slave.topics.put(TopicConfig(topic_name="T", read_queue_nums=4, write_queue_nums=4))
    for number in range(3):
        slave.store.append(a_message(b"%d" % number))
    slave.store.commit()
    slave.acks.advance()
    return slave


def offsets_of(site: Site, **fields: Any) -> tuple[int, dict[str, int]]:
    """Pull and return the code and the four offsets of the reply."""
    reply = site.pull(**fields)
    ext = ext_of(reply)
    return reply.code, {name: int(value) for name, value in ext.items()}


# What is found


def test_messages_are_returned_in_order_with_where_to_go_on() -> None:
    site = Site()
    for number in range(3):
        site.send(b"%d" % number)
    reply = site.pull(queueOffset=1)
    assert (reply.code, reply.remark, bodies_of(reply)) == (0, "FOUND", [b"1", b"2"])
    assert ext_of(reply) == {"suggestWhichBrokerId": "0", "nextBeginOffset": "3", "minOffset": "0", "maxOffset": "3"}


def test_no_more_messages_are_returned_than_are_wanted_and_at_most_32() -> None:
    site = Site()
    for number in range(40):
        site.send(b"%d" % number)
    assert len(bodies_of(site.pull(maxMsgNums=5))) == 5
    assert len(bodies_of(site.pull(maxMsgNums=1000))) == 32
    assert len(bodies_of(site.pull(maxMsgNums=0))) == 1
    assert len(bodies_of(site.pull(maxMsgNums=-7))) == 1


def test_no_more_bytes_are_returned_than_are_wanted_but_always_one_message() -> None:
    site = Site()
    for _ in range(5):
        site.send(b"x" * 1000)
    assert len(bodies_of(site.pull(maxMsgBytes=2600))) == 2
    assert len(bodies_of(site.pull(maxMsgBytes=1))) == 1
    assert len(bodies_of(site.pull(maxMsgBytes=-1))) == 5


def test_what_lies_on_disk_is_returned_in_small_portions() -> None:
    site = Site(store=FORGETFUL)
    for number in range(20):
        site.send(b"%d" % number)
    assert len(bodies_of(site.pull())) == 8


def test_lite_pulls_are_pulls() -> None:
    site = Site()
    site.send()
    assert bodies_of(site.ask(RequestCode.LITE_PULL_MESSAGE, a_pull())) == [b"hello"]


def test_pulls_are_counted() -> None:
    site = Site()
    site.send()
    site.send()
    site.pull()
    site.pull(queueOffset=2)
    statistics = site.statistics
    assert (statistics.get_found, statistics.got_messages, statistics.get_missed) == (1, 2, 1)


# What is not found: code, next offset, bounds


@pytest.mark.parametrize(
    ("offset", "code", "remark", "following"),
    [
        (3, ResponseCode.PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE", 3),
        (4, ResponseCode.PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY", 3),
        (1 << 60, ResponseCode.PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY", 3),
        (-1, ResponseCode.PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL", 0),
    ],
)
def test_an_offset_outside_of_the_queue_is_told_where_to_go(
    offset: int, code: int, remark: str, following: int
) -> None:
    site = Site()
    for _ in range(3):
        site.send()
    reply = site.pull(queueOffset=offset)
    assert (reply.code, reply.remark) == (code, remark)
    ext = ext_of(reply)
    assert (ext["nextBeginOffset"], ext["minOffset"], ext["maxOffset"]) == (str(following), "0", "3")


@pytest.mark.parametrize(("offset", "code"), [(0, ResponseCode.PULL_NOT_FOUND), (5, ResponseCode.PULL_OFFSET_MOVED)])
def test_a_queue_that_never_had_a_message_begins_at_zero(offset: int, code: int) -> None:
    found, offsets = offsets_of(Site(), queueOffset=offset)
    assert found == code
    assert (offsets["nextBeginOffset"], offsets["minOffset"], offsets["maxOffset"]) == (0, 0, 0)


def test_an_offset_that_is_deleted_is_moved_to_the_first_there_is() -> None:
    config = StoreConfig(
        store_path_root_dir="/store", mapped_file_size_commit_log=4096, mapped_file_size_consume_queue=200
    )
    site = Site(store=config)
    for _ in range(60):
        site.send(b"x" * 500)
    site.store.log.remove_first()
    site.store.remove_expired_units()
    code, offsets = offsets_of(site, queueOffset=0)
    assert code == ResponseCode.PULL_OFFSET_MOVED
    assert offsets["nextBeginOffset"] == offsets["minOffset"] > 0


def test_a_disk_that_can_not_be_read_is_told_and_costs_nobody_the_connection() -> None:
    site = Site()
    site.send()
    broken(site)
    reply = site.pull()
    assert (reply.code, reply.remark) == (ResponseCode.SYSTEM_ERROR, "injected: the disk can't be read")


def broken(site: Site) -> None:
    """Have the store fail at every read from here on."""

    def get(*_: Any) -> None:
        raise StoreError("injected: the disk can't be read")

    site.store.get = get  # type: ignore[assignment, method-assign]


# Checks, in their order


def refusal(site: Site, code: int = RequestCode.PULL_MESSAGE, **fields: Any) -> int:
    return site.ask(code, a_pull(**fields)).code


def test_a_broker_that_may_not_be_read_serves_nobody() -> None:
    assert refusal(Site(broker_permission=2), topic="Unknown") == ResponseCode.NO_PERMISSION


def test_lite_pulls_can_be_off() -> None:
    site = Site(lite_pull_message_enable=False)
    assert refusal(site, RequestCode.LITE_PULL_MESSAGE) == ResponseCode.NO_PERMISSION
    assert refusal(site) == ResponseCode.PULL_NOT_FOUND


def test_a_group_that_may_not_be_made_is_unknown() -> None:
    assert refusal(Site(auto_create_subscription_group=False)) == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST


@pytest.mark.parametrize("group", ["", "a b", "x" * 300])
def test_a_group_of_a_name_that_can_not_be_one_is_refused(group: str) -> None:
    site = Site()
    assert refusal(site, consumerGroup=group) == ResponseCode.SYSTEM_ERROR
    assert site.groups.get(group) is None


def test_a_group_may_be_kept_from_consuming() -> None:
    site = Site()
    site.groups.put(GroupConfig(group_name="g", consume_enable=False))
    assert refusal(site) == ResponseCode.NO_PERMISSION


def test_an_unknown_topic_is_told() -> None:
    assert refusal(Site(), topic="Unknown") == ResponseCode.TOPIC_NOT_EXIST


@pytest.mark.parametrize(("perm", "code"), [(2, ResponseCode.NO_PERMISSION), (4, 19), (6, 19), (0, 16)])
def test_a_topic_must_be_readable(perm: int, code: int) -> None:
    site = Site()
    site.topics.put(TopicConfig(topic_name="P", perm=perm))
    assert refusal(site, topic="P") == code


@pytest.mark.parametrize(("queue_id", "code"), [(-1, 1), (0, 19), (7, 19), (8, 1)])
def test_a_queue_must_be_one_that_is_read(queue_id: int, code: int) -> None:
    site = Site()
    site.topics.put(TopicConfig(topic_name="Shrunk", read_queue_nums=8, write_queue_nums=2))
    assert refusal(site, topic="Shrunk", queueId=queue_id) == code


@pytest.mark.parametrize("field", ["consumerGroup", "topic", "queueId", "queueOffset", "maxMsgNums"])
def test_a_pull_that_lacks_a_field_is_refused_by_its_name(field: str) -> None:
    ext = a_pull()
    del ext[field]
    reply = Site().ask(RequestCode.PULL_MESSAGE, ext)
    assert (reply.code, reply.remark) == (ResponseCode.SYSTEM_ERROR, f"the request lacks the field {field}")


# Subscriptions


def test_a_pull_with_tags_gets_what_has_them_and_goes_on_behind_what_has_not() -> None:
    site = Site()
    for tag in ("A", "B", "A", "C"):
        site.send(tag.encode(), properties=f"TAGS\x01{tag}")
    reply = site.pull(subscription="A || C")
    assert bodies_of(reply) == [b"A", b"A", b"C"]
    code, offsets = offsets_of(site, subscription="D")
    assert (code, offsets["nextBeginOffset"]) == (ResponseCode.PULL_RETRY_IMMEDIATELY, 4)


@pytest.mark.parametrize(
    ("expression", "kind", "code"),
    [(" || ", "TAG", ResponseCode.SUBSCRIPTION_PARSE_FAILED), ("a > 5", "SQL92", ResponseCode.SYSTEM_ERROR)],
)
def test_a_pull_whose_own_subscription_can_not_be_served_is_refused(expression: str, kind: str, code: int) -> None:
    assert refusal(Site(), subscription=expression, expressionType=kind) == code


def test_without_one_the_subscription_of_the_heartbeats_counts() -> None:
    site = Site()
    for tag in ("A", "B"):
        site.send(tag.encode(), properties=f"TAGS\x01{tag}")
    body = a_heartbeat("g", "c", {})
    body["consumerDataSet"][0]["subscriptionDataSet"] = [
        {"topic": "T", "subString": "B", "codeSet": [str(tags_code("B"))], "subVersion": 3}
    ]
    site.ask(RequestCode.HEART_BEAT, {}, body)
    assert bodies_of(site.pull(sysFlag=0, subVersion=3)) == [b"B"]
    assert refusal(site, sysFlag=0, subVersion=4) == ResponseCode.SUBSCRIPTION_NOT_LATEST


def test_without_a_heartbeat_a_group_has_no_subscription() -> None:
    site = Site()
    assert refusal(site, sysFlag=0) == ResponseCode.SUBSCRIPTION_NOT_EXIST
    site.heartbeat(MemoryPeer(), Other="*")
    assert refusal(site, sysFlag=0) == ResponseCode.SUBSCRIPTION_NOT_EXIST


def test_a_group_that_may_not_read_the_topic_is_refused() -> None:
    site = Site()
    site.ask(RequestCode.HEART_BEAT, {}, a_heartbeat("g", "c", {"T": "*"}))
    site.groups.allow_reading("g", "T", False)
    reply = site.pull(sysFlag=0)
    assert (reply.code, reply.remark) == (
        ResponseCode.NO_PERMISSION,
        "the consumer group[g] is forbidden for topic[T]",
    )
    site.groups.allow_reading("g", "T", True)
    assert refusal(site, sysFlag=0) == ResponseCode.PULL_NOT_FOUND


def test_a_subscription_of_another_kind_in_a_heartbeat_is_refused_at_the_pull() -> None:
    site = Site()
    body = a_heartbeat("g", "c", {})
    body["consumerDataSet"][0]["subscriptionDataSet"] = [
        {"topic": "T", "subString": "a > 5", "expressionType": "SQL92"}
    ]
    assert site.ask(RequestCode.HEART_BEAT, {}, body).code == 0
    assert refusal(site, sysFlag=0) == ResponseCode.SYSTEM_ERROR


def test_a_group_may_be_kept_from_broadcasting() -> None:
    site = Site()
    site.groups.put(GroupConfig(group_name="g", consume_broadcast_enable=False))
    site.ask(RequestCode.HEART_BEAT, {}, a_heartbeat("g", "c", {"T": "*"}, messageModel="BROADCASTING"))
    assert refusal(site, sysFlag=0) == ResponseCode.NO_PERMISSION


# Offsets that come with a pull


def test_a_pull_can_commit_an_offset() -> None:
    site = Site()
    site.pull(sysFlag=PULL_SUBSCRIPTION | PULL_COMMIT_OFFSET, commitOffset=7)
    assert site.offsets.offset("g", "T", 0) == 7


@pytest.mark.parametrize(("sys_flag", "offset"), [(PULL_SUBSCRIPTION, 7), (PULL_SUBSCRIPTION | 1, -1)])
def test_an_offset_is_committed_only_when_it_is_meant_to_be(sys_flag: int, offset: int) -> None:
    site = Site()
    site.pull(sysFlag=sys_flag, commitOffset=offset)
    assert site.offsets.offset("g", "T", 0) == -1


def test_a_refused_pull_commits_nothing() -> None:
    site = Site()
    site.pull(sysFlag=PULL_COMMIT_OFFSET, commitOffset=7)
    assert site.offsets.offset("g", "T", 0) == -1


def test_how_far_a_group_has_fetched_is_remembered_when_it_found_something() -> None:
    site = Site()
    site.send()
    site.pull()
    site.pull(queueOffset=1)
    assert site.offsets.pulled_offset("g", "T", 0) == 1


# Waiting


def test_a_pull_at_the_end_waits_for_the_next_message() -> None:
    site = Site()
    peer = MemoryPeer()
    command = site.park(peer)
    assert peer.reply_to(command) is None
    site.send(b"now")
    reply = peer.reply_to(command)
    assert reply is not None
    assert bodies_of(reply) == [b"now"]


def test_the_messages_of_one_batch_come_in_one_reply() -> None:
    site = Site()
    peer = MemoryPeer()
    site.park(peer)
    sends = [a_command(RequestCode.SEND_MESSAGE_V2, {**_send_ext(), "e": "0"}, b"%d" % n) for n in range(3)]
    site.receive(*sends, peer=MemoryPeer())
    ((_, reply),) = peer.replies
    assert bodies_of(reply) == [b"0", b"1", b"2"]


def _send_ext() -> dict[str, str]:
    return {"a": "pg", "b": "T", "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1", "h": "0"}


def test_a_message_elsewhere_or_with_another_tag_wakes_nobody() -> None:
    site = Site()
    peer = MemoryPeer()
    command = site.park(peer, subscription="A")
    site.send(queue_id=1, properties="TAGS\x01A")
    site.send(b"not this", properties="TAGS\x01B")
    assert peer.reply_to(command) is None
    site.send(b"this", properties="TAGS\x01A")
    reply = peer.reply_to(command)
    assert reply is not None
    assert bodies_of(reply) == [b"this"]
    assert ext_of(reply)["nextBeginOffset"] == "2"


def test_after_the_time_a_pull_has_asked_for_it_is_told_that_there_was_nothing() -> None:
    site = Site()
    peer = MemoryPeer()
    command = site.park(peer, suspendTimeoutMillis=15_000)
    site.pass_time(14_999)
    assert peer.reply_to(command) is None
    site.pass_time(1)
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.code == ResponseCode.PULL_NOT_FOUND


def test_without_long_polling_the_time_is_the_brokers() -> None:
    site = Site(long_polling_enable=False, short_polling_time_mills=1000)
    peer = MemoryPeer()
    site.park(peer, suspendTimeoutMillis=15_000)
    site.pass_time(1000)
    assert peer.codes == [ResponseCode.PULL_NOT_FOUND]


@pytest.mark.parametrize("fields", [{"sysFlag": PULL_SUBSCRIPTION}, {"suspendTimeoutMillis": 0}])
def test_a_pull_that_does_not_ask_for_it_does_not_wait(fields: dict[str, int]) -> None:
    peer = MemoryPeer()
    Site().park(peer, **fields)
    assert peer.codes == [ResponseCode.PULL_NOT_FOUND]


def test_a_pull_with_another_answer_than_nothing_new_does_not_wait() -> None:
    site = Site()
    peer = MemoryPeer()
    site.park(peer, queueOffset=5)
    assert peer.codes == [ResponseCode.PULL_OFFSET_MOVED]


def test_when_too_many_wait_the_next_is_answered() -> None:
    site = Site()
    site.pull_handler._parked = ParkedPulls(limit=0)
    peer = MemoryPeer()
    site.park(peer)
    assert peer.codes == [ResponseCode.PULL_NOT_FOUND]


def test_a_pull_whose_peer_is_gone_is_not_answered_and_waits_no_more() -> None:
    site = Site()
    peer = MemoryPeer()
    site.park(peer)
    peer.is_open = False
    site.send()
    assert peer.replies == []
    assert site.parked.count == 0


def test_a_disk_that_fails_while_a_pull_waits_is_told_to_it_and_the_producer_is_answered() -> None:
    site = Site()
    peer = MemoryPeer()
    command = site.park(peer)
    broken(site)
    assert site.send().code == 0
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert site.parked.count == 0


def test_a_pull_waits_until_its_message_is_as_safe_as_the_profile_asks() -> None:
    site = Site(broker_role=BrokerRole.SYNC_MASTER, replication=ReplicationConfig(in_sync_replicas=2))
    site.slaves.join(1, "10.0.0.2")
    site.slaves.acknowledge(1, 0)
    consumer = MemoryPeer()
    command = site.park(consumer)
    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, _send_ext(), b"x"), peer=MemoryPeer())
    assert consumer.reply_to(command) is None
    site.slaves.acknowledge(1, site.store.written.value)
    site.acks.advance()
    assert consumer.reply_to(command) is not None


# Which broker to ask next


@pytest.mark.parametrize(
    ("store", "slave_read", "suggested"),
    [(STORE, True, 3), (FORGETFUL, True, 5), (STORE, False, 0), (FORGETFUL, False, 0)],
)
def test_readers_are_sent_where_their_group_says(store: StoreConfig, slave_read: bool, suggested: int) -> None:
    site = Site(store=store, slave_read_enable=slave_read)
    site.groups.put(GroupConfig(group_name="g", broker_id=3, which_broker_when_consume_slowly=5))
    for _ in range(20):
        site.send()
    assert offsets_of(site)[1]["suggestWhichBrokerId"] == suggested


def test_by_default_readers_stay_with_the_master_until_they_lag() -> None:
    site = Site()
    site.send()
    assert offsets_of(site)[1]["suggestWhichBrokerId"] == 0
    far = Site(store=FORGETFUL)
    for _ in range(20):
        far.send()
    assert offsets_of(far)[1]["suggestWhichBrokerId"] == 1


# A slave


def test_a_slave_may_be_kept_from_serving_pulls() -> None:
    reply = a_slave(slave_read_enable=False).pull()
    assert reply.code == ResponseCode.SYSTEM_BUSY
    assert (reply.remark or "").startswith("[REJECTREQUEST]")


def test_a_slave_serves_what_it_has_and_sends_its_readers_back_to_a_living_master() -> None:
    slave = a_slave()
    assert bodies_of(slave.pull()) == [b"0", b"1", b"2"]
    assert offsets_of(slave)[1]["suggestWhichBrokerId"] == 1
    slave.master_alive = True
    assert offsets_of(slave)[1]["suggestWhichBrokerId"] == 0


def test_a_slave_has_its_readers_wait_for_the_next_message_when_the_master_is_gone() -> None:
    slave = a_slave()
    peer = MemoryPeer()
    command = slave.park(peer, queueOffset=3)
    assert peer.reply_to(command) is None
    slave.store.append(a_message(b"3"))
    slave.store.commit()
    slave.acks.advance()
    reply = peer.reply_to(command)
    assert reply is not None
    assert bodies_of(reply) == [b"3"]


def test_a_slave_sends_readers_that_find_nothing_to_a_living_master_at_once() -> None:
    slave = a_slave()
    slave.master_alive = True
    peer = MemoryPeer()
    slave.park(peer, queueOffset=3)
    assert peer.codes == [ResponseCode.PULL_RETRY_IMMEDIATELY]
    assert ext_of(peer.replies[0][1])["suggestWhichBrokerId"] == "0"


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("fields", [{"queueOffset": 9}, {"queueId": 1, "queueOffset": 9}])
def test_a_slave_that_lacks_an_offset_moves_nobody(alive: bool, fields: dict[str, int]) -> None:
    slave = a_slave()
    slave.master_alive = alive
    code, offsets = offsets_of(slave, **fields)
    assert code == (ResponseCode.PULL_RETRY_IMMEDIATELY if alive else ResponseCode.PULL_NOT_FOUND)
    assert offsets["nextBeginOffset"] == 9


def test_a_reader_ahead_of_a_slave_without_a_master_waits_rather_than_asks_again_and_again() -> None:
    slave = a_slave()
    peer = MemoryPeer()
    slave.park(peer, queueOffset=9)
    assert peer.codes == []
    slave.pass_time(15_000)
    assert peer.codes == [ResponseCode.PULL_NOT_FOUND]


def test_a_slave_commits_no_offsets_with_pulls() -> None:
    slave = a_slave()
    slave.pull(sysFlag=PULL_SUBSCRIPTION | PULL_COMMIT_OFFSET, commitOffset=2)
    assert slave.offsets.offset("g", "T", 0) == -1


# One message by its place


@pytest.mark.parametrize("offset", [-1, 1, 1 << 62])
def test_where_no_message_begins_none_is_found(offset: int) -> None:
    site = Site()
    site.send()
    reply = site.ask(RequestCode.VIEW_MESSAGE_BY_ID, {"offset": offset})
    assert (reply.code, reply.remark) == (1, f"can not find message by the offset, {offset}")


def test_changed_properties_count_from_the_next_pull_on() -> None:
    site = Site()
    site.pull_handler.configure(replace(site.config, broker_permission=2))
    assert refusal(site) == ResponseCode.NO_PERMISSION


def test_nothing_is_read_for_a_peer_that_does_not_take_what_it_was_sent() -> None:
    site = Site()
    peer = MemoryPeer()
    command = site.park(peer)
    peer.is_writable = False
    site.send(b"new")
    assert peer.replies == []
    site.pass_time(15_000)
    reply = peer.reply_to(command)
    assert reply is not None
    assert (reply.code, body_of(reply)) == (ResponseCode.PULL_RETRY_IMMEDIATELY, b"")
    assert reply.ext is not None
    assert (reply.ext["nextBeginOffset"], reply.ext["maxOffset"]) == ("0", "1")


def test_a_waiting_pull_keeps_little_of_its_request() -> None:
    site, peer = Site(), MemoryPeer()
    command = a_command(RequestCode.PULL_MESSAGE, a_waiting_pull(), bytes(1 << 20))
    site.receive(command, peer=peer)
    assert site.parked.count == 1
    assert (command.body, command.ext) == (b"", {})
    site.send(b"one")
    reply = peer.reply_to(command)
    assert reply is not None
    assert bodies_of(reply) == [b"one"]


def test_a_pull_that_is_too_large_or_whose_answer_nobody_waits_for_does_not_wait() -> None:
    site, peer = Site(), MemoryPeer()
    tags = " || ".join(f"tag{n}" for n in range(3000))
    large = a_command(RequestCode.PULL_MESSAGE, a_waiting_pull(subscription=tags))
    oneway = a_command(RequestCode.PULL_MESSAGE, a_waiting_pull())
    oneway.flag |= FLAG_ONEWAY
    site.receive(large, oneway, peer=peer)
    assert site.parked.count == 0
    assert peer.codes == [ResponseCode.PULL_NOT_FOUND]


def a_waiting_pull(**fields: Any) -> dict[str, Any]:
    wait = {"sysFlag": PULL_SUBSCRIPTION | PULL_SUSPEND, "suspendTimeoutMillis": 15_000}
    return a_pull(**{**wait, **fields})
