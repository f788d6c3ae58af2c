"""Filters that turn what an inventory says of access rules and TLS into files and properties, and judge it.

Pure functions. No problem has a secret in it, so that tasks may show them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = """
name: security
short_description: Filters about access rules, TLS and secrets
version_added: 0.2.0
description:
  - C(acl_rules) returns the content of RocketMQ's plain_acl.yml.
  - C(tls_settings) returns the text of RocketMQ's tls.properties.
  - C(security_problems) says why what is set can't work together.
  - C(step_problems) says why what runs on a host can't be turned into what is set one daemon after the other.
author: [broker-py developers (@broker-py)]
options: {}
"""

TLS_STEPS = ("none", "offered", "used", "enforced")
SHORTEST_KEY = 7  # what the broker takes
SHORTEST_HA_SECRET = 16
_BACKSLASH = 0x5C


def acl_rules(
    accounts: Sequence[Mapping[str, Any]], white_addresses: Sequence[str], access_key: str, secret_key: str
) -> dict[str, Any]:
    """Return the rules as a value; the account of the playbooks is added as an admin unless it is among `accounts`."""
    own = {"accessKey": access_key, "secretKey": secret_key, "admin": True}
    listed = [
        {name: value for name, value in account.items() if value is not None and value != []} for account in accounts
    ]
    if access_key not in (account["accessKey"] for account in listed):
        listed.insert(0, own)
    return {"globalWhiteRemoteAddresses": list(white_addresses), "accounts": listed}


def tls_settings(places: Mapping[str, str], key_password: str, client_auth: str) -> str:
    """Return the text of a tls.properties; `places` has the paths of `certificate`, `key` and, if there is one, `ca`.

    A daemon shows the same certificate where it is called and where it calls.
    """
    lines = ["# Managed by Ansible (role common): change the inventory, not this file."]
    for side in ("server", "client"):
        lines += [f"tls.{side}.certPath={places['certificate']}", f"tls.{side}.keyPath={places['key']}"]
        if key_password:
            lines.append(f"tls.{side}.keyPassword={_escaped(key_password)}")
        if places.get("ca"):
            lines.append(f"tls.{side}.trustCertPath={places['ca']}")
    lines.append(f"tls.server.need.client.auth={client_auth}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    """Return a value as a properties file has it, so that it reads back the same whatever is in it."""
    units = struct.iter_unpack(">H", value.encode("utf-16-be"))
    return "".join(chr(unit) if 32 < unit < 127 and unit != _BACKSLASH else f"\\u{unit:04x}" for (unit,) in units)


def security_problems(settings: Mapping[str, Any]) -> list[str]:
    """Say why these inputs can't work; `settings` has them by their names."""
    return [*_account_problems(settings), *_tls_problems(settings), *_ha_problems(settings)]


def _account_problems(settings: Mapping[str, Any]) -> list[str]:
    problems = []
    access, secret = settings["common_access_key"], settings["common_secret_key"]
    for name, value in (("common_access_key", access), ("common_secret_key", secret)):
        if (access or secret or settings["broker_acl_enable"]) and len(value) < SHORTEST_KEY:
            problems.append(
                f"{name} has {len(value)} characters, {SHORTEST_KEY} or more are needed: playbooks and slaves sign with"
                " common_access_key and common_secret_key"
            )
    if not settings["broker_acl_enable"]:
        return problems
    accounts = settings["broker_acl_accounts"]
    keys = [account.get("accessKey", "") for account in accounts]
    problems += [
        f"broker_acl_accounts has the accessKey {key} more than once"
        for key in dict.fromkeys(keys)
        if keys.count(key) > 1
    ]
    problems += [
        f"broker_acl_accounts has the account {account.get('accessKey', '')}, which common_access_key names too, with"
        f" {what}"
        for account in accounts
        if account.get("accessKey") == access
        for what, wrong in (
            ("another secretKey than common_secret_key", account.get("secretKey") != secret),
            ("no admin: true", account.get("admin") is not True),
        )
        if wrong
    ]
    if settings["broker_acl_from"] and (accounts or settings["broker_acl_white_addresses"]):
        problems.append(
            "broker_acl_from has the rules taken from there as they are: remove broker_acl_accounts and"
            " broker_acl_white_addresses, or broker_acl_from"
        )
    return problems


def _tls_problems(settings: Mapping[str, Any]) -> list[str]:
    problems = []
    step = settings["common_tls"]
    if step != "none":
        problems += [
            f"common_tls is {step} and {name} is not set: name a file"
            for name in ("common_tls_certificate", "common_tls_key")
            if not settings[name]
        ]
    if settings["common_tls_client_auth"] != "none" and not settings["common_tls_ca"]:
        problems.append(
            f"common_tls_client_auth is {settings['common_tls_client_auth']} and common_tls_ca is not set: whose"
            " certificates count?"
        )
    return problems


def _ha_problems(settings: Mapping[str, Any]) -> list[str]:
    size = len(settings["broker_ha_secret"].strip().encode())
    if not 0 < size < SHORTEST_HA_SECRET:
        return []
    return [f"broker_ha_secret has {size} bytes, a secret has {SHORTEST_HA_SECRET} or more (openssl rand -base64 32)"]


def step_problems(found: Mapping[str, Any], step: str) -> list[str]:
    """Say which daemons can't go to a step of TLS while the others still run the one before.

    `found` is what module host_info found: `secured` properties, and `listeners`. A daemon that dials by TLS needs
    others that take it, and one that takes nothing else needs others that dial so: hence a step at a time.
    """
    ports = {str(each["port"]) for each in found["listeners"]}
    problems = []
    for name, properties in sorted(found["secured"].items()):
        now = tls_step(properties)
        at, to = TLS_STEPS.index(now), TLS_STEPS.index(step)
        if properties["listenPort"] in ports and abs(at - to) > 1:
            between = TLS_STEPS[at + (1 if to > at else -1)]
            problems.append(
                f"runs {name} with common_tls: {now} and would get {step}, which the others can't talk to meanwhile:"
                f" set {between} and go on from there, or stop the cluster first (playbooks/stop.yml)"
            )
    return problems


def tls_step(properties: Mapping[str, str]) -> str:
    """Return the step of TLS that a daemon's properties say."""
    if properties.get("tls.server.mode") == "enforcing":
        return "enforced"
    if properties.get("tls.enable") == "true":
        return "used"
    return "offered" if "tls.config.file" in properties else "none"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "acl_rules": acl_rules,
            "tls_settings": tls_settings,
            "security_problems": security_problems,
            "step_problems": step_problems,
        }
