import errno
from random import Random

import pytest

from broker_py.errors import LogFull, StoreError
from broker_py.message.record import MessageIllegal, decode_record
from broker_py.store.config import StoreConfig
from broker_py.store.store import Store
from tests.support.clock import ManualClock
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles
from tests.support.stores import SMALL, STORE_HOST, a_message, a_store


def test_a_message_gets_its_places_and_its_time() -> None:
    clock = ManualClock(1_700_000_000_123)
    store = a_store(MemoryFiles(), clock=clock)
    first, second = store.append(a_message()), store.append(a_message())
    assert (first.log_offset, first.queue_offset, first.stored_ms) == (0, 0, 1_700_000_000_123)
    assert (second.log_offset, second.queue_offset, second.end) == (first.end, 1, first.size * 2)
    store.commit()
    record = decode_record(store.record(second.log_offset) or b"")
    assert (record.queue_offset, record.log_offset, record.store_host) == (1, first.end, STORE_HOST)


def test_watermarks_follow_commit_flush_and_dispatch() -> None:
    store = a_store(MemoryFiles())
    placed = store.append(a_message())
    assert (store.written.value, store.flushed.value, store.dispatched.value) == (0, 0, 0)
    store.commit()
    assert (store.written.value, store.flushed.value, store.dispatched.value) == (placed.end, 0, 0)
    store.flush_log()
    store.dispatch(store.flushed.value)
    assert (store.flushed.value, store.dispatched.value) == (placed.end, placed.end)


def test_a_batch_lies_in_one_file() -> None:
    store = a_store(MemoryFiles())
    store.append(a_message(b"x" * 2000))
    placed = store.append_batch([a_message(b"x" * 900) for _ in range(3)])
    store.commit()
    store.dispatch(store.written.value)
    assert [item.log_offset // 4096 for item in placed] == [1, 1, 1]
    assert [item.queue_offset for item in placed] == [1, 2, 3]
    assert store.max_offset("T", 0) == 4


def test_a_batch_with_one_illegal_message_is_refused_whole() -> None:
    store = a_store(MemoryFiles())
    with pytest.raises(MessageIllegal, match="properties"):
        store.append_batch([a_message(), a_message(extra=b"p" * 40_000)])
    with pytest.raises(MessageIllegal, match=r"a batch of 5\d\d\d bytes does not fit"):
        store.append_batch([a_message(b"x" * 1000) for _ in range(5)])
    assert store.append_batch([]) == []
    assert (store.next_queue_offset("T", 0), store.log.end) == (0, 0)


def test_messages_beyond_the_limits_are_refused() -> None:
    config = StoreConfig(store_path_root_dir="/store", mapped_file_size_commit_log=4096, max_message_size=100)
    store = a_store(MemoryFiles(), config)
    store.append(a_message(b"x" * 100))
    with pytest.raises(MessageIllegal, match="101 bytes, more than maxMessageSize 100"):
        store.append(a_message(b"x" * 101))
    with pytest.raises(MessageIllegal, match="does not fit in a file of 4096"):
        a_store(MemoryFiles()).append(a_message(b"x" * 4000))


def test_a_second_process_is_kept_out_by_name() -> None:
    files = MemoryFiles()
    store = a_store(files)
    with pytest.raises(StoreError, match="/store/lock is locked by another process"):
        a_store(files)
    store.close()
    a_store(files)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_write_that_finds_no_room_undoes_its_messages_and_the_next_send_tries_again(number: int) -> None:
    files = MemoryFiles()
    store = a_store(files)
    kept = store.append(a_message(b"kept"))
    store.commit()
    store.append(a_message(b"lost"))
    store.append(a_message(b"lost", topic="U"))
    files.fail_writes = number
    with pytest.raises(LogFull, match=r"the broker's disk is full \[CL:  0.10 .*\]: there is no room for the log"):
        store.commit()
    assert "no room" in (store.admission.fault or "")
    assert store.admission.full
    assert (store.next_queue_offset("T", 0), store.next_queue_offset("U", 0)) == (1, 0)
    assert store.written.value == kept.end
    files.fail_writes = None
    again = store.append(a_message(b"again"))
    store.commit()
    store.dispatch(store.written.value)
    assert store.admission.fault is None
    assert (again.log_offset, again.queue_offset) == (kept.end, 1)
    assert store.max_offset("T", 0) == 2
    assert store.get("U", 0, 0, 1, 100).count == 0


def test_a_write_that_fails_otherwise_is_the_last_one_before_a_restart() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message(b"kept"))
    store.commit()
    store.append(a_message(b"lost"))
    files.fail_writes = errno.EIO
    with pytest.raises(StoreError, match="could not be written, restart the broker"):
        store.commit()
    files.fail_writes = None
    steps = files.steps
    assert (store.admission.broken, store.admission.full) == (store.admission.fault, False)
    for refused in (lambda: store.append(a_message()), lambda: store.append_raw(0, b""), store.resume):
        with pytest.raises(StoreError, match="restart the broker"):
            refused()
    assert files.steps == steps
    assert store.max_offset("T", 0) == 0
    store.close()
    again = a_store(files)
    assert again.max_offset("T", 0) == 1
    again.append(a_message())


def test_whoever_listens_hears_of_each_fault_and_of_its_end() -> None:
    files = MemoryFiles()
    store = a_store(files)
    heard: list[str | None] = []
    store.admission.on_fault = lambda: heard.append(store.admission.fault)
    for number in (errno.ENOSPC, None, errno.EIO):
        files.fail_writes = number
        store.append(a_message())
        try:
            store.commit()
        except StoreError:
            continue
    assert [fault is None or fault[:35] for fault in heard] == [
        "there is no room for the log: [Errn",
        True,
        "the log could not be written, resta",
    ]


def test_without_a_send_a_store_that_had_no_room_goes_on_when_there_is_some() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message())
    store.commit()
    store.dispatch(store.written.value)
    files.fail_writes = errno.ENOSPC
    files.used_bytes, files.free_bytes = 99, 1
    store.write_out()
    assert store.admission.full
    with pytest.raises(LogFull, match=r"CQ:  0.\d\d .*consume queues can't be written"):
        store.resume()
    store.append_raw(store.written.value, b"")
    files.fail_writes = None
    files.used_bytes, files.free_bytes = 85, 15
    store.resume()
    assert (store.admission.fault, store.admission.full) == (None, False)


def test_a_file_that_a_failed_write_made_is_removed_before_the_next_write() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message())
    files.fail_after_bytes = 50
    operations: list[str] = []
    files.on_step = lambda operation: operations.append(operation.split()[0])
    with pytest.raises(LogFull):
        store.commit()
    files.fail_after_bytes = None
    store.append(a_message())
    store.commit()
    again = operations[operations.index("remove") :]
    assert "sync_dir" in again[: again.index("create")]


def test_what_a_failed_write_left_in_a_used_file_is_forced_to_be_zeros() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message())
    store.commit()
    store.append(a_message())
    files.fail_after_bytes = 50
    operations: list[str] = []
    files.on_step = lambda operation: operations.append(operation.split()[0])
    with pytest.raises(LogFull):
        store.commit()
    files.fail_after_bytes = None
    store.append(a_message())
    store.commit()
    assert operations == ["pwrite", "truncate", "truncate", "pwrite", "fdatasync", "pwrite"]


def test_a_store_without_room_does_not_seem_to_have_some_in_between() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message())
    store.commit()
    heard: list[str | None] = []
    store.admission.on_fault = lambda: heard.append(store.admission.fault)
    store.append(a_message())
    files.fail_writes = errno.EDQUOT
    with pytest.raises(LogFull):
        store.commit()
    for _ in range(3):
        with pytest.raises(LogFull, match="no room for the log"):
            store.resume()
        with pytest.raises(LogFull, match="no room for the log"):
            store.append(a_message())
    assert len(heard) == 1
    files.fail_writes = None
    store.resume()
    assert heard[1:] == [None]
    again = a_store(files.kill())
    assert again.max_offset("T", 0) == 1


def test_a_disk_that_breaks_while_it_is_asked_for_room_is_broken() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message())
    store.commit()
    store.append(a_message())
    files.fail_writes = errno.ENOSPC
    with pytest.raises(LogFull):
        store.commit()
    files.fail_writes = errno.EIO
    with pytest.raises(StoreError, match="restart the broker"):
        store.resume()
    assert store.admission.broken is not None


def test_of_a_failed_write_nothing_comes_back_after_a_crash() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message(b"lost"))
    store.append(a_message(b"lost"))
    files.fail_after_bytes = 150
    with pytest.raises(LogFull):
        store.commit()
    files.fail_after_bytes = None
    store.append(a_message(b"kept"))
    store.commit()
    assert a_store(files.kill()).max_offset("T", 0) == 1


def test_after_a_failed_sync_nothing_counts_as_flushed_and_nothing_is_taken() -> None:
    files = MemoryFiles()
    store = a_store(files)
    first = store.append(a_message())
    store.commit()
    store.flush_log()
    store.append(a_message())
    store.commit()
    files.fail_sync_number = 1
    with pytest.raises(StoreError, match="could not be forced to disk"):
        store.flush_log()
    files.fail_sync_number = None
    with pytest.raises(StoreError, match="restart the broker"):
        store.append(a_message())
    with pytest.raises(StoreError, match="could not be forced"):
        store.flush_log()
    assert store.flushed.value == first.end, "a later sync proves nothing for pages that were dropped"
    store.close()
    assert files.exists("/store/abort")
    assert a_store(files.crash(Random(1), NOTHING_KEPT)).max_offset("T", 0) == 1


def test_a_flush_in_another_thread_covers_what_was_written_before_it() -> None:
    store = a_store(MemoryFiles())
    first = store.append(a_message())
    store.commit()
    flush = store.start_flush()
    store.append(a_message())
    store.commit()
    flush.run()
    store.finish_flush(flush, None)
    assert store.flushed.value == first.end


def test_queues_that_can_not_be_written_refuse_sends_until_they_can() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message())
    store.commit()
    store.dispatch(store.written.value)
    files.fail_writes = errno.EIO
    store.write_out()
    with pytest.raises(StoreError, match="consume queues can't be written"):
        store.append(a_message())
    files.fail_writes = None
    store.write_out()
    store.append(a_message())


def test_a_checkpoint_that_can_not_be_written_is_tried_again() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message())
    store.commit()
    files.fail_after_bytes = 0
    with pytest.raises(StoreError, match=r"checkpoint failed: .*No space left"):
        store.checkpoint()
    assert store.admission.fault is None
    files.fail_after_bytes = None
    store.checkpoint()
    assert store.bytes_since_checkpoint == store.written.value


def test_the_time_finds_the_nearest_message() -> None:
    clock = ManualClock(1000)
    store = a_store(MemoryFiles(), clock=clock)
    for _ in range(30):
        store.append(a_message(b"x" * 300))
        clock.advance(100)
    store.commit()
    store.dispatch(store.written.value)
    found = {ms: store.offset_by_time("T", 0, ms) for ms in (0, 1000, 1049, 1050, 1051, 1100, 2500, 3900, 9000)}
    assert found == {0: 0, 1000: 0, 1049: 0, 1050: 0, 1051: 1, 1100: 1, 2500: 15, 3900: 29, 9000: 29}
    assert store.offset_by_time("T", 5, 1000) == 0
    assert store.earliest_stored_ms() == 1000
    assert store.stored_ms("T", 0, 3) == 1300
    assert store.stored_ms("T", 0, 99) == 0


def test_an_empty_store_answers_everything() -> None:
    store = a_store(MemoryFiles())
    assert (store.min_offset("T", 0), store.max_offset("T", 0), store.next_queue_offset("T", 0)) == (0, 0, 0)
    assert (store.topics(), store.queues_of("T"), store.earliest_stored_ms()) == ([], [], 0)
    assert store.record(0) is None
    assert store.resume_offset() == 0
    store.commit()
    store.dispatch(100)
    assert store.clean(0) == 10_000


def test_a_deleted_topic_begins_at_0_again_also_after_a_crash() -> None:
    files = MemoryFiles()
    store = a_store(files)
    for _ in range(20):
        store.append(a_message(b"old"))
    store.commit()
    store.dispatch(store.written.value)
    store.checkpoint()
    store.delete_topic("T")
    assert store.topics() == []
    placed = store.append(a_message(b"new"))
    store.commit()
    store.dispatch(store.written.value)
    assert (placed.queue_offset, store.max_offset("T", 0)) == (0, 1)
    again = a_store(files.kill())
    assert again.max_offset("T", 0) == 1
    assert bytes(decode_record(b"".join(again.get("T", 0, 0, 1, 100).chunks)).body) == b"new"


@pytest.mark.parametrize("restart", [False, True])
def test_replication_resumes_at_the_newest_record(restart: bool) -> None:
    files = MemoryFiles()
    store = a_store(files)
    for _ in range(3):
        newest = store.append(a_message())
    store.commit()
    store.dispatch(store.written.value)
    if restart:
        store.close()
        store = a_store(files)
    assert store.resume_offset() == newest.log_offset


def test_a_closed_store_takes_nothing() -> None:
    store = a_store(MemoryFiles())
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append(a_message())
    with pytest.raises(StoreError, match="not open"):
        Store(SMALL, MemoryFiles(), ManualClock(), STORE_HOST).append(a_message())


def test_paths_may_lie_outside_the_root() -> None:
    files = MemoryFiles()
    config = StoreConfig(
        store_path_root_dir="/store",
        store_path_commit_log="/disk1/log",
        store_path_consume_queue="/disk2/cq",
        store_checkpoint="/disk3/point",
        abort_file="/disk3/running",
        mapped_file_size_commit_log=4096,
    )
    store = a_store(files, config)
    store.append(a_message())
    store.close()
    assert sorted(path.rpartition("/")[0] for path in files.dump()) == [
        "/disk1/log",
        "/disk2/cq/T/0",
        "/disk3",
        "/store",
        "/store",
    ]
