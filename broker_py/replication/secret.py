"""How master and slave show each other that they know one secret, before anything else passes between them.

    slave → master   hello       magic[8] | slave's nonce[32]
    master → slave   challenge   master's nonce[32]
    slave → master   proof       HMAC-SHA256(secret, "slave"  | slave's nonce | master's nonce)
    master → slave   proof       HMAC-SHA256(secret, "master" | slave's nonce | master's nonce)

and then reports and frames as ever. RocketMQ has nothing like it: a Java broker can be neither of the two. As it takes
each 8 bytes of a hello for an acknowledgement, all of them are negative numbers, which move nothing there.
What passes afterwards is neither secret nor protected from who sits between.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from broker_py.errors import ConfigError
from broker_py.replication.master_log import FollowRefused
from broker_py.replication.progress import SlaveRefused
from broker_py.seams import FileSystem, read_file

NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32
SHORTEST_BYTES: Final = 16
_MAGIC: Final = b"\xbebrkpyha"  # no offset, being negative
_WORD: Final = 8
_HELLO_BYTES: Final = len(_MAGIC) + NONCE_BYTES


@dataclass(frozen=True)
class Secret:
    """What both know, and where nonces come from: `random(n)` returns n bytes that nobody can guess.

    `patience_seconds` is how long each side waits for the other's proof.
    """

    value: bytes
    random: Callable[[int], bytes]
    patience_seconds: float = 5.0

    def proof(self, role: bytes, slave_nonce: bytes, master_nonce: bytes) -> bytes:
        """Return what only who knows the secret can say."""
        return hmac.digest(self.value, role + slave_nonce + master_nonce, "sha256")


def secret_of(content: bytes, path: str) -> bytes:
    """Return the secret that a file holds, without blanks around it; ConfigError when it is too short to be one."""
    value = content.strip()
    if len(value) < SHORTEST_BYTES:
        raise ConfigError(
            f"haSecretFile: {path} holds {len(value)} bytes, a secret has {SHORTEST_BYTES} at least "
            "(openssl rand -base64 32 > FILE)"
        )
    return value


def read_secret(files: FileSystem, path: str) -> bytes | None:
    """Return the secret in the file of haSecretFile, None where it is not set; ConfigError when there is none in it."""
    if not path:
        return None
    try:
        return secret_of(read_file(files, path), path)
    except OSError as error:
        raise ConfigError(f"haSecretFile: {path} can't be read: {error.strerror}") from error


def is_hello(data: bytes) -> bool:
    """True when a slave begins by offering to prove a secret, as far as its first bytes are here."""
    return _MAGIC.startswith(data[: len(_MAGIC)])


class MasterHandshake:
    """The master's side of one connection."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._held = b""
        self._slave_nonce = b""
        self._nonce = b""
        self.done = False

    def receive(self, data: bytes) -> bytes:
        """Return what to answer to `data`; SlaveRefused when it is not what a slave with the secret sends."""
        self._held += data
        answer = b""
        if not self._nonce and not is_hello(self._held):
            raise _stranger()
        if not self._nonce and len(self._held) >= _HELLO_BYTES:
            self._slave_nonce, self._held = self._held[len(_MAGIC) : _HELLO_BYTES], self._held[_HELLO_BYTES:]
            answer = self._nonce = self._secret.random(NONCE_BYTES)
        if self._nonce and len(self._held) >= PROOF_BYTES:
            wanted = self._secret.proof(b"slave", self._slave_nonce, self._nonce)
            if len(self._held) > PROOF_BYTES or not hmac.compare_digest(self._held, wanted):
                raise SlaveRefused("its proof of the secret is wrong: haSecretFile must hold the same on both")
            self._held = b""
            self.done = True
            answer += self._secret.proof(b"master", self._slave_nonce, self._nonce)
        return answer


class SlaveHandshake:
    """The slave's side of one connection: `hello` is sent first."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._held = b""
        nonce = bytearray(secret.random(NONCE_BYTES))
        for start in range(0, NONCE_BYTES, _WORD):
            nonce[start] |= 0x80
        self._nonce = bytes(nonce)
        self._master_nonce = b""
        self.hello = _MAGIC + self._nonce
        self.done = False

    @property
    def proved(self) -> bool:
        """True when the master has what it needs to judge this slave."""
        return bool(self._master_nonce)

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what to answer to `data`, and what of it is behind the handshake; FollowRefused for a wrong proof."""
        self._held += data
        answer = b""
        if not self._master_nonce and len(self._held) >= NONCE_BYTES:
            self._master_nonce, self._held = self._held[:NONCE_BYTES], self._held[NONCE_BYTES:]
            answer = self._secret.proof(b"slave", self._nonce, self._master_nonce)
        if not self._master_nonce or len(self._held) < PROOF_BYTES:
            return answer, b""
        proof, rest = self._held[:PROOF_BYTES], self._held[PROOF_BYTES:]
        if not hmac.compare_digest(proof, self._secret.proof(b"master", self._nonce, self._master_nonce)):
            raise FollowRefused("the master doesn't know the secret: haSecretFile must hold the same on both")
        self._held = b""
        self.done = True
        return answer, rest


def _stranger() -> SlaveRefused:
    return SlaveRefused(
        "it doesn't offer to prove the secret of haSecretFile: give it the same file, or give none to either "
        "(a Java broker can't have one)"
    )
