"""Records of what became of a message."""

from broker_py.admin.traces import decode_traces
from broker_py.client.messages import ReceivedMessage
from tests.unit.client.fake_cluster import FakeCluster


def _message(cluster: FakeCluster, *records: tuple[str, ...]) -> ReceivedMessage:
    cluster.store_a.add_topic("TRACE", 1)
    body = "".join("\x01".join(record) + "\x02" for record in records).encode()
    cluster.store_a.fill("TRACE", 0, [body])

    async def read(client: object) -> ReceivedMessage:
        from broker_py.model.message_queue import MessageQueue  # noqa: PLC0415

        result = await client.queues.pull(MessageQueue("TRACE", "broker-a", 0), 0)  # type: ignore[attr-defined]
        return result.messages[0]  # type: ignore[no-any-return]

    return cluster.ask(read)  # type: ignore[no-any-return]


PUB = (
    "Pub",
    "1700000000000",
    "R",
    "PG",
    "T",
    "ID",
    "tag",
    "key",
    "10.0.0.1:1",
    "5",
    "7",
    "0",
    "OFF",
    "true",
    "10.0.0.9",
)
SUB = ("SubAfter", "REQ", "ID", "12", "false", "key", "0", "1700000000100", "CG")


def test_sending_and_consuming_are_read(cluster: FakeCluster) -> None:
    sent, consumed = decode_traces(_message(cluster, PUB, SUB), "ID")
    assert (sent.kind, sent.group, sent.host, sent.cost_ms, sent.success) == ("Pub", "PG", "10.0.0.9", 7, True)
    assert (consumed.kind, consumed.group, consumed.time_ms, consumed.success) == ("Sub", "CG", 1700000000100, False)


def test_records_of_other_messages_and_broken_ones_are_left_out(cluster: FakeCluster) -> None:
    other = tuple("OTHER" if field == "ID" else field for field in PUB)
    broken = ("SubAfter", "REQ", "ID", "soon", "true", "key")
    assert decode_traces(_message(cluster, other, broken, ("Nonsense",)), "ID") == []
