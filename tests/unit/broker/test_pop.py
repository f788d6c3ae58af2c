"""Messages that are popped: handed out once, back when nobody acknowledges them, also after a crash."""

import json
from random import Random
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.errors import StoreError
from broker_py.message.properties import decode_properties
from broker_py.message.record import Message
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import TopicConfig
from broker_py.store.reading import GetResult
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.pops import RETRY, a_pop, extra_infos
from tests.unit.broker.site import Site, a_command, a_send, bodies_of, ext_of, records_of

REVIVE = "rmq_sys_REVIVE_LOG_DefaultCluster"


def pop(site: Site, **fields: Any) -> Reply:
    return site.ask(RequestCode.POP_MESSAGE, a_pop(**fields))


def park(site: Site, peer: MemoryPeer, **fields: Any) -> Command:
    command = a_command(RequestCode.POP_MESSAGE, a_pop(pollTime=15_000, **fields))
    site.receive(command, peer=peer)
    return command


def ack(site: Site, *acks: dict[str, Any]) -> None:
    for fields in acks:
        reply = site.ask(RequestCode.ACK_MESSAGE, fields)
        assert reply.code == 0, reply.remark


def pass_time(site: Site, ms: int) -> None:
    """Let time pass, and what is due be revived."""
    site.pass_time(ms)
    for _ in range(4):
        site.pop.step()
        site.end_turn()


def restart(site: Site, *, save: bool = False) -> Site:
    """Return the site after a power cut that took all that was not forced."""
    if save:
        site.pop.revive_log.note_position()
        site.offsets.save()
    again = Site(site.files.crash(Random(1), NOTHING_KEPT))
    again.clock.advance(site.clock.now_ms() - again.clock.now_ms())
    for _ in range(3):
        again.pop.step()
    return again


def a_site(count: int = 3, **settings: Any) -> Site:
    site = Site(**settings)
    for number in range(count):
        send(site, b"m%d" % number, queue_id=number % 4)
    return site


def send(site: Site, body: bytes, **fields: Any) -> None:
    """Send a message and have it forced, so that it is answered and shown."""
    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(**fields), body), peer=MemoryPeer())
    site.flush()


def test_messages_of_all_queues_are_popped_once() -> None:
    site = a_site()
    reply = pop(site)
    assert (reply.code, reply.remark) == (0, "FOUND")
    assert sorted(bodies_of(reply)) == [b"m0", b"m1", b"m2"]
    ext = ext_of(reply)
    assert sorted(ext["startOffsetInfo"].split(";")) == ["0 0 0", "0 1 0", "0 2 0"]
    assert sorted(ext["msgOffsetInfo"].split(";")) == ["0 0 0", "0 1 0", "0 2 0"]
    assert (ext["invisibleTime"], ext["restNum"], ext["popTime"]) == ("10000", "0", str(site.clock.now_ms()))
    assert "orderCountInfo" not in ext
    again = pop(site)
    assert again.code == ResponseCode.POLLING_TIMEOUT
    assert site.offsets.offset("g", "T", 1) == 1


def test_the_progress_of_a_group_that_pops_is_what_it_popped() -> None:
    site = a_site(0)
    for number in range(5):
        send(site, b"m%d" % number, queue_id=0)
    acks = extra_infos(pop(site, queueId=0, maxMsgNums=3))
    for _ in acks[:2]:
        table = site.json(RequestCode.GET_CONSUME_STATS, {"consumerGroup": "g", "topic": "T"})["offsetTable"]
        row = table[MessageQueue("T", "broker-a", 0)]
        assert (row["brokerOffset"], row["consumerOffset"], row["pullOffset"]) == (5, 3, 3)
        ack(site, acks.pop())


def test_a_popped_message_comes_back_once_from_the_retry_topic() -> None:
    site = a_site()
    pop(site)
    pass_time(site, 9_999)
    assert pop(site).code == ResponseCode.POLLING_TIMEOUT
    pass_time(site, 1)
    reply = pop(site)
    assert sorted(bodies_of(reply)) == [b"m0", b"m1", b"m2"]
    record = records_of(reply)[0]
    properties = decode_properties(record.properties)
    assert record.topic == "T"
    assert record.reconsume_times == 1
    assert properties["POP_CK"].split(" ")[4:] == ["1", "broker-a", "0", "0"]
    assert properties["1ST_POP_TIME"] == str(site.clock.now_ms() - 10_000)
    ack(site, *extra_infos(reply))
    pass_time(site, 100_000)
    assert pop(site).code == ResponseCode.POLLING_TIMEOUT
    assert site.pop.revive_log.pending == 0


def test_acknowledged_messages_do_not_come_back() -> None:
    site = a_site()
    reply = pop(site)
    ack(site, *extra_infos(reply)[:2])
    pass_time(site, 10_000)
    assert bodies_of(pop(site)) == bodies_of(reply)[2:]


def test_a_changed_invisible_time_counts_from_now_and_the_new_info_acknowledges() -> None:
    site = a_site(1)
    fields = extra_infos(pop(site))[0]
    pass_time(site, 5_000)
    reply = site.ask(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, {**fields, "invisibleTime": 20_000})
    ext = ext_of(reply)
    assert (ext["popTime"], ext["invisibleTime"]) == (str(site.clock.now_ms()), "20000")
    pass_time(site, 19_999)
    assert pop(site).code == ResponseCode.POLLING_TIMEOUT
    info = f"0 {ext['popTime']} 20000 {ext['reviveQid']} 0 broker-a 0 0"
    ack(site, {**fields, "extraInfo": info})
    pass_time(site, 100_000)
    assert pop(site).code == ResponseCode.POLLING_TIMEOUT


def test_a_changed_invisible_time_that_is_up_revives() -> None:
    site = a_site(1)
    fields = extra_infos(pop(site))[0]
    pass_time(site, 1)
    site.ask(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, {**fields, "invisibleTime": 3_000})
    pass_time(site, 3_000)
    assert bodies_of(pop(site)) == [b"m0"]
    pass_time(site, 7_001)
    assert pop(site).code == ResponseCode.POLLING_TIMEOUT


@pytest.mark.parametrize("save", [False, True])
def test_after_a_power_cut_only_what_is_not_acknowledged_comes_back(save: bool) -> None:
    site = a_site(4, sync_flush=True)
    site.flush()
    peer = MemoryPeer()
    command = a_command(RequestCode.POP_MESSAGE, a_pop())
    site.receive(command, peer=peer)
    assert peer.reply_to(command) is None, "handed out before its check point is safe"
    site.flush()
    reply = peer.reply_to(command)
    assert reply is not None
    for fields in extra_infos(reply)[1:]:
        acking = a_command(RequestCode.ACK_MESSAGE, fields)
        site.receive(acking, peer=peer)
        assert peer.reply_to(acking) is None
        site.flush()
    again = restart(site, save=save)
    assert pop(again).code == ResponseCode.POLLING_TIMEOUT
    pass_time(again, 10_000)
    assert bodies_of(pop(again)) == bodies_of(reply)[:1]


def test_what_was_revived_and_acknowledged_before_a_power_cut_is_not_revived_again() -> None:
    site = a_site(1)
    pop(site)
    pass_time(site, 10_000)
    ack(site, *extra_infos(pop(site)))
    site.flush()
    again = restart(site)
    pass_time(again, 100_000)
    assert pop(again).code == ResponseCode.POLLING_TIMEOUT
    assert pop(again, consumerGroup="other").code == 0


def test_an_offset_that_was_set_back_and_saved_stays_back_after_a_crash() -> None:
    site = a_site(4)
    pop(site, queueId=0)
    site.offsets.commit("g", "T", 0, 0)
    site.flush()
    again = restart(site, save=True)
    assert again.offsets.offset("g", "T", 0) == 0


def test_no_pop_moves_the_offset_that_a_tool_set_meanwhile() -> None:
    site = a_site(1, sync_flush=True)
    site.flush()
    site.offsets.commit("g", "T", 0, 0)
    peer = MemoryPeer()
    command = a_command(RequestCode.POP_MESSAGE, a_pop())
    site.receive(command, peer=peer)
    site.offsets.commit("g", "T", 0, 7)
    site.flush()
    assert peer.reply_to(command) is not None
    assert site.offsets.offset("g", "T", 0) == 7


def test_what_can_not_be_noted_is_not_handed_out_and_given_to_the_next() -> None:
    site = a_site(1, sync_flush=True)
    site.flush()
    peer = MemoryPeer()
    command = a_command(RequestCode.POP_MESSAGE, a_pop())
    site.receive(command, peer=peer)
    site.acks.fail_waiting("the disk is gone")
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.code == ResponseCode.SERVICE_NOT_AVAILABLE
    assert "the disk is gone" in str(reply.remark)
    assert site.offsets.offset("g", "T", 0) <= 0


def test_a_queue_is_held_until_its_check_point_is_safe() -> None:
    site = a_site(1, sync_flush=True)
    site.flush()
    first, second = MemoryPeer(), MemoryPeer()
    one = a_command(RequestCode.POP_MESSAGE, a_pop())
    site.receive(one, peer=first)
    two = park(site, second)
    site.flush()
    site.end_turn()
    assert first.reply_to(one) is not None
    assert second.reply_to(two) is None
    send(site, b"next")
    site.flush()
    site.end_turn()
    site.flush()
    reply = second.reply_to(two)
    assert reply is not None
    assert bodies_of(reply) == [b"next"]


def test_a_parked_pop_wakes_on_a_message_on_a_revived_one_and_on_its_time() -> None:
    site = Site()
    peer = MemoryPeer()
    waiting = park(site, peer)
    assert site.ask(RequestCode.POLLING_INFO, {"consumerGroup": "g", "topic": "T", "queueId": -1}).ext == {
        "pollingNum": "1"
    }
    site.send(b"now")
    site.acks.commit()
    site.end_turn()
    reply = peer.reply_to(waiting)
    assert reply is not None
    assert bodies_of(reply) == [b"now"]
    waiting = park(site, peer)
    pass_time(site, 10_000)
    site.acks.commit()
    reply = peer.reply_to(waiting)
    assert reply is not None
    assert bodies_of(reply) == [b"now"]
    waiting = park(site, peer)
    site.pass_time(14_999)
    assert peer.reply_to(waiting) is None
    site.pass_time(1)
    reply = peer.reply_to(waiting)
    assert reply is not None
    assert reply.code == ResponseCode.POLLING_TIMEOUT


def test_one_message_wakes_one_of_those_that_wait_for_the_same() -> None:
    site = Site()
    first, second = MemoryPeer(), MemoryPeer()
    one, two = park(site, first), park(site, second)
    site.send()
    site.acks.commit()
    assert first.reply_to(one) is not None
    assert second.reply_to(two) is None
    site.pop.waiting.release_all()
    assert second.reply_to(two) is not None
    assert park(site, first) is not None
    assert site.pop.waiting.count == 0


def test_only_wanted_tags_are_popped_and_the_others_are_passed() -> None:
    site = Site()
    for number in range(900):
        site.send(b"no", properties="TAGS\x01B")
        if number == 850:
            site.send(b"yes", properties="TAGS\x01A")
    assert bodies_of(pop(site, exp="A", expType="TAG")) == [b"yes"]
    assert pop(site, exp="A", expType="TAG").code == ResponseCode.POLLING_TIMEOUT
    assert site.offsets.offset("g", "T", 0) == 901


def test_a_new_group_begins_with_the_last_message_unless_it_asks_for_the_first() -> None:
    site = Site()
    for body in (b"a", b"b", b"c"):
        site.send(body)
    assert bodies_of(pop(site, initMode=1)) == [b"c"]
    assert bodies_of(pop(site, consumerGroup="other")) == [b"a", b"b", b"c"]


def test_no_more_than_was_asked_for_is_popped() -> None:
    site = a_site(12)
    reply = pop(site, maxMsgNums=5)
    assert len(bodies_of(reply)) == 5
    assert ext_of(reply)["restNum"] == "7"
    assert len(bodies_of(pop(site))) == 7


def test_revived_messages_that_come_first_are_not_followed_by_the_queue_they_would_be_taken_for() -> None:
    site = a_site(1)
    pop(site)
    pass_time(site, 10_000)
    site.send(b"n0")
    site.send(b"n1", queue_id=1)
    site.random = 0
    assert bodies_of(pop(site)) == [b"m0", b"n1"]
    assert bodies_of(pop(site)) == [b"n0"]


def test_in_order_a_queue_gives_nothing_before_all_is_acknowledged_or_its_time_is_up() -> None:
    site = Site()
    for body in (b"a", b"b", b"c"):
        site.send(body)
    reply = pop(site, order=True, maxMsgNums=2)
    assert bodies_of(reply) == [b"a", b"b"]
    assert ext_of(reply)["reviveQid"] == "999"
    assert ext_of(reply)["orderCountInfo"] == "0 0 0"
    acks = extra_infos(reply)
    peer = MemoryPeer()
    waiting = park(site, peer, order=True)
    ack(site, acks[0])
    site.end_turn()
    assert peer.reply_to(waiting) is None
    ack(site, acks[1])
    site.end_turn()
    answer = peer.reply_to(waiting)
    assert answer is not None
    assert bodies_of(answer) == [b"c"]
    assert site.offsets.offset("g", "T", 0) == 2
    site.pass_time(10_000)
    again = pop(site, order=True)
    assert bodies_of(again) == [b"c"]
    assert ext_of(again)["orderCountInfo"] == "0 qo0%2 1;0 0 1"
    ack(site, extra_infos(again)[0])
    assert site.offsets.offset("g", "T", 0) == 3


def test_in_order_an_ack_of_an_earlier_pop_counts_for_nothing_and_a_strange_one_is_refused() -> None:
    site = Site()
    site.send(b"a")
    site.send(b"b")
    old = extra_infos(pop(site, order=True, maxMsgNums=1))[0]
    pass_time(site, 10_000)
    new = extra_infos(pop(site, order=True, maxMsgNums=1))[0]
    ack(site, old)
    assert site.offsets.offset("g", "T", 0) == 0
    assert site.ask(RequestCode.ACK_MESSAGE, {**new, "offset": 1}).code == ResponseCode.MESSAGE_ILLEGAL
    ack(site, new)
    assert site.offsets.offset("g", "T", 0) == 1


def test_in_order_a_changed_invisible_time_holds_the_queue_and_its_end_wakes() -> None:
    site = Site()
    site.send(b"a")
    fields = extra_infos(pop(site, order=True))[0]
    reply = site.ask(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, {**fields, "invisibleTime": 14_000})
    assert ext_of(reply)["invisibleTime"] == "14000"
    peer = MemoryPeer()
    waiting = park(site, peer, order=True)
    pass_time(site, 13_999)
    assert peer.reply_to(waiting) is None
    pass_time(site, 1)
    answer = peer.reply_to(waiting)
    assert answer is not None
    assert bodies_of(answer) == [b"a"]


def test_what_is_out_in_order_is_kept_in_javas_file() -> None:
    site = Site()
    for body in (b"a", b"b"):
        site.send(body)
    reply = pop(site, order=True)
    ack(site, extra_infos(reply)[0])
    site.pop.order.save()
    table = json.loads(bytes(site.files.dump()["/store/config/consumerOrderInfo.json"]))["table"]
    now = site.clock.now_ms()
    assert table == {"T@g": {"0": {"popTime": now, "i": 10_000, "o": [0, 1], "ot": {}, "oc": {}, "l": now, "cm": 1}}}
    site.offsets.save()
    site.flush()
    again = restart(site)
    assert again.pop.order.is_blocked("T", "g", 0)
    ack(again, extra_infos(reply)[1])
    assert again.offsets.offset("g", "T", 0) == 2


def test_in_order_an_ack_of_a_pop_that_a_crash_made_forgotten_skips_nothing() -> None:
    site = Site()
    for body in (b"a", b"b"):
        send(site, body)
    acks = extra_infos(pop(site, order=True))
    again = restart(site)
    ack(again, acks[1])
    assert bodies_of(pop(again, order=True)) == [b"a", b"b"]


def test_entries_of_a_java_broker_are_read() -> None:
    site = a_site(1)
    pop_time = site.clock.now_ms()
    site.offsets.commit("g", "T", 0, 1)
    checkpoint = {"bm": 0, "bn": "broker-a", "c": "g", "d": [0], "it": 5000, "n": 1, "pt": pop_time, "q": 0, "ro": 0}
    body = json.dumps({**checkpoint, "so": 0, "t": "T", "reviveTime": pop_time + 5000}).encode()
    site.groups.require("g")
    properties = b"TAGS\x01ck\x02TIMER_DEQUEUE_MS\x011\x02TIMER_DELIVER_MS\x011"
    site.own.put(Message(REVIVE, 0, 0, 0, 1, bytes(8), body, properties, 0), lambda _: None)
    site.end_turn()
    pass_time(site, 7_999)
    assert pop(site).code == ResponseCode.POLLING_TIMEOUT
    pass_time(site, 1)
    assert bodies_of(pop(site)) == [b"m0"]


def test_an_ack_of_a_check_point_that_a_java_brokers_timer_still_has_follows_it_there() -> None:
    site = a_site(1)
    popped = site.clock.now_ms() - 1000  # before this broker started
    fields = {"consumerGroup": "g", "topic": "T", "queueId": 0, "offset": 0}

    def info(pop_time: int) -> str:
        return f"0 {pop_time} 5000 3 0 broker-a 0 0"

    ack(site, {**fields, "extraInfo": info(popped)})
    record = site.stored("rmq_sys_wheel_timer", 0, 0)
    properties = decode_properties(record.properties)
    assert (properties["REAL_TOPIC"], properties["REAL_QID"], properties["TAGS"]) == (REVIVE, "3", "ack")
    assert int(properties["TIMER_DELIVER_MS"]) == popped + 5000
    assert json.loads(bytes(record.body))["ao"] == 0

    site.clock.advance(5000)
    ack(site, {**fields, "extraInfo": info(popped)}, {**fields, "extraInfo": info(site.clock.now_ms())})
    assert site.store.max_offset("rmq_sys_wheel_timer", 0) == 1, "its time is over, and that one was popped here"
    assert site.store.max_offset(REVIVE, 3) == 2


def test_check_points_have_javas_form() -> None:
    site = a_site(1)
    pop(site)
    record = site.stored(REVIVE, 1, 0)
    now = site.clock.now_ms()
    assert json.loads(bytes(record.body)) == {
        "bm": 0,
        "bn": "broker-a",
        "c": "g",
        "d": [0],
        "it": 10_000,
        "n": 1,
        "pt": now,
        "q": 0,
        "ro": 0,
        "so": 0,
        "t": "T",
    }
    assert decode_properties(record.properties) == {"TAGS": "ck", "TIMER_DELIVER_MS": str(now), "POP_NEXT": "1"}
    pass_time(site, 0)
    assert site.offsets.offset("CID_RMQ_SYS_REVIVE_GROUP", REVIVE, 1) == -1, "the check point is still needed"


def test_the_revive_log_is_passed_once_all_is_acknowledged() -> None:
    site = a_site(1)
    ack(site, *extra_infos(pop(site)))
    pass_time(site, 0)
    assert site.offsets.offset("CID_RMQ_SYS_REVIVE_GROUP", REVIVE, 1) == 1


def test_what_is_popped_of_a_deleted_topic_is_forgotten() -> None:
    site = a_site(1)
    pop(site)
    site.topics.remove("T")
    pass_time(site, 10_000)
    assert site.pop.revive_log.pending == 0
    assert RETRY not in site.topics


def test_peek_shows_what_a_pop_would_get_and_leaves_it() -> None:
    site = a_site()
    fields = {"consumerGroup": "g", "topic": "T", "queueId": -1, "maxMsgNums": 2}
    reply = site.ask(RequestCode.PEEK_MESSAGE, fields)
    assert bodies_of(reply) == [b"m0", b"m1"]
    assert ext_of(reply)["restNum"] == "3"
    assert len(bodies_of(pop(site))) == 3
    assert site.ask(RequestCode.PEEK_MESSAGE, fields).code == ResponseCode.PULL_NOT_FOUND


def test_a_notification_tells_whether_there_is_a_message_and_waits_for_one() -> None:
    site = Site()
    fields = {"consumerGroup": "g", "topic": "T", "queueId": -1, "pollTime": 0, "bornTime": 0}
    assert site.ask(RequestCode.NOTIFICATION, fields).ext == {"hasMsg": "false"}
    peer = MemoryPeer()
    command = a_command(RequestCode.NOTIFICATION, {**fields, "pollTime": 5_000})
    site.receive(command, peer=peer)
    assert peer.reply_to(command) is None
    site.send()
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.ext == {"hasMsg": "true"}


@pytest.mark.parametrize(
    ("code", "fields", "expected"),
    [
        (RequestCode.POP_MESSAGE, a_pop(maxMsgNums=33), ResponseCode.SYSTEM_ERROR),
        (RequestCode.POP_MESSAGE, a_pop(topic="none"), ResponseCode.TOPIC_NOT_EXIST),
        (RequestCode.POP_MESSAGE, a_pop(queueId=4), ResponseCode.SYSTEM_ERROR),
        (RequestCode.POP_MESSAGE, a_pop(topic="closed"), ResponseCode.NO_PERMISSION),
        (RequestCode.ACK_MESSAGE, {"offset": 99}, ResponseCode.NO_MESSAGE),
        (RequestCode.ACK_MESSAGE, {"queueId": 4}, ResponseCode.MESSAGE_ILLEGAL),
        (RequestCode.ACK_MESSAGE, {"extraInfo": "0 1"}, ResponseCode.SYSTEM_ERROR),
        (RequestCode.ACK_MESSAGE, {"extraInfo": "0 1 1 8 0 broker-a 0 0"}, ResponseCode.MESSAGE_ILLEGAL),
    ],
)
def test_what_can_not_be_is_refused(code: int, fields: dict[str, Any], expected: int) -> None:
    site = a_site(1)
    site.topics.put(TopicConfig(topic_name="closed", perm=2))
    if code == RequestCode.ACK_MESSAGE:
        fields = {**extra_infos(pop(site))[0], **fields}
    assert site.ask(code, fields).code == expected


def test_a_slave_pops_nothing() -> None:
    master = a_site(1)
    master.flush()
    slave = Site(master.files.crash(Random(1), NOTHING_KEPT), broker_role=BrokerRole.SLAVE, broker_id=1)
    reply = pop(slave)
    assert (reply.code, reply.remark) == (ResponseCode.NO_PERMISSION, "this broker is a slave: pop from its master")


def test_a_check_point_that_keeps_others_waiting_is_written_anew_and_survives() -> None:
    site = a_site(2, revive_queue_num=1)
    site.pop.revive_log.renew_behind = 4
    reply = pop(site, invisibleTime=50_000, queueId=0)
    for _ in range(3):
        site.send(b"other", queue_id=1)
        ack(site, *extra_infos(pop(site, queueId=1, invisibleTime=50_000)))
    pass_time(site, 1)
    pass_time(site, 1)
    assert site.offsets.offset("CID_RMQ_SYS_REVIVE_GROUP", REVIVE, 0) >= 3
    site.flush()
    again = restart(site, save=True)
    pass_time(again, 50_000)
    assert bodies_of(pop(again)) == bodies_of(reply)


def test_a_broker_that_begins_with_files_of_nothing_is_ready() -> None:
    assert Site(MemoryFiles()).pop.revive_log.ready


def test_old_check_points_and_messages_are_read_by_somebody_else() -> None:
    site = a_site(2)
    pop(site)
    site.flush()
    site.store.checkpoint()
    again = restart(site, save=True)
    again.clock.advance(10_000)
    again.files.cool("/store/commitlog/00000000000000000000")
    fetched: list[str] = []
    for _ in range(30):
        again.pop.step()
        again.end_turn()
        while again.fetches:
            miss, done = again.fetches.pop()
            again.files.open(miss.path).pread(miss.size, miss.position)
            fetched.append(miss.path)
            done(None)
    assert "/store/commitlog/00000000000000000000" in fetched
    assert len(bodies_of(pop(again))) == 2


def test_a_revive_log_that_can_not_be_read_is_said_once_and_holds_up_no_other_queue(caplog: Any) -> None:
    site = a_site(1, revive_queue_num=2)
    fine = site.store.get
    reads: list[int] = []

    def get(topic: str, queue_id: int, *rest: Any) -> GetResult:
        if topic == REVIVE and queue_id == 0:
            raise StoreError("the disk says no")
        reads.append(queue_id)
        return fine(topic, queue_id, *rest)

    site.store.get = get  # type: ignore[method-assign,assignment]
    for _ in range(3):
        site.pop.step()
    assert reads.count(1) == 3
    assert [record.message for record in caplog.records] == [f"{REVIVE} queue 0 can't be read on: the disk says no"]
