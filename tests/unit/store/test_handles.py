import pytest

from broker_py.store.handles import Handles, NotCached, Patience
from tests.support.memory_files import MemoryFiles


def files_with(*names: str) -> MemoryFiles:
    files = MemoryFiles()
    for name in names:
        files.open(name, create=True).close()
    files.open_files.clear()
    return files


def test_the_file_that_was_used_longest_ago_is_closed_when_there_are_too_many() -> None:
    files = files_with("/a", "/b", "/c")
    handles = Handles(files, capacity=2)
    a, b = handles.get("/a"), handles.get("/b")
    assert handles.get("/a") is a
    handles.get("/c")
    assert [file.closed for file in files.open_files] == [False, True, False]
    assert handles.get("/b") is not b


def test_a_held_file_stays_open_until_it_is_released() -> None:
    files = files_with("/a", "/b", "/c", "/d")
    handles = Handles(files, capacity=1)
    held = handles.hold("/a")
    for name in ("/b", "/c"):
        handles.get(name)
    assert handles.get("/a") is held
    handles.release("/a")
    handles.get("/d")
    handles.get("/b")
    assert files.open_files[0].closed


def test_a_forgotten_file_is_closed_and_opened_anew() -> None:
    files = files_with("/a")
    handles = Handles(files, capacity=1)
    first = handles.get("/a")
    handles.forget("/a")
    handles.forget("/a")
    assert files.open_files[0].closed
    assert handles.get("/a") is not first


def test_all_are_closed_in_the_end() -> None:
    files = files_with("/a", "/b")
    handles = Handles(files, capacity=5)
    handles.hold("/a")
    handles.get("/b")
    handles.close()
    assert all(file.closed for file in files.open_files)


def cold_file(content: bytes = b"x" * 5000) -> tuple[MemoryFiles, Handles]:
    files = files_with("/a")
    files.open("/a").pwrite(content, 0)
    files.cool("/a")
    return files, Handles(files, capacity=5)


def test_a_patient_read_waits_for_what_is_not_in_memory() -> None:
    _, handles = cold_file()
    assert handles.read("/a", 10, 4999, in_memory=False) == b"x"


def test_a_read_without_patience_says_what_is_not_in_memory_and_opens_no_file() -> None:
    files, handles = cold_file()
    files.open_files.clear()
    handles.patience = Patience.NONE
    with pytest.raises(NotCached, match="10 bytes of /a at 100 are not in memory") as missed:
        handles.read("/a", 10, 100, in_memory=False)
    assert (missed.value.path, missed.value.position, missed.value.size) == ("/a", 100, 10)
    assert files.open_files == []
    assert handles.read("/a", 10, 100, in_memory=True) == b"x" * 10


def test_a_read_without_patience_gets_what_is_in_memory_of_a_file_that_is_open() -> None:
    _, handles = cold_file()
    handles.read("/a", 10, 100, in_memory=False)
    handles.patience = Patience.NONE
    assert handles.read("/a", 10, 100, in_memory=False) == b"x" * 10
    with pytest.raises(NotCached):
        handles.read("/a", 10, 4096, in_memory=False)


def test_a_second_try_opens_the_file_but_does_not_wait() -> None:
    files, handles = cold_file()
    handles.patience = Patience.LITTLE
    with pytest.raises(NotCached):
        handles.read("/a", 10, 100, in_memory=False)
    files.open("/a").pread(10, 100)
    assert handles.read("/a", 10, 100, in_memory=False) == b"x" * 10


def test_where_a_file_system_can_not_tell_the_second_try_reads() -> None:
    files, handles = cold_file()
    files.can_not_tell = True
    handles.get("/a")
    handles.patience = Patience.NONE
    with pytest.raises(NotCached):
        handles.read("/a", 10, 100, in_memory=False)
    handles.patience = Patience.LITTLE
    assert handles.read("/a", 10, 100, in_memory=False) == b"x" * 10


def test_a_read_that_fails_is_no_question_of_patience() -> None:
    _, handles = cold_file()
    handles.get("/a").close()
    handles.patience = Patience.LITTLE
    with pytest.raises(OSError, match="closed"):
        handles.read("/a", 10, 100, in_memory=False)
