import errno
import os

import pytest

from broker_py.store.consume_queue import BLANK_UNIT, TAIL_BYTES, UNIT, ConsumeQueue
from broker_py.store.handles import Handles
from broker_py.store.segments import Segments
from tests.support.memory_files import MemoryFiles

UNITS_PER_FILE = 10


def open_queue(files: MemoryFiles, file_units: int = UNITS_PER_FILE) -> ConsumeQueue:
    return ConsumeQueue("T", 0, Segments(files, Handles(files, 4), "/cq/T/0", file_units * 20))


def reopened(files: MemoryFiles, trusted_end: int = 1 << 40, *, after_crash: bool = False) -> ConsumeQueue:
    queue = open_queue(files)
    queue.load(after_crash=after_crash, holds=lambda n, log_offset, size: log_offset + size <= trusted_end)
    return queue


def filled(files: MemoryFiles, count: int, file_units: int = UNITS_PER_FILE) -> ConsumeQueue:
    queue = open_queue(files, file_units)
    for n in range(count):
        queue.put(n, n * 100, 100, n)
    return queue


def test_a_unit_is_byte_for_byte_what_rocketmq_writes() -> None:
    queue = open_queue(MemoryFiles())
    queue.put(0, 0x1A2B, 100, 65)
    assert queue.units(0, 1).hex() == "0000000000001a2b000000640000000000000041"


def test_units_can_be_read_before_any_file_exists() -> None:
    files = MemoryFiles()
    queue = filled(files, 25)
    assert files.dump() == {}
    assert queue.unit(24) == (2400, 100, 24)
    assert (queue.min_offset, queue.max_offset, queue.next_offset) == (0, 25, 25)


def test_written_units_are_found_again() -> None:
    files = MemoryFiles()
    filled(files, 25).write_out()
    queue = reopened(files)
    assert (queue.max_offset, queue.log_end) == (25, 2500)
    assert [unit[0] for unit in UNIT.iter_unpack(queue.units(8, 100))] == [n * 100 for n in range(8, 25)]


def test_only_what_is_new_is_written() -> None:
    files = MemoryFiles()
    queue = filled(files, 3)
    queue.write_out()
    operations: list[str] = []
    files.on_step = operations.append
    queue.write_out()
    queue.put(3, 300, 100, 0)
    queue.write_out()
    assert operations == ["pwrite /cq/T/0/00000000000000000000 60+20"]


def test_memory_keeps_a_bounded_tail_and_an_idle_queue_nothing() -> None:
    queue = filled(MemoryFiles(), 5000, file_units=2000)
    queue.write_out()
    assert len(queue._tail) <= TAIL_BYTES
    assert queue.unit(0) == (0, 100, 0)
    queue.drop_tail()
    assert len(queue._tail) == 0
    assert queue.unit(4999) == (499900, 100, 4999)
    queue.put(5000, 500000, 100, 0)
    assert queue.unit(5000) == (500000, 100, 0)


def test_a_read_may_begin_in_the_file_and_go_on_in_memory() -> None:
    queue = filled(MemoryFiles(), 2000, file_units=5000)
    queue.write_out()
    start, collected = 0, b""
    while units := queue.units(start, 1500):
        collected += units
        start += len(units) // 20
    assert [unit[2] for unit in UNIT.iter_unpack(collected)] == list(range(2000))


def test_units_that_could_not_be_written_stay_and_are_written_again() -> None:
    files = MemoryFiles()
    queue = filled(files, 15)
    files.fail_writes = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO) + "|injected"):
        queue.write_out()
    files.fail_writes = None
    queue.put(15, 1500, 100, 15)
    queue.write_out()
    assert [unit[2] for unit in UNIT.iter_unpack(reopened(files).units(10, 20))] == [10, 11, 12, 13, 14, 15]


def test_a_message_that_is_there_already_is_not_added_again() -> None:
    queue = filled(MemoryFiles(), 3)
    assert not queue.put(1, 100, 100, 1)
    assert queue.max_offset == 3


def test_a_queue_that_begins_later_has_blank_units_before_its_first() -> None:
    files = MemoryFiles()
    queue = open_queue(files)
    queue.put(13, 1300, 100, 0)
    queue.put(14, 1400, 100, 0)
    assert (queue.min_offset, queue.max_offset) == (13, 15)
    queue.write_out()
    (data,) = files.dump().values()
    assert list(files.dump()) == ["/cq/T/0/00000000000000000200"]
    assert data[:60] == BLANK_UNIT * 3
    again = reopened(files)
    again.correct_min(0)
    assert (again.min_offset, again.max_offset) == (13, 15)


def test_skipped_offsets_become_blank_units() -> None:
    queue = filled(MemoryFiles(), 2)
    queue.put(4, 400, 100, 4)
    assert queue.units(2, 2) == BLANK_UNIT * 2
    assert queue.unit(4) == (400, 100, 4)


def test_a_topic_made_anew_starts_its_queue_over() -> None:
    files = MemoryFiles()
    queue = filled(files, 12)
    queue.write_out()
    assert queue.put(0, 9000, 100, 7)
    assert (queue.min_offset, queue.max_offset) == (0, 1)
    queue.write_out()
    again = reopened(files)
    assert (again.max_offset, again.unit(0)) == (1, (9000, 100, 7))


def test_units_behind_the_trusted_end_are_cut_and_zeroed() -> None:
    files = MemoryFiles()
    filled(files, 25).write_out()
    queue = reopened(files, 1250, after_crash=True)
    assert (queue.max_offset, queue.next_offset, queue.log_end) == (12, 12, 1200)
    assert files.dump()["/cq/T/0/00000000000000000200"][40:] == bytes(160)
    assert len(files.dump()) == 2


def test_a_clean_start_changes_nothing_on_disk() -> None:
    files = MemoryFiles()
    filled(files, 25).write_out()
    steps = files.steps
    reopened(files)
    assert files.steps == steps


def test_the_minimum_follows_the_log() -> None:
    files = MemoryFiles()
    queue = filled(files, 25)
    queue.write_out()
    queue.correct_min(1150)
    assert queue.min_offset == 12
    assert queue.remove_expired() == 1
    assert next(iter(files.dump())).endswith("200")
    queue.correct_min(10_000)
    assert (queue.min_offset, queue.max_offset) == (25, 25)
    assert queue.remove_expired() == 1, "the last file stays"


def test_search_finds_the_first_unit_that_is_not_before() -> None:
    queue = filled(MemoryFiles(), 25)
    assert queue.search(lambda log_offset, _: log_offset < 777) == 8
    assert queue.search(lambda log_offset, _: True) == 25
    assert queue.search(lambda log_offset, _: False) == 0
