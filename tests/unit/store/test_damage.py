import pytest

from broker_py.message.record import body_crc, encode_blank, encode_record
from broker_py.store.damage import Damage, DamageLog, damage_at, is_torn, next_record
from tests.support.clock import ManualClock
from tests.support.stores import STORE_HOST, a_message

SEGMENT = 4096


class Bytes:
    """A log in memory, of two files."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data.ljust(2 * SEGMENT, b"\0"))

    def read(self, log_offset: int, size: int) -> bytes:
        return bytes(self.data[log_offset : min(log_offset + size, self.segment_end(log_offset))])

    def segment_start(self, log_offset: int) -> int:
        return log_offset - log_offset % SEGMENT

    def segment_end(self, log_offset: int) -> int:
        return self.segment_start(log_offset) + SEGMENT


def record(log_offset: int, body: bytes = b"hello", queue_offset: int = 0, topic: str = "T") -> bytes:
    return encode_record(a_message(body, topic), body_crc(body), queue_offset, log_offset, 1, STORE_HOST)


def a_log(*bodies: bytes) -> tuple[Bytes, list[int]]:
    data, starts = b"", []
    for number, body in enumerate(bodies):
        starts.append(len(data))
        data += record(len(data), body, number if number * 91 <= len(data) else 0)
    return Bytes(data), starts


@pytest.mark.parametrize(
    ("at", "data", "size", "fault"),
    [
        (8, b"\x7f", 98, "its body fails its CRC"),
        (88, b"H", 98, "its body fails its CRC"),
        (28, b"\x01", 98, "it says that it lies at"),
        (12, b"\x01", 98, "its queue id is 16777216"),
        (20, b"\x80", 98, "its queue offset is -"),
        (26, b"\x01", 98, "its queue offset is 257"),
        (94, b"/", 98, "its topic is b'/'"),
        (94, b"\xff", 98, "its topic is b'\\xff'"),
        (0, b"\x40", 0, "there is no record"),
        (4, b"\0", 0, "there is no record"),
        (84, b"\x7f", 0, "there is no record"),
        (93, b"\x09", 0, "there is no record"),
        (39, b"\x10", 0, "there is no record"),
    ],
)
def test_what_is_wrong_with_a_record_is_told(at: int, data: bytes, size: int, fault: str) -> None:
    log, starts = a_log(b"one", b"hello", b"three")
    log.data[starts[1] + at : starts[1] + at + len(data)] = data
    found = damage_at(log, starts[1], True)
    assert found is not None
    assert found.fault.startswith(fault), found
    assert found.size == (size and starts[2] - starts[1])
    assert next_record(log, starts[1] + 1, 2 * SEGMENT) == starts[2]


def test_a_body_is_only_checked_where_that_is_wanted() -> None:
    log, starts = a_log(b"one", b"hello")
    log.data[starts[1] + 88] ^= 1
    assert damage_at(log, starts[1], False) is None
    found = damage_at(log, starts[1], True)
    assert str(found) == (
        f"log offset {starts[1]}, topic T queue 0 queue offset 1, {len(record(0))} bytes: its body fails its CRC"
    )


def test_a_sound_record_and_the_blank_one_of_a_file_are_no_damage() -> None:
    log, starts = a_log(b"one", b"two")
    end = starts[1] + len(record(0, b"two"))
    log.data[end : end + 8] = encode_blank(SEGMENT - end)
    assert [damage_at(log, position, True) for position in (0, starts[1], end)] == [None, None, None]
    log.data[end] ^= 0x40
    found = damage_at(log, end, True)
    assert found is not None
    assert (found.size, found.fault) == (SEGMENT - end, "the blank record at the end of a file is damaged")


def test_the_next_record_may_lie_in_the_next_file() -> None:
    log, _ = a_log(b"one")
    log.data[SEGMENT : SEGMENT + 98] = record(SEGMENT, b"other")[:98].ljust(98, b"\0")
    assert next_record(log, 1, 2 * SEGMENT) == SEGMENT
    assert next_record(log, 1, SEGMENT) is None


def test_a_record_inside_a_body_is_none_of_the_log() -> None:
    log, starts = a_log(b"one", record(0, b"inner"), b"three")
    log.data[starts[1]] ^= 0x40
    assert next_record(log, starts[1] + 1, SEGMENT) == starts[2]


def test_a_lost_sector_is_told_from_a_changed_byte() -> None:
    data = bytearray(record(0, b"x" * 2000))
    assert not is_torn(bytes(data), 0, whole=True)
    data[600] ^= 1
    assert not is_torn(bytes(data), 0, whole=True)
    data[512:1024] = bytes(512)
    assert is_torn(bytes(data), 0, whole=True)


@pytest.mark.parametrize("missing", [3, 20, 60])
def test_the_lost_first_part_of_a_record_is_told_by_its_size(missing: int) -> None:
    data = bytearray(record(0, b"x" * 300))
    assert not is_torn(bytes(data), 512 - missing, whole=False)
    data[:missing] = bytes(missing)
    assert is_torn(bytes(data), 512 - missing, whole=False)


def test_each_place_is_said_once_and_no_more_than_some_lines_a_second(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    heard = DamageLog(clock)
    assert heard.summary() == "none"
    for _ in range(3):
        heard.report(Damage(7, 90, "it is bad", "T", 1, 2))
    assert (heard.count, len(caplog.records)) == (1, 1)
    assert "log offset 7, topic T queue 1 queue offset 2, 90 bytes: it is bad" in caplog.text
    for number in range(100):
        heard.report(Damage(number * 100, 90, "it is bad"))
    assert heard.count == 101
    assert len(caplog.records) == 10
    clock.advance(1000)
    heard.report(Damage(1, 90, "it is bad"))
    assert caplog.records[-1].getMessage().endswith("(91 more before it)")
    assert heard.summary() == "102 known damaged places, the last at log offset 1, 90 bytes: it is bad"
