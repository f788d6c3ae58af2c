from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import LogCorrupt
from broker_py.message.ids import pack_host
from broker_py.message.record import (
    CLAIM_BYTES,
    MAGIC_V1,
    MAGIC_V2,
    Message,
    MessageIllegal,
    body_crc,
    check_record,
    claimed_size,
    decode_record,
    encode_blank,
    encode_record,
    has_lost_sector,
    is_message,
    read_dispatch,
    record_size,
    stored_ms_of,
)
from broker_py.message.tags import tags_code
from tests.support.stores import STORE_HOST, a_message

V4 = pack_host("192.168.56.11", 10911)
V6 = pack_host("fe80::1", 10911)
VECTOR = bytes.fromhex("".join((Path(__file__).parents[2] / "vectors/record_v1.hex").read_text().split()))
VECTOR_MESSAGE = Message("T", 1, 0, 0, 1700000000000, pack_host("192.168.56.1", 50000), b"hi", b"TAGS\x01A", 65)


def encoded(message: Message, store_host: bytes = V4, log_offset: int = 0) -> bytes:
    return encode_record(message, body_crc(message.body), 7, log_offset, 1700000000123, store_host)


def test_a_record_is_byte_for_byte_what_rocketmq_writes() -> None:
    assert encoded(VECTOR_MESSAGE, log_offset=0x1A2B) == VECTOR
    assert record_size(VECTOR_MESSAGE, V4) == len(VECTOR) == 100


def test_a_record_is_decoded_to_what_it_was() -> None:
    record = decode_record(b"before" + VECTOR + b"behind", 6)
    assert (record.size, record.queue_id, record.queue_offset, record.log_offset) == (100, 1, 7, 0x1A2B)
    assert (record.born_ms, record.stored_ms) == (1700000000000, 1700000000123)
    assert (record.born_host, record.store_host) == (pack_host("192.168.56.1", 50000), V4)
    assert (record.topic, bytes(record.body), bytes(record.properties)) == ("T", b"hi", b"TAGS\x01A")
    assert record.body_crc == body_crc(b"hi")


@given(
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.sampled_from(["T", "%RETRY%" + "g" * 200, "a" * 127]),
    st.sampled_from([V4, V6]),
    st.sampled_from([V4, V6]),
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, 1 << 62),
)
def test_any_message_survives_its_stored_form(
    body: bytes, properties: bytes, topic: str, born_host: bytes, store_host: bytes, flag: int, log_offset: int
) -> None:
    message = Message(topic, 3, flag, 0x8, 1, born_host, body, properties, 0, reconsume_times=2, prepared_offset=5)
    data = encoded(message, store_host, log_offset)
    record = decode_record(data)
    assert check_record(data, 0, True) == len(data) == record_size(message, store_host)
    assert (record.topic, bytes(record.body), bytes(record.properties)) == (topic, body, properties)
    assert (record.flag, record.reconsume_times, record.prepared_offset) == (flag, 2, 5)
    assert (record.born_host, record.store_host, record.log_offset) == (born_host, store_host, log_offset)
    assert record.sys_flag == 0x8 | (0x10 if born_host is V6 else 0) | (0x20 if store_host is V6 else 0)
    assert stored_ms_of(data) == 1700000000123


def test_long_retry_topics_take_the_second_version() -> None:
    long_topic = encoded(Message("%RETRY%" + "g" * 121, 0, 0, 0, 1, V4, b"", b"", 0))
    short_topic = encoded(Message("%RETRY%" + "g" * 120, 0, 0, 0, 1, V4, b"", b"", 0))
    assert int.from_bytes(long_topic[4:8], "big") == MAGIC_V2
    assert int.from_bytes(short_topic[4:8], "big") == MAGIC_V1
    assert read_dispatch(long_topic).topic == "%RETRY%" + "g" * 121


@pytest.mark.parametrize("topic", ["", "t" * 128, "%RETRY%" + "g" * 249])
def test_a_topic_of_a_wrong_length_is_refused(topic: str) -> None:
    with pytest.raises(MessageIllegal, match="topic"):
        record_size(Message(topic, 0, 0, 0, 1, V4, b"", b"", 0), V4)


def test_properties_beyond_a_signed_short_are_refused() -> None:
    record_size(Message("T", 0, 0, 0, 1, V4, b"", b"p" * 32767, 0), V4)
    with pytest.raises(MessageIllegal, match="32768 bytes"):
        record_size(Message("T", 0, 0, 0, 1, V4, b"", b"p" * 32768, 0), V4)


def test_the_dispatcher_reads_what_it_needs() -> None:
    message = Message("Ördnung", 5, 0, 0x8, 1, V6, b"x" * 9, b"KEYS\x01k\x02TAGS\x01TagA", 0)
    view = read_dispatch(b"..." + encoded(message, log_offset=99), 3)
    assert (view.topic, view.queue_id, view.queue_offset, view.log_offset) == ("Ördnung", 5, 7, 99)
    assert (view.tags_code, view.stored_ms, view.sys_flag & 0xC) == (tags_code("TagA"), 1700000000123, 0x8)


def test_a_property_that_ends_in_tags_is_no_tag() -> None:
    assert read_dispatch(encoded(Message("T", 0, 0, 0, 1, V4, b"", b"MYTAGS\x01A", 0))).tags_code == 0


def test_a_blank_record_says_how_much_it_covers() -> None:
    assert encode_blank(4096) == bytes.fromhex("00001000cbd43194")
    assert check_record(encode_blank(4096), 0, True) == -4096


@pytest.mark.parametrize("cut", range(100))
def test_a_cut_record_is_not_valid(cut: int) -> None:
    assert check_record(VECTOR[:cut], 0, False) == 0


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 5, 6, 7, 84, 85, 86, 87, 90, 92, 93])
def test_a_record_whose_lengths_or_magic_were_changed_is_not_valid(position: int) -> None:
    data = bytearray(VECTOR)
    data[position] ^= 0x41
    assert check_record(bytes(data), 0, False) == 0


def test_a_changed_body_is_found_by_its_crc_alone() -> None:
    data = VECTOR.replace(b"hi", b"ho")
    assert check_record(data, 0, True) == 0
    assert check_record(data, 0, False) == 100


@given(st.binary(max_size=200))
def test_no_bytes_make_the_check_fail(data: bytes) -> None:
    assert check_record(data, 0, True) <= len(data)
    assert check_record(VECTOR[:40] + data, 0, True) <= len(data) + 40


def test_decoding_what_is_no_record_is_an_error() -> None:
    with pytest.raises(LogCorrupt, match="no message record at byte 0"):
        decode_record(bytes(200))


def test_a_sector_lost_from_the_properties_is_noticed() -> None:
    properties = b"KEYS\x01" + b"k" * 1500
    data = encoded(Message("T", 0, 0, 0, 1, V4, b"body", properties, 0))
    torn = data[:1024] + bytes(512) + data[1536:]
    assert check_record(torn, 0, True) == len(torn)
    assert has_lost_sector(torn, 0, len(torn), 0)
    assert not has_lost_sector(data, 0, len(data), 0)
    assert not has_lost_sector(torn, 0, len(torn), 100), "zeros that no sector's borders explain were sent so"


def test_a_body_of_zeros_is_no_lost_sector() -> None:
    data = encoded(Message("T", 0, 0, 0, 1, V4, bytes(3000), b"", 0))
    assert not has_lost_sector(data, 0, len(data), 0)


def test_a_size_is_believed_as_far_as_the_body_leaves_room_for_it() -> None:
    message = a_message(b"x" * 300)
    data = bytearray(encode_record(message, body_crc(message.body), 0, 0, 1, STORE_HOST))
    head = memoryview(data)[:CLAIM_BYTES]
    assert claimed_size(head) == len(data)
    assert claimed_size(head[:90]) == 0
    data[0] = 0x20  # half a gibibyte more than its parts take
    assert claimed_size(head) == 0
    data[0:8] = encode_blank(8)
    assert claimed_size(head) == 0


@pytest.mark.parametrize("host", [STORE_HOST, bytes(range(20))])
@pytest.mark.parametrize("topic", ["T", "%RETRY%" + "g" * 200])
def test_a_message_is_judged_by_all_that_tells(host: bytes, topic: str) -> None:
    message = a_message(b"hello", topic, tag="A")
    data = encode_record(message, body_crc(message.body), 0, 4096, 1, host)
    size = len(data)
    assert is_message(data, 0, size, 4096, topic)
    assert is_message(b"?" + data + b"?", 1, size, 4096, topic)
    assert not is_message(data, 0, size, 4097, topic)
    assert not is_message(data, 0, size, 4096, topic[:-1] + "h")
    assert not is_message(data, 0, size - 1, 4096, topic)
    for at in (7, 8, 28, size - 9 - len(topic), size - 8, size - 7 - len(topic)):
        changed = bytearray(data)
        changed[at] ^= 1
        assert not is_message(bytes(changed), 0, size, 4096, topic), at
