"""What is held of a queue, and what may be committed of it."""

from dataclasses import replace

from broker_py.client.consuming import FlowLimits
from broker_py.client.messages import ReceivedMessage
from broker_py.client.process_queue import ProcessQueue
from broker_py.model.message_queue import MessageQueue


def message(offset: int, body: bytes = b"x") -> ReceivedMessage:
    return ReceivedMessage(
        message_id=str(offset),
        offset_id="",
        topic="T",
        broker_name="b",
        queue_id=0,
        queue_offset=offset,
        log_offset=0,
        body=body,
        properties={},
        born_ms=0,
        born_host="",
        stored_ms=0,
        store_host="",
        reconsume_times=0,
        sys_flag=0,
    )


def held(*offsets: int, limits: FlowLimits | None = None) -> ProcessQueue:
    queue = ProcessQueue(MessageQueue("T", "b", 0), limits or FlowLimits())
    queue.put([message(offset) for offset in offsets])
    queue.next_offset = offsets[-1] + 1 if offsets else None
    return queue


def test_what_is_committed_is_the_first_message_still_under_way() -> None:
    queue = held(5, 6, 7)
    queue.remove([message(6), message(7)])
    assert queue.commit_offset == 5
    queue.remove([message(5)])
    assert queue.commit_offset == 8


def test_nothing_is_committed_before_it_is_known_where_the_queue_begins() -> None:
    assert held().commit_offset is None


def test_a_queue_is_full_by_messages_by_bytes_and_by_the_span_of_offsets() -> None:
    assert held(1, 2, limits=FlowLimits(messages=2)).is_full
    assert not held(1, limits=FlowLimits(messages=2)).is_full
    assert held(1, 2, limits=FlowLimits(bytes=2)).is_full
    assert held(1, 11, limits=FlowLimits(span=10)).is_full


def test_room_is_told_of_once_and_when_the_queue_is_dropped() -> None:
    calls: list[str] = []
    queue = held(1, 2, 3, limits=FlowLimits(messages=2))
    queue.when_room(lambda: calls.append("room"))
    queue.remove([message(1)])
    assert calls == []
    queue.remove([message(2)])
    queue.remove([message(3)])
    assert calls == ["room"]
    queue.when_room(lambda: calls.append("dropped"))
    queue.drop()
    assert calls == ["room", "dropped"]


def test_a_message_is_overdue_by_when_a_listener_last_got_it() -> None:
    queue = held(1, 2)
    queue.started(message(1), 10.0)
    queue.started(message(2), 11.0)
    queue.started(message(1), 20.0)
    assert queue.overdue(10.5) is None
    overdue = queue.overdue(12.0)
    assert overdue is not None
    assert overdue.queue_offset == 2
    queue.remove([overdue])
    assert queue.overdue(12.0) is None


def test_only_what_is_held_is_replaced() -> None:
    queue = held(1)
    queue.replace(replace(message(1), reconsume_times=3))
    queue.replace(message(9))
    assert [each.reconsume_times for each in queue.first(5)] == [3]
