"""How a client signs its requests, and what a broker compares (acl common/AclClientRPCHook, AclUtils, AclSigner).

    Signature = Base64(HMAC-SHA1(secret key, the values of all other ext fields, sorted by name, and the body))

Nothing in it is fresh: who reads a request on its way can send it again. TLS is what keeps it from being read.
"""

import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.errors import ConfigError
from broker_py.wire.command import Command

ACCESS_KEY: Final = "AccessKey"
SIGNATURE: Final = "Signature"
SECURITY_TOKEN: Final = "SecurityToken"
# Clients up to V4_9_3 add this field after they have signed.
_UNSIGNED_BY_OLD: Final = "_UNIQUE_KEY_QUERY"
_VERSION_OLD: Final = 399


@dataclass(frozen=True)
class Credentials:
    """Who signs (acl common/SessionCredentials). Its text form leaves the secrets out."""

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


def credentials_of(values: Any, source: str) -> Credentials:
    """Return what a file like RocketMQ's conf/tools.yml says: accessKey, secretKey, securityToken; ConfigError."""
    texts: dict[str, str] = {}
    for name in ("accessKey", "secretKey", "securityToken"):
        value = values.get(name) if isinstance(values, dict) else None
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                raise ConfigError(f"{source}: {name} is no text; put it in quotes")
            texts[name] = str(value)
    if not texts.get("accessKey") or not texts.get("secretKey"):
        raise ConfigError(f"{source} lacks accessKey or secretKey")
    return Credentials(texts["accessKey"], texts["secretKey"], texts.get("securityToken"))


def signed_content(command: Command) -> bytes:
    """Return the bytes that the signature of a request is made of."""
    ext = command.ext
    names = sorted(ext)
    old = command.version <= _VERSION_OLD
    fields = "".join(
        ext[name] for name in names if name != SIGNATURE and not (old and name == _UNSIGNED_BY_OLD)
    ).encode("utf-8", "surrogatepass")
    return fields + command.body if command.body else fields


def signature_of(content: bytes, secret_key: str) -> str:
    """Return the signature of a content."""
    return b64encode(hmac.digest(secret_key.encode(), content, "sha1")).decode()


def sign(command: Command, credentials: Credentials) -> None:
    """Add who sends a request, and the signature, to its ext fields. They must not change afterwards."""
    command.ext[ACCESS_KEY] = credentials.access_key
    if credentials.security_token is not None:
        command.ext[SECURITY_TOKEN] = credentials.security_token
    command.ext[SIGNATURE] = signature_of(signed_content(command), credentials.secret_key)
