"""Frames that no sane peer sends, the same ones for a seed.

A frame is made in three steps, each of which may spoil it: fields and body of a request (`Requests`), the header that
carries them, and the bytes.
"""

import json
from random import Random
from struct import pack, unpack_from
from typing import Any, Final

from broker_py.wire.frame import encode_command
from tests.mutations.bodies import damaged
from tests.mutations.requests import Requests

_WRONG: Final = (
    *('""', "null", "true", "1.5", "1e400", "-1", "99999999999", "9" * 5000, "NaN", "Infinity", "[]", "{}"),
    *('"\\ud800"', '{"topic":"\\ud800"}', '{"topic":null}', '{"topic":1}', '{"topic":{}}', '{"a":"b","a":"c"}'),
    *("[" * 100_000, "9" * 1_000_000, '"' + "x" * 200_000, '{"a":' * 50_000, '"\\u0000"', "\x01", "'a'", "0x1", "-0"),
)


class MutatedFrames:
    """An endless row of frames; `sound` ones keep their connection alive, the others may end it."""

    def __init__(self, random: Random, requests: Requests) -> None:
        self._random = random
        self._requests = requests

    def sound(self) -> bytes:
        """Return a frame that is well-formed but for what it says."""
        return encode_command(self._requests.next())

    def unsound(self) -> bytes:
        """Return a frame that breaks the format somewhere, or bytes that are no frame at all."""
        random = self._random
        frame = self.sound()
        makers = (self._flipped, self._lying, self._typed, self._header, self._binary, self._noise, self._cut)
        return random.choice((*makers, self._glued))(frame)

    def _flipped(self, frame: bytes) -> bytes:
        head = self._random.choice((8, 64, len(frame)))  # most of what is interesting comes early
        return damaged(self._random, frame[:head]) + frame[head:]

    def _cut(self, frame: bytes) -> bytes:
        return frame[: self._random.randrange(len(frame))]

    def _noise(self, frame: bytes) -> bytes:
        return self._random.randbytes(self._random.randrange(1, 64))

    def _glued(self, frame: bytes) -> bytes:
        """Two frames with some bytes between, or of which the first lacks its end."""
        random = self._random
        between = random.randbytes(random.randrange(4))
        return frame[: len(frame) - random.randrange(4)] + between + self.sound()

    def _lying(self, frame: bytes) -> bytes:
        """The frame with a wrong total, or with a wrong length of its header."""
        total, mark = unpack_from(">iI", frame)
        header = mark & 0xFFFFFF
        lies = (-(1 << 31), -1, 0, 1, 3, 4, 8, total - 1, total + 1, header - 1, header + 1, 1 << 20, (1 << 31) - 1)
        lie = self._random.choice(lies)
        if self._random.random() < 0.5:
            return pack(">iI", lie, mark) + frame[8:]
        return pack(">iI", total, (mark & 0xFF000000) | (lie & 0xFFFFFF)) + frame[8:]

    def _typed(self, frame: bytes) -> bytes:
        """The frame with another type of header than it has."""
        kind = self._random.choice((0, 1, 2, 127, 255))
        return frame[:4] + bytes((kind,)) + frame[5:]

    def _binary(self, frame: bytes) -> bytes:
        """A binary header with a wrong length, or with text that is no UTF-8, in one of its places."""
        random = self._random
        key, value = random.choice((b"topic", b"\xff\xfe", b"", b"a")), random.choice((b"Fuzz1", b"\xed\xa0\x80", b""))
        lie = random.choice((-1, 0, 1, 32767, -32768))
        ext = pack(">h", len(key)) + key + pack(">i", len(value)) + value
        spoilt = random.choice((ext, pack(">h", lie) + ext[2:], ext[:-1], ext + b"\0", pack(">h", 1) + ext))
        remark = random.choice((b"", b"\xff", b"remark"))
        sizes = [len(remark), len(spoilt)]
        if random.random() < 0.5:
            sizes[random.randrange(2)] = random.choice((-1, 0, 1, 1 << 20, (1 << 31) - 1, -(1 << 31)))
        head = pack(">hBhii", random.choice((10, 11, 34, -1, 105)), random.choice((0, 7, 99, 255)), 433, 1, 0)
        header = head + pack(">i", sizes[0]) + remark + pack(">i", sizes[1]) + spoilt
        return pack(">iI", 4 + len(header), 1 << 24 | len(header)) + header

    def _header(self, frame: bytes) -> bytes:
        """A JSON header of which a value is of a wrong type or size, or that is no object."""
        random = self._random
        header: dict[str, Any] = {"code": 105, "flag": 0, "opaque": 1, "language": "JAVA", "version": 433}
        name = random.choice([*header, "extFields", "remark", "serializeTypeCurrentRPC", "unknown"])
        items = [f'"{key}":{json.dumps(value)}' for key, value in header.items() if key != name]
        text = "{" + ",".join([*items, f'"{name}":{random.choice(_WRONG)}']) + "}"
        if random.random() < 0.1:
            text = random.choice(("", "[]", "1", '"x"', "null", "\ufeff{}", "{", "{}", "\x00"))
        data = text.encode()
        if random.random() < 0.1:
            data = data.replace(b"JAVA", b"\xff\xfe")
        return pack(">iI", 4 + len(data), len(data)) + data
