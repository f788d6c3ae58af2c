"""Filters for firewall rules: pure functions over addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

DOCUMENTATION = """
name: firewall
short_description: Filters for firewall rules
version_added: 0.2.0
description:
  - C(by_family) sorts addresses and networks into C(ip) and C(ip6), each without overlaps, as rules need them.
author: [broker-py developers (@broker-py)]
options: {}
"""


def by_family(addresses: Iterable[str]) -> dict[str, list[str]]:
    """Return the addresses and networks as `ip` and `ip6`; ValueError for a name, which a rule can't hold."""
    networks = [_network(address) for address in addresses]
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return {
        "ip": [str(network) for network in ipaddress.collapse_addresses(four)],
        "ip6": [str(network) for network in ipaddress.collapse_addresses(six)],
    }


def _network(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(address, strict=False)
    except ValueError:
        raise ValueError(
            f"'{address}' is no address or network, which firewall rules need:"
            " set common_address of that host, or correct common_firewall_sources"
        ) from None


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"by_family": by_family}
