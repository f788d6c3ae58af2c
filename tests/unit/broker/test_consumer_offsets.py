"""Where groups stand."""

import errno

import pytest

from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.metadata import MetadataFile
from broker_py.errors import ProtocolError, StoreError
from broker_py.model.data_version import DataVersion
from broker_py.seams import replace_file
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles

PATH = "/store/config/consumerOffset.json"


def open_table(files: MemoryFiles, version_step: int = 500) -> ConsumerOffsetTable:
    table = ConsumerOffsetTable(
        MetadataFile(files, "/store/config", "consumerOffset.json"), ManualClock(), version_step
    )
    table.load()
    return table


def test_an_offset_is_what_was_committed_last_even_backwards() -> None:
    table = open_table(MemoryFiles())
    assert table.offset("g", "T", 0) == -1
    table.commit("g", "T", 0, 10)
    table.commit("g", "T", 0, 4)
    assert table.offset("g", "T", 0) == 4
    assert table.offset("g", "T", 1) == -1
    assert table.offset("h", "T", 0) == -1


def test_saved_offsets_outlive_a_crash_and_those_committed_since_do_not() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.commit("g", "T", 0, 10)
    table.save()
    table.commit("g", "T", 0, 20)
    assert open_table(files.kill()).offset("g", "T", 0) == 10


def test_nothing_is_written_when_nothing_changed() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.commit("g", "T", 0, 10)
    table.save()
    steps = files.steps
    table.commit("g", "T", 0, 10)
    table.save()
    assert files.steps == steps


def test_a_save_that_failed_is_tried_again() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.commit("g", "T", 0, 10)
    files.fail_writes = errno.ENOSPC
    with pytest.raises(OSError, match="injected"):
        table.save()
    files.fail_writes = None
    table.save()
    assert open_table(files).offset("g", "T", 0) == 10


def test_javas_file_with_unquoted_queue_ids_is_read() -> None:
    files = MemoryFiles()
    files.make_dirs("/store/config")
    replace_file(files, PATH, b'{"dataVersion":{"counter":2,"timestamp":1},"offsetTable":{"T@g@x":{0:12,3:4}}}')
    table = open_table(files)
    assert (table.offset("g@x", "T", 0), table.offset("g@x", "T", 3)) == (12, 4)
    assert table.version == DataVersion(1, 2)


@pytest.mark.parametrize(
    "content", [b'{"offsetTable":{"T@g":5}}', b'{"offsetTable":{"T@g":{"x":5}}}', b'{"offsetTable":{"T@g":{"0":"x"}}}']
)
def test_a_file_that_can_not_be_meant_refuses_the_start(content: bytes) -> None:
    files = MemoryFiles()
    files.make_dirs("/store/config")
    replace_file(files, PATH, content)
    with pytest.raises(StoreError, match=r"consumerOffset\.json"):
        open_table(files)


def test_the_masters_offsets_replace_ours_and_what_it_lacks_stays() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.commit("g", "T", 0, 1)
    table.commit("g", "T", 1, 2)
    table.commit("own", "T", 0, 3)
    table.merge({"dataVersion": {"counter": 9, "timestamp": 8}, "offsetTable": {"T@g": {"0": 10}, "U@h": {"5": 6}}})
    assert {(topic, group): queues for topic, group, queues in table} == {
        ("T", "g"): {0: 10, 1: 2},
        ("T", "own"): {0: 3},
        ("U", "h"): {5: 6},
    }
    assert table.version == DataVersion(8, 9)
    table.save()
    assert open_table(files).offset("h", "U", 5) == 6


def test_a_masters_body_that_can_not_be_read_changes_nothing() -> None:
    table = open_table(MemoryFiles())
    table.commit("g", "T", 0, 1)
    with pytest.raises(ProtocolError):
        table.merge({"offsetTable": {"A@g": {"0": 10}, "T@g": []}})
    assert [(topic, queues) for topic, _, queues in table] == [("T", {0: 1})]


def test_merging_the_same_again_writes_nothing() -> None:
    files = MemoryFiles()
    table = open_table(files)
    for _ in range(2):
        table.merge({"offsetTable": {"T@g": {"0": 10}}})
        table.save()
        steps = files.steps
    table.merge({"offsetTable": {"T@g": {"0": 10}}})
    table.save()
    assert files.steps == steps


def test_the_version_moves_with_every_so_many_commits() -> None:
    table = open_table(MemoryFiles(), version_step=3)
    for number in range(7):
        table.commit("g", "T", 0, number)
    assert table.version.counter == 2


def test_the_offsets_of_a_topic_and_of_a_group_can_be_forgotten() -> None:
    table = open_table(MemoryFiles())
    for group, topic in (("g", "T"), ("g", "U"), ("h", "T"), ("h", "U")):
        table.commit(group, topic, 0, 1)
        table.pulled(group, topic, 0, 2)
    table.pulled("h", "T", 1, 5)
    table.remove_topic("T")
    assert table.groups_of("T") == set()
    assert table.pulled_offset("h", "T", 1) == -1
    assert table.topics_of("g") == {"U"}
    table.remove_group("g")
    assert table.groups_of("U") == {"h"}
    assert table.pulled_offset("g", "U", 0) == -1
    assert table.pulled_offset("h", "U", 0) == 2


def test_the_body_for_slaves_has_javas_keys() -> None:
    table = open_table(MemoryFiles())
    table.commit("g", "T", 3, 10)
    assert table.to_json()["offsetTable"] == {"T@g": {3: 10}}
