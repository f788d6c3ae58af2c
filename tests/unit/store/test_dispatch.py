import pytest

from broker_py.message.sysflags import TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from broker_py.store.store import Store
from tests.support.memory_files import MemoryFiles
from tests.support.stores import a_message, a_store


def sent(store: Store, count: int, topic: str = "T") -> None:
    for n in range(count):
        store.append(a_message(b"%d" % n * 50, topic, n % 2, tag="TagA"))
    store.commit()


def log_bytes(store: Store) -> bytes:
    data = b""
    while len(data) < store.log.written:
        data += store.log.read(len(data), 1 << 20)
    return data


def test_only_what_ends_before_the_bound_can_be_consumed() -> None:
    store = a_store(MemoryFiles())
    placed = [store.append(a_message()) for _ in range(3)]
    store.commit()
    store.dispatch(placed[1].end)
    assert (store.max_offset("T", 0), store.next_queue_offset("T", 0)) == (2, 3)
    store.dispatch(placed[2].end - 1)
    assert store.max_offset("T", 0) == 2
    store.dispatch(placed[2].end)
    assert (store.max_offset("T", 0), store.dispatched.value) == (3, placed[2].end)


def test_arrivals_are_told_once_each_with_all_that_a_waiting_pull_needs() -> None:
    store = a_store(MemoryFiles())
    arrivals: list[tuple[str, int, int, int, int]] = []
    store.on_arrival(lambda *arrival: arrivals.append(arrival))
    sent(store, 3)
    store.dispatch(store.written.value)
    store.dispatch(store.written.value)
    assert arrivals == [
        ("T", 0, 1, 2598919, 1_700_000_000_000),
        ("T", 1, 1, 2598919, 1_700_000_000_000),
        ("T", 0, 2, 2598919, 1_700_000_000_000),
    ]


@pytest.mark.parametrize(
    ("sys_flag", "units"), [(0, 1), (TRANSACTION_PREPARED, 0), (TRANSACTION_COMMIT, 1), (TRANSACTION_ROLLBACK, 0)]
)
def test_prepared_and_rolled_back_messages_are_in_the_log_only(sys_flag: int, units: int) -> None:
    files = MemoryFiles()
    store = a_store(files)
    placed = store.append(a_message(sys_flag=sys_flag))
    store.commit()
    store.dispatch(placed.end)
    assert store.max_offset("T", 0) == units
    assert store.record(placed.log_offset) is not None
    assert a_store(files.kill()).max_offset("T", 0) == units


@pytest.mark.parametrize(
    ("level", "wait_ms"), [("1", 1_000), ("3", 10_000), ("18", 7_200_000), ("40", 7_200_000), ("0", None), ("x", None)]
)
def test_the_unit_of_a_delayed_message_says_when_it_is_due(level: str, wait_ms: int | None) -> None:
    """As a Java broker writes it, which would else deliver the message at once when it gets the store back."""
    master, replica = a_store(MemoryFiles()), a_store(MemoryFiles())
    master.append(a_message(topic="SCHEDULE_TOPIC_XXXX", tag="TagA", extra=b"DELAY\x01" + level.encode()))
    master.commit()
    replica.append_raw(0, log_bytes(master))
    replica.commit()
    replica.dispatch(replica.written.value)
    unit = replica.unit("SCHEDULE_TOPIC_XXXX", 0, 0)
    assert unit is not None
    assert unit[2] == (2598919 if wait_ms is None else 1_700_000_000_000 + wait_ms)


@pytest.mark.parametrize("chunk", [1, 7, 100, 333, 4096])
def test_a_replica_comes_to_the_same_queues_from_any_slices_of_the_log(chunk: int) -> None:
    master, replica = a_store(MemoryFiles()), a_store(MemoryFiles())
    sent(master, 60)
    master.dispatch(master.written.value)
    data = log_bytes(master)
    arrivals: list[int] = []
    replica.on_arrival(lambda topic, queue_id, n, tags, stored: arrivals.append(n))
    for start in range(0, len(data), chunk):
        replica.append_raw(start, data[start : start + chunk])
        replica.commit()
        replica.dispatch(replica.written.value)
    assert len(arrivals) == 60
    assert replica.next_queue_offset("T", 1) == replica.max_offset("T", 1) == 30
    assert b"".join(replica.get("T", 0, 3, 20, 1 << 20).chunks) == b"".join(master.get("T", 0, 3, 20, 1 << 20).chunks)


def test_a_replica_that_begins_later_keeps_its_masters_queue_offsets() -> None:
    master, replica = a_store(MemoryFiles()), a_store(MemoryFiles())
    sent(master, 60)
    data = log_bytes(master)
    replica.append_raw(8192, data[8192:])
    replica.commit()
    replica.dispatch(replica.written.value)
    assert replica.min_offset("T", 0) > 0
    assert replica.max_offset("T", 0) == 30
    assert replica.log.min_offset == 8192


def test_a_replica_that_is_made_master_goes_on_with_the_next_offsets() -> None:
    master, replica = a_store(MemoryFiles()), a_store(MemoryFiles())
    sent(master, 5)
    replica.append_raw(0, log_bytes(master))
    replica.commit()
    replica.dispatch(replica.written.value)
    placed = replica.append(a_message(queue_id=1))
    replica.commit()
    replica.dispatch(placed.end)
    assert (placed.queue_offset, replica.max_offset("T", 1)) == (2, 3)
