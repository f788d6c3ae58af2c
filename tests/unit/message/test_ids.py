import pytest

from broker_py.errors import ProtocolError
from broker_py.message.ids import UniqueIds, decode_offset_message_id, offset_message_id, pack_host, unpack_host
from tests.support.clock import ManualClock


def test_an_address_is_packed_as_records_hold_it() -> None:
    assert pack_host("192.168.56.11", 10911) == bytes.fromhex("c0a8380b00002a9f")
    assert unpack_host(pack_host("192.168.56.11", 10911)) == ("192.168.56.11", 10911)
    assert len(pack_host("fe80::1", 1)) == 20
    assert unpack_host(pack_host("fe80::1", 65535)) == ("fe80::1", 65535)


def test_a_host_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="broker-a"):
        pack_host("broker-a", 1)


def test_an_offset_id_names_broker_and_place() -> None:
    message_id = offset_message_id(pack_host("192.168.56.11", 10911), 0x1A2B)
    assert message_id == "C0A8380B00002A9F0000000000001A2B"
    assert decode_offset_message_id(message_id) == (pack_host("192.168.56.11", 10911), 0x1A2B)


def test_an_ipv6_offset_id_has_56_digits() -> None:
    message_id = offset_message_id(pack_host("::1", 10911), 7)
    assert len(message_id) == 56
    assert decode_offset_message_id(message_id) == (pack_host("::1", 10911), 7)


@pytest.mark.parametrize("text", ["", "xyz", "C0A8", "C0A8380B00002A9F0000000000001A2", "Z" * 32])
def test_what_is_no_offset_id_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="offset message id"):
        decode_offset_message_id(text)


def test_unique_ids_have_32_digits_and_differ() -> None:
    ids = UniqueIds("10.0.0.1", 0x12345, 0x1BADB002, ManualClock())
    made = {ids.next_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(unique_id) for unique_id in made} == {32}
    assert all(unique_id.startswith("0A00000123451BADB002") for unique_id in made)


def test_unique_ids_of_a_later_time_differ_when_the_counter_is_the_same() -> None:
    clock = ManualClock()
    first = UniqueIds("10.0.0.1", 1, 2, clock).next_id()
    clock.advance(1)
    second = UniqueIds("10.0.0.1", 1, 2, clock).next_id()
    assert int(second[20:28], 16) == int(first[20:28], 16) + 1
