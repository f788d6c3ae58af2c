import pytest

from broker_py.errors import LogCorrupt, StoreError
from broker_py.store.handles import Handles
from broker_py.store.segments import Segments
from tests.support.memory_files import MemoryFiles

A, B, C = "/q/00000000000000000000", "/q/00000000000000000100", "/q/00000000000000000200"


def open_segments(files: MemoryFiles, *, after_crash: bool = False, durable_end: int = 0) -> Segments:
    segments = Segments(files, Handles(files, 8), "/q", 100)
    segments.load(after_crash=after_crash, durable_end=durable_end)
    return segments


def filled(files: MemoryFiles, size: int) -> Segments:
    segments = open_segments(files)
    segments.write(0, bytes(i % 250 + 1 for i in range(size)))
    return segments


def test_files_are_named_by_their_offset_and_full_length_from_the_start() -> None:
    files = MemoryFiles()
    filled(files, 101)
    assert {path: len(data) for path, data in files.dump().items()} == {A: 100, B: 100}


def test_reads_and_writes_cross_files() -> None:
    files = MemoryFiles()
    segments = filled(files, 250)
    assert segments.read(95, 110) == bytes(i % 250 + 1 for i in range(95, 205))
    assert segments.read(290, 50) == bytes(10)
    assert segments.read(300, 1) == b""
    assert open_segments(files).read(0, 250) == segments.read(0, 250)


def test_a_queue_of_files_may_begin_anywhere() -> None:
    files = MemoryFiles()
    open_segments(files).write(200, b"x")
    assert list(files.dump()) == [C]
    segments = open_segments(files)
    assert (segments.first, segments.end) == (200, 300)
    assert segments.read(100, 5) == b""


def test_truncating_removes_later_files_and_makes_the_rest_zeros() -> None:
    files = MemoryFiles()
    segments = filled(files, 300)
    segments.truncate(150)
    assert list(files.dump()) == [A, B]
    assert files.dump()[B] == bytes(i % 250 + 1 for i in range(100, 150)) + bytes(50)
    segments.truncate(100)
    assert list(files.dump()) == [A]
    segments.truncate(0)
    assert segments.empty
    assert files.dump() == {}


def test_a_file_of_a_wrong_length_is_refused_with_both_sizes() -> None:
    files = MemoryFiles()
    filled(files, 100)
    files.open(A).truncate(60)
    with pytest.raises(StoreError, match=f"{A} has 60 bytes, but the configured file size is 100"):
        open_segments(files)


def test_after_a_crash_a_short_file_is_extended_but_a_long_one_refused() -> None:
    files = MemoryFiles()
    filled(files, 200)
    files.open(B).truncate(0)
    assert open_segments(files, after_crash=True).read(100, 100) == bytes(100)
    files.open(B).truncate(101)
    with pytest.raises(StoreError, match="101 bytes"):
        open_segments(files, after_crash=True)


@pytest.mark.parametrize("name", ["notes.txt", "0000000000000000010", "00000000000000000050", "0000000000000000010a"])
def test_a_file_that_is_none_of_ours_is_refused_by_name(name: str) -> None:
    files = MemoryFiles()
    filled(files, 100)
    files.open(f"/q/{name}", create=True)
    with pytest.raises(StoreError, match=f"/q/{name}"):
        open_segments(files, after_crash=True)


def test_directories_between_the_files_are_left_alone() -> None:
    files = MemoryFiles()
    filled(files, 100)
    files.make_dirs("/q/lost+found")
    assert open_segments(files).end == 100


def test_a_missing_file_stops_the_start() -> None:
    files = MemoryFiles()
    filled(files, 300)
    files.remove(B)
    with pytest.raises(LogCorrupt, match=f"{B} is missing, but {C} is there"):
        open_segments(files)
    with pytest.raises(LogCorrupt, match="missing"):
        open_segments(files, after_crash=True, durable_end=250)


def test_after_a_crash_what_lies_behind_a_missing_file_and_was_not_durable_is_removed() -> None:
    files = MemoryFiles()
    filled(files, 300)
    files.remove(B)
    assert open_segments(files, after_crash=True, durable_end=100).end == 100
    assert list(files.dump()) == [A]


def test_removing_the_first_file_is_durable_at_once() -> None:
    files = MemoryFiles()
    segments = filled(files, 200)
    files.sync_dir("/q")
    segments.remove_first()
    assert segments.first == 100
    assert files.kill().list_dir("/q") == ["00000000000000000100"]
    assert segments.read(50, 10) == b""
