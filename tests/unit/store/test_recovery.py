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


def test_a_body_that_fails_its_crc_ends_the_log_where_no_sound_record_is_behind_it() -> None:
    files = crashed(3)
    body_at = a_store(files.kill()).log.written // 3 * 2 + 88
    overwrite(files, LOG, body_at, b"X")
    lenient = StoreConfig(
        store_path_root_dir="/store",
        mapped_file_size_commit_log=4096,
        mapped_file_size_consume_queue=200,
        check_crc_on_recover=False,
    )
    assert ends(a_store(files.kill(), lenient))[1:] == (2, 1)
    assert ends(a_store(files))[1:] == (1, 1)


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


def bodies(store: Store, queue_id: int) -> list[bytes]:
    """Read a queue to its end as a consumer does."""
    found: list[bytes] = []
    offset = store.min_offset("T", queue_id)
    while offset < store.max_offset("T", queue_id):
        result = store.get("T", queue_id, offset, 32, 1 << 20)
        data, start = b"".join(result.chunks), 0
        while start < len(data):
            record = decode_record(data, start)
            found.append(bytes(record.body))
            start += record.size
        assert result.next_offset > offset
        offset = result.next_offset
    return found


def even(count: int, but: tuple[int, ...] = ()) -> list[bytes]:
    return [b"%d" % n for n in range(0, count, 2) if n not in but]


def stopped(count: int) -> MemoryFiles:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, count)
    store.close()
    return files


@pytest.mark.parametrize("after_crash", [True, False])
@pytest.mark.parametrize("at", [88, 8, 4, 0, 84])
def test_a_damaged_record_in_the_middle_takes_nothing_else_along(
    after_crash: bool, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    files = crashed(60) if after_crash else stopped(60)
    store = a_store(files.kill())
    unit = store.unit("T", 0, 10)
    assert unit is not None
    start, end = unit[0], store.log.written
    position = start + at
    overwrite(files, LOG, position, bytes([files.dump()[LOG][position] ^ 0x40]))
    store = a_store(files)
    assert store.log.written == end
    assert bodies(store, 0) == even(60, (20,))
    assert len(bodies(store, 1)) == 30
    assert store.damage.count == 1
    assert f"log offset {start}" in caplog.text
    assert (store.max_offset("T", 0), store.next_queue_offset("T", 0)) == (30, 30)
    sent(store, 2)
    assert bodies(a_store(files.kill()), 0) == [*even(60, (20,)), b"0"]


def test_a_hole_of_zeros_that_a_crash_may_leave_ends_the_log_and_says_what_is_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = crashed(60)
    overwrite(files, LOG, 512, bytes(512))
    store = a_store(files)
    assert store.log.written <= 512
    assert "a sound record at" in caplog.text
    assert "is cut off, since there are zeros" in caplog.text


def test_zeros_below_the_durable_point_end_nothing() -> None:
    files = stopped(60)
    overwrite(files, LOG, 512, bytes(512))
    store = a_store(files)
    assert ends(store)[1:] == (30, 30)
    read = bodies(store, 0) + bodies(store, 1)
    assert 50 < len(read) < 60
    assert store.damage.count == 60 - len(read)


def test_leftovers_behind_the_end_are_no_messages() -> None:
    """Java cuts without erasing: what lies behind may look like records of this very place."""
    files, clock = MemoryFiles(), ManualClock()
    store = a_store(files, clock=clock)
    sent(store, 20)
    left = files.dump()[LOG]
    size = store.log.written // 20
    files = MemoryFiles()
    clock.advance(60_000)
    store = a_store(files, clock=clock)
    sent(store, 3)
    write_checkpoint(files, "/store/checkpoint", Checkpoint(1, 1))
    files = files.kill()
    end = store.log.written
    overwrite(files, LOG, end, b"\x01\x02\x03" + left[end + 3 : end + 10 * size])
    assert ends(a_store(files)) == (end, 2, 1)


@pytest.mark.parametrize("after_crash", [True, False])
@pytest.mark.parametrize("what", ["all", "last", "first", "short", "zeros", "garbage"])
def test_a_queue_that_lost_units_is_filled_again(
    after_crash: bool, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 60)
    if after_crash:
        store.checkpoint()
        files = files.kill()
    else:
        store.close()
    first, second, last = (f"/store/consumequeue/T/1/{start:020d}" for start in (0, 200, 400))
    if what == "all":
        for path in (first, second, last):
            files.remove(path)
        files.remove_dir("/store/consumequeue/T/1")
    elif what == "short":
        files.open(last).truncate(150)
    elif what == "zeros":
        overwrite(files, last, 100, bytes(100))
    elif what == "garbage":
        overwrite(files, last, 180, b"\xff" * 20)
    else:
        files.remove(first if what == "first" else last)
    store = a_store(files)
    assert ends(store)[1:] == (30, 30)
    assert bodies(store, 1) == [b"%d" % n for n in range(1, 60, 2)]
    assert "/store/consumequeue/T/1 has lost units" in caplog.text
    assert store.damage.count == 0


def test_a_lost_queue_is_not_looked_for_in_a_topic_that_was_deleted() -> None:
    files = MemoryFiles()
    store = a_store(files)
    sent(store, 60)
    store.append(a_message(topic="Other"))
    store.commit()
    store.dispatch(store.written.value)
    store.checkpoint()
    store.delete_topic("T")
    assert a_store(files.kill()).topics() == ["Other"]


def test_offsets_that_were_given_are_not_given_again_when_their_messages_are_lost() -> None:
    files = stopped(60)
    last = sorted(path for path in files.dump() if path.startswith("/store/commitlog"))[-1]
    file = files.open(last)
    size = file.size()
    file.truncate(0)
    file.truncate(size)
    for path in files.dump():
        if path.startswith("/store/consumequeue/T/1"):
            files.remove(path)
    store = a_store(files)
    assert store.append(a_message(queue_id=1)).queue_offset == 30
