"""One field of a configuration dataclass as a property: its name in files, and its values as text.

The name is the field's in camel case (`flush_disk_type`, `flushDiskType`). `field(metadata=...)` may say more:

    "property": "brokerIP1"   the name, where camel case does not give it
    "range": (1, 65535)       smallest and largest number allowed; None is no limit
    "path": True              `~` is the home directory, relative is to the working directory, "" stays
    "addresses": True         each must be host:port, several are joined by `;`
    "runtime": True           may be changed while the broker runs
    "important": True         belongs to the short listing (`-m`)
"""

import dataclasses
import math
import posixpath
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from broker_py.errors import ConfigError
from broker_py.model.address import split_addresses

_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_JAVA_LONG: Final = (-(1 << 63), (1 << 63) - 1)


@dataclass(frozen=True)
class Places:
    """What paths in a file are relative to: `home` for `~`, `directory` for the rest. Both are absolute."""

    home: str
    directory: str


@dataclass(frozen=True)
class Setting:
    """The field `field` of the dataclass `owner`, known to files as `name`; `kind` is its annotation, resolved."""

    name: str
    field: str
    owner: type[Any]
    kind: Any
    metadata: Mapping[Any, Any]

    @property
    def runtime(self) -> bool:
        """True when it may be changed while the broker runs."""
        return bool(self.metadata.get("runtime"))

    @property
    def important(self) -> bool:
        """True when the short listing has it."""
        return bool(self.metadata.get("important"))

    def parse(self, text: str, places: Places) -> object:
        """Return the value that `text` stands for; ConfigError is half a sentence: "is 'abc', not a whole number"."""
        value = _parse(self.kind, text)
        if self.metadata.get("addresses"):
            _check_addresses(text)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._check_range(value)
        return self.located(value, places)

    def located(self, value: object, places: Places) -> object:
        """Return a path made absolute, any other value as it is."""
        if not self.metadata.get("path") or not isinstance(value, str) or not value:
            return value
        if value == "~" or value.startswith("~/"):
            value = places.home + value[1:]
        elif value.startswith("~"):
            raise ConfigError(f"is '{value}': only ~/ is understood, not another user's home directory")
        return posixpath.normpath(posixpath.join(places.directory, value))

    def _check_range(self, value: float) -> None:
        low, high = self.metadata.get("range", _JAVA_LONG if isinstance(value, int) else (None, None))
        if (low is None or value >= low) and (high is None or value <= high):
            return
        allowed = f"at most {high}" if low is None else f"at least {low}" if high is None else f"{low} to {high}"
        raise ConfigError(f"is {value}, allowed is {allowed}")


def settings_of(owner: type[Any]) -> Iterator[Setting]:
    """Yield the settings of a dataclass in the order of its fields."""
    kinds = typing.get_type_hints(owner)
    for field in dataclasses.fields(owner):
        if field.init:
            name = field.metadata.get("property") or _camel_case(field.name)
            yield Setting(name, field.name, owner, kinds[field.name], field.metadata)


def format_value(value: object) -> str:
    """Return the text that `Setting.parse` reads as `value`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return ";".join(value)
    return str(value)


def _camel_case(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _parse(kind: Any, text: str) -> object:
    origin = typing.get_origin(kind)
    if origin is typing.Union or origin is types.UnionType:
        (inner,) = (part for part in typing.get_args(kind) if part is not types.NoneType)
        return _parse(inner, text) if text else None
    if origin is tuple:
        return tuple(item.strip() for item in text.split(";") if item.strip())
    if kind is str:
        return text
    if kind is bool:
        return _parse_bool(text)
    if kind is int:
        return _parse_int(text)
    if kind is float:
        return _parse_float(text)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _parse_enum(kind, text)
    raise AssertionError(f"no property can have the type {kind}")


def _parse_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ConfigError(f"is '{text}', not true or false")
    return lowered == "true"


def _parse_int(text: str) -> int:
    if len(text) > 20 or not _WHOLE_NUMBER.fullmatch(text):
        raise ConfigError(f"is '{text}', not a whole number")
    return int(text)


def _parse_float(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ConfigError(f"is '{text}', not a number")
    return float(text)


def _parse_enum(kind: type[Enum], text: str) -> Enum:
    if text not in kind.__members__:
        raise ConfigError(f"is '{text}', not one of {', '.join(kind.__members__)}")
    return kind[text]


def _check_addresses(text: str) -> None:
    try:
        split_addresses(text)
    except ConfigError as error:
        raise ConfigError(f"is '{text}': {error}") from None
