r"""Java's `.properties` text: `name = value` lines, read as `java.util.Properties.load` reads them.

    # comment            ! comment
    name=value           name: value          name value
    long = one,\         a line that ends with an odd number of backslashes goes on in the next one,
           two           whose leading blanks are dropped
    \u00e9 \t \n \\      escapes, in names and in values

Leading blanks of a value go, trailing ones stay. Unlike Java we skip an XML comment that starts a line, since
some of RocketMQ's own files have their licence in one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from broker_py.errors import ConfigError

_NATURAL_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_BLANKS: Final = " \t\f"
_NAME_AND_VALUE: Final = re.compile(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_ESCAPED: Final = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\f": r"\f"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Property:
    """One setting as it was written, and where. `line` counts from 1; it is 0 for an option of the command line."""

    name: str
    value: str
    line: int = 0
    source: str = ""

    @property
    def where(self) -> str:
        """The place for messages, such as "broker.conf line 7"; empty when there is no source."""
        return f"{self.source} line {self.line}" if self.source and self.line else self.source


@dataclass(frozen=True)
class _LogicalLine:
    """Natural lines `first` up to `end` (indexes from 0, `end` not included) as one setting."""

    first: int
    end: int
    text: str


def parse_properties(text: str, source: str = "") -> list[Property]:
    """Return the settings of `text` in order, duplicates included; `source` is the file's name for messages.

    Raises ConfigError that lists every malformed escape.
    """
    properties: list[Property] = []
    errors: list[str] = []
    for line in _logical_lines(_NATURAL_LINE.findall(text.removeprefix("\ufeff"))):
        name, value = _split(line.text)
        try:
            properties.append(Property(_unescape(name), _unescape(value), line.first + 1, source))
        except ConfigError as error:
            errors.append(f"{Property(name, value, line.first + 1, source).where}: {error}".removeprefix(": "))
    if errors:
        raise ConfigError("\n".join(errors))
    return properties


def format_property(name: str, value: str) -> str:
    """Return `name=value` such that it reads back the same, in ASCII, without a line end."""
    unblanked = value.lstrip(" ")
    leading = "\\ " * (len(value) - len(unblanked))
    return f"{_escape_name(name)}={leading}{''.join(map(_escape, unblanked))}"


def merge_properties(text: str, changes: Mapping[str, str], other_names: Mapping[str, str]) -> str:
    """Return `text` with the settings `changes` in it; comments, order and all other lines stay as they are.

    A changed setting is written where it last stood, earlier duplicates of it go, a new one is added at the end.
    `other_names` maps names that `text` may use to those in `changes`. The last line gets its line end.
    Raises ConfigError for a malformed escape, which `parse_properties` refuses too.
    """
    if not changes:
        return text
    natural: list[str] = _NATURAL_LINE.findall(text.removeprefix("\ufeff"))
    newline = "\r\n" if natural and natural[0].endswith("\r\n") else "\n"
    lines = list(_logical_lines(natural))
    _finish(natural, lines, newline)
    pending = dict(changes)
    for line in reversed(lines):
        written = _unescape(_split(line.text)[0])
        name = other_names.get(written, written)
        if name not in changes:
            continue
        value = pending.pop(name, None)
        natural[line.first : line.end] = [] if value is None else [format_property(name, value) + newline]
    natural += [format_property(name, value) + newline for name, value in pending.items()]
    return "".join(natural)


def _finish(natural: list[str], lines: list[_LogicalLine], newline: str) -> None:
    """Make a last line that lacks its line end, or says that it goes on, one that others can follow."""
    if lines and lines[-1].end == len(natural) and _goes_on(_content(natural[-1])):
        name, value = map(_unescape, _split(lines[-1].text))
        natural[lines[-1].first :] = [format_property(name, value) + newline]
    elif natural and not natural[-1].endswith(("\r", "\n")):
        natural[-1] += newline


def _logical_lines(natural: list[str]) -> Iterator[_LogicalLine]:
    index = 0
    while index < len(natural):
        first = index
        text = _content(natural[index])
        index += 1
        if not text or text[0] in "#!":
            continue
        if text.startswith("<!--"):
            comment_end = _comment_end(natural, first)
            if comment_end:
                index = comment_end
                continue
        while _goes_on(text):
            text = text[:-1]
            if index == len(natural):
                break
            text += _content(natural[index])
            index += 1
        if text:
            yield _LogicalLine(first, index, text)


def _content(natural_line: str) -> str:
    return natural_line.rstrip("\r\n").lstrip(_BLANKS)


def _comment_end(natural: list[str], first: int) -> int:
    """Index behind the line that closes an XML comment; 0 when none does, then it is no comment."""
    for index in range(first, len(natural)):
        if "-->" in natural[index]:
            return index + 1
    return 0


def _goes_on(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _split(logical_line: str) -> tuple[str, str]:
    match = _NAME_AND_VALUE.match(logical_line)
    assert match is not None, "the pattern matches every line, if need be with an empty name"
    return match[1], match[2]


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_unescaped, text)
    if _SURROGATE.search(plain):  # Java writes a character beyond U+FFFF as two escapes
        plain = plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return plain


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if len(escape) > 1:
        return chr(int(escape[1:], 16))
    if escape == "u":
        raise ConfigError("\\u must be followed by four hexadecimal digits")
    return _CONTROLS.get(escape, escape)


def _escape(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _escape_name(name: str) -> str:
    return "".join("\\" + c if c in " =:#!<" else _escape(c) for c in name)
