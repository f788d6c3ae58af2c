from broker_py.store.handles import Handles
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
