"""Values as YAML and as CSV, for scripts: of what JSON can say, and no more."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

# What YAML reads as the text that it is, without quotes. Times, numbers and truths begin or look otherwise.
_PLAIN: Final = re.compile(r"[A-Za-z_%][A-Za-z0-9_%./@-]*")
_NOT_TEXT: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def to_yaml(value: Any) -> str:
    """Return a value as a YAML document."""
    return "\n".join(_yaml_lines(value)) + "\n"


def _yaml_lines(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [line for key, each in value.items() for line in _yaml_entry(f"{_scalar(str(key))}:", each)]
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return [line for each in value for line in _yaml_item(each)]
    return [_scalar(value)]


def _yaml_entry(key: str, value: Any) -> list[str]:
    if isinstance(value, (Mapping, list, tuple)) and value:
        return [key, *("  " + line for line in _yaml_lines(value))]
    return [f"{key} {_scalar(value)}"]


def _yaml_item(value: Any) -> list[str]:
    first, *rest = _yaml_lines(value)
    return [f"- {first}", *("  " + line for line in rest)]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)  # YAML is a superset of JSON


def to_csv(value: Any) -> str:
    """Return a value as a table with a header: a list has a row for each item, an object a row or one for each key.

    What is nested in a cell is JSON.
    """
    rows = _rows(value)
    headers = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if headers:
        writer.writerow(headers)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in headers])
    return text.getvalue()


def _rows(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, Mapping):
        if value and all(isinstance(each, Mapping) for each in value.values()):
            return [{"key": key, **each} for key, each in value.items()]
        table = [each for each in value.values() if isinstance(each, list) and each]
        if len(table) == 1 and all(isinstance(item, Mapping) for item in table[0]):
            return [dict(item) for item in table[0]]
        return [{str(key): each for key, each in value.items()}] if value else []
    if isinstance(value, (list, tuple)):
        return [dict(item) if isinstance(item, Mapping) else {"value": item} for item in value]
    return [{"value": value}]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
