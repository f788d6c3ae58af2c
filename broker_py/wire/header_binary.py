"""The ROCKETMQ binary header, type 1.

    code:i16 | language:u8 | version:i16 | opaque:i32 | flag:i32 | remarkLength:i32 | remark | extLength:i32 | ext

and ext is, again and again, `keyLength:i16 | key | valueLength:i32 | value`. A length of 0 means null, so an
empty value can't be told from none. Source: remoting protocol/RocketMQSerializable.
"""

from struct import Struct
from typing import Final

from broker_py.errors import ProtocolError
from broker_py.wire.codes import LANGUAGE_OTHER, LANGUAGES
from broker_py.wire.command import TYPE_BINARY, Command
from broker_py.wire.header_json import MAX_EXT_FIELDS

_FIXED: Final = Struct(">hBhiii")
_INT16: Final = Struct(">h")
_INT32: Final = Struct(">i")
_FIXED_BYTES: Final = 17
_MINIMUM_BYTES: Final = 21
# POP codes 200050 to 200055 have more than 16 bits; Java sends their low half.
_POP_LOW: Final = 3442
_POP_HIGH: Final = 3447
_POP_CUT: Final = 200050 - _POP_LOW


def decode_binary_header(header: bytes, body: bytes) -> Command:
    """Return the command of a binary header; ProtocolError when a length doesn't fit."""
    end = len(header)
    if end < _MINIMUM_BYTES:
        raise ProtocolError(f"binary header of {end} bytes is shorter than {_MINIMUM_BYTES}")
    code, language, version, opaque, flag, remark_bytes = _FIXED.unpack_from(header, 0)
    position = _FIXED_BYTES
    remark: str | None = None
    try:
        if remark_bytes:
            if not 0 < remark_bytes <= end - position - 4:
                raise ProtocolError(f"remark of {remark_bytes} bytes in a header of {end}")
            remark = header[position : position + remark_bytes].decode()
            position += remark_bytes
        (ext_bytes,) = _INT32.unpack_from(header, position)
        position += 4
        if not 0 <= ext_bytes <= end - position:
            raise ProtocolError(f"ext fields of {ext_bytes} bytes in a header of {end}")
        ext = _decode_ext(header, position, position + ext_bytes)
    except UnicodeDecodeError as error:
        raise ProtocolError(f"header is not UTF-8: {error}") from None
    if _POP_LOW <= code <= _POP_HIGH:
        code += _POP_CUT
    return Command(
        code,
        ext,
        body,
        flag=flag,
        opaque=opaque,
        remark=remark,
        language=language if language < len(LANGUAGES) else LANGUAGE_OTHER,
        version=version,
        serialize_type=TYPE_BINARY,
    )


def _decode_ext(header: bytes, position: int, end: int) -> dict[str, str]:
    ext: dict[str, str] = {}
    while position < end:
        if position + 2 > end:
            raise ProtocolError("ext fields end within a key's length")
        # Indexing beats Struct for numbers this small. What Java takes for a negative length is a large one here.
        start = position + 2
        value = start + (header[position] << 8 | header[position + 1])
        if value + 4 > end:
            raise ProtocolError(f"ext key of {value - start} bytes goes beyond its header")
        key = header[start:value].decode()
        start = value + 4
        position = start + (header[value] << 24 | header[value + 1] << 16 | header[value + 2] << 8 | header[value + 3])
        if position > end:
            raise ProtocolError(f"ext value of {position - start} bytes goes beyond its header")
        if start < position and key:
            ext[key] = header[start:position].decode()
        if len(ext) > MAX_EXT_FIELDS:
            raise ProtocolError(f"header has more than {MAX_EXT_FIELDS} ext fields")
    return ext


def encode_binary_header(
    code: int, flag: int, opaque: int, remark: str | None, ext: dict[str, str] | None, language: int, version: int
) -> bytes:
    """Return the header's bytes; empty values are left out, since the reader could not tell them from null."""
    text = b"" if remark is None else remark.encode()
    parts: list[bytes] = []
    if ext:
        for key, value in ext.items():
            if value:
                name, content = key.encode(), value.encode()
                parts.append(_INT16.pack(len(name)) + name + _INT32.pack(len(content)) + content)
    fields = b"".join(parts)
    # A code of more than 16 bits is cut as Java cuts it; the reader maps the POP codes back.
    low = (code + 0x8000) % 0x10000 - 0x8000
    return b"".join(
        (_FIXED.pack(low, language, version, opaque, flag, len(text)), text, _INT32.pack(len(fields)), fields)
    )
