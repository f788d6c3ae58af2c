import errno
from random import Random

import pytest

from broker_py.errors import LogCorrupt, StoreError
from broker_py.message.record import body_crc, encode_record, record_size
from broker_py.store.commit_log import CommitLog
from broker_py.store.handles import Handles
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles
from tests.support.stores import STORE_HOST, a_message


def open_log(files: MemoryFiles) -> CommitLog:
    log = CommitLog(files, Handles(files, 4), "/log", 1024)
    log.load(after_crash=False, durable_end=0)
    return log


def put(log: CommitLog, body: bytes = b"hello") -> int:
    message = a_message(body)
    offset = log.place(record_size(message, STORE_HOST))
    log.stage(encode_record(message, body_crc(body), 0, offset, 1_700_000_000_123, STORE_HOST))
    return offset


def a_record() -> bytes:
    """A record of 97 bytes."""
    return encode_record(a_message(), body_crc(b"hello"), 0, 0, 1_700_000_000_123, STORE_HOST)


def test_nothing_can_be_read_before_the_commit() -> None:
    log = open_log(MemoryFiles())
    put(log)
    assert log.read(0, 100) == b""
    log.commit()
    assert log.read(0, 4) == (97).to_bytes(4, "big")
    assert log.written == log.end == 97


def test_all_that_is_staged_is_one_write() -> None:
    files = MemoryFiles()
    log = open_log(files)
    put(log)
    log.commit()
    operations: list[str] = []
    files.on_step = operations.append
    for _ in range(5):
        put(log)
    log.commit()
    assert operations == ["pwrite /log/00000000000000000000 97+485"]


def test_a_record_that_does_not_fit_closes_the_file_with_a_blank_one() -> None:
    files = MemoryFiles()
    log = open_log(files)
    put(log, b"x" * 500)
    second = put(log, b"x" * 500)
    log.commit()
    assert second == 1024
    assert log.read(592, 100) == bytes.fromhex("000001b0cbd43194") + bytes(92), "432 bytes were left"
    assert len(log.record_at(1024) or b"") == 592


@pytest.mark.parametrize(("body", "offset"), [(1024 - 97 - 92 - 8, 97), (1024 - 97 - 92 - 7, 1024)])
def test_eight_bytes_always_remain_behind_a_record(body: int, offset: int) -> None:
    log = open_log(MemoryFiles())
    put(log)
    assert put(log, b"x" * body) == offset


def test_reads_end_at_their_file_and_at_what_is_written() -> None:
    log = open_log(MemoryFiles())
    for _ in range(3):
        put(log, b"x" * 500)
    log.commit()
    assert len(log.read(1000, 500)) == 24
    assert len(log.read(2048 + 592 - 10, 500)) == 10


def test_no_record_begins_in_the_middle_of_one_or_behind_the_end() -> None:
    log = open_log(MemoryFiles())
    put(log)
    log.commit()
    assert log.record_at(0) is not None
    assert log.record_at(1) is None
    assert log.record_at(97) is None
    assert log.record_at(-1) is None


@pytest.mark.parametrize("fail", [errno.ENOSPC, errno.EIO])
def test_of_a_failed_write_nothing_counts_and_nothing_stays(fail: int) -> None:
    files = MemoryFiles()
    log = open_log(files)
    put(log)
    log.commit()
    put(log, b"lost")
    put(log, b"l" * 900)
    files.fail_writes = fail
    with pytest.raises(OSError, match="injected"):
        log.commit()
    assert (log.end, log.written, log.unclean) == (97, 97, True)
    files.fail_writes = None
    log.cut(97)
    assert (log.end, log.written, log.unclean) == (97, 97, False)
    assert files.dump()["/log/00000000000000000000"][97:] == bytes(1024 - 97)
    assert put(log, b"kept") == 97
    log.commit()
    assert log.record_at(97) is not None


def test_a_failed_write_that_made_a_new_file_leaves_no_file_behind() -> None:
    files = MemoryFiles()
    log = open_log(files)
    put(log, b"x" * 500)
    log.commit()
    put(log, b"x" * 500)
    files.fail_after_bytes = 108
    with pytest.raises(OSError, match="No space left"):
        log.commit()
    files.fail_after_bytes = None
    log.cut(log.written)
    assert list(files.dump()) == ["/log/00000000000000000000"]


def test_a_flush_makes_what_was_written_durable_across_files() -> None:
    files = MemoryFiles()
    log = open_log(files)
    for _ in range(3):
        put(log, b"x" * 500)
    log.commit()
    flush = log.start_flush(0)
    put(log, b"late")
    log.commit()
    flush.run()
    log.finish_flush(flush, forced=True)
    assert flush.target == 2048 + 592
    survived = files.crash(Random(1), NOTHING_KEPT).dump()
    assert [len(data.rstrip(b"\0")) > 90 for data in survived.values()] == [True, True, True]


def test_two_flushes_at_a_time_force_the_same_files() -> None:
    files = MemoryFiles()
    log = open_log(files)
    put(log)
    log.commit()
    first, second = log.start_flush(0), log.start_flush(0)
    second.run()
    log.finish_flush(second, forced=True)
    assert files.crash(Random(1), NOTHING_KEPT).dump()["/log/00000000000000000000"][:4] != bytes(4)
    first.run()
    log.finish_flush(first, forced=True)


def test_a_file_is_settled_only_when_no_flush_may_touch_it() -> None:
    log = open_log(MemoryFiles())
    for _ in range(3):
        put(log, b"x" * 500)
    log.commit()
    slow, quick = log.start_flush(0), log.start_flush(0)
    log.finish_flush(quick, forced=True)
    assert log.settled_end == 0
    log.finish_flush(slow, forced=True)
    assert log.settled_end == 2048


def test_an_empty_replica_may_begin_at_any_file() -> None:
    log = open_log(MemoryFiles())
    log.stage_raw(3072, a_record())
    log.commit()
    assert (log.min_offset, log.written) == (3072, 3169)


def test_the_start_of_a_record_waits_for_its_rest() -> None:
    log = open_log(MemoryFiles())
    record = a_record()
    log.stage_raw(0, record + record[:50])
    log.commit()
    assert (log.written, log.end) == (97, 147)
    log.stage_raw(147, record[50:])
    log.commit()
    assert log.record_at(97) == record


def test_another_connection_may_send_the_start_of_a_record_again() -> None:
    log = open_log(MemoryFiles())
    record = a_record()
    log.stage_raw(0, record[:50])
    log.stage_raw(0, record + record[:20])
    log.stage_raw(97, record)
    log.commit()
    assert (log.written, log.end) == (194, 194)


def test_the_start_of_a_record_is_dropped_when_this_log_appends_itself() -> None:
    log = open_log(MemoryFiles())
    log.stage_raw(0, a_record() + a_record()[:50])
    assert put(log) == 97
    log.commit()
    assert log.written == 194


def test_a_masters_blank_record_is_taken_in_pieces() -> None:
    log = open_log(MemoryFiles())
    blank = bytes.fromhex("0000039fcbd43194") + bytes(1024 - 97 - 8)
    log.stage_raw(0, a_record() + blank[:20])
    log.commit()
    assert log.written == 117
    log.stage_raw(117, blank[20:] + a_record())
    log.commit()
    assert log.written == 1024 + 97
    assert log.record_at(1024) is not None


def test_a_masters_bytes_that_are_no_record_are_not_written() -> None:
    log = open_log(MemoryFiles())
    log.stage_raw(0, a_record())
    with pytest.raises(LogCorrupt, match="no record at log offset 97"):
        log.stage_raw(97, b"garbage and more of it")
    log.commit()
    assert (log.written, log.end) == (97, 97)


def test_of_a_masters_bytes_that_could_not_be_written_nothing_counts() -> None:
    files = MemoryFiles()
    log = open_log(files)
    log.stage_raw(0, a_record() + a_record()[:50])
    files.fail_writes = errno.ENOSPC
    with pytest.raises(OSError, match="injected"):
        log.commit()
    files.fail_writes = None
    log.cut(0)
    assert log.end == 0
    log.stage_raw(0, a_record())
    log.commit()
    assert log.written == 97


def test_a_replica_takes_only_what_continues_its_log() -> None:
    log = open_log(MemoryFiles())
    log.stage_raw(0, a_record())
    log.commit()
    for offset in (0, 96, 98, 1024):
        with pytest.raises(StoreError, match=f"log offset {offset} do not continue a log that ends at 97"):
            log.stage_raw(offset, b"x")
    with pytest.raises(StoreError, match="do not continue"):
        open_log(MemoryFiles()).stage_raw(100, b"x")


def test_the_last_file_is_never_deleted() -> None:
    log = open_log(MemoryFiles())
    put(log)
    log.commit()
    with pytest.raises(LogCorrupt, match="last file"):
        log.remove_first()
