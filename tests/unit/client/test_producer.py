"""Sending, with retries on another broker."""

from collections import Counter

import pytest

from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, decode_messages
from broker_py.client.producer import SendStatus
from broker_py.errors import RequestFailed, Unreachable
from broker_py.model.message_queue import MessageQueue
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from tests.unit.client.fake_cluster import FakeCluster

MESSAGE = OutgoingMessage(topic="T", body=b"hello", tags="TagA", keys="k1 k2")


@pytest.fixture(autouse=True)
def _topic(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 2)
    cluster.store_b.add_topic("T", 2)


def test_messages_go_to_all_queues_in_turn(cluster: FakeCluster) -> None:
    async def send(client: Client) -> Counter[tuple[str, int]]:
        producer = client.producer("g")
        results = [await producer.send(MESSAGE) for _ in range(8)]
        return Counter((result.broker_name, result.queue_id) for result in results)

    counts = cluster.ask(send)
    assert set(counts.values()) == {2}
    assert len(counts) == 4


def test_a_message_arrives_with_tag_keys_and_the_id_that_the_sender_was_told(cluster: FakeCluster) -> None:
    result = cluster.ask(lambda client: client.producer("g").send_to(MESSAGE, MessageQueue("T", "broker-b", 1)))
    [message] = decode_messages(cluster.store_b.queue("T", 1)[0], "broker-b")
    assert (message.body, message.tags, message.keys) == (b"hello", "TagA", "k1 k2")
    assert (message.message_id, result.queue_offset, result.offset_id) == (result.message_id, 0, "ID0")
    assert result.status is SendStatus.SEND_OK
    assert len(result.message_id) == 32


@pytest.mark.parametrize("code", [1, 2, 14, 16, 17])
def test_a_refused_message_goes_to_another_broker(cluster: FakeCluster, code: int) -> None:
    cluster.a.refuse[RequestCode.SEND_MESSAGE_V2] = (code, 99)
    results = cluster.ask(_send_four)
    assert {result.broker_name for result in results} == {"broker-b"}


def test_an_unreachable_broker_is_passed_over(cluster: FakeCluster) -> None:
    cluster.do(cluster.a.stop())
    assert {result.broker_name for result in cluster.ask(_send_four)} == {"broker-b"}


async def _send_four(client: Client) -> list[object]:
    producer = client.producer("g")
    return [await producer.send(MESSAGE) for _ in range(4)]


def test_a_message_that_is_wrong_everywhere_is_not_tried_again(cluster: FakeCluster) -> None:
    for broker in (cluster.a, cluster.b):
        broker.refuse[RequestCode.SEND_MESSAGE_V2] = (ResponseCode.MESSAGE_ILLEGAL, 99)
    with pytest.raises(RequestFailed) as caught:
        cluster.ask(lambda client: client.producer("g").send(MESSAGE))
    assert caught.value.code == ResponseCode.MESSAGE_ILLEGAL
    assert len(_sends(cluster)) == 1


def test_after_three_attempts_the_last_error_is_raised(cluster: FakeCluster) -> None:
    for broker in (cluster.a, cluster.b):
        broker.refuse[RequestCode.SEND_MESSAGE_V2] = (ResponseCode.SERVICE_NOT_AVAILABLE, 99)
    with pytest.raises(RequestFailed) as caught:
        cluster.ask(lambda client: client.producer("g").send(MESSAGE))
    assert caught.value.code == ResponseCode.SERVICE_NOT_AVAILABLE
    assert len(_sends(cluster)) == 3


def test_all_attempts_carry_the_same_id(cluster: FakeCluster) -> None:
    for broker in (cluster.a, cluster.b):
        broker.refuse[RequestCode.SEND_MESSAGE_V2] = (ResponseCode.SYSTEM_BUSY, 1)
    cluster.ask(lambda client: client.producer("g").send(MESSAGE))
    assert len({request.ext["i"] for request in _sends(cluster)}) == 1


def _sends(cluster: FakeCluster) -> list[Command]:
    requests = cluster.a.requests + cluster.b.requests
    return [request for request in requests if request.code == RequestCode.SEND_MESSAGE_V2]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ResponseCode.FLUSH_DISK_TIMEOUT, SendStatus.FLUSH_DISK_TIMEOUT),
        (ResponseCode.FLUSH_SLAVE_TIMEOUT, SendStatus.FLUSH_SLAVE_TIMEOUT),
        (ResponseCode.SLAVE_NOT_AVAILABLE, SendStatus.SLAVE_NOT_AVAILABLE),
    ],
)
def test_a_message_that_is_stored_but_less_safely_counts_as_sent(
    cluster: FakeCluster, code: int, status: SendStatus
) -> None:
    cluster.a.answer_sends_with = code
    cluster.b.answer_sends_with = code
    assert cluster.ask(lambda client: client.producer("g").send(MESSAGE)).status is status


def test_a_new_topic_is_made_on_every_broker(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("TBW102", 8, perm=7)

    async def send(client: Client) -> None:
        producer = client.producer("g")
        for _ in range(8):
            await producer.send(OutgoingMessage(topic="New", body=b"x"))

    cluster.ask(send)
    assert cluster.store_a.topics["New"].write_queue_nums == 4
    assert cluster.store_b.topics["New"].write_queue_nums == 4


def test_a_topic_that_nobody_has_and_nobody_makes_is_named(cluster: FakeCluster) -> None:
    with pytest.raises(RequestFailed, match="for the topic: Nowhere"):
        cluster.ask(lambda client: client.producer("g").send(OutgoingMessage(topic="Nowhere", body=b"x")))


def test_a_topic_without_write_permission_takes_no_messages(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.set_perm(add=0, keep=4)
    with pytest.raises(RequestFailed, match="no writable queue on any broker") as caught:
        cluster.ask(lambda client: client.producer("g").send(MESSAGE))
    assert caught.value.code == ResponseCode.NO_PERMISSION


def test_a_named_broker_gets_the_message(cluster: FakeCluster) -> None:
    async def send(client: Client) -> set[str]:
        producer = client.producer("g")
        return {(await producer.send(MESSAGE, "broker-a")).broker_name for _ in range(3)}

    assert cluster.ask(send) == {"broker-a"}


def test_a_queue_of_a_broker_that_is_not_there_is_unreachable(cluster: FakeCluster) -> None:
    with pytest.raises(Unreachable, match="broker-z has no master"):
        cluster.ask(lambda client: client.producer("g").send_to(MESSAGE, MessageQueue("T", "broker-z", 0)))
