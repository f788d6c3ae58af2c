"""Values as Java has them: which numbers a text is, and how values of different types compare.

They are str, bool, Integer (int), Long, Double (float) and null (None). Source: filter expression/ComparisonExpression.
"""

import re
from math import isnan
from typing import Final

MAX_INTEGER: Final = (1 << 31) - 1
MAX_LONG: Final = (1 << 63) - 1
_LONGEST_LONG: Final = 19
# Java takes the digits of any script, as far as they are one UTF-16 unit.
_WHOLE: Final = re.compile("([+-]?)((?:(?![\U00010000-\U0010ffff])\\d)+)")
_DOUBLE: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?")
_HEX_DOUBLE: Final = re.compile(r"([+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?")
_NAMED_DOUBLE: Final = {
    sign + name: float(sign + value) for sign in ("", "+", "-") for name, value in (("NaN", "nan"), ("Infinity", "inf"))
}
_TRIMMED: Final = "".join(map(chr, range(0x21)))


class EvaluationFailed(Exception):
    """Values that can't be compared: the message is not wanted, whatever the rest of the expression says."""


class Long(int):
    """A whole number beyond what an Integer holds."""


Value = str | bool | int | float | None


def integer_of(text: str) -> int:
    """Return what Integer.valueOf returns; EvaluationFailed."""
    number = _whole(text)
    if not -MAX_INTEGER - 1 <= number <= MAX_INTEGER:
        raise EvaluationFailed(text)
    return number


def long_of(text: str) -> int:
    """Return what Long.valueOf returns; EvaluationFailed."""
    number = _whole(text)
    if not -MAX_LONG - 1 <= number <= MAX_LONG:
        raise EvaluationFailed(text)
    return number


def _whole(text: str) -> int:
    found = _WHOLE.fullmatch(text)
    if found is None:
        raise EvaluationFailed(text)
    sign, digits = found.groups()
    if len(digits) > _LONGEST_LONG:
        digits = "".join(str(int(digit)) for digit in digits).lstrip("0") or "0"
        if len(digits) > _LONGEST_LONG:
            raise EvaluationFailed(text)
    return int(sign + digits)


def double_of(text: str) -> float:
    """Return what Double.valueOf returns; EvaluationFailed."""
    text = text.strip(_TRIMMED)
    if _DOUBLE.fullmatch(text):
        return float(text.rstrip("fFdD"))
    named = _NAMED_DOUBLE.get(text)
    if named is not None:
        return named
    found = _HEX_DOUBLE.fullmatch(text)
    if found is None:
        raise EvaluationFailed(text)
    try:
        return float.fromhex(found.group(1))
    except OverflowError:
        return float("-inf" if text.startswith("-") else "inf")


def boolean_of(text: str) -> bool:
    """Return what Boolean.valueOf returns."""
    return text.lower() == "true"


def compare_doubles(left: float, right: float) -> int:
    """Return what Double.compareTo returns: -0.0 is below 0.0, and NaN above all."""
    if left < right:
        return -1
    if left > right:
        return 1
    return _bits(left) - _bits(right)


def _bits(number: float) -> int:
    """Order what neither `<` nor `>` does: equal numbers, zeros, NaN."""
    if isnan(number):
        return 2
    return -1 if number == 0 and str(number).startswith("-") else 0


def compare(left: str | bool | int | float, right: str | bool | int | float) -> int:
    """Return below, at or above 0, as the values are ordered; EvaluationFailed. A text becomes the other one's type."""
    if type(left) is str and type(right) is not str:
        left = _converted(left, right)
    elif type(left) is not str and type(right) is str:
        if type(left) is bool:
            raise EvaluationFailed("a boolean on the left of a text")  # a cast that fails in Java
        right = _converted(right, left)
    if type(left) is str and type(right) is str:
        return (left > right) - (left < right)
    if type(left) is bool or type(right) is bool:
        return int(left) - int(right) if type(left) is type(right) else -1
    if type(left) is float or type(right) is float:
        return compare_doubles(_as_double(left), _as_double(right))
    return (left > right) - (left < right)  # type: ignore[operator]


def _as_double(number: str | bool | int | float) -> float:
    return float(number)


def _converted(text: str, like: str | bool | int | float) -> bool | int | float:
    if type(like) is bool:
        return boolean_of(text)
    if type(like) is float:
        return double_of(text)
    return long_of(text) if type(like) is Long else integer_of(text)
