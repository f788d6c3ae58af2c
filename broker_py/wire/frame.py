"""Frames: how commands follow one another on a connection.

    total:i32 | mark:i32 | header[headerLength] | body[total - 4 - headerLength]

The top byte of `mark` is the header's type, its low 24 bits the header's length. Source: remoting
netty/NettyDecoder, protocol/RemotingCommand.
"""

from struct import Struct
from typing import Final

from broker_py.errors import ProtocolError
from broker_py.wire.command import TYPE_BINARY, TYPE_JSON, Chunk, Command
from broker_py.wire.header_binary import decode_binary_header, encode_binary_header
from broker_py.wire.header_json import decode_json_header, encode_json_header

MAX_FRAME_BYTES: Final = 16_777_216
MAX_HEADER_BYTES: Final = 1 << 20
_PREFIX: Final = Struct(">iI")
_PREFIX_BYTES: Final = 8
_HEADER_LENGTH: Final = 0xFFFFFF


class FrameDecoder:
    """Cuts a byte stream into commands. After a ProtocolError the stream can't be used any more."""

    __slots__ = ("_buffer", "_max_frame_bytes", "_max_header_bytes", "_wanted")

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES, max_header_bytes: int = MAX_HEADER_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._max_header_bytes = max_header_bytes
        self._buffer = bytearray()
        self._wanted = _PREFIX_BYTES  # bytes that must be there before looking again makes sense

    @property
    def pending_bytes(self) -> int:
        """Bytes received of a frame that is not complete."""
        return len(self._buffer)

    def header_pending(self) -> bool:
        """True while a frame has begun and its header has not arrived whole."""
        size = len(self._buffer)
        if not size:
            return False
        if size < _PREFIX_BYTES:
            return True
        mark: int = _PREFIX.unpack_from(self._buffer, 0)[1]
        return size < _PREFIX_BYTES + (mark & _HEADER_LENGTH)

    def receive_data(self, data: bytes) -> list[Command]:
        """Return the commands that `data` completes, in order."""
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < self._wanted:
                return []
            data = bytes(buffer)
            buffer.clear()
        commands: list[Command] = []
        start, end = 0, len(data)
        while end - start >= _PREFIX_BYTES:
            total, mark = _PREFIX.unpack_from(data, start)
            header_bytes = mark & _HEADER_LENGTH
            if not 4 <= total <= self._max_frame_bytes:
                raise ProtocolError(f"frame of {total} bytes; 4 to {self._max_frame_bytes} are allowed")
            if header_bytes > total - 4:
                raise ProtocolError(f"header of {header_bytes} bytes in a frame of {total}")
            if header_bytes > self._max_header_bytes:
                raise ProtocolError(f"header of {header_bytes} bytes exceeds {self._max_header_bytes}")
            stop = start + 4 + total
            if stop > end:
                self._wanted = stop - start
                break
            body_start = start + _PREFIX_BYTES + header_bytes
            header = data[start + _PREFIX_BYTES : body_start]
            body = data[body_start:stop]
            kind = mark >> 24
            if kind == TYPE_JSON:
                commands.append(decode_json_header(header, body))
            elif kind == TYPE_BINARY:
                commands.append(decode_binary_header(header, body))
            else:
                raise ProtocolError(f"header type {kind} is neither JSON (0) nor ROCKETMQ (1)")
            start = stop
        else:
            self._wanted = _PREFIX_BYTES
        if start < end:
            buffer += data[start:] if start else data
        return commands


def encode_frame(
    code: int,
    flag: int,
    opaque: int,
    remark: str | None,
    ext: dict[str, str] | None,
    body_bytes: int,
    serialize_type: int,
    language: int,
    version: int,
) -> bytes:
    """Return a frame up to its body, which the caller sends right behind."""
    if serialize_type == TYPE_BINARY:
        header = encode_binary_header(code, flag, opaque, remark, ext, language, version)
    else:
        header = encode_json_header(code, flag, opaque, remark, ext, language, version)
    size = len(header)
    return _PREFIX.pack(4 + size + body_bytes, serialize_type << 24 | size) + header


def encode_command(command: Command, body: Chunk | None = None) -> bytes:
    """Return one whole frame; `body` stands in for the command's own."""
    content = command.body if body is None else body
    head = encode_frame(
        command.code,
        command.flag,
        command.opaque,
        command.remark,
        command.ext,
        len(content),
        command.serialize_type,
        command.language,
        command.version,
    )
    return head + content if content else head
