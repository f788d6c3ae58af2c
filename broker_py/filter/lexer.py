"""The words of an expression (filter parser/SelectorParser)."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from broker_py.errors import BrokerPyError

MAX_SHOWN: Final = 40


class ExpressionInvalid(BrokerPyError):
    """An expression that can't be read; the text says where and why."""


class Kind(Enum):
    """What a token is; keywords and signs are WORD."""

    WORD = "word"
    NAME = "name"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    END = "end"


class Token:
    """`text` is as RocketMQ keeps it: keywords in capitals, strings without their quotes."""

    __slots__ = ("kind", "position", "text")

    def __init__(self, kind: Kind, text: str, position: int) -> None:
        self.kind = kind
        self.text = text
        self.position = position

    def __str__(self) -> str:
        if self.kind is Kind.END:
            return "the end"
        return f"{self.text[:MAX_SHOWN]!r} at {self.position}"


_KEYWORDS: Final = frozenset(("NOT", "AND", "OR", "BETWEEN", "IN", "TRUE", "FALSE", "NULL", "IS"))
# A line's comment has an end of line: without one its dashes are signs.
_BLANK: Final = re.compile(r"(?:[ \t\n\r\f]+|--[^\n\r]*[\n\r])+")
_TOKEN: Final = re.compile(
    r"(?P<FLOAT>[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"
    r"|(?P<INTEGER>0|[1-9][0-9]*[lL]?)"
    r"|(?P<NAME>[A-Za-z_$][A-Za-z0-9_$]*)"
    r"|(?P<STRING>'[^']*(?:''[^']*)*')"
    r"|(?P<WORD><>|>=|<=|[=><(),+-])"
)


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens as they are asked for, END last; ExpressionInvalid where none begins."""
    position = 0
    while True:
        position = _skip_blank(text, position)
        if position == len(text):
            yield Token(Kind.END, "", position)
            return
        found = _TOKEN.match(text, position)
        if found is None:
            raise ExpressionInvalid(
                f"no word or sign begins with {text[position : position + MAX_SHOWN]!r} at {position}"
            )
        yield _token(found)
        position = found.end()


def _skip_blank(text: str, position: int) -> int:
    while True:
        blank = _BLANK.match(text, position)
        if blank is not None:
            position = blank.end()
        if not text.startswith("/*", position):
            return position
        end = text.find("*/", position + 2)
        if end < 0:
            raise ExpressionInvalid(f"the comment at {position} has no end")
        position = end + 2


def _token(found: "re.Match[str]") -> Token:
    kind, text = Kind[found.lastgroup or ""], found.group()
    if kind is Kind.NAME and text.upper() in _KEYWORDS:
        return Token(Kind.WORD, text.upper(), found.start())
    if kind is Kind.STRING:
        text = text[1:-1].replace("''", "'")
    return Token(kind, text, found.start())
