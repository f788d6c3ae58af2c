"""Replies to messages: requests 324 and 325, and the push 326."""

import asyncio
from typing import Any

import pytest

from broker_py.message.ids import decode_offset_message_id
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from tests.unit.broker.half_site import HalfSite
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import a_command, a_send, ext_of

TOPIC = "DefaultCluster_REPLY_TOPIC"
PROPERTIES = "REPLY_TO_CLIENT\x01p1\x02CORRELATION_ID\x01c7\x02"


def reply_to(site: HalfSite, code: int = RequestCode.SEND_REPLY_MESSAGE_V2, **fields: Any) -> Reply:
    """Send a reply and return the answer to it."""
    ext = a_send(**{"topic": TOPIC, "properties": PROPERTIES, "sys_flag": 1, **fields})
    if code == RequestCode.SEND_REPLY_MESSAGE:
        names = "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp flag properties"
        ext = dict(zip(names.split(), ext.values(), strict=False))
    peer = MemoryPeer("10.0.0.5", 4000)
    command = a_command(code, ext, b"answer")

    async def answered() -> Reply:
        site.receive(command, peer=peer)
        for _ in range(100):
            await asyncio.sleep(0)
            site.end_turn()
            reply = peer.reply_to(command)
            if reply is not None:
                return reply
        raise AssertionError("the reply is not answered")

    return asyncio.run(answered())


@pytest.mark.parametrize("code", [RequestCode.SEND_REPLY_MESSAGE, RequestCode.SEND_REPLY_MESSAGE_V2])
def test_a_reply_is_pushed_to_who_asked_and_stored(code: int) -> None:
    site = HalfSite()
    asker = site.producer(client_id="p1")
    asker.answers.append(Command(0))
    reply = reply_to(site, code)
    assert reply.code == 0
    (pushed,) = asker.sent
    assert (pushed.code, pushed.body) == (RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT, b"answer")
    assert pushed.ext is not None
    now_ms = site.clock.now_ms()
    assert pushed.ext["properties"] == f"{PROPERTIES}PUSH_REPLY_TIME\x01{now_ms}\x02"
    assert (pushed.ext["topic"], pushed.ext["sysFlag"], pushed.ext["queueId"]) == (TOPIC, "1", "0")
    assert (pushed.ext["bornHost"], pushed.ext["storeHost"]) == ("10.0.0.5:4000", "192.168.56.11:10911")
    assert pushed.ext["storeTimestamp"] == str(now_ms)
    record = site.stored(TOPIC)
    assert (bytes(record.body), bytes(record.properties)) == (b"answer", PROPERTIES.encode())
    assert decode_offset_message_id(ext_of(reply)["msgId"])[1] == record.log_offset


def test_a_reply_need_not_be_stored() -> None:
    site = HalfSite(store_reply_message_enable=False)
    site.producer(client_id="p1").answers.append(Command(0))
    ext = ext_of(reply_to(site))
    assert (ext["msgId"], ext["queueId"], ext["queueOffset"]) == ("0", "0", "0")
    assert site.store.max_offset(TOPIC, 0) == 0


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        (None, "did not answer"),
        (Command(1, {}, remark="no such request"), "no such request"),
        (Command(1, {}), "code 1"),
    ],
)
def test_a_reply_that_is_not_taken_is_refused_and_stored_all_the_same(answer: Command | None, remark: str) -> None:
    site = HalfSite()
    asker = site.producer(client_id="p1")
    asker.answers += [] if answer is None else [answer]
    reply = reply_to(site)
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert reply.remark is not None
    assert reply.remark.startswith("push reply message to p1 fail")
    assert remark in reply.remark
    assert bytes(site.stored(TOPIC).body) == b"answer"


def test_a_reply_to_nobody_is_refused() -> None:
    site = HalfSite()
    asker = site.producer(client_id="p1")
    site.producers.lost(asker)
    assert reply_to(site).remark == "push reply message fail, channel of <p1> not found."
    assert reply_to(site, properties="").remark == "reply message properties[REPLY_TO_CLIENT] is null"
    assert asker.sent == []


def test_nothing_is_pushed_to_a_client_that_does_not_read() -> None:
    site = HalfSite()
    asker = site.producer(client_id="p1")
    asker.is_writable = False
    assert reply_to(site).remark == "push reply message to p1 fail: it does not read what it was sent before"
    assert asker.sent == []


def test_a_client_that_came_back_gets_its_replies_on_its_new_connection() -> None:
    site = HalfSite()
    before, now = site.producer(client_id="p1"), site.producer(client_id="p1")
    site.producers.lost(before)
    now.answers.append(Command(0))
    assert reply_to(site).code == 0
    assert (len(before.sent), len(now.sent)) == (0, 1)


def test_a_reply_that_can_not_be_stored_is_pushed() -> None:
    site = HalfSite()
    site.producer(client_id="p1").answers.append(Command(0))
    site.store.admission.closed = "it is full"
    site.store.admission.judge()
    assert ext_of(reply_to(site))["msgId"] == "0"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"topic": "Nowhere"}, ResponseCode.TOPIC_NOT_EXIST),
        ({"topic": "SCHEDULE_TOPIC_XXXX"}, ResponseCode.NO_PERMISSION),
        ({"queue_id": 1}, ResponseCode.SYSTEM_ERROR),
        ({"queue_id": -1}, ResponseCode.SUCCESS),
    ],
)
def test_a_reply_goes_to_a_topic_that_there_is(fields: dict[str, Any], code: int) -> None:
    site = HalfSite()
    site.producer(client_id="p1").answers.append(Command(0))
    assert reply_to(site, **fields).code == code
