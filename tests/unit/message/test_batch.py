import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import ProtocolError
from broker_py.message.batch import BatchItem, decode_batch, encode_batch

ITEM = BatchItem(5, b"hi", b"TAGS\x01A")


def test_an_entry_is_byte_for_byte_what_clients_send() -> None:
    assert encode_batch([ITEM]).hex() == "0000001e0000000000000000000000050000000268690006544147530141"


@given(st.lists(st.tuples(st.integers(-9, 9), st.binary(max_size=40), st.binary(max_size=40))))
def test_what_is_encoded_is_decoded(items: list[tuple[int, bytes, bytes]]) -> None:
    decoded = decode_batch(encode_batch([BatchItem(*item) for item in items]))
    assert [(item.flag, bytes(item.body), item.properties) for item in decoded] == items


def test_the_requests_properties_follow_each_messages_own() -> None:
    items = decode_batch(encode_batch([ITEM, BatchItem(0, b"", b"")]), b"WAIT\x01true")
    assert [item.properties for item in items] == [b"TAGS\x01A\x02WAIT\x01true", b"WAIT\x01true"]


def test_the_requests_unique_key_does_not_shadow_each_messages_own() -> None:
    data = encode_batch([BatchItem(0, b"", b"UNIQ_KEY\x01own")])
    (item,) = decode_batch(data, b"UNIQ_KEY\x01batch\x02WAIT\x01true")
    assert item.properties == b"UNIQ_KEY\x01own\x02WAIT\x01true"


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_cut_body_is_refused(cut: int) -> None:
    with pytest.raises(ProtocolError, match="batch"):
        decode_batch(encode_batch([ITEM])[:cut])


@pytest.mark.parametrize("position", [0, 3, 16, 19, 23])
def test_lengths_that_disagree_are_refused(position: int) -> None:
    data = bytearray(encode_batch([ITEM, ITEM]))
    data[position] ^= 0x81
    with pytest.raises(ProtocolError, match="batch"):
        decode_batch(bytes(data))


@given(st.binary(max_size=100))
def test_garbage_is_decoded_or_refused(data: bytes) -> None:
    try:
        decode_batch(data)
    except ProtocolError:
        pass
