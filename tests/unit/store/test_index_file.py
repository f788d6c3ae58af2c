from datetime import datetime

import pytest

from broker_py.store.index_file import (
    ENTRY,
    HEADER_BYTES,
    IndexHeader,
    IndexLayout,
    decode_header,
    index_name,
    is_index_name,
    key_hash,
)

JAVAS = IndexLayout(5_000_000, 20_000_000)


def test_a_file_with_javas_defaults_is_as_long_as_javas() -> None:
    assert JAVAS.file_bytes == 420_000_040
    assert (JAVAS.slot_at(0), JAVAS.entry_at(0)) == (40, 20_000_040)


def test_a_key_lies_where_the_worked_vector_has_it() -> None:
    hashed = key_hash("T", b"k1")
    assert hashed == 2539445
    assert JAVAS.slot_at(hashed % JAVAS.slots) == 10_157_820
    assert JAVAS.entry_at(1) == 20_000_060
    assert ENTRY.pack(hashed, 0x1A2B, 0, 0).hex() == "0026bfb50000000000001a2b0000000000000000"


@pytest.mark.parametrize(
    ("topic", "key", "hashed"),
    [
        ("T", "Aa", 2538191),
        ("T", "BB", 2538191),
        ("T", "DVgcafb", 0),  # -2^31, which has no positive
        ("TopicTest", "order-1", 1_829_193_424),  # the hash is negative
        ("T", "Schlüssel 😀", 1_704_759_267),
        ("", "", 35),
    ],
)
def test_keys_hash_as_in_java_without_the_sign(topic: str, key: str, hashed: int) -> None:
    assert key_hash(topic, key.encode()) == hashed


def test_a_header_is_40_bytes_and_comes_back() -> None:
    header = IndexHeader(1_700_000_000_000, 1_700_000_001_000, 100, 200, 3, 5)
    data = header.encode()
    assert len(data) == HEADER_BYTES
    assert data.hex() == "0000018bcfe568000000018bcfe56be8000000000000006400000000000000c80000000300000005"
    assert decode_header(data) == header


def test_a_file_that_was_made_and_not_used_begins_at_entry_1() -> None:
    assert decode_header(bytes(HEADER_BYTES)) == IndexHeader() == IndexHeader(count=1)


@pytest.mark.parametrize(
    ("begin_ms", "stored_ms", "seconds"),
    [(0, 5000, 0), (1000, 1999, 0), (1000, 2000, 1), (5000, 1000, 0), (5000, 4999, 0), (1, 1 << 60, 0x7FFFFFFF)],
)
def test_entries_have_whole_seconds_after_the_begin_within_31_bits(begin_ms: int, stored_ms: int, seconds: int) -> None:
    assert IndexHeader(begin_ms).seconds_after(stored_ms) == seconds


def test_files_are_named_by_the_local_time() -> None:
    now = datetime(2023, 11, 14, 22, 13, 20, 7000)
    assert index_name(int(now.timestamp() * 1000)) == "20231114221320007"
    assert is_index_name("20231114221320007")
    assert not any(map(is_index_name, ("20231114221320007.bak", "2023111422132000", "2023111422132000x", "owner.json")))
