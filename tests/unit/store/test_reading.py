from collections.abc import Mapping

import pytest

from broker_py.message.record import decode_record
from broker_py.store.config import StoreConfig
from broker_py.store.reading import GetResult, GetStatus
from broker_py.store.store import Store
from tests.support.memory_files import MemoryFiles
from tests.support.stores import STORE_HOST, a_message, a_store

BIG = StoreConfig(store_path_root_dir="/store", mapped_file_size_commit_log=1 << 20, mapped_file_size_consume_queue=200)


def bodies(result: GetResult) -> list[bytes]:
    data = b"".join(result.chunks)
    assert len(data) == result.size
    found, start = [], 0
    while start < len(data):
        record = decode_record(data, start)
        found.append(bytes(record.body))
        start += record.size
    assert len(found) == result.count
    return found


def filled(count: int, queues: int = 1, size: int = 0, config: StoreConfig = BIG) -> Store:
    store = a_store(MemoryFiles(), config)
    for n in range(count):
        store.append(a_message(b"%d" % n + b" " * size, queue_id=n % queues, tag="AB"[n % 2]))
    store.commit()
    store.dispatch(store.written.value)
    return store


def test_messages_come_in_order_from_where_they_are_asked_for() -> None:
    result = filled(100).get("T", 0, 40, 3, 1 << 20)
    assert (result.status, result.next_offset, result.min_offset, result.max_offset) == (GetStatus.FOUND, 43, 0, 100)
    assert bodies(result) == [b"40", b"41", b"42"]


def test_neighbours_are_one_chunk() -> None:
    assert len(filled(10).get("T", 0, 0, 10, 1 << 20).chunks) == 1


def test_messages_between_which_others_lie_are_read_all_the_same() -> None:
    result = filled(100, queues=8).get("T", 3, 2, 5, 1 << 20)
    assert bodies(result) == [b"19", b"27", b"35", b"43", b"51"]


def test_messages_on_both_sides_of_a_file_border_are_found() -> None:
    small = StoreConfig(
        store_path_root_dir="/store", mapped_file_size_commit_log=1024, mapped_file_size_consume_queue=200
    )
    assert bodies(filled(30, config=small).get("T", 0, 0, 30, 1 << 20)) == [b"%d" % n for n in range(30)]


@pytest.mark.parametrize(
    ("queue_offset", "status", "next_offset"),
    [
        (-1, GetStatus.OFFSET_TOO_SMALL, 0),
        (10, GetStatus.OFFSET_OVERFLOW_ONE, 10),
        (11, GetStatus.OFFSET_OVERFLOW_BADLY, 10),
    ],
)
def test_an_offset_outside_the_queue_is_told_where_to_go(
    queue_offset: int, status: GetStatus, next_offset: int
) -> None:
    result = filled(10).get("T", 0, queue_offset, 32, 1 << 20)
    assert (result.status, result.next_offset, result.chunks) == (status, next_offset, [])


def test_an_unknown_and_an_empty_queue_differ() -> None:
    store = filled(1)
    assert store.get("T", 7, 0, 32, 1 << 20).status is GetStatus.NO_MATCHED_LOGIC_QUEUE
    store.append(a_message(queue_id=7))
    result = store.get("T", 7, 0, 32, 1 << 20)
    assert (result.status, result.next_offset) == (GetStatus.NO_MESSAGE_IN_QUEUE, 0)


def test_the_filter_sees_tags_codes() -> None:
    result = filled(10).get("T", 0, 1, 32, 1 << 20, lambda code: code == ord("A"))
    assert bodies(result) == [b"2", b"4", b"6", b"8"]
    assert result.next_offset == 10


def test_where_nothing_matches_the_reader_goes_on_behind_what_was_looked_at() -> None:
    result = filled(2000).get("T", 0, 10, 32, 1 << 20, lambda code: False)
    assert (result.status, result.next_offset) == (GetStatus.NO_MATCHED_MESSAGE, 810)


def test_the_first_message_comes_whatever_its_size() -> None:
    store = filled(3, size=5000)
    assert bodies(store.get("T", 0, 0, 32, 100))[0].startswith(b"0 ")
    assert store.get("T", 0, 0, 32, 100).next_offset == 1


def test_messages_end_before_the_bytes_would_be_too_many() -> None:
    store = filled(10, size=100)
    size = store.get("T", 0, 0, 1, 1).size
    assert store.get("T", 0, 0, 32, 3 * size).count == 3
    assert store.get("T", 0, 0, 32, 3 * size - 1).count == 2


def test_limits_are_those_of_memory_or_of_the_disk_by_the_distance_from_the_end() -> None:
    store = filled(100)
    assert store.get("T", 0, 0, 100, 1 << 20).count == 32
    far = Store(BIG, MemoryFiles(), store._clock, STORE_HOST, memory_bytes=2000)
    far.load()
    for n in range(100):
        far.append(a_message(b"%d" % n))
    far.commit()
    far.dispatch(far.written.value)
    behind = far.get("T", 0, 0, 100, 1 << 20)
    assert (behind.count, behind.lagging) == (8, True)
    near = far.get("T", 0, 95, 2, 1 << 20)
    assert (near.count, near.lagging) == (2, False)


def test_a_unit_that_points_at_no_record_is_put_right_from_the_log(caplog: pytest.LogCaptureFixture) -> None:
    store = filled(5)
    queue = store._queues.make("T", 0)
    last = queue.unit(4)
    assert last is not None
    queue.cut(3)
    queue.put(3, last[0] - 1, last[1], 0)
    queue.put(4, *last)
    assert bodies(store.get("T", 0, 2, 32, 1 << 20)) == [b"2", b"3", b"4"]
    assert f"pointed at log offset {last[0] - 1}" in caplog.text
    caplog.clear()
    assert bodies(store.get("T", 0, 2, 32, 1 << 20)) == [b"2", b"3", b"4"]
    assert caplog.text == ""
    assert store.damage.count == 0


class Chosen:
    """Wants the messages whose `n` is one of some; counts how many it looks at."""

    def __init__(self, *wanted: int, size: int = 1) -> None:
        self.size = size
        self.seen = 0
        self._wanted = wanted

    def matches(self, properties: Mapping[str, str]) -> bool:
        self.seen += 1
        return int(properties["n"]) in self._wanted


def with_properties(count: int, size: int = 0) -> Store:
    store = a_store(MemoryFiles(), BIG)
    for n in range(count):
        store.append(a_message(b"%d" % n + b" " * size, tag="AB"[n % 2], extra=b"n\x01%d" % n))
    store.commit()
    store.dispatch(store.written.value)
    return store


def test_messages_are_chosen_by_their_properties() -> None:
    result = with_properties(100).get("T", 0, 10, 32, 1 << 20, None, Chosen(5, 12, 13, 77, 99))
    assert (result.status, result.next_offset) == (GetStatus.FOUND, 100)
    assert bodies(result) == [b"12", b"13", b"77", b"99"]


def test_both_the_tag_and_the_properties_count() -> None:
    result = with_properties(100).get("T", 0, 0, 32, 1 << 20, lambda code: code == ord("B"), Chosen(12, 13, 77))
    assert bodies(result) == [b"13", b"77"]


def test_a_choice_ends_with_what_was_asked_for() -> None:
    result = with_properties(100).get("T", 0, 0, 2, 1 << 20, None, Chosen(12, 13, 77))
    assert (bodies(result), result.next_offset) == ([b"12", b"13"], 77)
    result = with_properties(100, size=1000).get("T", 0, 0, 32, 1500, None, Chosen(12, 13, 77))
    assert (bodies(result), result.next_offset) == ([b"12" + b" " * 1000], 13)


def test_a_choice_looks_at_so_many_messages_and_no_more() -> None:
    store = with_properties(1000)
    chosen = Chosen()
    result = store.get("T", 0, 0, 32, 1 << 20, None, chosen)
    assert (result.status, result.next_offset, chosen.seen) == (GetStatus.NO_MATCHED_MESSAGE, 800, 800)
    costly = Chosen(size=10_000)
    assert store.get("T", 0, 0, 32, 1 << 20, None, costly).next_offset == costly.seen == 10
    assert store.get("T", 0, 999, 32, 1 << 20, None, Chosen(999, size=1 << 30)).count == 1


def test_a_choice_reads_so_many_bytes_and_no_more() -> None:
    chosen = Chosen()
    result = with_properties(60, size=250_000).get("T", 0, 0, 32, 1 << 20, None, chosen)
    assert 4 << 20 <= chosen.seen * 250_000 < 6 << 20
    assert result.next_offset == chosen.seen
