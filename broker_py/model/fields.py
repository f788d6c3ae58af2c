"""Reading values out of JSON objects that others wrote: typed, with a default, never surprised."""

from collections.abc import Hashable
from typing import Any, Final

from broker_py.errors import ProtocolError

_LONG_MIN: Final = -(1 << 63)
_LONG_MAX: Final = (1 << 63) - 1


def text_of(fields: dict[str, Any], name: str, default: str = "") -> str:
    """Return a text field; null and absence are the default."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise ProtocolError(f"the field {name} is {str(value)[:32]!r}, not text")
    return value


def int_of(fields: dict[str, Any], name: str, default: int = 0) -> int:
    """Return a whole-number field of at most 64 bits; a number written as text counts, as for fastjson."""
    value = fields.get(name)
    if value is None:
        return default
    number: object = value
    if isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            pass
    if isinstance(number, int) and not isinstance(number, bool) and _LONG_MIN <= number <= _LONG_MAX:
        return number
    raise ProtocolError(f"the field {name} is {str(value)[:32]!r}, not a whole number")


def bool_of(fields: dict[str, Any], name: str, default: bool = False) -> bool:
    """Return a boolean field; "true" as text counts."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, str):
        return value.lower() == "true"
    return bool(value)


def dict_of(fields: dict[Any, Any], name: Hashable) -> dict[Any, Any]:
    """Return an object field; null and absence are empty."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ProtocolError(f"the field {name} is not an object")
    return value


def list_of(fields: dict[str, Any], name: str) -> list[Any]:
    """Return a list field; null and absence are empty."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ProtocolError(f"the field {name} is not a list")
    return value


def objects_of(fields: dict[str, Any], name: str) -> list[dict[Any, Any]]:
    """Return a list field whose items are all objects; null and absence are empty."""
    items = list_of(fields, name)
    for item in items:
        if not isinstance(item, dict):
            raise ProtocolError(f"the field {name} has {str(item)[:32]!r}, which is not an object")
    return items
