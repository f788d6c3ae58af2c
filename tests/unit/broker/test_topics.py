"""The table of topics."""

import errno
from dataclasses import replace
from typing import Any

import pytest

from broker_py.broker import topics as topics_module
from broker_py.broker.metadata import MetadataFile
from broker_py.broker.topics import TopicTable, topics_of
from broker_py.errors import ProtocolError, RequestRefused, StoreError
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import TopicConfig
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.site import CONFIG


def open_table(files: MemoryFiles, **broker: Any) -> TopicTable:
    table = TopicTable(
        replace(CONFIG, **broker),
        MetadataFile(files, "/store/config", "topics.json"),
        ManualClock(),
    )
    table.load()
    return table


def a_topic(name: str, queues: int = 4, perm: int = 6) -> TopicConfig:
    return TopicConfig(topic_name=name, read_queue_nums=queues, write_queue_nums=queues, perm=perm)


def test_a_new_broker_has_rocketmqs_own_topics() -> None:
    table = open_table(MemoryFiles())
    shape = {topic.topic_name: (topic.read_queue_nums, topic.write_queue_nums, topic.perm) for topic in table}
    assert shape == {
        "SELF_TEST_TOPIC": (1, 1, 6),
        "TBW102": (8, 8, 7),
        "BenchmarkTest": (1024, 1024, 6),
        "DefaultCluster": (16, 16, 7),
        "broker-a": (1, 1, 7),
        "OFFSET_MOVED_EVENT": (1, 1, 6),
        "SCHEDULE_TOPIC_XXXX": (18, 18, 6),
        "DefaultCluster_REPLY_TOPIC": (1, 1, 6),
        "rmq_sys_REVIVE_LOG_DefaultCluster": (8, 8, 6),
        "rmq_sys_SYNC_BROKER_MEMBER_broker-a": (1, 1, 1),
        "RMQ_SYS_TRANS_HALF_TOPIC": (1, 1, 6),
        "RMQ_SYS_TRANS_OP_HALF_TOPIC": (1, 1, 6),
    }


def test_properties_decide_on_the_topics_that_others_are_made_after() -> None:
    table = open_table(
        MemoryFiles(),
        auto_create_topic_enable=False,
        cluster_topic_enable=False,
        broker_topic_enable=False,
        trace_topic_enable=True,
    )
    assert "TBW102" not in table
    assert table.require("DefaultCluster").perm == 1
    assert table.require("broker-a").perm == 1
    assert table.require("RMQ_SYS_TRACE_TOPIC").perm == 6


def test_topics_outlive_a_restart() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.put(a_topic("T", 2, 4))
    again = open_table(files.kill())
    assert again.get("T") == a_topic("T", 2, 4)
    assert again.version == table.version


def test_a_restart_without_a_change_writes_nothing() -> None:
    files = MemoryFiles()
    open_table(files)
    before = files.dump()
    open_table(files)
    assert files.dump() == before


def test_the_pattern_topic_follows_its_property_at_each_start() -> None:
    files = MemoryFiles()
    open_table(files, default_topic_queue_nums=8)
    assert open_table(files, default_topic_queue_nums=3).require("TBW102").write_queue_nums == 3


@pytest.mark.parametrize(("asked", "made"), [(4, 4), (100, 8), (0, 1), (-5, 1)])
def test_a_topic_made_by_sending_has_as_many_queues_as_asked_but_no_more_than_the_pattern(
    asked: int, made: int
) -> None:
    table = open_table(MemoryFiles())
    topic = table.create_by_sending("New", "TBW102", asked, False)
    assert topic == a_topic("New", made)
    assert table.get("New") == topic


@pytest.mark.parametrize("pattern", ["DefaultCluster", "broker-a", "TBW102"])
def test_topics_are_made_after_the_cluster_and_the_broker_too(pattern: str) -> None:
    assert open_table(MemoryFiles()).create_by_sending("New", pattern, 1, False) is not None


@pytest.mark.parametrize("pattern", ["TBW102", "DefaultCluster", "broker-a", "BenchmarkTest", "Unknown"])
def test_no_topic_is_made_after_a_pattern_that_does_not_allow_it(pattern: str) -> None:
    table = open_table(
        MemoryFiles(), auto_create_topic_enable=False, cluster_topic_enable=False, broker_topic_enable=False
    )
    assert table.create_by_sending("New", pattern, 4, False) is None
    assert "New" not in table


def test_the_pattern_of_a_former_start_is_not_used_when_creation_is_off() -> None:
    files = MemoryFiles()
    open_table(files)
    table = open_table(files, auto_create_topic_enable=False)
    assert "TBW102" in table
    assert table.create_by_sending("New", "TBW102", 4, False) is None


def test_clients_can_not_make_topics_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "MAX_BY_CLIENTS", 13)
    table = open_table(MemoryFiles())
    table.create_by_sending("New", "TBW102", 4, False)
    with pytest.raises(RequestRefused, match="there are 13 topics"):
        table.create_by_sending("Newer", "TBW102", 4, False)
    with pytest.raises(RequestRefused, match="there are 13 topics"):
        table.create_if_missing("%RETRY%g", 1)
    assert table.create_if_missing("New", 1) == a_topic("New")
    table.put(a_topic("ByATool"))
    assert "ByATool" in table


def test_every_change_is_told_and_raises_the_version() -> None:
    table = open_table(MemoryFiles())
    heard: list[int] = []
    table.on_change = lambda: heard.append(table.version.counter)
    counters = [table.version.counter]
    for change in (
        lambda: table.put(a_topic("A")),
        lambda: table.create_if_missing("B", 1),
        lambda: table.remove("A"),
    ):
        change()
        counters.append(table.version.counter)
    assert counters == [1, 2, 3, 4]
    assert heard == [2, 3, 4]


def test_what_changes_nothing_is_not_told() -> None:
    table = open_table(MemoryFiles())
    table.put(a_topic("A"))
    version = table.version
    table.on_change = lambda: pytest.fail("told")
    table.remove("Unknown")
    table.create_if_missing("A", 9)
    assert table.version == version


def test_a_topic_that_can_not_be_written_is_not_there() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.put(a_topic("Old"))
    version = table.version
    table.on_change = lambda: pytest.fail("told")
    files.fail_writes = errno.ENOSPC
    with pytest.raises(RequestRefused, match="the topics can't be written"):
        table.put(a_topic("New"))
    with pytest.raises(RequestRefused):
        table.remove("Old")
    assert "New" not in table
    assert "Old" in table
    assert table.version == version


def test_the_masters_table_is_taken_over_whole_with_its_version() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.replace_all({"M": a_topic("M")}, DataVersion(5, 6))
    assert [topic.topic_name for topic in table] == ["M"]
    again = open_table(files)
    assert "M" in again


def test_a_masters_table_that_can_not_be_written_is_not_taken() -> None:
    files = MemoryFiles()
    table = open_table(files)
    files.fail_writes = errno.EIO
    with pytest.raises(RequestRefused):
        table.replace_all({}, DataVersion(5, 6))
    assert table.version != DataVersion(5, 6)
    assert "TBW102" in table


def test_name_servers_are_told_no_more_than_the_broker_permits() -> None:
    files = MemoryFiles()
    open_table(files).put(a_topic("T", perm=6))
    table = open_table(files, broker_permission=4)
    assert table.registered()["T"].perm == 4
    assert table.require("T").perm == 6
    assert open_table(files, broker_permission=7).registered()["T"].perm == 6


def test_a_changed_permission_of_the_broker_is_a_new_version_and_other_properties_are_not() -> None:
    table = open_table(MemoryFiles())
    version = table.version
    table.configure(replace(CONFIG, trace_on=False))
    assert table.version == version
    table.configure(replace(CONFIG, broker_permission=4))
    assert table.version != version
    assert table.registered()["BenchmarkTest"].perm == 4


def test_names_of_broker_and_cluster_are_system_topics() -> None:
    table = open_table(MemoryFiles())
    for name in ("broker-a", "DefaultCluster", "DefaultCluster_REPLY_TOPIC", "TBW102", "rmq_sys_anything"):
        assert table.is_system(name)
    assert not table.is_system("T")


def test_a_file_with_something_else_than_topics_refuses_the_start() -> None:
    files = MemoryFiles()
    MetadataFile(files, "/store/config", "topics.json").save({"topicConfigTable": {"T": 4}})
    with pytest.raises(StoreError, match=r"topics\.json.*T is not an object"):
        open_table(files)


def test_a_masters_topics_that_can_not_be_read_are_refused() -> None:
    with pytest.raises(ProtocolError):
        topics_of({"topicConfigTable": {"T": []}})
    assert topics_of({"topicConfigTable": {"T": {"perm": 4}}})["T"].perm == 4


def test_the_list_for_slaves_has_javas_keys() -> None:
    content = open_table(MemoryFiles()).to_json()
    assert set(content) == {
        "dataVersion",
        "topicConfigTable",
        "mappingDataVersion",
        "topicQueueMappingDetailMap",
        "topicQueueMappingInfoMap",
    }
