"""Parts of an expression as functions of a message's properties (filter expression/*).

A part gives True, False, a text, a number or null (None). Comparing with null gives null, and so do AND and OR where it
matters. EvaluationFailed ends the whole evaluation.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from broker_py.filter.lexer import MAX_SHOWN, ExpressionInvalid
from broker_py.filter.values import (
    EvaluationFailed,
    Long,
    Value,
    compare,
    compare_doubles,
    double_of,
    integer_of,
    long_of,
)

Properties = Mapping[str, str]
Evaluate = Callable[[Properties], Value]
Test = Callable[[int, int], bool]

ORDERS: Final[dict[str, Test]] = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


class Role(Enum):
    """What a part may be used as."""

    PROPERTY = "property"
    CONSTANT = "constant"
    TRUTH = "TRUE, FALSE or NULL"
    CONDITION = "condition"
    SIGNED = "signed value"


@dataclass(frozen=True, slots=True)
class Part:
    """One part: `value` is a constant's, `text` a property's name or what messages show, `height` how deep it nests."""

    role: Role
    evaluate: Evaluate
    text: str
    value: Value = None
    height: int = 1

    @property
    def shown(self) -> str:
        """Its text for an error, cut where it is long."""
        return self.text if len(self.text) <= MAX_SHOWN else self.text[:MAX_SHOWN] + "..."

    @property
    def is_condition(self) -> bool:
        """True when it gives True, False or null."""
        return self.role in (Role.TRUTH, Role.CONDITION)

    @property
    def is_constant(self) -> bool:
        """True for a value that stands there as such."""
        return self.role in (Role.CONSTANT, Role.TRUTH)


def property_named(name: str) -> Part:
    """The value of a property, or null."""
    return Part(Role.PROPERTY, lambda properties: properties.get(name), name)


def constant(value: str | int | float, text: str) -> Part:
    """A text or a number."""
    return Part(Role.CONSTANT, lambda _: value, text, value)


def truth(value: bool | None, text: str) -> Part:
    """TRUE, FALSE or NULL."""
    return Part(Role.TRUTH, lambda _: value, text, value)


def condition(part: Part) -> Part:
    """Return a part that can be true: a property never is, but it tells whether it is there."""
    if part.is_condition:
        return part
    if part.role is not Role.PROPERTY:
        raise ExpressionInvalid(f"{part.shown} is not a condition")
    name = part.text
    return _condition(lambda properties: None if properties.get(name) is None else False, name, part)


def _condition(evaluate: Evaluate, text: str, *parts: Part) -> Part:
    return Part(Role.CONDITION, evaluate, text, None, 1 + max(part.height for part in parts))


def negation(part: Part) -> Part:
    """The number with the other sign; anything else becomes null."""
    value = part.value
    if part.role in (Role.CONSTANT, Role.SIGNED) and isinstance(value, (int, float)):
        negative = Long(-value) if type(value) is Long else -value
        return Part(Role.SIGNED, lambda _: negative, f"-{part.text}", negative, part.height + 1)
    inner = part.evaluate

    def evaluate(properties: Properties) -> Value:
        inner(properties)  # it may fail
        return None

    return Part(Role.SIGNED, evaluate, f"-{part.text}", None, part.height + 1)


def inverse(part: Part) -> Part:
    """NOT: null stays null."""
    inner = condition(part).evaluate

    def evaluate(properties: Properties) -> Value:
        value = inner(properties)
        return None if value is None else not value

    return _condition(evaluate, "NOT", part)


def any_of(parts: Sequence[Part]) -> Part:
    """OR of two or more."""
    return _chain(parts, "OR", decisive=True)


def all_of(parts: Sequence[Part]) -> Part:
    """AND of two or more."""
    return _chain(parts, "AND", decisive=False)


def _chain(parts: Sequence[Part], text: str, *, decisive: bool) -> Part:
    conditions = [condition(part) for part in parts]
    inners = [part.evaluate for part in conditions]
    otherwise = not decisive

    def evaluate(properties: Properties) -> Value:
        result: bool | None = otherwise
        for inner in inners:
            value = inner(properties)
            if value is decisive:
                return decisive
            if value is None:
                result = None
        return result

    return _condition(evaluate, text, *conditions)


def equality(left: Part, right: Part) -> Part:
    """`left = right`."""
    for part in (left, right):
        if part.role is Role.TRUTH and part.value is None:
            raise ExpressionInvalid("NULL can't be compared by = or <>: IS NULL is meant")
    if left.role is Role.TRUTH and right.role is Role.CONSTANT:
        raise ExpressionInvalid(f"{left.shown} can't be compared with {right.shown}")
    if left.role is Role.PROPERTY and type(right.value) is str:
        return _condition(_equals_text(left.text, right.value), "=", left, right)
    return _equality(left, right)


def _equals_text(name: str, value: str) -> Evaluate:
    def evaluate(properties: Properties) -> Value:
        found = properties.get(name)
        return None if found is None else found == value

    return evaluate


def _equality(left: Part, right: Part) -> Part:
    left_of, right_of = left.evaluate, right.evaluate

    def evaluate(properties: Properties) -> Value:
        first, second = left_of(properties), right_of(properties)
        if first is None:
            return True if second is None else None
        return second is not None and compare(first, second) == 0

    return _condition(evaluate, "=", left, right)


def is_null(part: Part) -> Part:
    """`part IS NULL`."""
    inner = part.evaluate
    return _condition(lambda properties: inner(properties) is None, "IS NULL", part)


def order(sign: str, left: Part, right: Part) -> Part:
    """`left > right` and its like, by the sign."""
    _require_ordered(left)
    _require_ordered(right)
    test = ORDERS[sign]
    if left.role is Role.PROPERTY and right.value is not None:
        return _condition(_property_order(test, left.text, right.value), sign, left, right)
    left_of, right_of = left.evaluate, right.evaluate

    def evaluate(properties: Properties) -> Value:
        first = left_of(properties)
        if first is None:
            return None
        return _ordered(test, first, right_of(properties))

    return _condition(evaluate, sign, left, right)


def _ordered(test: Test, first: str | bool | int | float, second: Value) -> bool | None:
    if second is None:
        return None
    if type(first) is str and type(second) is str:
        return test(compare_doubles(double_of(first), double_of(second)), 0)
    return test(compare(first, second), 0)


def _property_order(test: Test, name: str, value: Value) -> Evaluate:
    """What most filters ask: a property beside a number."""
    assert isinstance(value, (int, float))
    number = value

    def doubles(properties: Properties) -> Value:
        text = properties.get(name)
        return None if text is None else test(compare_doubles(double_of(text), number), 0)

    if type(number) is float:
        return doubles
    convert = long_of if type(number) is Long else integer_of

    def whole(properties: Properties) -> Value:
        text = properties.get(name)
        return None if text is None else test(convert(text), int(number))

    return whole


def _require_ordered(part: Part) -> None:
    if part.is_condition or (part.role is Role.CONSTANT and type(part.value) is str):
        raise ExpressionInvalid(f"{part.shown} can't be compared by >, >=, <, <= or BETWEEN: a number can")


def between(value: Part, low: Part, high: Part) -> Part:
    """`value BETWEEN low AND high`, both included."""
    if low.is_constant and high.is_constant:
        if low.value is None or high.value is None:
            raise ExpressionInvalid("the ends of BETWEEN can't be NULL")
        try:
            falling = compare(high.value, low.value) < 0
        except EvaluationFailed:
            falling = True
        if falling:
            raise ExpressionInvalid(f"BETWEEN goes from {low.shown} to {high.shown}, which is not more")
    return _range(value, low, high, operator.ge, operator.le, decisive=False)


def not_between(value: Part, low: Part, high: Part) -> Part:
    """`value NOT BETWEEN low AND high`."""
    return _range(value, low, high, operator.lt, operator.gt, decisive=True)


def _range(value: Part, low: Part, high: Part, below: Test, above: Test, *, decisive: bool) -> Part:
    """Two orders of one value, which is found once: ends of ends would else double the work with each level."""
    for part in (value, low, high):
        _require_ordered(part)
    value_of, low_of, high_of = value.evaluate, low.evaluate, high.evaluate

    def evaluate(properties: Properties) -> Value:
        found = value_of(properties)
        if found is None:
            return None
        first = _ordered(below, found, low_of(properties))
        if first is decisive:
            return decisive
        second = _ordered(above, found, high_of(properties))
        if second is decisive:
            return decisive
        return None if first is None or second is None else not decisive

    return _condition(evaluate, "BETWEEN", value, low, high)


def one_of(part: Part, texts: Sequence[str], *, wanted: bool) -> Part:
    """`part IN ('a', 'b')`, or NOT IN where `wanted` is False."""
    if part.role is not Role.PROPERTY:
        raise ExpressionInvalid(f"IN needs a property on its left, not {part.shown}")
    name, allowed = part.text, frozenset(texts)

    def evaluate(properties: Properties) -> Value:
        text = properties.get(name)
        return None if text is None else (text in allowed) is wanted

    return _condition(evaluate, "IN", part)
