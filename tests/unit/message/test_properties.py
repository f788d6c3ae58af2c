import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.message.properties import (
    decode_properties,
    drop_property,
    encode_properties,
    join_properties,
    property_value,
)

TEXT = st.text(st.characters(exclude_characters="\x01\x02", codec="utf-8"), min_size=1)


def test_items_are_joined_without_a_final_separator() -> None:
    assert encode_properties({"TAGS": "A", "KEYS": "k1 k2"}) == b"TAGS\x01A\x02KEYS\x01k1 k2"
    assert encode_properties({}) == b""


def test_empty_names_and_values_are_not_written() -> None:
    assert encode_properties({"": "x", "KEYS": "", "TAGS": "A"}) == b"TAGS\x01A"


@pytest.mark.parametrize(
    ("data", "properties"),
    [
        (b"", {}),
        (b"A\x01b\x02", {"A": "b"}),
        (b"A\x01\x02B\x01c", {"B": "c"}),
        (b"\x01b\x02B\x01c", {"B": "c"}),
        (b"no separator\x02B\x01c", {"B": "c"}),
        (b"A\x01first\x02A\x01last", {"A": "last"}),
        (b"A\x01b\x01c", {"A": "b\x01c"}),
        ("Ä\x01ö€".encode(), {"Ä": "ö€"}),
    ],
)
def test_readers_drop_what_java_drops(data: bytes, properties: dict[str, str]) -> None:
    assert decode_properties(data) == properties
    assert decode_properties(memoryview(data)) == properties


def test_bytes_that_are_no_utf_8_do_not_stop_the_reader() -> None:
    assert decode_properties(b"A\x01\xff\x02B\x01c")["B"] == "c"


@given(st.dictionaries(TEXT, TEXT))
def test_what_is_written_is_read_again(properties: dict[str, str]) -> None:
    assert decode_properties(encode_properties(properties)) == properties


def test_a_dropped_property_leaves_the_others_as_they_were() -> None:
    data = b"UNIQ_KEY\x01x\x02TAGS\x01A\x02XUNIQ_KEY\x01y"
    assert drop_property(data, "UNIQ_KEY") == b"TAGS\x01A\x02XUNIQ_KEY\x01y"
    assert drop_property(b"TAGS\x01A", "UNIQ_KEY") == b"TAGS\x01A"


def test_joining_puts_one_separator_between() -> None:
    assert join_properties(b"A\x01b", b"C\x01d") == b"A\x01b\x02C\x01d"
    assert join_properties(b"A\x01b\x02", b"C\x01d") == b"A\x01b\x02C\x01d"
    assert join_properties(b"", b"C\x01d") == b"C\x01d"
    assert join_properties(b"A\x01b", b"") == b"A\x01b"


@given(st.lists(st.sampled_from([b"A\x01x", b"A\x01", b"A\x01x\x01y", b"BA\x01b", b"A", b"", b"B\x01A\x01z"])))
def test_one_value_is_what_decoding_all_would_give(items: list[bytes]) -> None:
    data = b"\x02".join(items)
    expected = decode_properties(data).get("A")
    assert property_value(data, b"A") == (None if expected is None else expected.encode())
