"""White lists of addresses, in the forms of a plain ACL file (acl plain/RemoteAddressStrategyFactory).

*                                      every address
10.0.0.7   fe80::1                     one
10.0.0.7,10.0.0.8                      several
10.0.0.{7,8}   fe80::{1,2}             several that differ in their last part
10.0.*.*   10.0.1-9.*   10.0.0.1-9     all of a range; behind it comes nothing but *
fe80::1:2:*   fe80::1:2:1-200:*        the same, in hexadecimal; the star is the last part
"""

from collections.abc import Sequence
from ipaddress import AddressValueError, IPv6Address, ip_address
from typing import Final

from broker_py.errors import ConfigError

_ALL: Final = frozenset({"*", "*.*.*.*", "*:*:*:*:*:*:*:*"})
_MAX_ALTERNATIVES: Final = 4096
# Lowest and highest number of each part of an address: four of up to 255 or eight of up to 65535.
_Ranges = tuple[tuple[int, int], ...]


class WhiteList:
    """The addresses that a list of patterns means. ConfigError names a pattern that can't be meant."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._all = False
        self._exact: set[tuple[int, ...]] = set()
        self._ranges: list[_Ranges] = []
        for pattern in patterns:
            self._add(pattern.strip())

    def __bool__(self) -> bool:
        return self._all or bool(self._exact) or bool(self._ranges)

    def matches(self, host: str) -> bool:
        """True for the IP address of a peer that is meant."""
        if self._all:
            return True
        if not self._exact and not self._ranges:
            return False
        try:
            parts = _parts_of(host.partition("%")[0])
        except ValueError:
            return False
        if parts in self._exact:
            return True
        return any(
            len(ranges) == len(parts)
            and all(low <= part <= high for part, (low, high) in zip(parts, ranges, strict=True))
            for ranges in self._ranges
        )

    def _add(self, pattern: str) -> None:
        if not pattern:
            return
        try:
            if pattern in _ALL:
                self._all = True
            elif pattern.endswith("}"):
                self._exact.update(map(_parts_of, _alternatives(pattern)))
            elif "," in pattern:
                self._exact.update(_parts_of(part.strip()) for part in pattern.split(",") if part.strip())
            elif "*" in pattern or "-" in pattern:
                self._ranges.append(_ipv6_ranges(pattern) if ":" in pattern else _ipv4_ranges(pattern))
            else:
                self._exact.add(_parts_of(pattern))
        except ValueError:
            raise ConfigError(
                f"'{pattern[:100]}' is no address, list or range (10.0.0.7, 10.0.0.{{7,8}}, 10.0.1-9.*, fe80::1:*)"
            ) from None


def _parts_of(text: str) -> tuple[int, ...]:
    """Return the numbers of an address; ValueError when it is none. IPv4 within IPv6 is IPv4."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            packed = address.packed
            return tuple(packed[i] << 8 | packed[i + 1] for i in range(0, 16, 2))
        address = address.ipv4_mapped
    return tuple(address.packed)


def _alternatives(pattern: str) -> list[str]:
    head, brace, tail = pattern.partition("{")
    if not brace or not head.endswith((".", ":")):
        raise ValueError(pattern)
    parts = tail[:-1].split(",")
    if len(parts) > _MAX_ALTERNATIVES:
        raise ValueError(pattern)
    return [head + part.strip() for part in parts]


def _ipv4_ranges(pattern: str) -> _Ranges:
    parts = [part.strip() for part in pattern.split(".")]
    if len(parts) != 4 or parts[0] == "*" or "-" in parts[0]:
        raise ValueError(pattern)
    ranges: list[tuple[int, int]] = []
    open_ended = False
    for part in parts:
        if open_ended and part != "*":
            raise ValueError(pattern)
        ranges.append(_range(part, 10, 255))
        open_ended = open_ended or part == "*" or "-" in part
    return tuple(ranges)


def _ipv6_ranges(pattern: str) -> _Ranges:
    behind: list[tuple[int, int]] = []
    head, _, last = pattern.rpartition(":")
    if last == "*":
        behind.insert(0, (0, 0xFFFF))
        further, _, part = head.rpartition(":")
        if "-" in part:
            head, last = further, part
    if "-" in last:
        behind.insert(0, _range(last, 16, 0xFFFF))
    if head.endswith(":") and not head.endswith("::"):
        head += ":"
    # The head is an address that lacks the parts behind: completed by zeros it must be one.
    try:
        address = IPv6Address(head + ":0" * len(behind) if not head.endswith("::") else head + "0" * bool(behind))
    except AddressValueError:
        raise ValueError(pattern) from None
    packed = address.packed
    parts = [packed[i] << 8 | packed[i + 1] for i in range(0, 16, 2)]
    return (*((part, part) for part in parts[: 8 - len(behind)]), *behind)


def _range(text: str, base: int, highest: int) -> tuple[int, int]:
    if text == "*":
        return 0, highest
    low_text, minus, high_text = text.partition("-")
    if not low_text.isalnum() or (minus and not high_text.isalnum()):
        raise ValueError(text)
    low = int(low_text, base)
    high = int(high_text, base) if minus else low
    if not low <= high <= highest:
        raise ValueError(text)
    return low, high
