"""What the broker stores by itself is done when it is as safe as a producer's would be."""

import pytest

from broker_py.broker.own_messages import moved
from broker_py.errors import StoreError
from broker_py.message.properties import TAGS, decode_properties
from broker_py.message.record import Message
from broker_py.message.tags import tags_code
from tests.unit.broker.site import Site


def a_message(body: bytes = b"mine") -> Message:
    return Message("T", 1, 0, 0, 5, bytes(8), body, b"", 0)


def test_messages_of_one_turn_are_written_together_and_then_done() -> None:
    site = Site()
    own = site.own
    results: list[StoreError | None] = []
    own.put(a_message(), results.append)
    own.put(a_message(b"and mine"), results.append)
    assert results == []
    site.end_turn()
    assert results == [None, None]
    assert bytes(site.stored(queue_id=1, queue_offset=1).body) == b"and mine"
    own.put(a_message(), results.append)
    site.end_turn()
    assert results == [None, None, None]


def test_a_message_is_not_done_before_it_is_flushed() -> None:
    site = Site(sync_flush=True)
    results: list[StoreError | None] = []
    site.own.put(a_message(), results.append)
    site.end_turn()
    assert results == []
    site.flush()
    assert results == [None]


def test_what_is_not_on_disk_is_told() -> None:
    site = Site(sync_flush=True)
    results: list[StoreError | None] = []
    site.own.put(a_message(), results.append)
    site.end_turn()
    site.acks.fail_waiting("it failed")
    assert [str(result) for result in results] == ["the message is not on disk: it failed"]


def test_a_store_that_takes_nothing_says_so_at_once() -> None:
    site = Site()
    site.store.close()
    results: list[StoreError | None] = []
    with pytest.raises(StoreError, match="closed"):
        site.own.put(a_message(), results.append)
    site.end_turn()
    assert results == []


def test_a_moved_message_keeps_what_it_is_and_gets_the_code_of_its_tag() -> None:
    site = Site()
    site.send(b"hello", properties="TAGS\x01red\x02k\x01v\x02")
    record = site.stored()
    there = moved(record, "Elsewhere", 3, {**decode_properties(record.properties), "k": "w"})
    assert (there.topic, there.queue_id, bytes(there.body)) == ("Elsewhere", 3, b"hello")
    assert (there.born_ms, there.born_host, there.sys_flag) == (record.born_ms, record.born_host, 0)
    assert there.tags_code == tags_code("red")
    properties = decode_properties(there.properties)
    assert (properties[TAGS], properties["k"]) == ("red", "w")
