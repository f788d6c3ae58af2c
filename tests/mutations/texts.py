"""Texts that people write, mutated: SQL expressions, files of access rules, patterns of addresses."""

from random import Random
from typing import Final

_SQL: Final = (
    "a > 5 AND (b IN ('x', 'y') OR c IS NOT NULL) AND d NOT BETWEEN 1 AND 2.5",
    "TAGS is not null and TAGS in ('A', 'B') or not (f <= 3.5e2)",
    "a /* comment */ >= -1 -- to the end\n AND b <> 'it''s'",
    "(_x$1 = TRUE) = (flag = FALSE)",
    "a between -1 and 5 or big > 2999999999L",
)
_SQL_PIECES: Final = (
    *("(", ")", "'", "''", "NOT ", " AND ", " OR ", "-", "+", "--", "/*", "*/", "IN ", "IN ('a')", "BETWEEN 1 AND 2"),
    *("IS NULL", "<>", ">=", "=", ",", "1e400", "1e-400", "9" * 30, "9" * 5000, "0x1", ".", "\x00", "\n", "😀", "é"),
    *("LIKE", "\ud800", "9223372036854775807L", "9223372036854775808", "a", "NULL", "TRUE", "00"),
)
_YAML_PIECES: Final = (
    *(b"*", b"&a ", b"!!binary ", b"!!python/object:os.system ", b"- ", b": ", b"{", b"]", b"\t", b"\xff", b"0x1f"),
    *(b"1e9", b"null", b"'", b'"', b"|\n", b"<<: ", b"? ", b"---\n", b"9" * 5000, b"2001-01-01", b"~", b"%TAG ! a\n"),
    *(b"[" * 50, b"  - topicA=DENY\n", b"\x00", b"accounts:\n", b"admin: maybe\n", b"=", b"|"),
)


def sql_expression(random: Random) -> str:
    """Return an expression that may be none: nested, cut, mixed up, or long."""
    choice = random.random()
    if choice < 0.02:
        size = random.choice((200, 5000, 100_000))
        opening, inner, closing = random.choice(
            (
                ("(", "a = 1", ")"),
                ("NOT ", "a = 1", ""),
                ("-", "a", " > 1"),
                ("a = 1 OR ", "TRUE", ""),
                ("a = 1 AND (", "TRUE", ")"),
                ("a = ", "a", ""),
                ("a > 1 = ", "TRUE", ""),
                ("'", "", ""),
                ("/*", "", "*/"),
                ("a IN (", "'x'", ")"),
                ("'x',", "'x'", ")"),
                ("9", "", ""),
                ("a BETWEEN ", "1", " AND 2"),
                (" ", "", ""),
                ("--\n", "a = 1", ""),
            )
        )
        return opening * (size // len(opening)) + inner + closing * random.choice((0, 1, size // 10))
    text = random.choice(_SQL)
    for _ in range(random.randint(1, 5)):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.choice((0, 1, 2, 10, 30)))
        piece = random.choice(("", random.choice(_SQL_PIECES), text[start:end] * 2, chr(random.randrange(1, 256))))
        text = text[:start] + piece + text[end:]
    return text


def mutated(random: Random, data: bytes) -> bytes:
    """Return bytes of a file or a pattern with a few pieces changed, doubled or gone."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 5)):
        start = random.randrange(len(changed) + 1)
        end = min(len(changed), start + random.choice((0, 1, 2, 30)))
        piece = random.choice((b"", random.choice(_YAML_PIECES), random.randbytes(2), bytes(changed[start:end]) * 2))
        changed[start:end] = piece
    return bytes(changed)
