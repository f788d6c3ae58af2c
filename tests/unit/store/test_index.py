"""The index of a store: what is found by key, over restarts, crashes and whatever happened to its files."""

import errno
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from broker_py.message.record import decode_record
from broker_py.message.sysflags import TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from broker_py.store.checkpoint import read_checkpoint
from broker_py.store.index import MessageIndex
from broker_py.store.index_file import IndexHeader, IndexLayout, decode_header
from broker_py.store.store import Store
from tests.support.clock import ManualClock
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles
from tests.support.stores import SMALL, a_message, a_store
from tests.support.vectors import java_index

FOREVER = 1 << 50
CHECKPOINT = "/store/checkpoint"
LOG = "/store/commitlog/00000000000000000000"
LAYOUT = IndexLayout(SMALL.max_hash_slot_num, SMALL.max_index_num)


def send(store: Store, body: str, keys: str = "", unique: str = "", sys_flag: int = 0, topic: str = "T") -> None:
    properties = [b"UNIQ_KEY\x01" + unique.encode()] if unique else []
    properties += [b"KEYS\x01" + keys.encode()] if keys else []
    store.append(a_message(body.encode(), topic, extra=b"\x02".join(properties), sys_flag=sys_flag))
    store.commit()
    store.dispatch(store.written.value)


def found(store: Store, key: str, topic: str = "T", count: int = 100, *, unique: bool = False) -> list[str]:
    search = store.search(topic, key, 0, FOREVER, count, unique=unique)
    return [bytes(decode_record(record).body).decode() for record in search.run()]


def filled(files: MemoryFiles, count: int = 30) -> Store:
    """A store of two or more index files, and keys in memory only."""
    store = a_store(files)
    for number in range(count):
        send(store, f"{number}", "all", f"U{number}")
        if number == count - 5:
            store.checkpoint()
    return store


def all_found(store: Store, count: int = 30) -> bool:
    numbers = [str(number) for number in range(count)]
    return found(store, "all") == numbers and all(found(store, f"U{number}") == [number] for number in numbers)


def index_files(files: MemoryFiles) -> dict[str, bytes]:
    return {path: data for path, data in files.dump().items() if path.startswith("/store/index/")}


def test_messages_are_found_by_each_key_at_once_and_after_they_were_written() -> None:
    store = a_store(MemoryFiles())
    send(store, "0", "k  other", "U0")
    send(store, "1", "k", "U1")
    send(store, "2")
    for _ in range(2):
        assert found(store, "k") == ["0", "1"]
        assert (found(store, "other"), found(store, "U1")) == (["0"], ["1"])
        assert found(store, "k", topic="U") == found(store, "K") == found(store, "") == []
        store.checkpoint()


def test_only_the_unique_id_is_looked_at_where_that_is_asked_for() -> None:
    store = a_store(MemoryFiles())
    send(store, "0", "U1", "U0")
    send(store, "1", "", "U1")
    assert found(store, "U1") == ["0", "1"]
    assert found(store, "U1", unique=True) == ["1"]


def test_a_message_that_has_a_key_twice_is_found_once() -> None:
    store = a_store(MemoryFiles())
    send(store, "0", "k k", "k")
    assert found(store, "k") == ["0"]
    store.checkpoint()
    assert found(store, "k") == ["0"]


def test_keys_that_hash_alike_are_told_apart_by_what_the_log_says() -> None:
    store = a_store(MemoryFiles())
    for number in range(6):
        send(store, f"{number}", "Aa" if number % 2 else "BB")
    store.checkpoint()
    assert (found(store, "Aa"), found(store, "BB")) == (["1", "3", "5"], ["0", "2", "4"])
    assert found(store, "Aa", count=2) == ["3", "5"], "the newest"


@pytest.mark.parametrize(
    ("sys_flag", "bodies"),
    [(0, ["x"]), (TRANSACTION_PREPARED, ["x"]), (TRANSACTION_COMMIT, ["x"]), (TRANSACTION_ROLLBACK, [])],
)
@pytest.mark.parametrize("decoded", [False, True])
def test_only_rolled_back_messages_are_left_out(sys_flag: int, bodies: list[str], decoded: bool) -> None:
    files = MemoryFiles()
    store = a_store(files)
    send(store, "x", "k", "U", sys_flag)
    store = a_store(files.kill()) if decoded else store
    assert found(store, "k") == found(store, "U") == bodies


def test_what_consumers_do_not_see_yet_is_not_found() -> None:
    store = a_store(MemoryFiles())
    store.append(a_message(b"0", extra=b"KEYS\x01k"))
    store.commit()
    assert found(store, "k") == []
    store.dispatch(store.written.value)
    assert found(store, "k") == ["0"]


def test_a_span_of_time_is_kept_to_the_millisecond() -> None:
    clock = ManualClock()
    store = a_store(MemoryFiles(), clock=clock)
    start = clock.now_ms()
    for number in range(5):
        send(store, f"{number}", "k")
        clock.advance(700)
    for _ in range(2):
        for begin, end, bodies in (
            (0, 2800, [b"0", b"1", b"2", b"3", b"4"]),
            (700, 2100, [b"1", b"2", b"3"]),
            (701, 2099, [b"2"]),
            (2801, 9999, []),
        ):
            records = store.search("T", "k", start + begin, start + end, 9).run()
            assert [bytes(decode_record(record).body) for record in records] == bodies
        store.checkpoint()


def test_messages_of_a_clock_that_was_set_back_are_found_by_their_time() -> None:
    clock = ManualClock()
    store = a_store(MemoryFiles(), clock=clock)
    start = clock.now_ms()
    send(store, "0", "k")
    clock.set_ms(start - 60_000)
    send(store, "1", "k")
    store.checkpoint()
    records = store.search("T", "k", start - 61_000, start + 10, 9).run()
    assert [bytes(decode_record(record).body) for record in records] == [b"0", b"1"]


def test_all_files_are_searched_and_the_newest_messages_are_returned() -> None:
    files = MemoryFiles()
    store = filled(files)
    assert len(index_files(files)) == 3
    assert all_found(store)
    assert found(store, "all", count=3) == ["27", "28", "29"]
    store.checkpoint()
    assert all_found(store)


def test_what_was_last_indexed_is_told() -> None:
    clock = ManualClock()
    store = a_store(MemoryFiles(), clock=clock)
    assert store.newest_indexed() == (0, 0)
    send(store, "0", "k")
    end = store.written.value
    clock.advance(5)
    send(store, "1", "k")
    send(store, "2")
    for _ in range(2):
        assert store.newest_indexed() == (clock.now_ms(), end)
        store.checkpoint()


def test_a_clean_restart_takes_the_files_as_they_are() -> None:
    files = MemoryFiles()
    store = filled(files)
    store.close()
    before = index_files(files)
    steps: list[str] = []
    files.on_step = steps.append
    again = a_store(files)
    assert not any("/index" in step for step in steps)
    assert again.index_lag_bytes == 0
    assert all_found(again)
    again.close()
    assert index_files(files) == before


@pytest.mark.parametrize("kept", ["everything written", "nothing but what was forced"])
def test_after_a_crash_all_is_found_and_the_files_become_what_they_would_have_been(kept: str) -> None:
    files, uncrashed = MemoryFiles(), MemoryFiles()
    filled(uncrashed).close()
    store = filled(files)
    store.flush_log()
    image = files.kill() if kept == "everything written" else files.crash(Random(1), NOTHING_KEPT)
    again = a_store(image)
    assert again.index_lag_bytes == 0
    assert all_found(again)
    again.close()
    assert list(index_files(image).values()) == list(index_files(uncrashed).values())


def damaged(files: MemoryFiles, path: str, how: str) -> None:
    file = files.open(path)
    header = decode_header(file.pread(40, 0))
    if how == "missing":
        files.remove(path)
    elif how == "short":
        file.truncate(LAYOUT.file_bytes - 1)
    elif how == "long":
        file.truncate(LAYOUT.file_bytes + 1)
    elif how == "too many entries":
        file.pwrite(replace(header, count=LAYOUT.entries + 1).encode(), 0)
    elif how == "too many slots":
        file.pwrite(replace(header, used_slots=header.count).encode(), 0)
    elif how == "other offsets":
        file.pwrite(replace(header, end_offset=header.end_offset + 1).encode(), 0)
    elif how == "header of zeros":
        file.pwrite(bytes(40), 0)
    elif how == "before the file before it":
        file.pwrite(replace(header, begin_offset=0).encode(), 0)
        file.pwrite(bytes(8), LAYOUT.entry_at(1) + 4)
    elif how == "slots that lead nowhere":
        for slot in range(LAYOUT.slots):
            file.pwrite(b"\x7f", LAYOUT.slot_at(slot))


@pytest.mark.parametrize(
    ("number", "how"),
    [
        *product(range(4), ["missing", "short", "long", "too many entries", "too many slots", "other offsets"]),
        (3, "slots that lead nowhere"),
        (3, "before the file before it"),
        (2, "header of zeros"),
    ],
)
def test_a_damaged_file_and_newer_ones_are_made_anew_from_the_log(number: int, how: str) -> None:
    files = MemoryFiles()
    store = filled(files)
    store.checkpoint()
    before = index_files(files)
    image = files.kill()
    damaged(image, list(before)[number], how)
    again = a_store(image)
    again.complete_index()
    assert all_found(again)
    again.close()
    assert list(index_files(image).values()) == list(before.values())


def test_an_index_of_another_geometry_is_made_anew() -> None:
    files = MemoryFiles()
    filled(files).close()
    other = replace(SMALL, max_index_num=1000)
    again = a_store(files, other)
    again.complete_index()
    assert all_found(again)
    again.close()
    assert [len(data) for data in index_files(files).values()] == [IndexLayout(10, 1000).file_bytes]


def test_a_store_without_an_index_gets_one_while_it_is_served() -> None:
    files = MemoryFiles()
    filled(files, 60).close()
    expected = list(index_files(files).values())
    for path in index_files(files):
        files.remove(path)
    store = a_store(files)
    assert store.index_lag_bytes == store.written.value > 4096
    assert found(store, "all") == []
    send(store, "later", "late", "UL")
    read = store.start_index_read()
    read.run()
    store.finish_index_read(read, None)
    assert 0 < store.index_lag_bytes < store.written.value
    assert found(store, "U0") == ["0"]
    store.complete_index()
    assert all_found(store, 60)
    assert found(store, "late") == ["later"]
    store.close()
    assert list(index_files(files).values())[:6] == expected[:6]


def test_with_message_index_safe_a_store_is_open_only_when_its_index_is_complete() -> None:
    files = MemoryFiles()
    filled(files).close()
    for path in index_files(files):
        files.remove(path)
    assert all_found(a_store(files, replace(SMALL, message_index_safe=True)))


def test_without_an_index_nothing_is_written_or_found_and_it_is_completed_when_there_is_one_again() -> None:
    files = MemoryFiles()
    off = replace(SMALL, message_index_enable=False)
    filled(files, 10).close()
    before = index_files(files)
    store = a_store(files, off)
    send(store, "10", "all", "U10")
    assert (store.index_lag_bytes, found(store, "all")) == (0, [])
    store.close()
    assert index_files(files) == before
    again = a_store(files)
    assert again.index_lag_bytes > 0
    again.complete_index()
    assert all_found(again, 11)


def test_a_log_that_lost_its_end_takes_the_index_along() -> None:
    files = MemoryFiles()
    store = filled(files)
    third = store.unit("T", 0, 3) or (0, 0, 0)
    store.close()
    files.open("/store/abort", create=True)
    for path in [path for path in files.dump() if path.startswith("/store/commitlog/") and path != LOG]:
        files.remove(path)
    files.open(LOG).truncate(third[0])
    files.open(LOG).truncate(4096)
    again = a_store(files)
    again.complete_index()
    assert all_found(again, 3)
    send(again, "3", "all", "U3")
    assert all_found(again, 4)
    again.checkpoint()
    assert all_found(again, 4)


def test_files_that_the_log_has_left_behind_are_deleted_but_not_the_newest() -> None:
    files = MemoryFiles()
    store = filled(files, 60)
    store.checkpoint()
    before = list(index_files(files))
    ends = [decode_header(data).end_offset for data in index_files(files).values()]
    while store.log.min_offset + 4096 < store.written.value:
        store.log.remove_first()
        store.remove_expired_units()
        kept = [path for path, end in zip(before, ends, strict=True) if end >= store.log.min_offset]
        assert list(index_files(files)) == (kept or before[-1:])
    assert len(found(store, "all")) < 60
    assert found(store, "U59") == ["59"]
    assert found(store, "U0") == []


def test_a_lagging_index_goes_on_where_the_log_begins() -> None:
    files = MemoryFiles()
    filled(files, 60).close()
    for path in index_files(files):
        files.remove(path)
    store = a_store(files)
    store.log.remove_first()
    store.complete_index()
    assert found(store, "U0") == []
    assert found(store, "U59") == ["59"]


def test_the_checkpoint_has_the_end_of_the_newest_full_file_as_java_wants_it() -> None:
    files = MemoryFiles()
    clock = ManualClock()
    store = a_store(files, clock=clock)
    for number in range(30):
        send(store, f"{number}", "k")
        clock.advance(1000)
    store.checkpoint()
    full, newest = (decode_header(data) for data in index_files(files).values())
    assert full.count == LAYOUT.entries > newest.count
    checkpoint = read_checkpoint(files, CHECKPOINT)
    assert checkpoint.index_ms == full.end_ms
    assert checkpoint.index_mark is not None
    assert (checkpoint.index_mark.header, checkpoint.index_mark.log_offset) == (newest, store.written.value)


JAVAS_INDEX = [java_index(f"index-{number}") for number in range(3)]


def javas_store(*, clean: bool, index_ms: int = 0) -> MemoryFiles:
    """The store that a Java broker left which indexed eight messages in files of 8 slots and 10 entries."""
    files = MemoryFiles()
    for directory in ("/store/commitlog", "/store/index"):
        files.make_dirs(directory)
    log = files.open(LOG, create=True)
    log.pwrite(java_index("log"), 0)
    log.truncate(1 << 16)
    for number, data in enumerate(JAVAS_INDEX):
        files.open(f"/store/index/2026010100000000{number}", create=True).pwrite(data, 0)
    checkpoint = java_index("checkpoint")
    files.open(CHECKPOINT, create=True).pwrite(checkpoint[:16] + index_ms.to_bytes(8, "big") + bytes(8), 0)
    if not clean:
        files.open("/store/abort", create=True)
    return files


JAVAS = replace(SMALL, mapped_file_size_commit_log=1 << 16, max_hash_slot_num=8, max_index_num=10)


def test_the_log_of_a_java_broker_gives_its_index_files_byte_for_byte() -> None:
    files = javas_store(clean=False)
    for path in index_files(files):
        files.remove(path)
    a_store(files, JAVAS).close()
    assert list(index_files(files).values()) == JAVAS_INDEX


def test_an_index_that_a_java_broker_left_is_taken_as_it_is() -> None:
    files = javas_store(clean=True)
    before = index_files(files)
    store = a_store(files, JAVAS)
    assert found(store, "k1") == ["0", "4"]
    assert (found(store, "DVgcafb"), found(store, "Schlüssel")) == (["3"], ["5"])
    store.complete_index()
    store.close()
    assert index_files(files) == before


@pytest.mark.parametrize("full", [0, 1, 2])
def test_after_its_crash_a_java_brokers_files_are_trusted_as_far_as_it_does(full: int) -> None:
    """So many of them had been full when it wrote its checkpoint; each can end within the keys of a message."""
    ends = [0, *(decode_header(data).end_ms for data in JAVAS_INDEX)]
    files = javas_store(clean=False, index_ms=ends[full])
    store = a_store(files, JAVAS)
    store.complete_index()
    assert found(store, "k1") == ["0", "4"]
    store.close()
    assert list(index_files(files).values()) == JAVAS_INDEX


def test_a_failing_disk_of_the_index_stops_nobody_and_is_made_good(caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    store = filled(files)

    def fail_index_writes(step: str) -> None:
        files.fail_writes = errno.ENOSPC if "pwrite /store/index/" in step else None

    files.on_step = fail_index_writes
    store.checkpoint()
    files.on_step = None
    assert "the index can't be written" in caplog.text
    assert store.admission.fault is None
    send(store, "30", "all", "U30")
    assert all_found(store, 31)
    store.checkpoint()
    assert all_found(store, 31)
    assert all_found(a_store(files.kill()), 31)


def test_an_index_file_that_could_not_be_forced_is_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    store = filled(files)
    newest = list(index_files(files))[-1]
    work = store.start_checkpoint()
    work.flush.run()
    assert work.index is not None
    files.fail_sync_number = 1
    work.index.run()
    files.fail_sync_number = None
    store.finish_checkpoint(work, None)
    assert newest not in index_files(files)
    assert store.index_lag_bytes > 0
    store.complete_index()
    assert all_found(store)
    store.checkpoint()
    assert all_found(a_store(files.kill()))


def test_a_full_file_stays_when_the_next_one_could_not_be_forced() -> None:
    files = MemoryFiles()
    store = a_store(files)
    for number in range(LAYOUT.entries - 1):
        send(store, f"{number}", "k")
    store.checkpoint()
    full = index_files(files)
    send(store, "last", "k")
    work = store.start_checkpoint()
    work.flush.run()
    assert work.index is not None
    files.fail_sync_number = 1
    work.index.run()
    files.fail_sync_number = None
    store.finish_checkpoint(work, None)
    assert index_files(files) == full
    store.complete_index()
    assert found(store, "k")[-2:] == ["18", "last"]


def test_a_write_whose_end_nobody_heard_of_is_taken_back_by_the_next() -> None:
    files = MemoryFiles()
    store = filled(files)
    store.start_checkpoint().run()  # the thread has ended, its call to the loop is lost
    send(store, "30", "all", "U30")
    assert all_found(store, 31)
    store.start_checkpoint()  # and this one never ran
    assert all_found(store, 31)
    store.close()
    assert all_found(a_store(files), 31)


def test_an_index_that_gets_too_many_keys_stops_following_and_goes_on_from_there() -> None:
    index = MessageIndex(SMALL, MemoryFiles(), ManualClock(), max_keys=3)
    index.follow(0)
    for number in range(3):
        assert index.following
        index.take("T", b"KEYS\x01k", 0, number * 100, number * 100 + 100, 1)
    assert (index.following, index.waiting, index.position) == (False, 3, 300)
    write = index.start_write(900)
    write.run()
    index.finish_write(write)
    assert (index.waiting, write.mark.log_offset) == (0, 300)


def test_a_header_without_entries_is_valid() -> None:
    files = MemoryFiles()
    files.make_dirs("/store/index")
    file = files.open("/store/index/20260101000000000", create=True)
    file.pwrite(IndexHeader(5, 5, 7, 7).encode(), 0)
    file.truncate(LAYOUT.file_bytes)
    store = a_store(files)
    send(store, "0", "k")
    store.checkpoint()
    assert found(store, "k") == ["0"]
