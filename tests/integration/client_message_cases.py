"""Kinds of messages that the broker does something for: later ones, transactions, replies, retries, conditions."""

import asyncio
from dataclasses import replace

import pytest

from broker_py.client import (
    ConsumeContext,
    ConsumeStatus,
    OutgoingMessage,
    ReceivedMessage,
    Sql,
    TransactionState,
    Unreachable,
    reply_to,
)
from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import loads_object
from tests.support.client_lab import FIRST, ClientLab, Inbox, a_broker
from tests.support.direct import Direct


async def test_delayed_messages_come_when_they_are_due(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as client:
        topic = await lab.topic(client, "Later")
        async with client.push_consumer("G_Later", {topic: "*"}, inbox, FIRST):
            producer = client.producer("P_Later")
            await producer.send(OutgoingMessage(topic=topic, body=b"level", delay_level=1))
            await producer.send(OutgoingMessage(topic=topic, body=b"timed", delay_ms=3000))
            await producer.send(OutgoingMessage(topic=topic, body=b"now"))
            await inbox.until(lambda bodies: len(bodies) == 3)
    assert inbox.bodies == [b"now", b"level", b"timed"]
    waits = {message.body: message.stored_ms - message.born_ms for message in inbox.messages}
    assert waits[b"level"] >= 900
    assert waits[b"timed"] >= 2000


async def test_a_message_that_fails_comes_again_and_is_put_aside_at_last(lab: ClientLab) -> None:
    tries: dict[bytes, list[int]] = {}

    def answer(messages: list[ReceivedMessage], context: ConsumeContext) -> ConsumeStatus:
        (message,) = messages
        tries.setdefault(message.body, []).append(message.reconsume_times)
        context.delay_level = 1
        good = message.body == b"good" or (message.body == b"second" and message.reconsume_times > 0)
        return ConsumeStatus.SUCCESS if good else ConsumeStatus.LATER

    inbox = Inbox(answer)
    options = replace(FIRST, max_reconsume_times=1)
    async with lab.client() as client:
        topic = await lab.topic(client, "Again")
        async with client.push_consumer("G_Again", {topic: "*"}, inbox, options):
            producer = client.producer("P_Again")
            for body in (b"good", b"second", b"never"):
                await producer.send(OutgoingMessage(topic=topic, body=body))
            await inbox.until(lambda bodies: len(bodies) >= 5, 60)
            await asyncio.sleep(3)
        (dead,) = await client.topic_queues("%DLQ%G_Again")
        aside = await client.queues.pull(dead, 0)
    assert tries == {b"good": [0], b"second": [0, 1], b"never": [0, 1]}
    assert [message.body for message in aside.messages] == [b"never"]
    assert {message.topic for message in inbox.messages} == {topic}


async def test_transactions_end_by_word_and_by_check(lab: ClientLab) -> None:
    checked: list[bytes] = []

    async def check(message: ReceivedMessage) -> TransactionState:
        checked.append(message.body)
        return TransactionState.ROLLBACK if message.body == b"ROLLBACK" else TransactionState.COMMIT

    async def execute(message: OutgoingMessage) -> TransactionState:
        return TransactionState[message.body.decode()]

    inbox = Inbox()
    async with lab.client() as client:
        topic = await lab.topic(client, "Transactions")
        async with (
            client.push_consumer("G_Transactions", {topic: "*"}, inbox, FIRST),
            client.transaction_producer("P_Transactions", check) as producer,
        ):
            for state in TransactionState:
                sent = await producer.send(OutgoingMessage(topic=topic, body=state.name.encode()), execute)
                assert sent.state is state
            await inbox.until(lambda bodies: b"COMMIT" in bodies)
            await inbox.until(lambda bodies: b"UNKNOWN" in bodies, 60)
    # RocketMQ writes down what ended every 3 s only, so what ended just now may be checked, and delivered, again.
    assert set(inbox.bodies) == {b"COMMIT", b"UNKNOWN"}
    assert b"UNKNOWN" in checked


async def test_a_request_is_answered(lab: ClientLab) -> None:
    async with lab.client() as client, lab.client() as other:
        topic = await lab.topic(client, "Asking")
        replier = other.producer("P_Replies")

        async def answer(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
            for message in messages:
                if message.body != b"silence":
                    await replier.send_reply(reply_to(message, b"re: " + message.body))
            return ConsumeStatus.SUCCESS

        async with (
            other.push_consumer("G_Asking", {topic: "*"}, answer, FIRST),
            client.requester("P_Asking") as requester,
        ):
            reply = await requester.request(OutgoingMessage(topic=topic, body=b"time?"), 20)
            assert reply.body == b"re: time?"
            with pytest.raises(Unreachable, match="nobody replied"):
                await requester.request(OutgoingMessage(topic=topic, body=b"silence"), 0.5)


async def test_a_condition_chooses_by_properties(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as client:
        topic = await lab.topic(client, "Chosen")
        async with client.push_consumer("G_Chosen", {topic: Sql("price > 5 AND colour = 'red'")}, inbox, FIRST):
            producer = client.producer("P_Chosen")
            for number in range(10):
                properties = {"price": str(number), "colour": "red" if number % 2 else "blue"}
                await producer.send(OutgoingMessage(topic=topic, body=str(number).encode(), properties=properties))
            await inbox.until(lambda bodies: len(bodies) == 2)
    assert sorted(inbox.bodies) == [b"7", b"9"]


async def test_a_message_is_consumed_directly(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as client, Direct() as direct:
        topic = await lab.topic(client, "Directly", queues=1)
        broker = await a_broker(client, topic)
        async with client.push_consumer("G_Directly", {topic: "*"}, inbox, FIRST):
            sent = await client.producer("P_Directly").send(OutgoingMessage(topic=topic, body=b"x"))
            await inbox.until(lambda bodies: bodies == [b"x"])
            ext = {
                "consumerGroup": "G_Directly",
                "clientId": client.client_id,
                "msgId": sent.offset_id,
                "brokerName": sent.broker_name,
            }
            reply = await direct.tell(broker, RequestCode.CONSUME_MESSAGE_DIRECTLY, ext)
            assert loads_object(reply.body)["consumeResult"] == "CR_SUCCESS"
    assert inbox.bodies == [b"x", b"x"]
