"""Values kept on disk."""

import errno

import pytest

from broker_py.errors import ConfigError, RequestRefused
from broker_py.nameserver.kv_config import KvConfig
from broker_py.seams import read_file, replace_file
from tests.support.memory_files import MemoryFiles

PATH = "/home/mq/namesrv/kvConfig.json"


def written(files: MemoryFiles) -> bytes:
    return read_file(files, PATH)


def loaded(files: MemoryFiles) -> KvConfig:
    kv = KvConfig(files, PATH)
    kv.load()
    return kv


def with_content(content: bytes) -> MemoryFiles:
    files = MemoryFiles()
    files.make_dirs(PATH.rpartition("/")[0])
    replace_file(files, PATH, content)
    return files


def test_a_value_is_there_after_a_restart() -> None:
    files = MemoryFiles()
    kv = loaded(files)
    kv.put("ns", "key", "välue")
    kv.put("ns", "other", "x")
    kv.put("ns2", "key", "y")
    again = loaded(files)
    assert again.get("ns", "key") == "välue"
    assert again.values("ns") == {"key": "välue", "other": "x"}
    assert again.values("ns2") == {"key": "y"}


def test_the_file_has_javas_form() -> None:
    files = MemoryFiles()
    loaded(files).put("ORDER_TOPIC_CONFIG", "T", "broker-a:4")
    assert written(files) == b'{"configTable":{"ORDER_TOPIC_CONFIG":{"T":"broker-a:4"}}}'


def test_what_was_never_put_is_none() -> None:
    kv = loaded(MemoryFiles())
    assert kv.get("ns", "key") is None
    assert kv.values("ns") is None


def test_a_deleted_value_is_gone_and_its_namespace_stays() -> None:
    files = MemoryFiles()
    kv = loaded(files)
    kv.put("ns", "key", "value")
    kv.delete("ns", "key")
    kv.delete("ns", "key")
    kv.delete("unknown", "key")
    assert loaded(files).values("ns") == {}
    assert loaded(files).values("unknown") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"configTable":[]}', b'{"configTable":{"ns":1}}', b"\xff"])
def test_a_damaged_file_is_named(content: bytes) -> None:
    with pytest.raises(ConfigError, match=f"kvConfigPath: {PATH} is damaged"):
        loaded(with_content(content))


def test_a_file_of_java_is_read() -> None:
    files = with_content(b'{\n\t"configTable":{"ORDER_TOPIC_CONFIG":{"T":"broker-a:4"\n\t\t}\n\t}\n}')
    assert loaded(files).get("ORDER_TOPIC_CONFIG", "T") == "broker-a:4"


def test_a_value_that_can_not_be_written_is_refused_and_not_kept() -> None:
    files = MemoryFiles()
    kv = loaded(files)
    files.fail_writes = errno.ENOSPC
    with pytest.raises(RequestRefused, match="the KV table can't be written to"):
        kv.put("ns", "key", "value")
    assert kv.get("ns", "key") is None


def test_a_file_that_can_not_be_read_is_named() -> None:
    files = MemoryFiles()
    files.make_dirs(PATH)
    with pytest.raises(ConfigError, match="can't be read"):
        loaded(files)
