import errno
from datetime import datetime
from random import Random

import pytest

from broker_py.errors import LogFull, StoreError
from broker_py.store.config import StoreConfig
from broker_py.store.retention import is_hour_to_delete, used_percent
from broker_py.store.store import Store
from tests.support.clock import ManualClock
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles
from tests.support.stores import a_message, a_store

HOUR_MS = 3_600_000
NOW_MS = 1_700_000_000_000
NEVER = f"{(datetime.fromtimestamp(NOW_MS / 1000).hour + 12) % 24:02d}"
THIS_HOUR = f"{datetime.fromtimestamp(NOW_MS / 1000).hour:02d}"


def config(delete_when: str = NEVER, **changes: int) -> StoreConfig:
    return StoreConfig(
        store_path_root_dir="/store",
        mapped_file_size_commit_log=4096,
        mapped_file_size_consume_queue=200,
        delete_when=delete_when,
        **changes,  # type: ignore[arg-type]
    )


def full_store(files: MemoryFiles, settings: StoreConfig) -> Store:
    """A store with five log files, all written NOW_MS."""
    store = a_store(files, settings, ManualClock(NOW_MS))
    for _ in range(18):
        store.append(a_message(b"x" * 900))
    store.commit()
    store.dispatch(store.written.value)
    store.flush_log()
    store.checkpoint()
    return store


def log_files(files: MemoryFiles) -> list[int]:
    return [int(name) for name in files.list_dir("/store/commitlog")]


def set_used(files: MemoryFiles, percent: int) -> None:
    files.used_bytes, files.free_bytes = percent, 100 - percent


@pytest.mark.parametrize(("used", "free", "percent"), [(0, 100, 0), (1, 999, 1), (75, 25, 75), (0, 0, 0)])
def test_a_disk_is_as_full_as_df_says(used: int, free: int, percent: int) -> None:
    files = MemoryFiles()
    files.used_bytes, files.free_bytes = used, free
    assert used_percent(files, "/store") == percent


def test_the_hour_lasts_an_hour_and_there_may_be_several() -> None:
    at_four = int(datetime(2026, 11, 23, 4, 59, 59).timestamp() * 1000)
    assert is_hour_to_delete("04", at_four)
    assert is_hour_to_delete("16;4", at_four)
    assert not is_hour_to_delete("04", at_four + 1000)


def test_expired_files_leave_at_the_hour_one_a_step_and_never_the_last() -> None:
    files = MemoryFiles()
    store = full_store(files, config(THIS_HOUR, file_reserved_time=0))
    assert store.clean(NOW_MS) == 100
    assert log_files(files) == [4096, 8192, 12288, 16384]
    while store.clean(NOW_MS) == 100:
        pass
    assert log_files(files) == [16384]
    assert store.clean(NOW_MS) == 10_000


def test_a_run_deletes_a_bounded_number_of_files() -> None:
    files = MemoryFiles()
    store = full_store(files, config(THIS_HOUR, file_reserved_time=0, delete_file_batch_max=2))
    assert [store.clean(NOW_MS), store.clean(NOW_MS)] == [100, 10_000]
    assert len(log_files(files)) == 3


def test_queues_lose_what_the_log_lost() -> None:
    files = MemoryFiles()
    store = full_store(files, config(THIS_HOUR, file_reserved_time=0))
    while store.clean(NOW_MS) == 100:
        pass
    assert store.min_offset("T", 0) == 16
    assert store.get("T", 0, 3, 32, 1 << 20).next_offset == 16
    assert files.list_dir("/store/consumequeue/T/0") == ["00000000000000000200"]


@pytest.mark.parametrize(("hour", "age_hours"), [(NEVER, 100), (THIS_HOUR, 71)])
def test_files_stay_before_their_hour_and_before_their_time(hour: str, age_hours: int) -> None:
    files = MemoryFiles()
    store = full_store(files, config(hour))
    now_ms = NOW_MS + age_hours * HOUR_MS - (age_hours * HOUR_MS) % (24 * HOUR_MS)
    store.clean(now_ms)
    assert len(log_files(files)) == 5


def test_expired_files_leave_at_any_hour_when_the_disk_gets_full() -> None:
    files = MemoryFiles()
    store = full_store(files, config(file_reserved_time=0))
    set_used(files, 75)
    store.clean(NOW_MS)
    assert len(log_files(files)) == 5
    set_used(files, 76)
    store.clean(NOW_MS)
    assert len(log_files(files)) == 4


def test_files_leave_before_their_time_when_the_disk_is_nearly_full() -> None:
    files = MemoryFiles()
    store = full_store(files, config())
    set_used(files, 85)
    store.clean(NOW_MS)
    assert len(log_files(files)) == 5
    set_used(files, 86)
    store.clean(NOW_MS)
    assert len(log_files(files)) == 4


def test_a_full_disk_refuses_writes_with_its_reason_until_there_is_room_again() -> None:
    files = MemoryFiles()
    store = full_store(files, config())
    set_used(files, 91)
    store.clean(NOW_MS)
    with pytest.raises(LogFull, match=r"the disk of /store/\w+ is 91 % full, more than the 90 %"):
        store.append(a_message())
    assert store.get("T", 0, 17, 32, 1 << 20).count == 1
    set_used(files, 86)
    store.clean(NOW_MS)
    assert store.log_disk_percent == store.queue_disk_percent == 86
    with pytest.raises(LogFull):
        store.append(a_message())  # it clears at the lower level only
    set_used(files, 85)
    store.clean(NOW_MS)
    store.append(a_message())
    assert store.admission.fault is None


def test_what_a_connected_slave_has_to_copy_stays_until_it_has_it() -> None:
    files = MemoryFiles()
    store = full_store(files, config(THIS_HOUR, file_reserved_time=0))
    copied = 5000
    store.copied_end = lambda: copied
    while store.clean(NOW_MS) == 100:
        pass
    assert log_files(files)[0] == 4096
    copied = 12_288
    while store.clean(NOW_MS) == 100:
        pass
    assert log_files(files)[0] == 12_288


def test_room_for_new_messages_counts_more_than_a_slave_that_lags(caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    store = full_store(files, config())
    store.copied_end = lambda: 0
    set_used(files, 86)
    store.clean(NOW_MS)
    assert log_files(files)[0] == 4096
    assert "at 0 is deleted to make room, though a slave that is connected has to copy from 0 on" in caplog.text


def test_the_manual_trigger_deletes_expired_files_now() -> None:
    files = MemoryFiles()
    store = full_store(files, config(file_reserved_time=0))
    store.delete_soon(1)
    store.clean(NOW_MS)
    assert len(log_files(files)) == 4


def unsafe_store(files: MemoryFiles) -> Store:
    """A store whose messages are expired and flushed, those before 6000 dispatched, and none in a checkpoint."""
    store = a_store(files, config(THIS_HOUR, file_reserved_time=0), ManualClock(NOW_MS))
    for _ in range(18):
        store.append(a_message(b"x" * 900))
    store.commit()
    store.dispatch(6000)
    store.flush_log()
    return store


def test_what_no_checkpoint_vouches_for_is_kept_and_one_is_asked_for() -> None:
    files = MemoryFiles()
    store = unsafe_store(files)
    due_before = store.checkpoint_due
    store.clean(NOW_MS)
    assert len(log_files(files)) == 5
    assert (due_before, store.checkpoint_due) == (False, True)
    store.checkpoint()
    while store.clean(NOW_MS) == 100:
        pass
    assert log_files(files)[0] == 4096  # the next file ends behind what is dispatched
    assert store.checkpoint_due


def test_without_room_for_a_checkpoint_what_is_dispatched_may_leave() -> None:
    files = MemoryFiles()
    store = unsafe_store(files)
    files.fail_writes = errno.ENOSPC
    with pytest.raises(StoreError, match="injected"):
        store.checkpoint()
    store.clean(NOW_MS)
    assert log_files(files)[0] == 4096


def test_a_queue_that_retention_emptied_does_not_give_its_offsets_again_after_a_crash() -> None:
    files = MemoryFiles()
    settings = config(THIS_HOUR, file_reserved_time=0)
    store = a_store(files, settings, ManualClock(NOW_MS))
    for topic in ("Old", *(["T"] * 8)):
        store.append(a_message(b"x" * 900, topic=topic))
    store.commit()
    store.dispatch(store.written.value)
    store.flush_log()
    store.clean(NOW_MS)
    if store.checkpoint_due:
        store.checkpoint()
    store.clean(NOW_MS)
    assert log_files(files)[0] > 0
    again = a_store(files.crash(Random(1), NOTHING_KEPT), settings, ManualClock(NOW_MS))
    assert again.next_queue_offset("Old", 0) == 1
