import json
from collections.abc import Callable

import pytest

from broker_py.seams import replace_file
from broker_py.store.bare_files import BareFiles, BareHandles
from broker_py.store.inspection import Inspection, StoreReport, walk
from broker_py.store.store import Store
from tests.support.memory_files import MemoryFiles
from tests.support.stores import a_message, a_store

LOG = "/store/commitlog/00000000000000000000"
QUEUE = "/store/consumequeue/T/0/00000000000000000000"


def filled(count: int = 60) -> tuple[MemoryFiles, Store]:
    """A store of messages in two queues, over several files."""
    files = MemoryFiles()
    store = a_store(files)
    for n in range(count):
        store.append(a_message(b"%03d" % n, queue_id=n % 2))
    store.commit()
    store.dispatch(store.written.value)
    return files, store


def stopped() -> MemoryFiles:
    files, store = filled()
    store.close()
    return files


def inspected(files: MemoryFiles, lock_holder: int | None = None) -> StoreReport:
    """Inspect a store; nothing of it may change."""
    before, steps = files.dump(), files.steps
    report = Inspection(files, "/store", json.loads, lock_holder=lock_holder).run()
    assert (files.dump(), files.steps) == (before, steps)
    return report


def test_a_store_that_was_stopped_is_whole() -> None:
    report = inspected(stopped())
    assert report.whole, report.faults
    assert (report.log_files, report.log_file_bytes, report.log_first) == (2, 4096, 0)
    assert (report.messages, report.torn_bytes, report.abort) == (60, 0, False)
    assert report.checkpoint.durable_offset == report.log_end
    assert [(q.topic, q.queue_id, q.first, q.end, q.messages) for q in report.queues] == [
        ("T", 0, 0, 30, 30),
        ("T", 1, 0, 30, 30),
    ]
    assert report.queue_file_bytes == 200


def test_an_empty_store_is_whole() -> None:
    files = MemoryFiles()
    a_store(files).close()
    assert inspected(files).whole


def test_after_a_kill_it_says_what_the_next_start_does() -> None:
    files, store = filled()
    store.checkpoint()
    for n in range(4):
        store.append(a_message(b"%03d" % n))
    store.commit()
    report = inspected(files.kill())
    assert report.whole, report.faults
    assert report.abort
    assert report.actions == [
        f"the log is read from {store.dispatched.value} on, {report.log_end - store.dispatched.value} bytes",
        "queue T 0 gets 4 messages that it lacks",
    ]


def test_a_torn_tail_is_no_damage_but_is_cut() -> None:
    files, store = filled()
    files = files.kill()
    end = store.log.written
    files.open("/store/commitlog/00000000000000004096").pwrite(b"\0\0\1\0\xda\xa3\x20", end - 4096)
    report = inspected(files)
    assert (report.whole, report.log_end, report.torn_bytes) == (True, end, 7)
    assert f"the log is cut at {end}: 7 bytes behind it are no record" in report.actions


def test_a_running_broker_is_no_fault() -> None:
    files, store = filled()
    report = inspected(files, lock_holder=7)
    assert (report.whole, report.abort, report.lock_holder) == (True, True, 7)
    store.close()


def change(path: str, position: int, data: bytes) -> Callable[[MemoryFiles], None]:
    def apply(files: MemoryFiles) -> None:
        files.open(path).pwrite(data, position)

    return apply


def test_a_damaged_record_is_named_with_its_place_and_message() -> None:
    files = stopped()
    change(LOG, 88, b"X")(files)
    report = inspected(files)
    (damage,) = report.damages
    assert (damage.log_offset, damage.topic, damage.queue_id, damage.queue_offset) == (0, "T", 0, 0)
    assert damage.fault == "its body fails its CRC"
    assert report.fault_count == 0


def test_where_no_record_is_left_its_unit_still_says_which_it_was() -> None:
    files = stopped()
    change(LOG, 0, b"\x7f" * 8)(files)
    report = inspected(files)
    (damage,) = report.damages
    assert (damage.topic, damage.queue_id, damage.queue_offset, damage.fault) == ("T", 0, 0, "there is no record")
    assert report.fault_count == 0
    assert report.messages == 59


@pytest.mark.parametrize(
    ("apply", "fault"),
    [
        (change(QUEUE, 60, bytes(20)), "queue T 0: unit 3 points at log offset 0, 0 bytes, where its message is not"),
        (change(QUEUE, 79, b"\x07"), "queue T 0: unit 3 has tags code 7, its message 0"),
        (lambda files: files.remove(QUEUE), "queue T 0 lacks message 0, which is at log offset 0"),
        (
            lambda files: files.remove("/store/consumequeue/T/0/00000000000000000200"),
            "queue T 0: /store/consumequeue/T/0/00000000000000000200 is missing (200 bytes)",
        ),
        (
            lambda files: files.remove("/store/consumequeue/T/0/00000000000000000400"),
            "queue T 0 ends at 20, but had 30: a start fills it again",
        ),
        (
            lambda files: files.open("/store/commitlog/00000000000000004096").truncate(100),
            "the commit log: /store/commitlog/00000000000000004096 has 100 bytes and not 4096",
        ),
        (lambda files: files.open("/store/commitlog/notes", create=True), "notes is no file of it: no start"),
        (lambda files: replace_file(files, "/store/owner.json", b"{"), "owner.json: it can't be read"),
    ],
)
def test_what_is_wrong_is_said(apply: Callable[[MemoryFiles], object], fault: str) -> None:
    files = stopped()
    apply(files)
    report = inspected(files)
    assert not report.whole
    assert any(fault in each for each in report.faults), report.faults


def test_a_log_file_that_is_missing_is_a_hole() -> None:
    files, store = filled(150)
    store.close()
    files.remove("/store/commitlog/00000000000000004096")
    report = inspected(files)
    assert "the commit log: /store/commitlog/00000000000000004096 is missing (4096 bytes)" in report.faults
    assert report.messages < 150
    assert report.log_end == store.log.written


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (["topics.json"], "its backup is sound and would be taken"),
        (["topics.json", "topics.json.bak"], "there is no sound backup: no start"),
        (["topics.json.bak"], "it is only a backup"),
    ],
)
def test_broken_tables_are_said_with_what_becomes_of_it(broken: list[str], said: str) -> None:
    files = stopped()
    files.make_dirs("/store/config")
    for name in ("topics.json", "topics.json.bak"):
        replace_file(files, f"/store/config/{name}", b"{" if name in broken else b'{"topicConfigTable":{"T":{}}}')
    report = inspected(files)
    assert report.fault_count == len(broken)
    assert said in "".join(report.faults)


def test_messages_of_a_deleted_topic_are_no_fault() -> None:
    files, store = filled()
    store.delete_topic("T")
    store.close()
    report = inspected(files)
    assert (report.whole, report.deleted_topics_messages) == (True, 60)


def test_index_files_are_listed() -> None:
    files = stopped()
    files.make_dirs("/store/index")
    replace_file(files, "/store/index/20231114221320000", b"12345")
    assert [(each.name, each.size) for each in inspected(files).index_files] == [("index/20231114221320000", 5)]


def test_a_walk_may_begin_at_any_record() -> None:
    files = stopped()
    log = BareFiles(files, BareHandles(files), "/store/commitlog")
    everything = [log_offset for log_offset, *_ in walk(log, 0, 0)]
    assert [log_offset for log_offset, *_ in walk(log, everything[40], 0)] == everything[40:]


def test_a_log_of_one_file_has_the_size_of_that() -> None:
    files, store = filled(5)
    store.close()
    report = inspected(files)
    assert (report.log_files, report.log_file_bytes, report.messages) == (1, 4096, 5)
