"""Pulling single queues, and what pulled bytes mean."""

import zlib

import pytest

from broker_py.client.client import Client
from broker_py.client.expressions import tags_of
from broker_py.client.messages import decode_messages
from broker_py.client.queue_reader import PullResult, PullStatus
from broker_py.errors import ProtocolError, RequestFailed, Unreachable
from broker_py.message.sysflags import COMPRESSED
from broker_py.model.message_queue import MessageQueue
from broker_py.wire.codes import RequestCode
from broker_py.wire.headers.send import SendRequest
from tests.unit.client.fake_cluster import FakeCluster
from tests.unit.client.fake_store import FIRST_STORED_MS, FakeStore

QUEUE = MessageQueue("T", "broker-a", 1)


@pytest.fixture(autouse=True)
def _messages(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T", 2)
    cluster.store_a.fill("T", 1, [b"one", b"two", b"three"])


def test_messages_come_in_their_order_with_their_places(cluster: FakeCluster) -> None:
    result: PullResult = cluster.ask(lambda client: client.queues.pull(QUEUE, 1))
    assert result.status is PullStatus.FOUND
    assert [(message.queue_offset, message.body) for message in result.messages] == [(1, b"two"), (2, b"three")]
    assert (result.next_offset, result.min_offset, result.max_offset) == (3, 0, 3)
    first = result.messages[0]
    assert (first.broker_name, first.queue_id, first.log_offset) == ("broker-a", 1, 1000)
    assert (first.stored_ms, first.born_host, first.store_host) == (
        FIRST_STORED_MS + 1,
        "10.0.0.9:40000",
        "10.0.0.1:10911",
    )


def test_nothing_new_is_no_error(cluster: FakeCluster) -> None:
    result = cluster.ask(lambda client: client.queues.pull(QUEUE, 3))
    assert (result.status, result.messages, result.next_offset) == (PullStatus.NO_NEW_MESSAGE, [], 3)


def test_an_offset_beyond_the_end_is_answered_with_where_to_go(cluster: FakeCluster) -> None:
    result = cluster.ask(lambda client: client.queues.pull(QUEUE, 30))
    assert (result.status, result.next_offset) == (PullStatus.OFFSET_MOVED, 3)


def test_a_tag_that_only_hashes_like_the_wanted_one_is_dropped(cluster: FakeCluster) -> None:
    cluster.store_a.fill("T", 0, [b"wanted"], tags="Aa")
    cluster.store_a.fill("T", 0, [b"not"], tags="BB")  # the same Java hash
    queue = MessageQueue("T", "broker-a", 0)
    result = cluster.ask(lambda client: client.queues.pull(queue, 0, expression="Aa || C"))
    assert [message.body for message in result.messages] == [b"wanted"]
    assert result.next_offset == 2


def test_the_slave_is_read_when_it_is_preferred(cluster: FakeCluster) -> None:
    result = cluster.ask(lambda client: client.queues.pull(QUEUE, 0, broker_id=1))
    assert (len(result.messages), result.suggested_broker_id) == (3, 1)
    assert [request.code for request in cluster.slave.requests] == [RequestCode.PULL_MESSAGE]


def test_any_other_answer_to_a_pull_is_an_error(cluster: FakeCluster) -> None:
    cluster.a.refuse[RequestCode.PULL_MESSAGE] = (26, 1)
    with pytest.raises(RequestFailed, match="code 26"):
        cluster.ask(lambda client: client.queues.pull(QUEUE, 0))


def test_bounds_of_a_queue_and_its_offsets_by_time(cluster: FakeCluster) -> None:
    async def ask(client: Client) -> tuple[int, int, int]:
        reader = client.queues
        at = await reader.offset_at(QUEUE, FIRST_STORED_MS + 2)
        return await reader.min_offset(QUEUE), await reader.max_offset(QUEUE), at

    assert cluster.ask(ask) == (0, 3, 2)


def test_a_group_that_was_never_in_a_queue_has_no_offset_there(cluster: FakeCluster) -> None:
    async def ask(client: Client) -> tuple[int | None, int | None]:
        before = await client.queues.committed_offset("g", QUEUE)
        await client.queues.commit_offset("g", QUEUE, 2)
        return before, await client.queues.committed_offset("g", QUEUE)

    assert cluster.ask(ask) == (None, 2)


def test_a_queue_of_an_unknown_broker_is_unreachable(cluster: FakeCluster) -> None:
    with pytest.raises(Unreachable, match="no broker named broker-z"):
        cluster.ask(lambda client: client.queues.min_offset(MessageQueue("T", "broker-z", 0)))


def stored(body: bytes, sys_flag: int) -> bytes:
    store = FakeStore()
    store.put(SendRequest("g", "T", 0, born_timestamp=1), body, sys_flag)
    return store.queue("T", 0)[0]


@pytest.mark.parametrize("kind", [0, 3])
def test_a_body_that_zlib_compressed_is_uncompressed(kind: int) -> None:
    [message] = decode_messages(stored(zlib.compress(b"long" * 99), COMPRESSED | kind << 8), "b")
    assert message.body == b"long" * 99


@pytest.mark.parametrize(("kind", "name"), [(1, "LZ4"), (2, "ZSTD")])
def test_other_compressions_are_named(kind: int, name: str) -> None:
    with pytest.raises(ProtocolError, match=name):
        decode_messages(stored(b"x", COMPRESSED | kind << 8), "b")


def test_a_compressed_body_that_is_damaged_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="can't be uncompressed"):
        decode_messages(stored(b"no zlib at all", COMPRESSED), "b")


def test_a_body_cannot_grow_without_limit() -> None:
    bomb = zlib.compress(bytes((64 << 20) + 1), 9)
    with pytest.raises(ProtocolError, match="more than"):
        decode_messages(stored(bomb, COMPRESSED), "b")


def test_a_message_without_an_id_of_its_producer_has_the_brokers() -> None:
    [message] = decode_messages(stored(b"x", 0), "b")
    assert message.message_id == message.offset_id == "0A00000100002A9F0000000000000000"


def test_bytes_that_are_no_record_are_an_error_and_name_the_broker() -> None:
    with pytest.raises(ProtocolError, match="broker-a"):
        decode_messages(stored(b"x", 0) + b"rest", "broker-a")


@pytest.mark.parametrize(
    ("expression", "tags"), [("*", set()), ("", set()), ("A", {"A"}), ("A || B|| C", {"A", "B", "C"}), ("A||*", set())]
)
def test_tags_of_an_expression(expression: str, tags: set[str]) -> None:
    assert tags_of(expression) == tags
