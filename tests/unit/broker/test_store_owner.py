"""Whose a store is."""

import errno
from dataclasses import replace
from random import Random

import pytest

from broker_py.broker.config import BrokerConfig
from broker_py.broker.store_owner import StoreOwner
from broker_py.errors import ConfigError
from broker_py.seams import read_file, replace_file
from broker_py.store.directories import make_durable_directory
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles

PATH = "/store/owner.json"
CONFIG = BrokerConfig(broker_cluster_name="C", broker_name="broker-a")
ANOTHER = replace(CONFIG, broker_name="broker-b")


def files_with(content: bytes | None = None) -> MemoryFiles:
    files = MemoryFiles()
    make_durable_directory(files, "/store")
    if content is not None:
        replace_file(files, PATH, content)
    return files


def owner(files: MemoryFiles, config: BrokerConfig = CONFIG) -> StoreOwner:
    return StoreOwner(files, "/store", config)


def test_the_first_broker_of_a_store_owns_it_durably() -> None:
    files = files_with()
    owner(files).check()
    owner(files).claim()
    survivors = files.crash(Random(1), NOTHING_KEPT)
    assert read_file(survivors, PATH) == b'{"brokerClusterName":"C","brokerName":"broker-a"}'
    owner(survivors).check()


def test_a_store_that_is_not_there_yet_belongs_to_nobody() -> None:
    assert StoreOwner(MemoryFiles(), "/none", CONFIG).fault() is None


@pytest.mark.parametrize(
    ("another", "name"),
    [
        (ANOTHER, "broker broker-b of cluster C"),
        (replace(CONFIG, broker_cluster_name="D"), "broker broker-a of cluster D"),
    ],
)
def test_another_broker_is_refused_and_told_what_to_do(another: BrokerConfig, name: str) -> None:
    files = files_with()
    owner(files).claim()
    with pytest.raises(ConfigError) as refusal:
        owner(files, another).check()
    assert str(refusal.value) == (
        f"the store /store belongs to broker broker-a of cluster C, and this is {name}: "
        f"set storePathRootDir, or remove {PATH} to hand the store over"
    )


def test_a_slave_and_its_master_have_the_same_owner() -> None:
    files = files_with()
    owner(files).claim()
    owner(files, replace(CONFIG, broker_id=1)).check()


def test_a_store_is_handed_over_by_removing_the_file() -> None:
    files = files_with()
    owner(files).claim()
    files.remove(PATH)
    owner(files, ANOTHER).check()
    owner(files, ANOTHER).claim()
    owner(files, ANOTHER).check()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff"])
def test_a_file_that_says_nothing_is_not_taken_for_none(content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"owner\.json does not say whose the store is .*: repair or remove it"):
        owner(files_with(content)).check()


def test_a_full_disk_keeps_nobody_from_starting_and_the_next_start_owns_the_store() -> None:
    files = files_with()
    files.fail_writes = errno.ENOSPC
    owner(files).claim()
    files.fail_writes = None
    assert not files.exists(PATH)
    owner(files).claim()
    assert files.exists(PATH)
