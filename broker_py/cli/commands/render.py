"""Values as text: tables like RocketMQ's, times, and JSON with RocketMQ's camel case."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from broker_py.client.messages import ReceivedMessage
from broker_py.wire.header import camel


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a table: a `#` before each header, columns as wide as their widest cell, two blanks apart."""
    cells = [["#" + header for header in headers], *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def fields_json(value: Any) -> dict[str, Any]:
    """Return a dataclass as a JSON object with camel-case names, and so those that are its fields."""
    fields = {camel(each.name): getattr(value, each.name) for each in dataclasses.fields(value)}
    return {name: fields_json(field) if dataclasses.is_dataclass(field) else field for name, field in fields.items()}


def time_text(time_ms: int) -> str:
    """Return a time in the local zone to the millisecond; empty for 0 and less, which is no time."""
    if time_ms <= 0:
        return ""
    seconds, millis = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S},{millis:03d}"


def message_json(message: ReceivedMessage) -> dict[str, Any]:
    """Return a message; a body that isn't UTF-8 is in `bodyHex` and not in `body`."""
    fields = fields_json(message)
    body: bytes = fields.pop("body")
    fields |= {"tags": message.tags, "keys": message.keys}
    try:
        return fields | {"body": body.decode()}
    except UnicodeDecodeError:
        return fields | {"bodyHex": body.hex()}


def body_text(body: bytes, charset: str = "utf-8") -> str:
    """Return a body for a person to read; what is not of the charset becomes a question mark in a diamond."""
    return body.decode(charset, "replace")
