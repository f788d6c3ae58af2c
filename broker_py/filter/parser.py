"""SQL92 as RocketMQ's brokers read it (filter parser/SelectorParser.jj): OR, AND, equality, order, NOT and signs.

    a > 5 AND (b IN ('x', 'y') OR c IS NOT NULL) AND d NOT BETWEEN 1 AND 2.5

As there, what comes behind a complete expression is left alone, unless no word or sign begins there.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from broker_py.filter import expressions as make
from broker_py.filter.expressions import Part
from broker_py.filter.lexer import ExpressionInvalid, Kind, Token, tokens
from broker_py.filter.values import MAX_INTEGER, MAX_LONG, EvaluationFailed, Long

MAX_CHARACTERS: Final = 16_384
MAX_DEPTH: Final = 100
"""So many parentheses, NOTs and signs in one another: each takes six frames of Python's stack."""
MAX_HEIGHT: Final = 300
"""So many operators in one another: each takes a frame when a message is looked at."""


class Filter:
    """A compiled expression. `size` is its number of tokens, and so what an evaluation costs."""

    __slots__ = ("_evaluate", "size", "text")

    def __init__(self, text: str, part: Part, size: int) -> None:
        self.text = text
        self.size = size
        self._evaluate = part.evaluate

    def matches(self, properties: Mapping[str, str]) -> bool:
        """True when a message with these properties is wanted."""
        try:
            return self._evaluate(properties) is True
        except EvaluationFailed:
            return False


def compile_filter(text: str) -> Filter:
    """Return the filter of an expression; ExpressionInvalid."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionInvalid(f"it has {len(text)} characters; {MAX_CHARACTERS} are allowed")
    parser = _Parser(tokens(text))
    part = make.condition(parser.alternatives())
    return Filter(text, part, parser.count)


class _Parser:
    """Recursive descent with one token of sight."""

    def __init__(self, source: Iterator[Token]) -> None:
        self._source = source
        self._depth = 0
        self.count = 0
        self._next = next(source)

    def alternatives(self) -> Part:
        parts = [self._conjunction()]
        while self._take("OR"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else make.any_of(parts)

    def _conjunction(self) -> Part:
        parts = [self._equality()]
        while self._take("AND"):
            parts.append(self._equality())
        return parts[0] if len(parts) == 1 else make.all_of(parts)

    def _equality(self) -> Part:
        left = self._comparison()
        while True:
            if self._take("="):
                left = make.equality(left, self._comparison())
            elif self._take("<>"):
                left = make.inverse(make.equality(left, self._comparison()))
            elif self._take("IS"):
                inverse = self._take("NOT")
                self._expect("NULL")
                left = make.is_null(left)
                if inverse:
                    left = make.inverse(left)
            else:
                return left
            _limit(left.height, MAX_HEIGHT)

    def _comparison(self) -> Part:
        left = self._signed()
        while True:
            sign = self._next.text if self._next.kind is Kind.WORD else ""
            if sign in make.ORDERS:
                self._advance()
                left = make.order(sign, left, self._signed())
            elif sign in ("BETWEEN", "IN", "NOT"):
                wanted = not self._take("NOT")
                if self._take("BETWEEN"):
                    left = self._between(left, wanted)
                else:
                    self._expect("IN")
                    left = make.one_of(left, self._texts(), wanted=wanted)
            else:
                return left
            _limit(left.height, MAX_HEIGHT)

    def _between(self, left: Part, wanted: bool) -> Part:
        low = self._signed()
        self._expect("AND")
        high = self._signed()
        return make.between(left, low, high) if wanted else make.not_between(left, low, high)

    def _texts(self) -> list[str]:
        self._expect("(")
        texts = [self._string()]
        while self._take(","):
            texts.append(self._string())
        self._expect(")")
        return texts

    def _string(self) -> str:
        token = self._next
        if token.kind is not Kind.STRING:
            raise ExpressionInvalid(f"IN lists texts in single quotes, and there is {token}")
        self._advance()
        return token.text

    def _signed(self) -> Part:
        signs: list[str] = []
        while self._next.kind is Kind.WORD and self._next.text in ("+", "-", "NOT"):
            signs.append(self._next.text)
            self._advance()
            _limit(self._depth + len(signs))
        self._depth += len(signs)
        part = self._primary()
        self._depth -= len(signs)
        for sign in reversed(signs):
            if sign == "-":
                part = make.negation(part)
            elif sign == "NOT":
                part = make.inverse(part)
        _limit(part.height, MAX_HEIGHT)
        return part

    def _primary(self) -> Part:
        token = self._next
        if self._take("("):
            self._depth += 1
            _limit(self._depth)
            part = self.alternatives()
            self._expect(")")
            self._depth -= 1
            return part
        for word, value in (("TRUE", True), ("FALSE", False), ("NULL", None)):
            if self._take(word):
                return make.truth(value, word)
        if token.kind in (Kind.WORD, Kind.END):
            raise ExpressionInvalid(f"a property, a value or ( is expected, and there is {token}")
        self._advance()
        if token.kind is Kind.NAME:
            return make.property_named(token.text)
        if token.kind is Kind.STRING:
            return make.constant(token.text, f"'{token.text}'")
        return make.constant(_number(token), token.text)

    def _take(self, word: str) -> bool:
        """Go on behind a keyword or a sign, if it is there."""
        if self._next.kind is not Kind.WORD or self._next.text != word:
            return False
        self._advance()
        return True

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise ExpressionInvalid(f"{word} is expected, and there is {self._next}")

    def _advance(self) -> None:
        self._next = next(self._source)
        self.count += 1


def _limit(depth: int, most: int = MAX_DEPTH) -> None:
    if depth > most:
        raise ExpressionInvalid(f"more than {most} of its parts are in one another")


def _number(token: Token) -> int | float:
    """Return a literal's value: zero and what a double can't tell from it is no floating one, as in RocketMQ."""
    if token.kind is Kind.INTEGER:
        digits = token.text.rstrip("lL")
        number = int(digits) if len(digits) <= len(str(MAX_LONG)) else MAX_LONG + 1
        if number > MAX_LONG:
            raise ExpressionInvalid(f"{token} is more than {MAX_LONG}")
        return number if number <= MAX_INTEGER else Long(number)
    value = float(token.text)
    if value == 0:
        raise ExpressionInvalid(f"{token} is less than the smallest floating number; zero is written 0")
    if value == float("inf"):
        raise ExpressionInvalid(f"{token} is more than the largest floating number")
    return value
