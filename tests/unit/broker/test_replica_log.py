"""The store as replication sees it."""

import pytest

from broker_py.broker.replica_log import StoreLog
from broker_py.errors import StoreError
from tests.support.memory_files import MemoryFiles
from tests.support.stores import a_message, a_store


def test_bytes_of_a_master_make_the_same_log_on_a_slave() -> None:
    master, slave = a_store(MemoryFiles()), a_store(MemoryFiles())
    source, sink = StoreLog(master), StoreLog(slave)
    assert (source.end, source.min_offset) == (0, 0)
    master.append(a_message(b"one"))
    master.append(a_message(b"two"))
    assert source.end == 0, "what is not written yet is not sent"
    master.commit()
    sink.append_raw(0, source.read(0, source.end))
    assert sink.end == source.end == master.written.value
    slave.dispatch(sink.end)
    assert slave.max_offset("T", 0) == 2


def test_bytes_that_do_not_continue_the_log_are_refused() -> None:
    sink = StoreLog(a_store(MemoryFiles()))
    with pytest.raises(StoreError):
        sink.append_raw(10, b"x")


def test_a_segment_ends_where_its_file_does() -> None:
    log = StoreLog(a_store(MemoryFiles()))
    assert log.segment_end(0) == log.segment_end(4095) == 4096


def test_a_slave_resumes_at_its_last_whole_record() -> None:
    store = a_store(MemoryFiles())
    store.append(a_message(b"one"))
    last = store.append(a_message(b"two"))
    store.commit()
    store.dispatch(store.written.value)
    assert StoreLog(store).resume_offset() == last.log_offset
