from random import Random

import pytest

from broker_py.errors import LogCorrupt, StoreError
from broker_py.message.record import decode_record
from broker_py.store.checkpoint import Checkpoint, write_checkpoint
from broker_py.store.config import StoreConfig
from broker_py.store.store import Store
from tests.support.clock import ManualClock
from tests.support.memory_files import EVERYTHING_KEPT, NOTHING_KEPT, MemoryFiles
from tests.support.stores import SMALL, STORE_HOST, a_message, a_store

LOG = "/store/commitlog/00000000000000000000"


def sent(store: Store, count: int) -> None:
    for n in range(count):
        store.append(a_message(b"%d" % n, queue_id=n % 2))
    store.commit()
    store.dispatch(store.written.value)


def crashed(count: int, checkpoint_after: int = 0) -> MemoryFiles:
    """What the end of a process leaves that sent so many messages, some before its checkpoint."""
    files = MemoryFiles()
    store = a_store(files)
    sent(store, checkpoint_after)
    store.checkpoint()
    sent(store, count - checkpoint_after)
    return files.kill()


def overwrite(files: MemoryFiles, path: str, position: int, data: bytes) -> None:
    files.open(path).pwrite(data, position)


def ends(store: Store) -> tuple[int, int, int]:
    return store.log.written, store.max_offset("T", 0), store.max_offset("T", 1)


def test_after_a_clean_stop_everything_is_there_and_abort_is_not() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 60)
    before = ends(store)
    assert files.exists("/store/abort")
    store.close()
    assert not files.exists("/store/abort")
    again = a_store(files)
    assert ends(again) == before
    assert again.flushed.value == again.dispatched.value == before[0]


@pytest.mark.parametrize("checkpoint_after", [0, 20, 60])
def test_after_a_kill_queues_that_were_not_written_are_rebuilt_from_the_log(checkpoint_after: int) -> None:
    store = a_store(crashed(60, checkpoint_after))
    assert ends(store)[1:] == (30, 30)
    result = store.get("T", 1, 29, 1, 1 << 20)
    assert decode_record(b"".join(result.chunks)).queue_offset == 29


def test_who_waits_for_a_recovery_hears_how_far_it_is() -> None:
    heard: list[tuple[int, int]] = []
    store = Store(
        SMALL, crashed(60), ManualClock(), STORE_HOST, progress=lambda done, total: heard.append((done, total))
    )
    store.load()
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
    assert heard[0][0] == 0
    assert heard[-1][0] >= store.log.written - SMALL.mapped_file_size_commit_log
    assert {total for _, total in heard} == {store.log.segment_end(store.log.written - 1)}


def test_a_record_torn_by_a_crash_is_cut() -> None:
    files = crashed(3)
    size = a_store(files.kill()).log.written // 3
    overwrite(files, LOG, 3 * size - 9, bytes(9))
    store = a_store(files)
    assert store.log.written == 2 * size
    assert files.dump()[LOG][store.log.written :] == bytes(4096 - store.log.written)
    assert ends(store)[1:] == (1, 1)
    assert store.append(a_message()).log_offset == 2 * size


def test_a_body_that_fails_its_crc_ends_the_log_unless_that_is_not_checked() -> None:
    files = crashed(3)
    body_at = a_store(files.kill()).log.written // 3 + 88
    overwrite(files, LOG, body_at, b"X")
    lenient = StoreConfig(
        store_path_root_dir="/store",
        mapped_file_size_commit_log=4096,
        mapped_file_size_consume_queue=200,
        check_crc_on_recover=False,
    )
    assert ends(a_store(files.kill(), lenient))[1:] == (2, 1)
    assert ends(a_store(files))[1:] == (1, 0)


def test_a_short_last_file_is_what_a_crash_may_leave() -> None:
    files = crashed(3)
    file = files.open("/store/commitlog/00000000000000004096", create=True)
    assert file.size() == 0
    assert ends(a_store(files))[1:] == (2, 1)
    assert files.list_dir("/store/commitlog") == ["00000000000000000000"]


def test_a_wrong_length_without_a_crash_is_refused_and_stays_refused() -> None:
    files = MemoryFiles()
    a_store(files).close()
    store = a_store(files)
    sent(store, 3)
    store.close()
    bigger = StoreConfig(
        store_path_root_dir="/store", mapped_file_size_commit_log=8192, mapped_file_size_consume_queue=200
    )
    for _ in range(2):
        with pytest.raises(StoreError, match="has 4096 bytes, but the configured file size is 8192"):
            a_store(files, bigger)
    assert ends(a_store(files, SMALL))[1:] == (2, 1)


def test_deleted_queues_are_rebuilt() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 60)
    store.close()
    for path in files.dump():
        if path.startswith("/store/consumequeue"):
            files.remove(path)
    for queue_id in (0, 1):
        files.remove_dir(f"/store/consumequeue/T/{queue_id}")
    assert ends(a_store(files))[1:] == (30, 30)


def test_a_deleted_queue_among_others_is_rebuilt_when_it_gets_its_next_message() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 40)
    store.checkpoint()
    sent(store, 20)
    for path in files.dump():
        if path.startswith("/store/consumequeue/T/1"):
            files.remove(path)
    assert ends(a_store(files.kill()))[1:] == (30, 30)


def test_a_log_directory_that_vanished_is_not_taken_for_an_empty_store() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 3)
    store.close()
    files.remove(LOG)
    with pytest.raises(StoreError, match="commit log has no files, but the checkpoint says"):
        a_store(files)
    files.remove("/store/checkpoint")
    assert ends(a_store(files)) == (0, 0, 0)
    assert files.list_dir("/store/consumequeue") == []


def test_a_log_file_missing_in_the_middle_is_reported() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 150)
    store.checkpoint()
    files.remove("/store/commitlog/00000000000000004096")
    with pytest.raises(LogCorrupt, match="00000000000000004096 is missing"):
        a_store(files.kill())


def test_after_a_java_broker_stopped_its_queues_are_taken_as_they_are() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 60)
    before = ends(store)
    store.close()
    write_checkpoint(files, "/store/checkpoint", Checkpoint(1_700_000_000_000, 1_700_000_000_000))
    assert ends(a_store(files)) == before


@pytest.mark.parametrize("flushed_ms", [0, 1_700_000_000_000, 1_700_000_090_000, 1_800_000_000_000])
def test_after_a_java_broker_crashed_the_newest_file_that_was_durable_is_the_start(flushed_ms: int) -> None:
    files, clock = MemoryFiles(), ManualClock()
    store = a_store(files, clock=clock)
    for _ in range(150):
        sent(store, 1)
        clock.advance(1000)
    before = ends(store)
    store.write_out()
    killed = files.kill()
    write_checkpoint(killed, "/store/checkpoint", Checkpoint(flushed_ms, flushed_ms))
    assert ends(a_store(killed)) == before


def test_a_preallocated_empty_file_is_no_message() -> None:
    files = crashed(3)
    end = ends(a_store(files.kill()))
    files.open("/store/commitlog/00000000000000004096", create=True).truncate(4096)
    assert ends(a_store(files)) == end


def test_what_recovery_found_is_forced_before_it_counts_as_flushed() -> None:
    files = crashed(60)
    syncs: list[str] = []
    files.on_step = lambda step: syncs.append(step) if step.startswith("fdatasync /store/commitlog") else None
    store = a_store(files)
    assert [path[-20:] for path in syncs] == ["00000000000000000000", "00000000000000004096"]
    assert store.flushed.value == store.log.written


def test_foreign_files_of_the_store_directory_stay_untouched() -> None:
    files = crashed(3)
    files.make_dirs("/store/index")
    for path in ("/store/timerwheel", "/store/index/20231114221320000.bak"):
        files.open(path, create=True).pwrite(b"foreign", 0)
    a_store(files).close()
    dump = files.dump()
    assert dump["/store/timerwheel"] == dump["/store/index/20231114221320000.bak"] == b"foreign"


def test_what_a_failed_sync_dropped_is_on_disk_after_the_next_start() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 3)
    files.fail_sync_number = 1
    with pytest.raises(StoreError):
        store.flush_log()
    again = files.kill()
    end = ends(a_store(again))
    assert end[1:] == (2, 1)
    assert ends(a_store(again.crash(Random(1), EVERYTHING_KEPT))) == end


def test_names_that_a_killed_process_did_not_force_are_forced_by_the_next() -> None:
    files = MemoryFiles()
    store = a_store(files)
    store.append(a_message(topic="U"))  # without a queue at all, all would be rebuilt
    store.commit()
    store.dispatch(store.written.value)
    store.checkpoint()
    sent(store, 3)
    store.write_out()
    killed = files.kill()
    again = a_store(killed)
    again.checkpoint()
    assert ends(a_store(killed.crash(Random(1), NOTHING_KEPT))) == ends(again)
