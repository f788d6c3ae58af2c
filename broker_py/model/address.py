"""Addresses of daemons, as text: "host:port", IPv6 hosts in brackets; several separated by ";"."""

import re
from typing import Final

from broker_py.errors import ConfigError

_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?")


def split_address(address: str) -> tuple[str, int]:
    """Return host and port; ConfigError names what is wrong."""
    host, colon, port = address.strip().rpartition(":")
    if not colon or not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise ConfigError(f"'{address}' is not an address of the form host:port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        sound = _IPV6.fullmatch(host)
    elif ":" in host:
        raise ConfigError(f"'{address}' has an IPv6 host without brackets; write [host]:port")
    else:
        sound = _HOST.fullmatch(host)
    if sound is None:
        raise ConfigError(f"'{address}' has {host!r} for a host, which is neither a name nor an IP address")
    return host, int(port)


def split_addresses(text: str) -> tuple[str, ...]:
    """Return the addresses of "a:1;b:2", checked, in their order and each once."""
    addresses = [part.strip() for part in text.split(";") if part.strip()]
    for address in addresses:
        split_address(address)
    return tuple(dict.fromkeys(addresses))
