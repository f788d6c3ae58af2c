"""Bytes for the replication port and for a slave, of which something is wrong."""

from random import Random
from struct import pack
from typing import Final

from tests.mutations.bodies import damaged

_OFFSETS: Final = (0, 1, -1, 91, 1000, 1 << 31, 1 << 62, (1 << 63) - 1, -(1 << 63))
_SIZES: Final = (0, 1, -1, 10, 1 << 22, (1 << 22) + 1, 1 << 30, (1 << 31) - 1, -(1 << 31))


class ReplicationBytes:
    """What peers send of which `end` is where the log ends that they talk about."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def reports(self, end: int) -> bytes:
        """What a slave sends: reports, some of which are none."""
        random = self._random
        near = (end, end - 1, end + 1, end // 2)
        data = b"".join(
            pack(">q", random.choice(near if random.random() < 0.6 else _OFFSETS)) for _ in range(random.randint(1, 3))
        )
        return self._spoilt(data)

    def frames(self, end: int, log: bytes) -> bytes:
        """What a master sends: frames that go on where `log` ends, some of which do not."""
        random = self._random
        data = b""
        for _ in range(random.randint(1, 3)):
            piece = log[end : end + random.choice((0, 1, 10, 100))]
            offset = end if random.random() < 0.7 else random.choice((*_OFFSETS, end - 1, end + 1))
            size = len(piece) if random.random() < 0.8 else random.choice(_SIZES)
            data += pack(">qi", offset, size) + piece
            end += len(piece)
        return self._spoilt(data)

    def handshake(self) -> bytes:
        """What proves a secret, or does not."""
        random = self._random
        return self._spoilt(b"\xbebrkpyha" + random.randbytes(32) + random.randbytes(32))

    def _spoilt(self, data: bytes) -> bytes:
        choice = self._random.random()
        if choice < 0.3:
            return damaged(self._random, data)
        if choice < 0.35:
            return self._random.randbytes(self._random.randrange(1, 60))
        if choice < 0.37:
            return b"GET / HTTP/1.1\r\n\r\n"
        return data
