import pytest

from broker_py.store.consume_queue import UNIT
from broker_py.store.store import Store
from tests.support.memory_files import MemoryFiles
from tests.support.stores import a_message, a_store

LOG = "/store/commitlog/00000000000000000000"
QUEUE = "/store/consumequeue/T/0/00000000000000000000"


def reopened(change: tuple[str, int, bytes] | None = None, count: int = 8) -> Store:
    """A store of messages `0`, `1`, ... that was stopped, changed in one place and started."""
    files = MemoryFiles()
    store = a_store(files)
    for n in range(count):
        store.append(a_message(b"%d" % n, tag="AB"[n % 2]))
    store.commit()
    store.dispatch(store.written.value)
    store.close()
    if change is not None:
        path, position, data = change
        files.open(path).pwrite(data, position)
    return a_store(files)


def read(store: Store, wanted: bool = False) -> list[int]:
    """Log offsets of the messages that a consumer of all, or of tag A, gets."""
    found, offset = [], 0
    while offset < store.max_offset("T", 0):
        result = store.get("T", 0, offset, 32, 1 << 20, (lambda code: code == ord("A")) if wanted else None)
        data, start = b"".join(result.chunks), 0
        while start < len(data):
            found.append(int.from_bytes(data[start + 28 : start + 36], "big"))
            start += int.from_bytes(data[start : start + 4], "big")
        offset = result.next_offset
    return found


SIZE = read(reopened())[1]
ALL = [n * SIZE for n in range(8)]


def test_a_sound_store_is_read_whole() -> None:
    store = reopened()
    assert read(store) == ALL
    assert store.damage.count == 0


@pytest.mark.parametrize("at", [0, 4, 8, 12, 20, 28, 84, 88, 89, 90])
def test_a_damaged_record_is_stepped_over_reported_once_and_counted(at: int, caplog: pytest.LogCaptureFixture) -> None:
    store = reopened((LOG, 3 * SIZE + at, b"\x55"))
    for _ in range(3):
        assert read(store) == ALL[:3] + ALL[4:]
    assert store.damage.count == 1
    assert f"damaged, and not served: log offset {3 * SIZE}, topic T queue 0 queue offset 3" in caplog.text


@pytest.mark.parametrize("at", [0, 4, 8, 12, 28, 84, 88, 89])
def test_a_damaged_record_is_not_found_by_its_id_either(at: int) -> None:
    store = reopened((LOG, 3 * SIZE + at, b"\x55"))
    assert store.record(3 * SIZE) is None
    assert store.record(4 * SIZE) is not None


def test_when_all_is_damaged_the_reader_is_told_where_to_go_on() -> None:
    store = reopened((LOG, 88, b"X"), count=1)
    result = store.get("T", 0, 0, 32, 1 << 20)
    assert (result.status.name, result.next_offset, result.chunks) == ("MESSAGE_WAS_REMOVING", 1, [])


@pytest.mark.parametrize(
    "unit",
    [
        UNIT.pack(0, 0, 0),
        UNIT.pack(2 * SIZE, SIZE, 66),
        UNIT.pack(3 * SIZE + 1, SIZE, 66),
        UNIT.pack(3 * SIZE, SIZE + 1, 66),
        UNIT.pack(3 * SIZE, SIZE + (1 << 29), 66),
        UNIT.pack(3 * SIZE, -SIZE, 66),
        UNIT.pack(-1, SIZE, 66),
        UNIT.pack(1 << 40, SIZE, 66),
    ],
)
def test_a_wrong_unit_is_put_right_from_the_log(unit: bytes) -> None:
    store = reopened((QUEUE, 60, unit))
    assert read(store) == ALL
    assert store.unit("T", 0, 3) == (3 * SIZE, SIZE, 66)
    assert store.damage.count == 0


def test_a_lost_page_of_units_is_put_right_whatever_the_filter() -> None:
    store = reopened((QUEUE, 20, bytes(100)))
    assert read(store, wanted=True) == [ALL[0], *ALL[1:6], ALL[6]]
    assert read(store, wanted=True) == ALL[::2]


def test_what_was_put_right_stays_so() -> None:
    store = reopened((QUEUE, 60, bytes(20)))
    assert read(store) == ALL
    store.close()
    files = store._files
    assert isinstance(files, MemoryFiles)
    assert files.dump()[QUEUE][60:80] == UNIT.pack(3 * SIZE, SIZE, 66)


def test_a_unit_whose_message_is_lost_is_searched_for_only_once(caplog: pytest.LogCaptureFixture) -> None:
    store = reopened((LOG, 3 * SIZE, b"\x7f" * 8))
    assert read(store) == ALL[:3] + ALL[4:]
    assert read(store) == ALL[:3] + ALL[4:]
    assert (store.damage.count, len(caplog.records)) == (1, 1)


def test_a_unit_that_can_not_be_written_is_read_all_the_same() -> None:
    store = reopened((QUEUE, 60, bytes(20)))
    files = store._files
    assert isinstance(files, MemoryFiles)
    files.fail_writes = 5
    assert read(store) == ALL


def test_bytes_of_a_master_are_checked_too() -> None:
    source = reopened()
    data = bytearray(source.log.read(0, source.log.written))
    data[3 * SIZE + 88] ^= 1
    store = a_store(MemoryFiles())
    store.append_raw(0, bytes(data))
    store.commit()
    store.dispatch(store.written.value)
    assert read(store) == ALL[:3] + ALL[4:]
