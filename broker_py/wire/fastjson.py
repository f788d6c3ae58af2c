"""JSON as fastjson 1.2 writes and reads it, which is more than JSON.

Java bodies have integer map keys without quotes (`{0:12}`) and maps whose keys are message queues as objects
(`{{"brokerName":"b","queueId":0,"topic":"T"}:{…}}`). `loads` reads these and plain JSON; `dumps` writes message
queue keys as objects, since a Java reader takes nothing else there, and all other keys quoted, which every
known reader takes. Source: fastjson MapSerializer, MapDeserializer; remoting protocol/RemotingSerializable.
"""

import json
import re
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Final

from broker_py.errors import ProtocolError
from broker_py.model.message_queue import MessageQueue

MAX_DEPTH: Final = 64
MAX_DIALECT_CHARACTERS: Final = 1 << 19
"""In a request, what is no plain JSON is read by Python code, half a second at most."""
# A string's end is not looked for by a pattern: in megabytes without one, each character would leave a way back.
_TOKEN: Final = re.compile(r'\s*([{}\[\]:,"]|[^\s{}\[\]:,"]+)')
# An escaped character that is whole: beyond 16 bits it takes two escapes, \uD83D\uDE00.
_WHOLE_ESCAPE: Final = re.compile(r"\\(?:[^u]|u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|u(?![dD][89a-fA-F]))", re.DOTALL)
_DECODER: Final = json.JSONDecoder()
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


def loads_trusted(data: bytes | bytearray | memoryview | str) -> dict[Any, Any]:
    """Return the object in a file, or in the answer to a request of ours, however large; ProtocolError."""
    return loads_object(data, len(data))


def loads(data: bytes | bytearray | memoryview | str, most: int = MAX_DIALECT_CHARACTERS) -> Any:
    """Return the value of a body; keys are str, or MessageQueue where they were objects.

    Of what is no plain JSON, `most` characters are read: a request may come from anybody. ProtocolError.
    """
    try:
        text = data if isinstance(data, str) else bytes(data).decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"body is not UTF-8: {error}") from None
    if has_half_character(text):
        raise ProtocolError("body has half a character, which is no text")
    try:
        return json.loads(text)
    except RecursionError:
        raise ProtocolError(f"body is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        if len(text) > most:
            raise ProtocolError(f"body of {len(text)} characters is not plain JSON: {error}") from None
        reader = _Reader(text)
        value = reader.value(0)
        reader.end()
        return value


def has_half_character(text: str) -> bool:
    """True when JSON text escapes one half of a surrogate pair without the other: no UTF-8, no log file takes that."""
    if "\\ud" not in text and "\\uD" not in text:  # every send has other escapes in its properties
        return False
    return "\\u" in _WHOLE_ESCAPE.sub("", text)


def loads_object(data: bytes | bytearray | memoryview | str, most: int = MAX_DIALECT_CHARACTERS) -> dict[Any, Any]:
    """Return the value of a body that must be an object; see `loads`."""
    value = loads(data, most)
    if type(value) is not dict:
        raise ProtocolError("body is not a JSON object")
    return value


def dumps(value: Any) -> bytes:
    """Return a body: compact, since the Go client splits route answers at "," and ":"."""
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode()


def _write(value: Any, parts: list[str]) -> None:
    if type(value) is dict and value and type(next(iter(value))) is MessageQueue:
        parts.append("{")
        for number, (key, item) in enumerate(value.items()):
            parts.append("," if number else "")
            parts.append(json.dumps(key.to_json(), separators=(",", ":")))
            parts.append(":")
            _write(item, parts)
        parts.append("}")
    elif type(value) is dict:
        parts.append("{")
        for number, (key, item) in enumerate(value.items()):
            parts.append(("," if number else "") + quote(str(key)) + ":")
            _write(item, parts)
        parts.append("}")
    elif type(value) is list:
        parts.append("[")
        for number, item in enumerate(value):
            parts.append("," if number else "")
            _write(item, parts)
        parts.append("]")
    else:
        parts.append(json.dumps(value))


class _Reader:
    """Reads the dialect token by token; only for what json could not read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ProtocolError(f"body is nested more than {MAX_DEPTH} deep")
        token = self._next()
        if token == "{":
            return self._object(depth)
        if token == "[":
            return self._array(depth)
        return self._scalar(token)

    def end(self) -> None:
        if self._text[self._position :].strip():
            raise ProtocolError(f"body goes on after its end, at character {self._position}")

    def _object(self, depth: int) -> dict[Any, Any]:
        fields: dict[Any, Any] = {}
        if self._peek() == "}":
            self._next()
            return fields
        while True:
            key = self._key(depth)
            self._expect(":")
            fields[key] = self.value(depth + 1)
            token = self._next()
            if token == "}":
                return fields
            if token != ",":
                raise self._wrong(token)

    def _key(self, depth: int) -> Any:
        key = self.value(depth + 1)
        if type(key) is dict:
            return MessageQueue.from_json(key)
        if type(key) is list:
            raise ProtocolError("body has a list as a key")
        return key if type(key) is str else str(key)

    def _array(self, depth: int) -> list[Any]:
        items: list[Any] = []
        if self._peek() == "]":
            self._next()
            return items
        while True:
            items.append(self.value(depth + 1))
            token = self._next()
            if token == "]":
                return items
            if token != ",":
                raise self._wrong(token)

    def _scalar(self, token: str) -> Any:
        if token in _WORDS:
            return _WORDS[token]
        try:
            return json.loads(token)
        except ValueError:
            raise self._wrong(token) from None

    def _next(self) -> str:
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            raise ProtocolError(f"body is not JSON at character {self._position}")
        start, self._position = match.span(1)
        if self._text[start] == '"':
            try:
                self._position = _DECODER.raw_decode(self._text, start)[1]
            except ValueError:
                raise ProtocolError(f"body is not JSON at character {start}") from None
        return self._text[start : self._position]

    def _peek(self) -> str:
        position = self._position
        token = self._next()
        self._position = position
        return token

    def _expect(self, wanted: str) -> None:
        token = self._next()
        if token != wanted:
            raise self._wrong(token)

    def _wrong(self, token: str) -> ProtocolError:
        return ProtocolError(f"body is not JSON: '{token[:32]}' before character {self._position}")
