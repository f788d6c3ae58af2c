from pathlib import Path
from random import Random

import pytest

from broker_py.runtime.files import DiskFiles
from broker_py.store.handles import Handles
from broker_py.store.queue_table import ConsumeQueueTable
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles


def open_table(files: MemoryFiles) -> ConsumeQueueTable:
    return ConsumeQueueTable(files, Handles(files, 4), "/cq", 200)


def loaded(files: MemoryFiles) -> ConsumeQueueTable:
    table = open_table(files)
    table.load(after_crash=False, holds=lambda queue_id, n, log_offset, size: True)
    return table


def put(table: ConsumeQueueTable, topic: str, queue_id: int, n: int = 0) -> None:
    queue = table.make(topic, queue_id)
    queue.put(n, n * 100, 100, 0)
    table.mark(queue)


def test_a_thousand_new_queues_open_no_file_before_they_are_written_out() -> None:
    files = MemoryFiles()
    table = open_table(files)
    for queue_id in range(1000):
        put(table, "BenchmarkTest", queue_id)
    assert files.open_files == []
    table.write_out()
    assert sum(not file.closed for file in files.open_files) <= 4
    assert len(loaded(files).queues_of("BenchmarkTest")) == 1000


def test_queues_are_found_again_by_topic_and_id() -> None:
    files = MemoryFiles()
    table = open_table(files)
    put(table, "B", 10)
    put(table, "A", 0)
    put(table, "B", 2)
    table.write_out()
    again = loaded(files)
    assert again.topics() == ["A", "B"]
    assert [queue.queue_id for queue in again.queues_of("B")] == [2, 10]
    assert again.get("A", 0) is not None
    assert again.get("A", 1) is None
    assert again.get("C", 0) is None


def test_directories_that_are_no_queue_id_are_left_alone() -> None:
    files = MemoryFiles()
    put(table := open_table(files), "A", 0)
    table.write_out()
    files.make_dirs("/cq/A/backup")
    files.open("/cq/notes", create=True)
    assert [queue.queue_id for queue in loaded(files)] == [0]


def test_a_sync_makes_files_and_names_durable() -> None:
    files = MemoryFiles()
    table = open_table(files)
    put(table, "A", 0)
    table.write_out()
    assert files.crash(Random(1), NOTHING_KEPT).dump() == {}
    table.start_sync().run()
    queue = loaded(files.crash(Random(1), NOTHING_KEPT)).get("A", 0)
    assert queue is not None
    assert queue.max_offset == 1
    steps = files.steps
    table.start_sync().run()
    assert files.steps == steps, "nothing is dirty any more"


def test_a_sync_passes_over_files_that_were_deleted_meanwhile() -> None:
    files = MemoryFiles()
    table = open_table(files)
    put(table, "A", 0)
    table.write_out()
    sync = table.start_sync()
    table.delete_topic("A")
    sync.run()


def test_a_deleted_topic_leaves_no_file_and_no_name() -> None:
    files = MemoryFiles()
    table = open_table(files)
    put(table, "A", 0)
    put(table, "B", 0)
    table.write_out()
    put(table, "A", 0, 1)
    table.delete_topic("A")
    table.delete_topic("unknown")
    table.write_out()
    assert table.topics() == ["B"]
    assert files.list_dir("/cq") == ["B"]


def test_idle_queues_give_their_memory_back() -> None:
    table = open_table(MemoryFiles())
    put(table, "A", 0)
    table.write_out()
    queue = table.make("A", 0)
    assert len(queue._tail) == 20
    table.write_out()
    assert len(queue._tail) == 0
    assert queue.unit(0) == (0, 100, 0)


def test_a_failed_write_out_is_made_up_for_by_the_next() -> None:
    files = MemoryFiles()
    table = open_table(files)
    put(table, "A", 0)
    put(table, "B", 0)
    files.fail_after_bytes = 25
    with pytest.raises(OSError, match="No space left"):
        table.write_out()
    files.fail_after_bytes = None
    table.write_out()
    assert {queue.topic: queue.max_offset for queue in loaded(files)} == {"A": 1, "B": 1}


def test_a_topic_can_be_deleted_before_its_queues_were_written_out(tmp_path: Path) -> None:
    for files, directory in ((MemoryFiles(), "/cq"), (DiskFiles(), str(tmp_path))):
        table = ConsumeQueueTable(files, Handles(files, 8), directory, 400)
        put(table, "A", 0)
        table.delete_topic("A")
        assert table.topics() == []
