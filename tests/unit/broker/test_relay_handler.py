"""Requests 222, 223, 307 and 309."""

import asyncio
from typing import Any

import pytest

from broker_py.message.ids import offset_message_id
from broker_py.message.record import decode_record
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import TopicConfig
from broker_py.wire.codes import LANGUAGES, RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE_HOST, Site, a_command, body_of

RESET = RequestCode.INVOKE_BROKER_TO_RESET_OFFSET
FIRST_MS = 1_700_000_000_000


def a_queue(queue_id: int) -> MessageQueue:
    return MessageQueue("T", "broker-a", queue_id)


def a_site(*members: MemoryPeer) -> Site:
    """Three messages in queue 0 of `T`, a second apart; `g` is at 2 of queue 0 and at 0 of queue 1."""
    site = Site()
    site.topics.put(TopicConfig(topic_name="T", read_queue_nums=2, write_queue_nums=2))
    for _ in range(3):
        site.send()
        site.clock.advance(1000)
    site.offsets.commit("g", "T", 0, 2)
    site.offsets.commit("g", "T", 1, 0)
    for number, peer in enumerate(members):
        site.heartbeat(peer, client_id=f"c{number}", T="*")
    return site


def reset(site: Site, **ext: Any) -> Any:
    return site.json(RESET, {"topic": "T", "group": "g", "timestamp": FIRST_MS, "isForce": True, **ext})["offsetTable"]


@pytest.mark.parametrize(
    ("timestamp", "force", "target"),
    [(FIRST_MS, True, 0), (FIRST_MS + 1000, True, 1), (-1, True, 3), (-1, False, 2), (FIRST_MS + 1000, False, 1)],
)
def test_a_group_is_set_to_a_time_and_forward_only_when_it_is_forced(timestamp: int, force: bool, target: int) -> None:
    peer = MemoryPeer()
    assert reset(a_site(peer), timestamp=timestamp, isForce=force) == {a_queue(0): target, a_queue(1): 0}


def test_all_members_are_told_their_new_offsets_and_commit_them_themselves() -> None:
    peers = MemoryPeer(), MemoryPeer()
    site = a_site(*peers)
    reset(site)
    for peer in peers:
        (pushed,) = peer.sent
        assert pushed.code == RequestCode.RESET_CONSUMER_CLIENT_OFFSET
        assert pushed.ext == {"topic": "T", "group": "g", "timestamp": str(FIRST_MS), "isForce": "true"}
        assert loads(pushed.body) == {"offsetTable": {a_queue(0): 0, a_queue(1): 0}}
    assert site.offsets.offset("g", "T", 0) == 2


def test_a_tool_in_cpp_has_the_offsets_pushed_as_a_list() -> None:
    peer = MemoryPeer()
    site = a_site(peer)
    ext = {"topic": "T", "group": "g", "timestamp": FIRST_MS, "isForce": True}
    site.receive(a_command(RESET, ext, language=LANGUAGES.index("CPP")), peer=MemoryPeer())
    (pushed,) = peer.sent
    assert loads(pushed.body)["offsetTable"] == [
        {"brokerName": "broker-a", "queueId": number, "topic": "T", "offset": 0} for number in range(2)
    ]


def test_without_members_without_offsets_or_without_a_topic_nothing_is_reset() -> None:
    site = a_site()
    ext = {"topic": "T", "group": "g", "timestamp": FIRST_MS, "isForce": True}
    assert site.ask(RESET, ext).code == ResponseCode.CONSUMER_NOT_ONLINE
    unknown = site.ask(RESET, {**ext, "group": "x"})
    assert (unknown.code, unknown.remark) == (1, "THe consumer group <x> not exist")
    assert site.ask(RESET, {**ext, "topic": "Unknown"}).code == ResponseCode.SYSTEM_ERROR


def test_the_offsets_that_members_have_in_memory_are_gathered() -> None:
    peers = MemoryPeer(), MemoryPeer()
    site = a_site(*peers)
    body = b'{"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:7}}'
    peers[0].answers.append(Command(0, {}, body))
    peers[1].answers.append(Command(1, {}, b"", remark="not mine"))
    code = RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS
    reply = asyncio.run(site.ask_later(code, {"topic": "T", "group": "g"}))
    assert reply.code == 0
    assert loads(body_of(reply)) == {"consumerTable": {"c0": {a_queue(0): 7}}}
    (asked,) = peers[0].sent
    assert (asked.code, asked.ext) == (RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT, {"topic": "T", "group": "g"})


def test_one_member_alone_can_be_asked_for_its_offsets() -> None:
    peers = MemoryPeer(), MemoryPeer()
    site = a_site(*peers)
    peers[1].answers.append(Command(0, {}, b'{"messageQueueTable":{}}'))
    code = RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS
    reply = asyncio.run(site.ask_later(code, {"topic": "T", "group": "g", "clientAddr": "c1"}))
    assert loads(body_of(reply)) == {"consumerTable": {"c1": {}}}
    assert peers[0].sent == []


@pytest.mark.parametrize("answer", [b"", b"x"])
def test_a_member_that_answers_nonsense_is_told_or_left_out(answer: bytes) -> None:
    peer = MemoryPeer()
    site = a_site(peer)
    peer.answers.append(Command(0, {}, answer))
    code = RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS
    reply = asyncio.run(site.ask_later(code, {"topic": "T", "group": "g"}))
    assert reply.code == (ResponseCode.SYSTEM_ERROR if answer else 0)


def test_a_group_that_is_not_online_has_no_offsets_in_memory() -> None:
    site = a_site()
    code = RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS
    reply = asyncio.run(site.ask_later(code, {"topic": "T", "group": "g"}))
    assert reply.code == ResponseCode.CONSUMER_NOT_ONLINE


def test_what_a_consumer_says_of_itself_is_passed_on_as_it_is() -> None:
    peer = MemoryPeer()
    site = a_site(peer)
    peer.answers.append(Command(0, {"x": "y"}, b'{"jstack":"..."}', remark="fine"))
    ext = {"consumerGroup": "g", "clientId": "c0", "jstackEnable": True}
    reply = asyncio.run(site.ask_later(RequestCode.GET_CONSUMER_RUNNING_INFO, ext))
    assert (reply.code, reply.remark, reply.ext, reply.body) == (0, "fine", {"x": "y"}, b'{"jstack":"..."}')
    (asked,) = peer.sent
    assert asked.code == RequestCode.GET_CONSUMER_RUNNING_INFO
    assert asked.ext == {"consumerGroup": "g", "clientId": "c0", "jstackEnable": "true"}


def test_a_consumer_that_does_not_answer_or_is_not_there_is_told() -> None:
    site = a_site(MemoryPeer())
    code = RequestCode.GET_CONSUMER_RUNNING_INFO
    silent = asyncio.run(site.ask_later(code, {"consumerGroup": "g", "clientId": "c0"}))
    assert silent.code == ResponseCode.CONSUME_MSG_TIMEOUT
    for ext in ({"consumerGroup": "g", "clientId": "x"}, {"consumerGroup": "x", "clientId": "c0"}):
        gone = asyncio.run(site.ask_later(code, ext))
        assert (gone.code, "not online" in (gone.remark or "")) == (ResponseCode.SYSTEM_ERROR, True)


def test_a_consumer_is_given_a_message_to_consume_at_once() -> None:
    peer = MemoryPeer()
    site = a_site(peer)
    peer.answers.append(Command(0, {}, b'{"consumeResult":"CR_SUCCESS"}'))
    record = site.stored(queue_offset=1)
    ext = {
        "consumerGroup": "g",
        "clientId": "c0",
        "topic": "T",
        "msgId": offset_message_id(STORE_HOST, record.log_offset),
    }
    reply = asyncio.run(site.ask_later(RequestCode.CONSUME_MESSAGE_DIRECTLY, ext))
    assert body_of(reply) == b'{"consumeResult":"CR_SUCCESS"}'
    (asked,) = peer.sent
    assert asked.ext == {**ext, "brokerName": "broker-a", "topicSysFlag": "0", "groupSysFlag": "0"}
    assert decode_record(asked.body).queue_offset == 1


def test_nobody_is_asked_to_consume_a_message_that_is_not_there() -> None:
    peer = MemoryPeer()
    site = a_site(peer)
    ext = {"consumerGroup": "g", "clientId": "c0", "msgId": offset_message_id(STORE_HOST, 7)}
    reply = site.ask(RequestCode.CONSUME_MESSAGE_DIRECTLY, ext)
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert "no message has the id" in str(reply.remark)
    for text in ("", "12"):
        assert site.ask(RequestCode.CONSUME_MESSAGE_DIRECTLY, {**ext, "msgId": text}).code == ResponseCode.SYSTEM_ERROR
    assert peer.sent == []
