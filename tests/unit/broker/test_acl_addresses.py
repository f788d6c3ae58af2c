"""White lists of addresses: every form that Java's files have, and what none of them may mean."""

import pytest

from broker_py.broker.acl.addresses import WhiteList
from broker_py.errors import ConfigError


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("*", ["1.2.3.4", "fe80::1"], []),
        ("*.*.*.*", ["1.2.3.4"], []),
        ("*:*:*:*:*:*:*:*", ["fe80::1"], []),
        ("", [], ["1.2.3.4", "::1"]),
        ("10.0.0.7", ["10.0.0.7", "::ffff:10.0.0.7"], ["10.0.0.70", "10.0.0.8"]),
        ("10.0.0.7, 10.0.0.8", ["10.0.0.7", "10.0.0.8"], ["10.0.0.9"]),
        ("10.0.0.{7,8}", ["10.0.0.7", "10.0.0.8"], ["10.0.0.9"]),
        ("10.0.0.*", ["10.0.0.0", "10.0.0.255"], ["10.0.1.0"]),
        ("10.0.*.*", ["10.0.0.0", "10.0.200.255"], ["10.1.1.0"]),
        ("10.*.*.*", ["10.7.0.0"], ["11.1.1.0"]),
        ("10.0.3-9.*", ["10.0.3.1", "10.0.9.1"], ["10.0.2.1", "10.0.10.1"]),
        ("10.0.0.3-9", ["10.0.0.3", "10.0.0.9"], ["10.0.0.10"]),
        ("fe80::1", ["fe80::1", "FE80:0:0:0:0:0:0:1", "fe80::1%eth0"], ["fe80::2"]),
        ("fe80::{1,a}", ["fe80::1", "fe80::a"], ["fe80::2"]),
        ("1:2:3:4:5:6:7:*", ["1:2:3:4:5:6:7:ffff"], ["1:2:3:4:5:6:8:0"]),
        ("1:2:3:4:5:6:1-20:*", ["1:2:3:4:5:6:1:9", "1:2:3:4:5:6:20:9"], ["1:2:3:4:5:6:21:0", "1:2:3:4:5:6:0:0"]),
        ("2::ac5:78:1-200:*", ["2::ac5:78:1:5", "2::ac5:78:200:5"], ["2::ac5:78:201:5"]),
        ("2::ac5:78:1-20", ["2::ac5:78:1", "2::ac5:78:20"], ["2::ac5:78:21"]),
        ("fe80::*", ["fe80::1", "fe80::ffff"], ["fe80::1:1"]),
    ],
)
def test_a_pattern_means_these_and_not_those(pattern: str, inside: list[str], outside: list[str]) -> None:
    white = WhiteList([pattern])
    assert [host for host in inside if not white.matches(host)] == []
    assert [host for host in outside if white.matches(host)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "localhost",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.300-400",
        "10.0.0.9-3",
        "10.0.0.-3",
        "*.0.0.1",
        "1-2.0.0.1",
        "10.*.3.4",
        "10.0.0.{1,x}",
        "10.0.0.1}",
        "10.0.0{1,2}",
        "1.2.3.4,5",
        "fe80::1-2:1:*:1",
        "fe80:*:1",
        "fe80::g-h",
        "fe80::1-20000",
        "**",
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="is no address, list or range"):
        WhiteList([pattern])


def test_a_peer_without_an_ip_address_is_in_no_list_but_that_of_all() -> None:
    assert not WhiteList(["10.0.0.*"]).matches("?")
    assert WhiteList(["*"]).matches("?")
