"""Push consumers: what is committed, what comes again, and in which order."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from broker_py.client import (
    Client,
    ConfigError,
    ConsumeContext,
    ConsumeFromWhere,
    ConsumeStatus,
    FlowLimits,
    PushOptions,
    ReceivedMessage,
)
from broker_py.model.topic import retry_topic
from broker_py.remoting.router import Handle
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object
from broker_py.wire.headers.send import decode_send
from tests.support.clock import ManualClock
from tests.unit.client.fake_cluster import FakeCluster

GROUP = "G"
Listen = Callable[[list[ReceivedMessage], ConsumeContext], Any]


@pytest.fixture(autouse=True)
def _topic(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 1)


def options(**changes: Any) -> PushOptions:
    return PushOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET, **changes)


async def eventually(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.002)

    await asyncio.wait_for(poll(), 10)


def sent(cluster: FakeCluster, code: int) -> list[Command]:
    return [command for command in cluster.a.requests if command.code == code]


def test_offsets_stay_behind_a_message_that_is_under_way(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"0", b"1", b"2", b"3"])
    got: list[bytes] = []

    async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        got.append(messages[0].body)
        if messages[0].body == b"1":
            await asyncio.sleep(60)
        return ConsumeStatus.SUCCESS

    async def run(client: Client) -> None:
        async with client.push_consumer(GROUP, {"T": "*"}, listen, options(shutdown_seconds=0.05)):
            await eventually(lambda: len(got) == 4)

    cluster.ask(run)
    assert cluster.store_a.offsets[GROUP, "T", 0] == 1
    assert cluster.store_a.members[GROUP] == {}


def test_no_more_is_pulled_than_may_be_held(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [str(number).encode() for number in range(20)])
    got: list[bytes] = []

    async def run(client: Client) -> None:
        gate = asyncio.Event()

        async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
            await gate.wait()
            got.append(messages[0].body)
            return ConsumeStatus.SUCCESS

        limited = options(pull_batch_size=2, limits=FlowLimits(messages=4))
        async with client.push_consumer(GROUP, {"T": "*"}, listen, limited) as consumer:
            await eventually(lambda: consumer.running_info()["mqTable"] != {})
            (queue,) = (queue for queue in consumer.assigned if queue.topic == "T")
            await eventually(lambda: bool(consumer.running_info()["mqTable"][queue]["cachedMsgCount"] == 4))
            await asyncio.sleep(0.05)
            assert consumer.running_info()["mqTable"][queue]["cachedMsgCount"] == 4
            gate.set()
            await eventually(lambda: len(got) == 20)

    cluster.ask(run)


def failing(cluster: FakeCluster, settings: PushOptions, until: Callable[[], bool]) -> None:
    """Consume with a listener that takes nothing, until a condition is true."""

    async def listen(messages: list[ReceivedMessage], context: ConsumeContext) -> ConsumeStatus:
        context.delay_level = 2
        raise ValueError(messages[0].body)

    async def run(client: Client) -> None:
        async with client.push_consumer(GROUP, {"T": "*"}, listen, settings):
            await eventually(until)

    cluster.ask(run)


def test_what_a_listener_fails_at_is_sent_back_and_counts_as_consumed(cluster: FakeCluster) -> None:
    cluster.a.on(RequestCode.CONSUMER_SEND_MSG_BACK, None, lambda *_: Reply())
    cluster.store_a.fill("T", 0, [b"bad"])
    failing(cluster, options(), lambda: bool(sent(cluster, RequestCode.CONSUMER_SEND_MSG_BACK)))
    (back,) = sent(cluster, RequestCode.CONSUMER_SEND_MSG_BACK)
    assert (back.ext["group"], back.ext["delayLevel"], back.ext["maxReconsumeTimes"]) == (GROUP, "2", "16")
    assert back.ext["originTopic"] == "T"
    assert cluster.store_a.offsets[GROUP, "T", 0] == 1


def test_what_can_not_be_sent_back_is_sent_anew(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"bad"])
    failing(cluster, options(), lambda: bool(sent(cluster, RequestCode.SEND_MESSAGE_V2)))
    (command,) = sent(cluster, RequestCode.SEND_MESSAGE_V2)
    request = decode_send(command)
    assert (request.topic, request.reconsume_times, request.max_reconsume_times) == (retry_topic(GROUP), 1, 16)
    assert "RETRY_TOPIC\x01T" in request.properties
    assert "DELAY\x013" in request.properties


def test_a_message_that_a_listener_holds_for_too_long_is_sent_back(cluster: FakeCluster) -> None:
    cluster.a.on(RequestCode.CONSUMER_SEND_MSG_BACK, None, lambda *_: Reply())
    cluster.store_a.fill("T", 0, [b"long"])
    clock = ManualClock()

    async def listen(_messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        clock.advance(1000)
        await asyncio.sleep(60)
        return ConsumeStatus.SUCCESS

    async def run() -> None:
        async with cluster.client(clock) as client:
            settings = options(consume_timeout_seconds=0.02, shutdown_seconds=0.05)
            async with client.push_consumer(GROUP, {"T": "*"}, listen, settings):
                await eventually(lambda: bool(sent(cluster, RequestCode.CONSUMER_SEND_MSG_BACK)))

    asyncio.run(run())
    assert sent(cluster, RequestCode.CONSUMER_SEND_MSG_BACK)[0].ext["delayLevel"] == "3"
    assert cluster.store_a.offsets[GROUP, "T", 0] == 1


def test_an_orderly_queue_waits_for_its_lock_and_for_the_message_that_failed(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"0", b"1", b"2"])
    unlocked: list[bytes] = []
    refusals = [None]

    def lock(_header: None, command: Command, _peer: object) -> Reply:
        body = loads_object(command.body)
        assert (body["consumerGroup"], body["clientId"]) == (GROUP, "10.0.0.9@77#1")
        granted = [] if refusals and refusals.pop() is None else body["mqSet"]
        return Reply(body=dumps({"lockOKMQSet": granted}))

    def unlock(_header: None, command: Command, _peer: object) -> Reply:
        unlocked.append(command.body)
        return Reply()

    cluster.a.on(RequestCode.LOCK_BATCH_MQ, None, lock)
    cluster.a.on(RequestCode.UNLOCK_BATCH_MQ, None, unlock)
    got: list[tuple[bytes, int]] = []

    async def listen(messages: list[ReceivedMessage], context: ConsumeContext) -> ConsumeStatus:
        (message,) = messages
        got.append((message.body, message.reconsume_times))
        context.suspend_ms = 10
        failed = message.body == b"1" and message.reconsume_times < 2
        return ConsumeStatus.LATER if failed else ConsumeStatus.SUCCESS

    async def run(client: Client) -> None:
        async with client.push_consumer(GROUP, {"T": "*"}, listen, options(orderly=True)):
            await eventually(lambda: len(got) == 5)

    cluster.ask(run)
    assert got == [(b"0", 0), (b"1", 0), (b"1", 1), (b"1", 2), (b"2", 0)]
    assert cluster.store_a.offsets[GROUP, "T", 0] == 3
    assert unlocked


@pytest.mark.parametrize("how", ["its connection is lost", "it is over"])
def test_an_orderly_queue_whose_lock_was_lost_goes_on_where_the_group_stands(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("broker_py.client.orderly_consumption.LOCK_AGAIN_SECONDS", 0.01)
    cluster.store_a.fill("T", 0, [b"0", b"1", b"2", b"3", b"4"])
    clock = ManualClock()
    granted = True
    peers: list[Any] = []
    lost: list[str] = []

    def lock(_header: None, command: Command, peer: object) -> Reply:
        peers.append(peer)
        return Reply(body=dumps({"lockOKMQSet": loads_object(command.body)["mqSet"] if granted else []}))

    async def close() -> None:
        peers[-1].close()

    cluster.a.on(RequestCode.LOCK_BATCH_MQ, None, lock)
    cluster.a.on(RequestCode.UNLOCK_BATCH_MQ, None, lambda *_: Reply())
    got: list[bytes] = []

    async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        nonlocal granted
        got.append(messages[0].body)
        if messages[0].body == b"1":
            granted = False
            if how == "it is over":
                clock.advance(31_000)
            else:
                await asyncio.get_running_loop().run_in_executor(None, cluster.do, close())
                await eventually(lambda: bool(lost))
        return ConsumeStatus.SUCCESS

    async def run() -> None:
        nonlocal granted
        async with (
            cluster.client(clock) as client,
            client.push_consumer(GROUP, {"T": "*"}, listen, options(orderly=True)),
        ):
            client._instance.watch("test", lost.append)
            await eventually(lambda: len(peers) >= 5)
            assert got == [b"0", b"1"]
            assert cluster.store_a.offsets.get((GROUP, "T", 0)) is None, "not ours to commit"
            cluster.store_a.offsets[GROUP, "T", 0] = 3  # another member was here
            granted = True
            await eventually(lambda: len(got) == 4)

    asyncio.run(run())
    assert got == [b"0", b"1", b"3", b"4"]
    assert cluster.store_a.offsets[GROUP, "T", 0] == 5


def test_an_orderly_message_that_had_its_last_attempt_is_put_aside(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"bad"])
    cluster.a.on(
        RequestCode.LOCK_BATCH_MQ,
        None,
        lambda _h, command, _p: Reply(body=dumps({"lockOKMQSet": loads_object(command.body)["mqSet"]})),
    )
    settings = options(orderly=True, max_reconsume_times=1, suspend_ms=10)
    failing(cluster, settings, lambda: bool(sent(cluster, RequestCode.SEND_MESSAGE_V2)))
    request = decode_send(sent(cluster, RequestCode.SEND_MESSAGE_V2)[0])
    assert (request.topic, request.reconsume_times, request.max_reconsume_times) == (retry_topic(GROUP), 1, 1)
    assert cluster.store_a.offsets[GROUP, "T", 0] == 1


def test_a_new_group_begins_at_the_end_unless_told_otherwise(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"old"])
    got: list[bytes] = []

    async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        got.append(messages[0].body)
        return ConsumeStatus.SUCCESS

    async def run(client: Client) -> None:
        async with client.push_consumer(GROUP, {"T": "*"}, listen) as consumer:
            await eventually(lambda: any(consumer.offsets_of("T").values()))
            assert list(consumer.offsets_of("T").values()) == [1]

    cluster.ask(run)
    assert got == []


def test_a_client_is_in_a_group_once(cluster: FakeCluster) -> None:
    async def listen(_messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        return ConsumeStatus.SUCCESS

    async def run(client: Client) -> None:
        async with client.push_consumer(GROUP, {"T": "*"}, listen):
            with pytest.raises(ConfigError, match="member of the group G already"):
                await client.push_consumer(GROUP, {"T": "*"}, listen).__aenter__()

    cluster.ask(run)


def test_a_request_for_a_group_that_is_not_here_is_refused(cluster: FakeCluster) -> None:
    answers: list[Reply] = []

    class Asking:
        name = "broker"

        def reply(self, _command: Command, reply: Reply) -> None:
            answers.append(reply)

    async def run(client: Client) -> None:
        router = client._instance.requests.router
        command = Command(RequestCode.GET_CONSUMER_RUNNING_INFO, {"consumerGroup": "other"})
        router.dispatch(command, Asking())  # type: ignore[arg-type]

    cluster.ask(run)
    assert answers[0].code == ResponseCode.SYSTEM_ERROR
    assert "not exist" in (answers[0].remark or "")


def test_an_answer_that_can_not_be_read_does_not_end_a_membership(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"x"])
    got: list[bytes] = []
    bad = [Reply(body=b"["), Reply(body=b"no JSON")]

    def unreadable_at_first(handle: Handle) -> Handle:
        return lambda command, peer: bad.pop() if bad else handle(command, peer)

    for server in (cluster.a, cluster.slave):
        server.router.wrap(RequestCode.GET_CONSUMER_LIST_BY_GROUP, unreadable_at_first)

    async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        got.append(messages[0].body)
        return ConsumeStatus.SUCCESS

    async def run(client: Client) -> None:
        async with client.push_consumer(GROUP, {"T": "*"}, listen, options()):
            await eventually(lambda: got == [b"x"])

    cluster.ask(run)


def test_a_tool_moves_a_running_consumer(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"0", b"1", b"2"])
    got: list[bytes] = []

    async def listen(messages: list[ReceivedMessage], _context: ConsumeContext) -> ConsumeStatus:
        got.append(messages[0].body)
        return ConsumeStatus.SUCCESS

    async def run(client: Client) -> None:
        async with client.push_consumer(GROUP, {"T": "*"}, listen, options()) as consumer:
            await eventually(lambda: len(got) == 3)
            (queue,) = (queue for queue in consumer.assigned if queue.topic == "T")
            await asyncio.gather(consumer.reset_offsets("T", {queue: 1}), consumer.give_up([queue]))
            await eventually(lambda: len(got) == 5)

    cluster.ask(run)
    assert got == [b"0", b"1", b"2", b"1", b"2"]
