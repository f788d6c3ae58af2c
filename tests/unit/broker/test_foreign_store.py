"""Stores of Java brokers that hold what this broker can't go on with."""

import pytest

from broker_py.broker.foreign_store import check_store, store_faults
from broker_py.errors import ConfigError
from broker_py.seams import replace_file
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.site import Site

TOPICS = '{"topicConfigTable":{"T":{"attributes":{"%s":"%s"},"topicName":"T"}}}'


def files_with(path: str, content: str = "") -> MemoryFiles:
    """Files of a store that has one file."""
    files = MemoryFiles()
    files.make_dirs(path.rpartition("/")[0])
    replace_file(files, path, content.encode())
    return files


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        (
            "/store/batchconsumequeue/T/0/00000000000000000000",
            "",
            "/store/batchconsumequeue/T has batch consume queues",
        ),
        ("/store/dledger-n0/data/00000000000000000000", "", "/store/dledger-n0 is a log that DLedger keeps"),
        ("/store/config/lmqConsumerOffset.json", "{}", "enableLmq=true"),
        ("/store/config/topics.json", TOPICS % ("queue.type", "BatchCQ"), "the topic T has queue.type=BatchCQ"),
        ("/store/config/topics.json", TOPICS % ("cleanup.policy", "COMPACTION"), "has cleanup.policy=COMPACTION"),
    ],
)
def test_what_can_not_be_served_is_refused_by_name(path: str, content: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        check_store(files_with(path, content), "/store")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/store/consumequeue_ext/T/0/00000000000000000000", ""),
        ("/store/config/topics.json", TOPICS % ("queue.type", "SimpleCQ")),
        ("/store/config/topics.json", "{"),
        ("/store/timerlog/00000000000000000000", ""),
    ],
)
def test_the_rest_of_what_java_leaves_is_taken(path: str, content: str) -> None:
    check_store(files_with(path, content), "/store")


def test_our_own_stores_and_empty_places_are_taken() -> None:
    assert store_faults(MemoryFiles(), "/store") == []
    assert store_faults(Site().files, "/store") == []
