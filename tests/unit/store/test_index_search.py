"""Searches of index files that are damaged, gone, or point at what is not there any more: nothing wrong comes back."""

import pytest

from broker_py.message.record import decode_record
from broker_py.store.index_file import ENTRY, SLOT, IndexHeader, IndexLayout, key_hash
from broker_py.store.index_search import IndexSearch, LogView, Wanted
from broker_py.store.index_write import KEY
from tests.support.memory_files import MemoryFiles
from tests.support.stores import SMALL, a_message, a_store

LAYOUT = IndexLayout(10, 600)
HASH = key_hash("T", b"k")
NOW_MS = 1_700_000_000_000
INDEX = "/store/index/20231114221320000"


class Case:
    """A log of messages with the key `k`, and an index file that a test writes entry by entry."""

    def __init__(self, count: int, size: int = 10) -> None:
        self.files = MemoryFiles()
        self.store = a_store(self.files)
        self.offsets = []
        for number in range(count):
            properties = b"KEYS\x01k" if number % 5 else b"KEYS\x01other"
            self.offsets.append(self.store.append(a_message(b"x" * size, extra=properties)).log_offset)
        self.store.commit()
        self.files.make_dirs("/store/index")
        self.index = self.files.open(INDEX, create=True)
        self.index.truncate(LAYOUT.file_bytes)

    def entry(self, number: int, log_offset: int, previous: int, hashed: int = HASH) -> None:
        """Write an entry, and let the slot point at it."""
        self.index.pwrite(ENTRY.pack(hashed, log_offset, 0, previous), LAYOUT.entry_at(number))
        self.index.pwrite(SLOT.pack(number), LAYOUT.slot_at(HASH % LAYOUT.slots))

    def found(self, batches: tuple[bytes, ...] = (), **limits: int) -> list[int]:
        """The log offsets of what is found by `k`."""
        log = LogView("/store/commitlog", SMALL.mapped_file_size_commit_log, 0, self.store.written.value)
        header = IndexHeader(NOW_MS, NOW_MS, 0, 0, 1, 2)
        wanted = Wanted("T", "k", False, 0, 1 << 50, 600)
        search = IndexSearch(self.files, LAYOUT, [(INDEX, header)], list(batches), wanted, log, **limits)
        return [decode_record(record).log_offset for record in search.run()]


def test_entries_that_point_at_other_messages_or_none_are_passed_over() -> None:
    case = Case(4)
    places = [case.offsets[0], case.offsets[1], case.offsets[1] + 7, case.offsets[3], case.store.written.value, -5]
    for number, log_offset in enumerate(places, 1):
        case.entry(number, log_offset, number - 1)
    assert case.found() == [case.offsets[1], case.offsets[3]]


def test_a_message_whose_body_is_not_what_was_stored_is_not_returned() -> None:
    case = Case(3)
    case.entry(1, case.offsets[1], 0)
    case.entry(2, case.offsets[2], 1)
    log = case.files.open("/store/commitlog/00000000000000000000")
    log.pwrite(b"y", case.offsets[2] + 90)
    assert case.found() == [case.offsets[1]]


@pytest.mark.parametrize("previous", [2, 3, 599])
def test_a_chain_that_leads_back_to_newer_entries_ends(previous: int, caplog: pytest.LogCaptureFixture) -> None:
    case = Case(3)
    case.entry(1, case.offsets[1], 0)
    case.entry(2, case.offsets[2], previous)
    assert case.found() == [case.offsets[2]]
    assert f"entry 2 has {previous} before it, which is newer" in caplog.text


@pytest.mark.parametrize("slot", [-1, 0, 600, 0x7FFFFFFF])
def test_a_slot_that_points_nowhere_is_empty(slot: int) -> None:
    case = Case(2)
    case.index.pwrite(SLOT.pack(slot), LAYOUT.slot_at(HASH % LAYOUT.slots))
    assert case.found() == []


def test_a_file_that_is_gone_or_short_has_nothing_to_say() -> None:
    case = Case(3)
    case.entry(1, case.offsets[1], 0)
    case.index.truncate(LAYOUT.slot_at(0))
    in_memory = KEY.pack(HASH, case.offsets[2], NOW_MS)
    assert case.found((in_memory,)) == [case.offsets[2]]
    case.files.remove(INDEX)
    assert case.found((in_memory,)) == [case.offsets[2]]
    case.files.remove("/store/commitlog/00000000000000000000")
    assert case.found((in_memory,)) == []


def test_a_long_chain_over_many_pages_is_walked_to_its_end_but_not_forever(caplog: pytest.LogCaptureFixture) -> None:
    case = Case(60)
    for number in range(1, 600):
        case.entry(number, case.offsets[number % 60] if number >= 540 else case.offsets[1], number - 1)
    expected = [log_offset for number, log_offset in enumerate(case.offsets) if number % 5]
    assert case.found() == expected
    assert caplog.text == ""
    assert case.found(max_steps=10) == expected[-8:]
    assert "ends in /store/index" in caplog.text


def test_no_more_is_returned_than_a_frame_holds() -> None:
    case = Case(4, 500)
    for number in range(1, 4):
        case.entry(number, case.offsets[number], number - 1)
    assert case.found(max_bytes=1300) == case.offsets[2:]
    assert case.found(max_bytes=1) == case.offsets[3:], "one is returned whatever its size"


def test_hashes_in_memory_are_found_at_the_start_of_a_key_only() -> None:
    case = Case(3)
    misleading = KEY.pack(1, (HASH << 32) + HASH, NOW_MS)
    assert case.found((misleading + KEY.pack(HASH, case.offsets[1], NOW_MS) + misleading,)) == [case.offsets[1]]
