import pytest

from broker_py.seams import read_file
from broker_py.store.queue_ends import QueueEnds, read_queue_ends, write_queue_ends
from tests.support.memory_files import MemoryFiles

PATH = "/store/queues.json"
ENDS = QueueEnds(4096, 100, 6_000_000, {("T", 0): (0, 12), ("T", 11): (3, 4), ("%RETRY%g", 0): (0, 1)})


def written() -> MemoryFiles:
    files = MemoryFiles()
    files.make_dirs("/store")
    write_queue_ends(files, PATH, ENDS)
    return files


def test_what_was_written_is_read() -> None:
    assert read_queue_ends(written(), PATH, 4096) == ENDS


@pytest.mark.parametrize("log_offset", [None, 0, 4095])
def test_what_belongs_to_another_checkpoint_is_not_taken(log_offset: int | None) -> None:
    assert read_queue_ends(written(), PATH, log_offset) is None


def test_without_a_file_nothing_is_known() -> None:
    assert read_queue_ends(MemoryFiles(), PATH, 4096) is None


def test_no_flipped_bit_is_believed(caplog: pytest.LogCaptureFixture) -> None:
    data = read_file(written(), PATH)
    for position in range(len(data) - 1):
        files = written()
        changed = bytearray(data)
        changed[position] ^= 1
        files.open(PATH).pwrite(changed, 0)
        assert read_queue_ends(files, PATH, 4096) is None, position
    assert f"{PATH} can't be read" in caplog.text
