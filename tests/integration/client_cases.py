"""What the client library does against any cluster: the cases that need no more than topics, groups and locks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker_py.client import (
    ConsumeContext,
    ConsumeFromWhere,
    ConsumeStatus,
    OutgoingMessage,
    PullConsumer,
    PullOptions,
    PushOptions,
    ReceivedMessage,
    RequestFailed,
    SendStatus,
)
from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import loads_object
from tests.support.client_lab import FIRST, ClientLab, Inbox, a_broker, send_numbers
from tests.support.cluster import until
from tests.support.direct import Direct


async def test_what_is_sent_is_pushed_with_all_that_was_said_of_it(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as client:
        topic = await lab.topic(client, "Said")
        async with (
            client.producer("P_Said") as producer,
            client.push_consumer("G_Said", {topic: "A || B"}, inbox, FIRST),
        ):
            message = OutgoingMessage(
                topic=topic, body=b"x" * 5000, tags="A", keys="k1 k2", properties={"colour": "blue"}, flag=7
            )
            result = await producer.send(message)
            await producer.send(OutgoingMessage(topic=topic, body=b"unwanted", tags="C"))
            await producer.send(OutgoingMessage(topic=topic, body=b"last", tags="B"))
            await inbox.until(lambda bodies: len(bodies) == 2)
    assert result.status is SendStatus.SEND_OK
    got = next(message for message in inbox.messages if message.tags == "A")
    assert (got.body, got.keys, got.properties["colour"]) == (message.body, "k1 k2", "blue")
    assert (got.message_id, got.queue_offset) == (result.message_id, result.queue_offset)


async def test_the_messages_of_a_batch_have_ids_of_their_own_and_lie_in_one_queue(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as client:
        topic = await lab.topic(client, "Batch")
        async with client.push_consumer("G_Batch", {topic: "*"}, inbox, FIRST):
            batch = [OutgoingMessage(topic=topic, body=str(n).encode(), keys=f"k{n}") for n in range(10)]
            result = await client.producer("P_Batch").send_batch(batch)
            await inbox.until(lambda bodies: len(bodies) == 10)
    assert {message.message_id for message in inbox.messages} == set(result.message_id.split(","))
    assert {message.queue_id for message in inbox.messages} == {result.queue_id}


async def test_a_message_sent_one_way_arrives(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as client:
        topic = await lab.topic(client, "Oneway")
        async with client.push_consumer("G_Oneway", {topic: "*"}, inbox, FIRST):
            await client.producer("P_Oneway").send_oneway(OutgoingMessage(topic=topic, body=b"gone"))
            await inbox.until(lambda bodies: bodies == [b"gone"])


async def test_messages_of_a_key_are_consumed_in_their_order(lab: ClientLab) -> None:
    failed: set[bytes] = set()

    def once_not(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        (message,) = messages
        body = message.body
        if body.endswith(b"5") and body not in failed:
            failed.add(body)
            return ConsumeStatus.LATER
        return ConsumeStatus.SUCCESS

    inbox = Inbox(once_not)
    options = replace(FIRST, orderly=True, suspend_ms=50)
    async with lab.client() as client:
        topic = await lab.topic(client, "Ordered")
        async with client.push_consumer("G_Ordered", {topic: "*"}, inbox, options):
            producer = client.producer("P_Ordered")
            for number in range(20):
                for key in "abc":
                    body = f"{key}{number}".encode()
                    await producer.send_selected(OutgoingMessage(topic=topic, body=body, sharding_key=key))
            await inbox.until(lambda bodies: len(set(bodies)) == 60)
    for key in "abc":
        numbers = [int(body[1:]) for body in inbox.bodies if body.startswith(key.encode())]
        assert numbers == [0, 1, 2, 3, 4, 5, *range(5, 16), *range(15, 20)]


async def test_members_share_queues_and_offsets_are_of_what_was_consumed(lab: ClientLab) -> None:
    first, second = Inbox(), Inbox()
    async with lab.client() as client, lab.client() as other:
        topic = await lab.topic(client, "Shared")
        one = client.push_consumer("G_Shared", {topic: "*"}, first, FIRST)
        async with one, other.push_consumer("G_Shared", {topic: "*"}, second, FIRST) as two:

            async def shared() -> bool:
                return all(len([q for q in each.assigned if q.topic == topic]) == 2 for each in (one, two))

            await until(shared, "each has two queues")
            await send_numbers(client, topic, 100)

            async def complete() -> bool:
                return len({*first.bodies, *second.bodies}) == 100

            await until(complete, "all came")
        queues = await client.topic_queues(topic)
        offsets = [await client.queues.committed_offset("G_Shared", queue) for queue in queues]
    assert sum(offset or 0 for offset in offsets) == 100
    assert len(first.bodies) + len(second.bodies) == 100


async def test_every_broadcasting_member_gets_all_and_goes_on_where_it_was(lab: ClientLab, tmp_path: Path) -> None:
    def options(name: str) -> PushOptions:
        return replace(FIRST, broadcasting=True, offset_directory=str(tmp_path / name))

    one, two, again = Inbox(), Inbox(), Inbox()
    async with lab.client() as client, lab.client() as other:
        topic = await lab.topic(client, "Broadcast")
        async with (
            client.push_consumer("G_Broadcast", {topic: "*"}, one, options("one")),
            other.push_consumer("G_Broadcast", {topic: "*"}, two, options("two")),
        ):
            await send_numbers(client, topic, 10)
            await one.until(lambda bodies: len(bodies) == 10)
            await two.until(lambda bodies: len(bodies) == 10)
        await client.producer("P_Broadcast").send(OutgoingMessage(topic=topic, body=b"new"))
        async with client.push_consumer("G_Broadcast", {topic: "*"}, again, options("one")):
            await again.until(lambda bodies: bodies == [b"new"])
        queues = await client.topic_queues(topic)
        at_brokers = [await client.queues.committed_offset("G_Broadcast", queue) for queue in queues]
    assert not any(at_brokers)


async def test_a_pull_consumer_polls_seeks_and_commits(lab: ClientLab) -> None:
    options = PullOptions(auto_commit=False, consume_from_where=ConsumeFromWhere.FIRST_OFFSET)
    async with lab.client() as client:
        topic = await lab.topic(client, "Polled", queues=1)
        await send_numbers(client, topic, 25)
        (queue,) = await client.topic_queues(topic)
        async with client.pull_consumer("G_Polled", options=options) as consumer:
            await consumer.assign([queue])
            polled = [message async for message in _polls(consumer, 25)]
            assert [int(message.body) for message in polled] == list(range(25))
            await consumer.commit()
            assert await consumer.committed(queue) == 25
            await consumer.seek(queue, 20)
            assert [int(message.body) for message in await consumer.poll()] == [20, 21, 22, 23, 24]
            consumer.pause([queue])
            await consumer.seek_to_begin(queue)
            assert await consumer.poll(0.3) == []
            consumer.resume([queue])
            assert (await consumer.poll())[0].body == b"0"


async def _polls(consumer: PullConsumer, count: int) -> AsyncIterator[ReceivedMessage]:
    while count > 0:
        for message in await consumer.poll():
            count -= 1
            yield message


async def test_a_subscribed_pull_consumer_gets_its_share_and_commits_by_itself(lab: ClientLab) -> None:
    options = PullOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET)
    async with lab.client() as client:
        topic = await lab.topic(client, "PullShare")
        got: list[bytes] = []
        async with client.pull_consumer("G_PullShare", {topic: "*"}, options) as consumer:
            await send_numbers(client, topic, 10)
            while len(got) < 10:
                got += [message.body for message in await consumer.poll()]
        queues = await client.topic_queues(topic)
        offsets = [await client.queues.committed_offset("G_PullShare", queue) for queue in queues]
    assert sum(offset or 0 for offset in offsets) == 10
    assert sorted(map(int, got)) == list(range(10))


async def test_a_namespace_is_seen_by_brokers_alone(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as plain, lab.client(namespace="NS") as client:
        await lab.topic(plain, "NS%Spaced")
        async with client.push_consumer("G_Spaced", {"Spaced": "*"}, inbox, FIRST):
            await client.producer("P_Spaced").send(OutgoingMessage(topic="Spaced", body=b"x"))
            await inbox.until(lambda bodies: bodies == [b"x"])
    assert inbox.messages[0].topic == "Spaced"


async def test_tools_see_a_consumer_run_and_move_its_offsets(lab: ClientLab) -> None:
    inbox = Inbox()
    async with lab.client() as client, Direct() as direct:
        topic = await lab.topic(client, "Asked", queues=1)
        broker = await a_broker(client, topic)
        async with client.push_consumer("G_Asked", {topic: "*"}, inbox, FIRST):
            await send_numbers(client, topic, 5)
            await inbox.until(lambda bodies: len(bodies) == 5)
            ext = {"consumerGroup": "G_Asked", "clientId": client.client_id}
            info = loads_object((await direct.tell(broker, RequestCode.GET_CONSUMER_RUNNING_INFO, ext)).body)
            assert info["properties"]["PROP_CONSUME_TYPE"] == "CONSUME_PASSIVELY"
            (queue,) = await client.topic_queues(topic)
            assert info["mqTable"][queue]["commitOffset"] == 5

            async def committed() -> bool:
                return await client.queues.committed_offset("G_Asked", queue) == 5

            await until(committed, "the offset is committed")
            ext = {"topic": topic, "group": "G_Asked", "timestamp": "0", "isForce": "true"}
            reply = await direct.ask(broker, RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, ext)
            assert reply.code == 0, reply.remark
            await inbox.until(lambda bodies: len(bodies) == 10)


async def test_what_no_broker_would_take_is_refused_here(lab: ClientLab) -> None:
    async with lab.client() as client:
        producer = client.producer("P_Refused")
        with pytest.raises(RequestFailed, match="over the limit"):
            await producer.send(OutgoingMessage(topic="T", body=bytes((4 << 20) + 1)))
        with pytest.raises(RequestFailed, match="illegal characters"):
            await producer.send(OutgoingMessage(topic="a b", body=b"x"))
        with pytest.raises(RequestFailed, match="one topic"):
            await producer.send_batch([OutgoingMessage(topic=each, body=b"x") for each in ("T", "U")])


async def test_many_sends_are_under_way_at_once(lab: ClientLab) -> None:
    async with lab.client() as client:
        topic = await lab.topic(client, "Many")
        producer = client.producer("P_Many")
        results = await asyncio.gather(
            *(producer.send(OutgoingMessage(topic=topic, body=b"x" * 100)) for _ in range(200))
        )
    assert len({(result.queue_id, result.queue_offset) for result in results}) == 200
