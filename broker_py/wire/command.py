"""A command: one request or reply, as it lies between the frame and the handlers."""

from collections.abc import Sequence
from typing import Final

from broker_py.wire.codes import LANGUAGE_PYTHON, VERSION

FLAG_RESPONSE: Final = 1
FLAG_ONEWAY: Final = 2

TYPE_JSON: Final = 0
TYPE_BINARY: Final = 1

Chunk = bytes | bytearray | memoryview
NO_BODY: Final = b""


class Command:
    """One request or reply (remoting protocol/RemotingCommand).

    `ext` holds the header fields as text, as the wire has them. `body` is what a decoder found; an encoder
    also takes the pieces of a body, which are joined only at the socket.
    """

    __slots__ = ("body", "code", "ext", "flag", "language", "opaque", "remark", "serialize_type", "version")

    def __init__(
        self,
        code: int,
        ext: dict[str, str] | None = None,
        body: bytes = NO_BODY,
        *,
        flag: int = 0,
        opaque: int = 0,
        remark: str | None = None,
        language: int = LANGUAGE_PYTHON,
        version: int = VERSION,
        serialize_type: int = TYPE_JSON,
    ) -> None:
        self.code = code
        self.ext: dict[str, str] = {} if ext is None else ext
        self.body = body
        self.flag = flag
        self.opaque = opaque
        self.remark = remark
        self.language = language
        self.version = version
        self.serialize_type = serialize_type

    def strip(self) -> None:
        """Keep only what its reply needs: it is one of thousands that wait."""
        self.body = NO_BODY
        self.ext = {}

    @property
    def is_response(self) -> bool:
        """True for a reply."""
        return self.flag & FLAG_RESPONSE != 0

    @property
    def is_oneway(self) -> bool:
        """True for a request that must not be answered, not even with an error."""
        return self.flag & FLAG_ONEWAY != 0

    def __repr__(self) -> str:
        kind = "reply" if self.is_response else "request"
        return f"<{kind} {self.code} opaque {self.opaque} ext {self.ext} body {len(self.body)} bytes>"


class Reply:
    """What a handler answers; the connection adds the request's opaque and header type."""

    __slots__ = ("body", "code", "ext", "remark")

    def __init__(
        self,
        code: int = 0,
        remark: str | None = None,
        ext: dict[str, str] | None = None,
        body: Chunk | Sequence[Chunk] = NO_BODY,
    ) -> None:
        self.code = code
        self.remark = remark
        self.ext = ext
        self.body = body
