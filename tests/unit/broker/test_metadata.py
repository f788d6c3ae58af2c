"""Tables as files: written whole, with a backup."""

from random import Random
from typing import Any

import pytest

from broker_py.broker.metadata import MetadataFile
from broker_py.errors import ProtocolError, StoreError
from broker_py.seams import read_file, replace_file
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles

PATH = "/store/config/topics.json"


def load(files: MemoryFiles) -> dict[Any, Any]:
    taken: list[dict[Any, Any]] = []
    MetadataFile(files, "/store/config", "topics.json").load(taken.append)
    (content,) = taken
    return content


def save(files: MemoryFiles, content: dict[str, Any]) -> None:
    MetadataFile(files, "/store/config", "topics.json").save(content)


def test_what_was_saved_is_loaded() -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    save(files, {"a": 2})
    assert load(files) == {"a": 2}


def test_without_a_file_there_is_nothing() -> None:
    assert load(MemoryFiles()) == {}


def test_the_former_content_is_kept_as_a_backup() -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    save(files, {"a": 2})
    assert read_file(files, PATH + ".bak") == b'{"a":1}'


@pytest.mark.parametrize("broken", [b'{"a":', b"[]", b"\xff", b""])
def test_the_backup_is_taken_when_the_file_is_broken(broken: bytes) -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    save(files, {"a": 2})
    replace_file(files, PATH, broken)
    assert load(files) == {"a": 1}


def test_the_backup_is_taken_when_the_file_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    save(files, {"a": 2})
    files.remove(PATH)
    assert load(files) == {"a": 1}
    assert f"{PATH}.bak was taken, since the file is broken: {PATH} is missing" in caplog.text
    assert read_file(files, PATH) == b'{"a":1}'


def test_an_empty_file_is_broken_and_not_an_empty_table() -> None:
    files = MemoryFiles()
    files.make_dirs("/store/config")
    replace_file(files, PATH, b"")
    with pytest.raises(StoreError, match=r"topics\.json: it is empty: give back a copy of it"):
        load(files)


def test_a_broken_file_never_becomes_the_backup() -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    save(files, {"a": 2})
    replace_file(files, PATH, b"broken")
    assert load(files) == {"a": 1}
    save(files, {"a": 3})
    assert read_file(files, PATH + ".bak") == b'{"a":1}'


def test_a_file_that_its_table_can_not_take_is_broken_too() -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    save(files, {"a": "what?"})
    taken: list[int] = []

    def take(content: dict[Any, Any]) -> None:
        if not isinstance(content["a"], int):
            raise ProtocolError("the field a is not a number")
        taken.append(content["a"])

    MetadataFile(files, "/store/config", "topics.json").load(take)
    assert taken == [1]


def test_when_both_are_broken_nothing_is_forgotten_but_the_start_refused() -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    save(files, {"a": 2})
    replace_file(files, PATH, b"broken")
    replace_file(files, PATH + ".bak", b"broken too")
    with pytest.raises(StoreError, match=r"topics\.json: .*topics\.json\.bak: "):
        load(files)
    assert read_file(files, PATH) == b"broken"


def test_a_broken_file_without_a_backup_refuses_the_start() -> None:
    files = MemoryFiles()
    files.make_dirs("/store/config")
    replace_file(files, PATH, b"broken")
    with pytest.raises(StoreError, match=r"topics\.json"):
        load(files)


def test_a_save_that_fails_leaves_the_former_content() -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    files.fail_after_bytes = 10
    with pytest.raises(OSError, match="No space"):
        save(files, {"a": 2, "filler": "x" * 100})
    files.fail_after_bytes = None
    assert load(files) == {"a": 1}


def test_what_was_saved_first_survives_a_power_cut_with_its_directory() -> None:
    files = MemoryFiles()
    save(files, {"a": 1})
    assert load(files.crash(Random(1), NOTHING_KEPT)) == {"a": 1}
