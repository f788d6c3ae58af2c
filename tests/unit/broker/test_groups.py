"""The table of consumer groups."""

import errno
from dataclasses import replace

import pytest

from broker_py.broker import groups as groups_module
from broker_py.broker.groups import MAX_GROUP_CHARS, GroupTable, group_name_fault
from broker_py.broker.metadata import MetadataFile
from broker_py.errors import RequestRefused, StoreError
from broker_py.model.data_version import DataVersion
from broker_py.model.group import PREDEFINED_GROUPS, GroupConfig
from broker_py.wire.codes import ResponseCode
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.site import CONFIG


def open_table(files: MemoryFiles, auto_create: bool = True) -> GroupTable:
    config = replace(CONFIG, auto_create_subscription_group=auto_create)
    table = GroupTable(config, MetadataFile(files, "/store/config", "subscriptionGroup.json"), ManualClock())
    table.load()
    return table


def test_a_new_broker_has_rocketmqs_own_groups() -> None:
    assert {group.group_name for group in open_table(MemoryFiles())} == set(PREDEFINED_GROUPS)


def test_an_unknown_group_is_made_with_defaults_when_it_is_used() -> None:
    files = MemoryFiles()
    table = open_table(files)
    assert table.get("g") is None
    assert table.require("g") == GroupConfig(group_name="g")
    assert open_table(files.kill()).get("g") == GroupConfig(group_name="g")


def test_no_group_is_made_where_that_is_off_but_the_systems_own() -> None:
    table = open_table(MemoryFiles(), auto_create=False)
    with pytest.raises(RequestRefused, match="g") as refused:
        table.require("g")
    assert refused.value.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    assert table.require("CID_RMQ_SYS_ANY").group_name == "CID_RMQ_SYS_ANY"
    assert table.require("TOOLS_CONSUMER").group_name == "TOOLS_CONSUMER"


@pytest.mark.parametrize("name", ["", "../up", "a b", "a@b", "ü", "g\n", "x" * (MAX_GROUP_CHARS + 1)])
def test_no_group_is_made_under_a_name_that_can_not_be_one(name: str) -> None:
    table = open_table(MemoryFiles())
    with pytest.raises(RequestRefused) as refused:
        table.require(name)
    assert refused.value.code == ResponseCode.SYSTEM_ERROR
    assert table.get(name) is None


@pytest.mark.parametrize("name", ["g", "CID_ONS-HTTP-PROXY", "ns%g", "a|b", "x" * MAX_GROUP_CHARS])
def test_names_of_all_legal_characters_are_groups(name: str) -> None:
    assert group_name_fault(name) is None


def test_the_longest_group_still_has_a_retry_topic_that_the_store_takes() -> None:
    assert len("%RETRY%" + "x" * MAX_GROUP_CHARS) == 255


def test_clients_can_not_make_groups_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_module, "MAX_BY_CLIENTS", len(PREDEFINED_GROUPS) + 1)
    table = open_table(MemoryFiles())
    table.require("g")
    with pytest.raises(RequestRefused, match="there are 9 groups"):
        table.require("h")
    assert table.require("g").group_name == "g"
    table.put(GroupConfig(group_name="h"))
    assert table.require("h").group_name == "h"


def test_a_group_that_can_not_be_written_is_not_there() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.require("old")
    version = table.version
    files.fail_writes = errno.ENOSPC
    with pytest.raises(RequestRefused, match="the groups can't be written"):
        table.put(GroupConfig(group_name="new"))
    with pytest.raises(RequestRefused):
        table.remove("old")
    assert table.get("new") is None
    assert table.get("old") is not None
    assert table.version == version


def test_a_group_that_is_used_on_a_full_disk_is_kept_in_memory_until_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = MemoryFiles()
    table = open_table(files)
    files.fail_writes = errno.ENOSPC
    assert table.require("new") == table.get("new") == GroupConfig(group_name="new")
    assert "group new is kept in memory only" in caplog.text
    files.fail_writes = None
    table.require("another")
    assert open_table(files.kill()).get("new") is not None


def test_a_removed_group_is_gone_after_a_restart() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.require("g")
    table.remove("g")
    assert open_table(files.kill()).get("g") is None


def test_the_masters_table_is_taken_over_with_its_version_and_what_we_do_not_use() -> None:
    files = MemoryFiles()
    table = open_table(files)
    table.replace_all(
        {
            "dataVersion": {"counter": 7, "timestamp": 8},
            "forbiddenTable": {"g": {"T": 1}},
            "subscriptionGroupTable": {"g": {"retryMaxTimes": 3}},
        }
    )
    assert [group.group_name for group in table] == ["g"]
    assert table.require("g").retry_max_times == 3
    assert table.version == DataVersion(8, 7)
    assert open_table(files).to_json()["forbiddenTable"] == {"g": {"T": 1}}


def test_a_file_with_something_else_than_groups_refuses_the_start() -> None:
    files = MemoryFiles()
    MetadataFile(files, "/store/config", "subscriptionGroup.json").save({"subscriptionGroupTable": {"g": 1}})
    with pytest.raises(StoreError, match=r"subscriptionGroup\.json"):
        open_table(files)
