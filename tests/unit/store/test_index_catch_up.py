"""An index that lags is completed from the log, whatever lies there."""

import pytest

from broker_py.message.record import decode_record
from broker_py.store.config import StoreConfig
from broker_py.store.index_catch_up import first_keyed
from broker_py.store.store import Store
from tests.support.memory_files import MemoryFiles
from tests.support.stores import SMALL, a_message, a_store


def filled(files: MemoryFiles, sizes: list[int], config: StoreConfig = SMALL) -> Store:
    """A store whose messages have bodies so long and the keys `k` and `k<number>`; its index files are gone."""
    store = a_store(files, config)
    for number, size in enumerate(sizes):
        store.append(a_message(b"x" * size, extra=b"KEYS\x01k k%d" % number))
    store.commit()
    store.dispatch(store.written.value)
    store.close()
    for name in files.list_dir("/store/index"):
        files.remove(f"/store/index/{name}")
    return a_store(files, config)


def numbers(store: Store) -> list[int]:
    """The queue offsets of what is found by `k`."""
    return [decode_record(record).queue_offset for record in store.search("T", "k", 0, 1 << 50, 999).run()]


def test_records_longer_than_a_piece_and_blanks_between_files_are_passed() -> None:
    large = StoreConfig(store_path_root_dir="/store", mapped_file_size_commit_log=1 << 20, max_hash_slot_num=9)
    config = StoreConfig(**{**vars(large), "max_index_num": 50, "mapped_file_size_consume_queue": 2000})
    store = filled(MemoryFiles(), [10, 200_000, 70_000, 10, 600_000, 400_000, 10], config)
    store.complete_index()
    assert numbers(store) == list(range(7))


def test_messages_that_come_meanwhile_are_found_when_it_is_their_turn() -> None:
    store = filled(MemoryFiles(), [900] * 9)
    read = store.start_index_read()
    placed = store.append(a_message(extra=b"KEYS\x01k"))
    store.commit()
    store.dispatch(placed.end)
    read.run()
    store.finish_index_read(read, None)
    assert 0 < len(numbers(store)) < 9
    store.complete_index()
    assert numbers(store) == list(range(10))
    assert store.index_lag_bytes == 0


def test_an_index_that_follows_has_nothing_to_read() -> None:
    store = a_store(MemoryFiles())
    read = store.start_index_read()
    read.run()
    store.finish_index_read(read, None)
    assert (read.data, store.index_read_due, store.index_lag_bytes) == (b"", False, 0)


@pytest.mark.parametrize("gone", ["unreadable", "garbage", "a topic that is no text"])
def test_what_can_not_be_read_is_left_out_and_the_next_file_is_not(gone: str, caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    store = filled(files, [900] * 9)
    log = files.open("/store/commitlog/00000000000000000000")
    first = decode_record(store.record(0) or b"")
    if gone == "garbage":
        log.pwrite(b"\xff" * 50, first.size)
    elif gone == "a topic that is no text":
        log.pwrite(b"\xff", first.size - len(first.properties) - 3)
    while store.index_lag_bytes:
        read = store.start_index_read()
        if gone == "unreadable" and read.log_offset == 0:
            store.finish_index_read(read, OSError(5, "Input/output error"))
            continue
        read.run()
        store.finish_index_read(read, None)
    expected = {"unreadable": [4, 5, 6, 7, 8], "garbage": [0, 4, 5, 6, 7, 8]}
    assert numbers(store) == expected.get(gone, list(range(1, 9)))
    assert ("are not found by key" in caplog.text) == (gone in expected)
    assert first_keyed(store.log, 0, 0) == (first.size if gone == "a topic that is no text" else 0)


def test_a_piece_that_was_deleted_while_it_was_read_is_nobodys_concern(caplog: pytest.LogCaptureFixture) -> None:
    store = filled(MemoryFiles(), [900] * 9)
    read = store.start_index_read()
    store.log.remove_first()
    with pytest.raises(FileNotFoundError) as error:
        read.run()
    store.finish_index_read(read, error.value)
    store.complete_index()
    assert numbers(store) == list(range(4, 9))
    assert caplog.text == ""


def test_the_first_message_with_keys_is_looked_for_over_blanks_and_those_without() -> None:
    store = a_store(MemoryFiles())
    placed = [store.append(a_message(b"x" * 1500, extra=extra)) for extra in (b"", b"KEYS\x01k", b"", b"KEYS\x01k")]
    store.commit()
    assert first_keyed(store.log, 0, 0) == placed[1].log_offset
    assert first_keyed(store.log, placed[1].log_offset, 0) == placed[1].log_offset
    assert first_keyed(store.log, placed[1].log_offset, 1) == placed[3].log_offset
    assert first_keyed(store.log, placed[3].log_offset, 1) is None
