import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import ProtocolError, StoreError
from broker_py.replication.follower import Follower, LogsDiverge, first_report
from broker_py.replication.protocol import Frame
from tests.unit.replication.fakes import MemoryLog, log_bytes


def frame(log_offset: int, data: bytes = b"") -> Frame:
    return Frame(log_offset, memoryview(data))


def sent(start: int, end: int) -> Frame:
    """Return the frame by which a master with the usual bytes sends `start` to `end`."""
    return frame(start, log_bytes(start, end - start))


def test_an_empty_log_reports_zero() -> None:
    assert first_report(MemoryLog()) == 0


def test_a_log_reports_the_start_of_its_last_whole_record() -> None:
    assert first_report(MemoryLog(data=log_bytes(0, 45), record_size=10)) == 30


def test_a_log_of_one_record_does_not_report_zero_as_it_is_not_empty() -> None:
    assert first_report(MemoryLog(data=log_bytes(0, 10), record_size=10)) == 1


def test_a_log_without_a_whole_record_near_its_end_reports_64_kib_before_it() -> None:
    big = MemoryLog(segment_size=1 << 20, data=bytes(200_000), record_size=1 << 20)
    assert first_report(big) == 200_000 - 65_536
    fresh = MemoryLog(start=3000, data=b"part", record_size=10)
    assert first_report(fresh) == 3000


def test_more_than_the_last_record_is_compared_where_it_is_asked_for() -> None:
    log = MemoryLog(start=3000, segment_size=1000, data=log_bytes(3000, 500), record_size=10)
    assert first_report(log, compare_bytes=100) == 3400
    assert first_report(log, compare_bytes=1) == 3490  # the last record at least
    assert first_report(log, compare_bytes=1 << 30) == 3000
    assert first_report(log, compare_bytes=1 << 30, master_min_offset=3200) == 3200
    assert first_report(MemoryLog(data=log_bytes(0, 45)), compare_bytes=1 << 30) == 1
    assert first_report(MemoryLog(), compare_bytes=1 << 30) == 0


def test_a_difference_before_the_last_record_is_found_when_that_much_is_compared() -> None:
    own = bytearray(log_bytes(0, 500))
    own[123] ^= 1
    log = MemoryLog(data=bytes(own))
    blind = Follower(log)
    blind.take([sent(490, 500)])
    assert not blind.comparing
    with pytest.raises(LogsDiverge, match="logs diverge at 123"):
        Follower(log, compare_bytes=1 << 20).take([sent(1, 500)])


def test_the_tail_is_compared_and_only_then_the_log_grows() -> None:
    log = MemoryLog(data=log_bytes(0, 45))
    follower = Follower(log)
    follower.take([sent(30, 40)])
    assert (follower.comparing, follower.position, log.appends) == (True, 40, [])
    follower.take([sent(40, 60)])
    assert (follower.comparing, follower.position, log.appends) == (False, 60, [(45, 15)])
    assert bytes(log.data) == log_bytes(0, 60)


@pytest.mark.parametrize("wrong", [30, 37, 44])
def test_a_tail_that_differs_stops_replication_and_is_kept(wrong: int) -> None:
    own = bytearray(log_bytes(0, 45))
    own[wrong] ^= 1
    log = MemoryLog(data=bytes(own))
    with pytest.raises(LogsDiverge, match=f"logs diverge at {wrong}: this store holds other data than its master"):
        Follower(log).take([sent(30, 60)])
    assert log.data == own


def test_a_tail_in_two_segments_is_compared_whole() -> None:
    own = bytearray(log_bytes(0, 1005))
    own[1004] ^= 1
    log = MemoryLog(segment_size=1000, data=bytes(own), record_size=67)  # the last whole record starts at 938
    with pytest.raises(LogsDiverge, match="diverge at 1004"):
        Follower(log).take([sent(938, 1000), sent(1000, 1100)])


def test_the_first_bytes_of_an_empty_log_may_start_at_any_segment() -> None:
    log = MemoryLog(segment_size=1000)
    follower = Follower(log)
    follower.take([frame(3000), sent(3000, 3010), sent(3010, 3020)])
    assert (log.min_offset, log.end, follower.position) == (3000, 3020, 3020)


def test_an_empty_log_refuses_to_start_inside_a_segment() -> None:
    with pytest.raises(ProtocolError, match="needs the start of a file"):
        Follower(MemoryLog(segment_size=1000)).take([sent(3001, 3010)])


def test_frames_of_one_turn_become_one_append_for_each_segment() -> None:
    log = MemoryLog(segment_size=1000)
    follower = Follower(log)
    follower.take([sent(0, 400), sent(400, 1000), sent(1000, 1001), sent(1001, 1500)])
    assert log.appends == [(0, 1000), (1000, 500)]
    assert follower.position == 1500


def test_a_frame_across_the_end_of_a_segment_is_refused() -> None:
    log = MemoryLog(segment_size=1000, data=log_bytes(0, 990))
    with pytest.raises(ProtocolError, match="mappedFileSizeCommitLog"):
        Follower(log).take([sent(980, 1001)])
    assert log.end == 990


@pytest.mark.parametrize("start", [29, 31, 45])
def test_a_frame_that_is_not_the_next_one_is_refused(start: int) -> None:
    log = MemoryLog(data=log_bytes(0, 45))
    with pytest.raises(ProtocolError, match="30 comes next"):
        Follower(log).take([sent(start, 60)])
    assert log.appends == []


def test_a_heartbeat_with_another_offset_is_refused() -> None:
    with pytest.raises(ProtocolError, match="30 comes next"):
        Follower(MemoryLog(data=log_bytes(0, 45))).take([frame(45)])


def test_a_heartbeat_changes_nothing() -> None:
    log = MemoryLog(data=log_bytes(0, 45))
    follower = Follower(log)
    follower.take([frame(30), sent(30, 45), frame(45)])
    assert (follower.position, log.appends) == (45, [])


def test_bytes_that_could_not_be_written_are_not_counted() -> None:
    log = MemoryLog(data=log_bytes(0, 45))
    follower = Follower(log)
    follower.take([sent(30, 45)])
    log.fault = StoreError("the disk is full")
    with pytest.raises(StoreError, match="full"):
        follower.take([sent(45, 60)])
    assert follower.position == 45


@given(
    st.integers(0, 300),
    st.integers(0, 300),
    st.lists(st.integers(1, 64), min_size=1),
    st.integers(1, 5),
)
def test_any_part_of_the_masters_log_becomes_the_whole_of_it(
    held: int, more: int, sizes: list[int], frames_a_turn: int
) -> None:
    master = MemoryLog(segment_size=100, data=log_bytes(0, held + more), record_size=13)
    slave = MemoryLog(segment_size=100, data=log_bytes(0, held), record_size=13)
    follower = Follower(slave)
    log_offset, turn = follower.position, 0
    while log_offset < master.end:
        frames = []
        for _ in range(frames_a_turn):
            data = master.read(log_offset, sizes[turn % len(sizes)])
            frames.append(frame(log_offset, data))
            log_offset += len(data)
            turn += 1
        follower.take(frames)
        assert follower.position == log_offset
    assert slave.data == master.data
