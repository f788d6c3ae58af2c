from dataclasses import replace

from broker_py.store.checkpoint import (
    Checkpoint,
    IndexMark,
    decode_checkpoint,
    encode_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from broker_py.store.index_file import IndexHeader
from tests.support.memory_files import MemoryFiles

MARK = IndexMark(4000, "20231114221320007", IndexHeader(1, 2, 3, 4, 5, 6))
MINE = Checkpoint(1_700_000_000_000, 1_700_000_000_500, 7, 8, durable_offset=4096, index_mark=MARK)


def test_the_first_four_numbers_are_where_java_has_them() -> None:
    data = encode_checkpoint(MINE)
    assert len(data) == 4096
    assert data[:32].hex() == "0000018bcfe568000000018bcfe569f400000000000000070000000000000008"


def test_what_is_written_is_read_again() -> None:
    assert decode_checkpoint(encode_checkpoint(MINE)) == MINE
    files = MemoryFiles()
    write_checkpoint(files, "/checkpoint", MINE)
    assert read_checkpoint(files, "/checkpoint") == MINE


def test_after_a_java_broker_was_here_the_durable_offset_is_not_trusted() -> None:
    data = bytearray(encode_checkpoint(MINE))
    data[15] += 1
    assert decode_checkpoint(bytes(data)).durable_offset is None
    assert decode_checkpoint(bytes(data)).index_mark is None
    assert decode_checkpoint(bytes(data)).dispatched_ms == MINE.dispatched_ms + 1


def test_a_damaged_or_short_file_says_nothing_of_durable_bytes() -> None:
    data = bytearray(encode_checkpoint(MINE))
    data[45] ^= 1
    assert decode_checkpoint(bytes(data)).durable_offset is None
    assert decode_checkpoint(encode_checkpoint(MINE)[:40]).durable_offset is None
    assert decode_checkpoint(b"") == Checkpoint()
    assert read_checkpoint(MemoryFiles(), "/checkpoint") == Checkpoint()


def test_the_marks_of_log_and_index_stand_and_fall_alone() -> None:
    data = bytearray(encode_checkpoint(MINE))
    data[40] ^= 1
    assert decode_checkpoint(bytes(data)) == replace(MINE, durable_offset=None)
    data[40] ^= 1
    data[100] ^= 1
    assert decode_checkpoint(bytes(data)) == replace(MINE, index_mark=None)


def test_an_index_without_files_has_a_mark_too() -> None:
    empty = replace(MINE, index_mark=IndexMark(0, "", IndexHeader()), durable_offset=None)
    assert decode_checkpoint(encode_checkpoint(empty)) == empty
    assert decode_checkpoint(encode_checkpoint(replace(empty, index_mark=None))) == replace(empty, index_mark=None)


def test_javas_rule_gives_three_seconds_of_grace() -> None:
    assert MINE.min_ms == 1_700_000_000_000 - 3000
    assert Checkpoint().min_ms == 0
