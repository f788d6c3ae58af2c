import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker_py.runtime.files import DiskFiles
from broker_py.seams import File, read_file, replace_file

FILES = DiskFiles()


def test_a_file_is_written_and_read_at_positions(tmp_path: Path) -> None:
    file = FILES.open(f"{tmp_path}/a", create=True)
    file.truncate(10)
    file.pwrite(memoryview(b"hello"), 3)
    file.fdatasync()
    assert (file.size(), file.pread(100, 0), file.pread(2, 4)) == (10, b"\0\0\0hello\0\0", b"el")
    assert file.pread(5, 10) == b""
    file.close()
    file.close()


def test_what_the_page_cache_has_is_read_without_waiting_and_what_it_lacks_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * 256)
    with open(path, "rb") as written:
        os.fsync(written.fileno())
        os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    file = FILES.open(str(path), write=False)
    try:
        first = file.pread_cached(100, 8192)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("this file system can't tell what is in memory")
    assert first is None
    assert file.pread(100, 8192) == bytes(range(100))
    assert file.pread_cached(100, 8192) == bytes(range(100))
    assert file.pread_cached(100, 65_500) is None, "less than that is there"
    file.close()


def test_large_data_is_written_and_read_whole(tmp_path: Path) -> None:
    file = FILES.open(f"{tmp_path}/a", create=True)
    data = bytes(range(256)) * 20_000
    file.pwrite(data, 5)
    assert file.pread(len(data), 5) == data
    file.close()


def test_a_missing_file_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FILES.open(f"{tmp_path}/a")


def test_a_file_that_is_only_read_need_not_be_writable(tmp_path: Path) -> None:
    replace_file(FILES, f"{tmp_path}/a", b"hello")
    file = FILES.open(f"{tmp_path}/a", write=False)
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.pwrite(b"x", 0)
    assert file.pread(9, 0) == b"hello"
    file.close()
    opened: list[bool] = []

    class Watched(DiskFiles):
        def open(self, path: str, *, create: bool = False, write: bool = True, private: bool = False) -> File:
            opened.append(write)
            return super().open(path, create=create, write=write, private=private)

    assert read_file(Watched(), f"{tmp_path}/a") == b"hello"
    assert opened == [False]


def test_directories_are_made_listed_and_removed(tmp_path: Path) -> None:
    FILES.make_dirs(f"{tmp_path}/b/c")
    FILES.make_dirs(f"{tmp_path}/b/c")
    FILES.open(f"{tmp_path}/b/z", create=True).close()
    assert FILES.list_dir(f"{tmp_path}/b") == ["c", "z"]
    assert FILES.list_dir(f"{tmp_path}/none") == []
    assert FILES.list_dir(f"{tmp_path}/b/z") == []
    assert (FILES.is_dir(f"{tmp_path}/b/c"), FILES.is_dir(f"{tmp_path}/b/z")) == (True, False)
    FILES.sync_dir(f"{tmp_path}/b")
    FILES.remove_dir(f"{tmp_path}/b/c")
    FILES.remove(f"{tmp_path}/b/z")
    assert FILES.list_dir(f"{tmp_path}/b") == []


def test_a_replaced_file_has_the_new_content_and_leaves_no_other(tmp_path: Path) -> None:
    replace_file(FILES, f"{tmp_path}/a", b"a longer text")
    replace_file(FILES, f"{tmp_path}/a", b"short")
    assert read_file(FILES, f"{tmp_path}/a") == b"short"
    assert FILES.list_dir(f"{tmp_path}") == ["a"]
    assert FILES.exists(f"{tmp_path}/a")


def test_times_and_usage_are_those_of_the_system(tmp_path: Path) -> None:
    FILES.open(f"{tmp_path}/a", create=True).close()
    assert FILES.modified_ms(f"{tmp_path}/a") == (tmp_path / "a").stat().st_mtime_ns // 1_000_000
    used, free = FILES.usage(f"{tmp_path}/not/there/yet")
    assert used > 0
    assert free > 0


TAKE = """
import sys
from broker_py.runtime.files import DiskFiles
try:
    DiskFiles().lock(sys.argv[1])
    print("taken")
except OSError as error:
    print("refused")
"""


def test_the_lock_keeps_another_process_out_until_it_is_released(tmp_path: Path) -> None:
    def other() -> str:
        command = [sys.executable, "-c", TAKE, f"{tmp_path}/lock"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    lock = FILES.lock(f"{tmp_path}/lock")
    assert other() == "refused"
    lock.release()
    lock.release()
    assert other() == "taken"


def test_a_private_file_is_for_its_owner_alone_even_where_one_for_all_was_left(tmp_path: Path) -> None:
    (tmp_path / "a.tmp").write_bytes(b"left by a crash")
    (tmp_path / "a.tmp").chmod(0o644)
    replace_file(FILES, f"{tmp_path}/a", b"secret", private=True)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").read_bytes() == b"secret"
