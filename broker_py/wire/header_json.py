"""The JSON header, type 0: one object with `code language version opaque flag remark extFields`.

Source: remoting protocol/RemotingCommand. All values of `extFields` are strings on the wire: the Go client
drops a frame that has a number there.
"""

import json
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Final

from broker_py.errors import ProtocolError
from broker_py.wire.codes import LANGUAGE_OTHER, LANGUAGES
from broker_py.wire.command import TYPE_JSON, Command
from broker_py.wire.fastjson import has_half_character

MAX_EXT_FIELDS: Final = 512
_INT32_MIN: Final = -(1 << 31)
_INT32_MAX: Final = (1 << 31) - 1
_LANGUAGE_BYTES: Final = {name: number for number, name in enumerate(LANGUAGES)}
_NO_EXT: Final = "{}"
_raw_decode: Final = json.JSONDecoder().raw_decode


def decode_json_header(header: bytes, body: bytes) -> Command:
    """Return the command of a JSON header; ProtocolError when it isn't one."""
    try:
        text = header.decode()
        fields = _value(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"header is not JSON: {error}") from None
    if has_half_character(text):
        raise ProtocolError("header has half a character, which is no text")
    if type(fields) is not dict:
        raise ProtocolError("header is not a JSON object")
    code = fields.get("code")
    opaque = fields.get("opaque", 0)
    flag = fields.get("flag", 0)
    if type(code) is not int or type(opaque) is not int or type(flag) is not int:
        raise ProtocolError("code, opaque and flag of a header are whole numbers")
    if not (
        _INT32_MIN <= code <= _INT32_MAX and _INT32_MIN <= opaque <= _INT32_MAX and _INT32_MIN <= flag <= _INT32_MAX
    ):
        raise ProtocolError("code, opaque and flag of a header have 32 bits")
    ext = fields.get("extFields")
    if ext is None:
        ext = {}
    elif type(ext) is not dict:
        raise ProtocolError("extFields is not a JSON object")
    else:
        if len(ext) > MAX_EXT_FIELDS:
            raise ProtocolError(f"header has {len(ext)} ext fields, more than {MAX_EXT_FIELDS}")
        for value in ext.values():
            if type(value) is not str:
                ext = _as_text(ext)
                break
    remark = fields.get("remark")
    version = fields.get("version", 0)
    language = fields.get("language")
    return Command(
        code,
        ext,
        body,
        flag=flag,
        opaque=opaque,
        remark=remark if type(remark) is str else None,
        language=_LANGUAGE_BYTES.get(language, LANGUAGE_OTHER) if type(language) is str else _language_number(language),
        version=version if type(version) is int else 0,
        serialize_type=TYPE_JSON,
    )


def _value(text: str) -> Any:
    """Return the value of a JSON text. ValueError.

    What `json.loads` does beside reading it, as looking for blanks around it, costs as much again: only where needed.
    """
    if text[:1] == "{":
        value, end = _raw_decode(text)
        if end == len(text):
            return value
    return json.loads(text)


def _language_number(language: object) -> int:
    """Fastjson also takes an enum by its ordinal; what nobody knows must not close the connection."""
    return language if type(language) is int and 0 <= language < len(LANGUAGES) else LANGUAGE_OTHER


def _as_text(ext: dict[str, object]) -> dict[str, str]:
    """Return ext fields as Java reads them: numbers and booleans by their text, nulls left out."""
    texts: dict[str, str] = {}
    for key, value in ext.items():
        if type(value) is str:
            texts[key] = value
        elif type(value) is bool:
            texts[key] = "true" if value else "false"
        elif type(value) is int or type(value) is float:
            texts[key] = str(value)
        elif value is not None:
            raise ProtocolError(f"ext field {key[:64]} is neither text nor number")
    return texts


def encode_json_header(
    code: int, flag: int, opaque: int, remark: str | None, ext: dict[str, str] | None, language: int, version: int
) -> bytes:
    """Return the header's bytes: ASCII, without blanks, nulls left out."""
    if ext:
        fields = "{" + ",".join([f"{quote(key)}:{quote(value)}" for key, value in ext.items()]) + "}"
    else:
        fields = _NO_EXT
    text = (
        f'{{"code":{code},"extFields":{fields},"flag":{flag},"language":"{LANGUAGES[language]}","opaque":{opaque},'
        f'"serializeTypeCurrentRPC":"JSON","version":{version}'
    )
    if remark is not None:
        text += f',"remark":{quote(remark)}'
    return (text + "}").encode("ascii")
