"""A filter that takes secrets out of texts that leave the hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

DOCUMENTATION = """
name: masking
short_description: A filter that takes secrets out of texts that leave the hosts
version_added: 0.2.0
description:
  - C(masked) replaces what follows the name of a secret (such as C(secretKey=...), C("password":"...") or
    C(--token ...)), passwords in URLs, and private keys. What is masked may be more than what is secret.
author: [broker-py developers (@broker-py)]
options: {}
"""

MASK = "********"

# Part of the name of a setting. An accessKey is half of a pair whose other half is the secret; it tells who.
NAME = r"[\w.-]*(?:passw|passphrase|secret|credential|token|access[_-]?key|api[_-]?key|private[_-]?key)[\w.-]*"
VALUE = r"(?:\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^\s,;&\"'}\]]+)"
# A setting has its value to the end of the line, as passwords may have blanks and quotes.
LINE = re.compile(rf"^([ \t#]*{NAME}[ \t]*[=:][ \t]*)\S.*$", re.IGNORECASE | re.MULTILINE)
PAIR = re.compile(rf"({NAME}[\"']?[ \t]*[=:][ \t]*){VALUE}", re.IGNORECASE)
OPTION = re.compile(rf"(--{NAME}[ \t]+){VALUE}", re.IGNORECASE)
URL = re.compile(r"(\w+://[^\s/:@]*:)[^\s/@]+(?=@)")
PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:(-----END [A-Z ]*PRIVATE KEY-----)|\Z)", re.DOTALL)


def masked(text: str) -> str:
    """Return the text with a mask in place of each secret."""
    text = PRIVATE_KEY.sub(lambda match: f"{match[1]}\n{MASK}\n{match[2] or ''}", text)
    for pattern in (LINE, PAIR, OPTION, URL):
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"masked": masked}
