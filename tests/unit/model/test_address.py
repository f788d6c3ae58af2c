"""Addresses as text."""

import pytest

from broker_py.errors import ConfigError
from broker_py.model.address import split_address, split_addresses


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:9876", ("127.0.0.1", 9876)),
        (" mq.example.com:1 ", ("mq.example.com", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, parts: tuple[str, int]) -> None:
    assert split_address(text) == parts


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:0", "host:65536", "host:-1", "host:٣x", "a:b", "::1:80"]
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not an address|without brackets"):
        split_address(text)


def test_several_addresses_keep_their_order_and_come_once() -> None:
    assert split_addresses("b:2; a:1 ;b:2;;") == ("b:2", "a:1")
    assert split_addresses("") == ()


def test_one_wrong_address_among_several_is_named() -> None:
    with pytest.raises(ConfigError, match="'b' is not"):
        split_addresses("a:1;b")
