"""Typed headers: the ext fields of a command as a frozen dataclass and back.

A header class is a keyword-only dataclass; a field `consumer_group` is `consumerGroup` on the wire, unless its
metadata has a "wire" name. Fields without a default are mandatory. Values are text on the wire: numbers in
decimal, booleans `true` or anything else, as Java's `toString` and `parseBoolean` have them.
Source: remoting protocol/RemotingCommand.decodeCommandCustomHeader.
"""

from dataclasses import MISSING, fields
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from broker_py.errors import RequestRefused
from broker_py.wire.codes import ResponseCode

Int32 = Annotated[int, 32]
Int64 = Annotated[int, 64]

_H = TypeVar("_H")
_TEXT: Final = 0
_BOOL: Final = 1
_INT: Final = 2
# (attribute, wire name, kind, lowest, highest, mandatory) per field of each header class.
_Plan = list[tuple[str, str, int, int, int, bool]]
_PLANS: Final[dict[type[Any], _Plan]] = {}


def camel(name: str) -> str:
    """Return a Python name as Java writes it: `queue_id` → `queueId`."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _plan(header_type: type[Any]) -> _Plan:
    plan = _PLANS.get(header_type)
    if plan is None:
        hints = get_type_hints(header_type, include_extras=True)
        plan = []
        for field in fields(header_type):
            kind, bits = _kind(hints[field.name])
            high = (1 << (bits - 1)) - 1
            mandatory = field.default is MISSING
            plan.append((field.name, field.metadata.get("wire", camel(field.name)), kind, -high - 1, high, mandatory))
        _PLANS[header_type] = plan
    return plan


def _kind(hint: Any) -> tuple[int, int]:
    """(kind, bits) of a field's annotation."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Annotated:
        return _INT, get_args(hint)[1]
    if hint is bool:
        return _BOOL, 1
    assert hint is str, f"a header field can't be {hint}"
    return _TEXT, 1


def decode_header(header_type: type[_H], ext: dict[str, str]) -> _H:
    """Return the typed header; RequestRefused names the field that is missing or out of its range."""
    values: dict[str, Any] = {}
    for name, wire, kind, low, high, mandatory in _plan(header_type):
        text = ext.get(wire)
        if text is None:
            if mandatory:
                raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the request lacks the field {wire}")
        elif kind == _TEXT:
            values[name] = text
        elif kind == _BOOL:
            values[name] = text.lower() == "true"
        else:
            values[name] = decode_int(wire, text, low, high)
    return header_type(**values)


def decode_int(wire: str, text: str, low: int, high: int) -> int:
    """Return a number of the wire; RequestRefused when it isn't one or has too many bits."""
    try:
        value = int(text)
    except ValueError:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the field {wire} is '{text[:64]}', not a number") from None
    if not low <= value <= high:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the field {wire} is {value}, not within {low} and {high}")
    return value


def encode_header(header: object) -> dict[str, str]:
    """Return a typed header as ext fields; what is None is left out."""
    ext: dict[str, str] = {}
    for name, wire, kind, _low, _high, _mandatory in _plan(type(header)):
        value = getattr(header, name)
        if value is None:
            continue
        ext[wire] = ("true" if value else "false") if kind == _BOOL else str(value)
    return ext
