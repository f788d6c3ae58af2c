"""The simulated disk itself: what the crash tests rest on."""

from random import Random

import pytest

from tests.support.memory_files import EVERYTHING_KEPT, NOTHING_KEPT, CrashPolicy, MemoryFiles


def written(size: int = 2048) -> MemoryFiles:
    """A durable file of A's, over which B's and then C's were written."""
    files = MemoryFiles()
    file = files.open("/f", create=True)
    file.pwrite(b"A" * size, 0)
    file.fdatasync()
    files.sync_dir("")
    file.pwrite(b"B" * size, 0)
    file.pwrite(b"C" * size, 0)
    return files


def test_what_was_synced_is_always_there_and_what_was_not_need_not_be() -> None:
    assert written().crash(Random(1), NOTHING_KEPT).dump() == {"/f": b"A" * 2048}
    assert written().crash(Random(1), EVERYTHING_KEPT).dump() == {"/f": b"C" * 2048}


def test_sectors_are_torn_apart_but_each_is_whole() -> None:
    seen = set()
    for seed in range(200):
        data = written().crash(Random(seed), CrashPolicy(tear=1.0)).dump()["/f"]
        for sector in range(4):
            letters = set(data[sector * 512 : sector * 512 + 512])
            assert len(letters) == 1
        seen.add(bytes(data[::512]))
    assert len(seen) > 30


def test_a_name_is_lost_until_its_directory_is_synced() -> None:
    files = MemoryFiles()
    file = files.open("/f", create=True)
    file.pwrite(b"x", 0)
    file.fdatasync()
    assert files.crash(Random(1), NOTHING_KEPT).dump() == {}
    files.sync_dir("")
    assert files.crash(Random(1), NOTHING_KEPT).dump() == {"/f": b"x"}


def test_a_rename_is_done_or_not() -> None:
    files = written()
    other = files.open("/g", create=True)
    other.fdatasync()
    files.sync_dir("")
    files.rename("/g", "/f")
    seen = {tuple(files.crash(Random(seed), CrashPolicy()).dump()) for seed in range(50)}
    assert seen == {("/f", "/g"), ("/f",)}


def test_a_removed_file_may_come_back() -> None:
    files = written()
    files.remove("/f")
    seen = {tuple(files.crash(Random(seed), CrashPolicy()).dump()) for seed in range(50)}
    assert seen == {("/f",), ()}


def test_pages_dropped_by_a_failed_sync_are_not_saved_by_the_next() -> None:
    files = written()
    file = files.open("/f")
    files.fail_sync_number = 1
    with pytest.raises(OSError, match="injected"):
        file.fdatasync()
    files.fail_sync_number = None
    file.fdatasync()
    assert file.pread(1, 0) == b"C"
    assert files.crash(Random(1), EVERYTHING_KEPT).dump() == {"/f": b"A" * 2048}


def test_a_full_disk_takes_some_sectors_of_the_write() -> None:
    files = MemoryFiles()
    file = files.open("/f", create=True)
    files.fail_after_bytes = 1000
    with pytest.raises(OSError, match="No space left"):
        file.pwrite(b"x" * 2000, 100)
    assert file.pread(2000, 100) == b"x" * 924


def test_what_a_killed_process_wrote_is_there_and_no_more_durable_than_before() -> None:
    files = written()
    lock = files.lock("/lock")
    left = files.kill()
    assert left.open("/f").pread(1, 0) == b"C"
    left.lock("/lock")
    assert left.crash(Random(1), NOTHING_KEPT).dump() == {"/f": b"A" * 2048}
    left.open("/f").fdatasync()
    assert left.crash(Random(1), NOTHING_KEPT).dump() == {"/f": b"C" * 2048}
    assert files.crash(Random(1), NOTHING_KEPT).dump() == {"/f": b"A" * 2048}
    lock.release()


def test_pages_dropped_by_a_failed_sync_are_lost_to_the_next_process_too() -> None:
    files = written()
    files.fail_sync_number = 1
    with pytest.raises(OSError, match="injected"):
        files.open("/f").fdatasync()
    left = files.kill()
    file = left.open("/f")
    assert file.pread(1, 0) == b"C"
    file.fdatasync()
    assert left.crash(Random(1), EVERYTHING_KEPT).dump() == {"/f": b"A" * 2048}
    file.pwrite(b"C" * 2048, 0)
    file.fdatasync()
    assert left.crash(Random(1), NOTHING_KEPT).dump() == {"/f": b"C" * 2048}
