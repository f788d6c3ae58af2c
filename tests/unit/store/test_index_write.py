"""Keys into files: the layout that results, and what a crash or a failure in between leaves."""

import errno

import pytest

from broker_py.store.index_file import ENTRY, SLOT, IndexHeader, IndexLayout, decode_header
from broker_py.store.index_write import KEY, IndexDamaged, IndexWrite, roll_back
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles

LAYOUT = IndexLayout(slots=4, entries=6)
NOW_MS = 1_700_000_000_000


def keys(*items: tuple[int, int, int]) -> bytes:
    """A batch of (hash, log offset, seconds after NOW_MS)."""
    return b"".join(KEY.pack(hashed, log_offset, NOW_MS + seconds * 1000) for hashed, log_offset, seconds in items)


def write(
    files: MemoryFiles,
    batch: bytes,
    newest: tuple[str, IndexHeader] | None = None,
    *,
    layout: IndexLayout = LAYOUT,
    half_written: bool = False,
) -> IndexWrite:
    """One write, done."""
    work = IndexWrite(files, ManualClock(NOW_MS), layout, "/index", newest, batch, 0, full_ms=0, roll_back=half_written)
    work.run()
    return work


def slots(data: bytes) -> list[int]:
    return [SLOT.unpack_from(data, LAYOUT.slot_at(slot))[0] for slot in range(LAYOUT.slots)]


def entries(data: bytes, count: int) -> list[tuple[int, int, int, int]]:
    return [ENTRY.unpack_from(data, LAYOUT.entry_at(number)) for number in range(1, count)]


def test_entries_of_a_slot_are_chained_the_newest_first() -> None:
    files = MemoryFiles()
    work = write(files, keys((1, 10, 0), (5, 20, 1), (2, 30, 2), (9, 40, 3)))
    ((name, data),) = files.dump().items()
    assert len(data) == LAYOUT.file_bytes
    assert slots(data) == [0, 4, 3, 0]
    assert entries(data, 5) == [(1, 10, 0, 0), (5, 20, 1, 1), (2, 30, 2, 0), (9, 40, 3, 2)]
    expected = IndexHeader(NOW_MS, NOW_MS + 3000, 10, 40, 2, 5)
    assert decode_header(data) == expected
    assert work.files == {name.removeprefix("/index/"): expected}
    assert (work.done, work.mark.header, work.full_ms) == (True, expected, 0)


def test_batches_give_the_same_bytes_however_they_are_cut() -> None:
    items = [(number * 7 % 13, number * 10, number // 3) for number in range(14)]
    whole, cut = MemoryFiles(), MemoryFiles()
    write(whole, keys(*items))
    newest = None
    for item in items:
        work = write(cut, keys(item), newest)
        newest = (work.mark.name, work.mark.header)
    assert cut.dump() == whole.dump()
    assert len(whole.dump()) == 3


def test_a_file_is_full_one_entry_before_its_number_and_the_next_begins_where_it_ended() -> None:
    files = MemoryFiles()
    work = write(files, keys(*((number, number * 10, number) for number in range(1, 8))))
    full, rest = files.dump().values()
    assert decode_header(full) == IndexHeader(NOW_MS + 1000, NOW_MS + 5000, 10, 50, 4, 6)
    assert decode_header(rest) == IndexHeader(NOW_MS + 6000, NOW_MS + 7000, 60, 70, 2, 3)
    # As in Java, the first entry of a further file counts its seconds from the end of the one before.
    assert [entry[2] for entry in entries(rest, 3)] == [1, 1]
    assert work.full_ms == NOW_MS + 5000
    assert sorted(work.files) == work.made
    assert len(set(work.made)) == 2, "made in one millisecond, and yet two names"


def test_each_entry_is_forced_before_a_slot_points_at_it() -> None:
    files = MemoryFiles()
    steps: list[str] = []
    files.on_step = steps.append
    write(files, keys((1, 10, 0), (2, 20, 0)))
    kinds = [step.replace("/index/20231114", "").split(" ") for step in steps if "pwrite" in step or "sync" in step]
    entry, slot = LAYOUT.entry_at(1), LAYOUT.slot_at(1)
    places = [kind[2].split("+")[0] if kind[0] == "pwrite" else kind[0] for kind in kinds]
    assert places == ["sync_dir", "sync_dir", str(entry), "fdatasync", str(slot), "0", "fdatasync"]


def test_what_a_crash_left_half_done_is_rolled_back_and_can_be_done_again() -> None:
    files = MemoryFiles()
    before = write(files, keys((1, 10, 0), (2, 20, 0))).mark
    durable = files.dump()
    write(files, keys((5, 30, 0), (9, 40, 0), (3, 50, 0)), (before.name, before.header))
    after = files.dump()
    file = files.open(f"/index/{before.name}")
    assert roll_back(file, LAYOUT, before.header)
    entries_end = LAYOUT.entry_at(3)
    assert files.dump()[f"/index/{before.name}"][:entries_end] == durable[f"/index/{before.name}"][:entries_end]
    assert not roll_back(file, LAYOUT, before.header)
    write(files, keys((5, 30, 0), (9, 40, 0), (3, 50, 0)), (before.name, before.header))
    assert files.dump() == after


@pytest.mark.parametrize(
    ("position", "data", "text"),
    [
        (LAYOUT.slot_at(0), SLOT.pack(3), "slot 0 points at entry 3, which belongs elsewhere"),
        (LAYOUT.slot_at(0), SLOT.pack(6), "slot 0 points at entry 6, which the file doesn't have"),
        (LAYOUT.slot_at(0), SLOT.pack(-5), "slot 0 points at entry -5"),
        (LAYOUT.entry_at(3), ENTRY.pack(5, 30, 0, 3), "slot 1 points at entry 3, which belongs elsewhere"),
        (LAYOUT.entry_at(3), ENTRY.pack(5, 30, 0, -1), "slot 1 points at entry -1"),
    ],
)
def test_slots_that_lead_nowhere_are_no_state_to_roll_back_from(position: int, data: bytes, text: str) -> None:
    files = MemoryFiles()
    before = write(files, keys((1, 10, 0), (2, 20, 0))).mark
    write(files, keys((5, 30, 0)), (before.name, before.header))
    file = files.open(f"/index/{before.name}")
    file.pwrite(data, position)
    with pytest.raises(IndexDamaged, match=text):
        roll_back(file, LAYOUT, before.header)
    file.truncate(LAYOUT.slot_at(2))
    with pytest.raises(IndexDamaged, match="ends within its slots"):
        roll_back(file, LAYOUT, before.header)


@pytest.mark.parametrize("room", [0, 10, 25, 40, 60])
def test_a_full_disk_is_kept_as_an_error_and_the_next_write_makes_it_good(room: int) -> None:
    files = MemoryFiles()
    before = write(files, keys((1, 10, 0))).mark
    newest = (before.name, before.header)
    files.fail_after_bytes = room
    batch = keys((5, 20, 0), (1, 30, 0))
    failed = write(files, batch, newest)
    assert failed.error is not None
    assert failed.error.args[0] == errno.ENOSPC
    assert (failed.done, failed.lost, failed.batch) == (False, False, batch)
    files.fail_after_bytes = None
    assert write(files, batch, newest, half_written=True).done
    other = MemoryFiles()
    write(other, keys((1, 10, 0)))
    write(other, batch, newest)
    assert files.dump() == other.dump()


@pytest.mark.parametrize("sync", [1, 2])
def test_pages_that_could_not_be_forced_are_lost(sync: int) -> None:
    files = MemoryFiles()
    files.fail_sync_number = sync
    failed = write(files, keys((1, 10, 0)))
    assert (failed.done, failed.lost, len(failed.made)) == (False, True, 1)


def test_slots_of_a_large_table_are_read_and_written_in_runs() -> None:
    layout = IndexLayout(slots=100_000, entries=1000)
    files = MemoryFiles()
    steps: list[str] = []
    files.on_step = steps.append
    hashes = [*range(0, 300, 3), 50_000, 50_900, 99_999]
    write(files, keys(*((hashed, hashed + 1, 0) for hashed in hashes)), layout=layout)
    data = next(iter(files.dump().values()))
    assert [SLOT.unpack_from(data, layout.slot_at(hashed))[0] for hashed in hashes] == list(range(1, len(hashes) + 1))
    # The entries, three runs of slots, the header.
    assert sum(step.startswith("pwrite") for step in steps) == 5
