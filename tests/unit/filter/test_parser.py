"""SQL92 expressions. What is expected here is what RocketMQ 5.1.0's own filter module answers."""

import random
from typing import Final

import pytest

from broker_py.filter.lexer import ExpressionInvalid
from broker_py.filter.parser import MAX_CHARACTERS, MAX_DEPTH, MAX_HEIGHT, compile_filter

PROPERTIES: Final = {
    "a": "5",
    "b": "x",
    "f": "3.5",
    "flag": "true",
    "quoted": "it's",
    "big": "3000000000",
    "TAGS": "A",
    "_x$1": "1",
    "nan": "NaN",
    "minus": "-0.0",
    "zero": "0.0",
    "spaced": " 5 ",
}


def matches(expression: str) -> bool:
    return compile_filter(expression).matches(PROPERTIES)


@pytest.mark.parametrize(
    "expression",
    [
        "a > 4",
        "a >= 5 AND a <= 5",
        "a = 5",
        "a = '5'",
        "a <> 6",
        "5 = a",
        "4 < a",
        "f > 3.4",
        "f = 3.5",
        "a > 4.9",
        "a < 5e1",
        "a <= 5.",
        "a > .5",
        "a > -1",
        "a > - -1",
        "+a > +4",
        "big = 3000000000",
        "big > 2999999999L",
        "flag = TRUE",
        "flag = true and not (flag = FALSE)",
        "quoted = 'it''s'",
        "b IN ('x')",
        "b in ('1', '2', '3', '4', 'x')",
        "b NOT IN ('y', 'z')",
        "a BETWEEN 5 AND 6",
        "a between -1 and 5",
        "a NOT BETWEEN 6 AND 7",
        "a BETWEEN a AND a",
        "missing IS NULL",
        "a IS NOT NULL",
        "TAGS is not null and TAGS in ('A', 'B')",
        "_x$1 = 1",
        "a = 1 OR b = 'x' AND f > 3.0",
        "(a = 5 OR b = 'y') AND TAGS = 'A'",
        "NOT (a = 6)",
        "missing = other",  # null and null are equal
        "(missing > 5) IS NULL",
        "missing = 1 OR TRUE",
        "TRUE",
        "nan > 1e300",
        "minus < zero AND a < big",  # a text beside a text: both become doubles
        "spaced >= f",
        "a > 4 -- to the end\n AND b = 'x'",
        "a /* in * between */ > 4",
        "a\t>\n4",
        "a = 5 garbage",  # what comes behind a complete expression is left alone
        "a = 5 ) and",
        "'x' <> missing",
    ],
)
def test_a_message_is_wanted(expression: str) -> None:
    assert matches(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "a > 5",
        "a < 5",
        "a = 6",
        "b = 'y'",
        "missing = 1",
        "missing <> 1",
        "missing > 1",
        "NOT (missing = 1)",
        "missing IN ('x')",
        "missing NOT IN ('x')",
        "missing BETWEEN 1 AND 2",
        "missing = 1 OR FALSE",
        "missing = 1 AND TRUE",
        "b",  # a property is no condition that can be true
        "a = 5.5",
        "FALSE",
        "NULL",
        "a IS NULL",
        "-b = 5",
        "-TRUE = 1",
        "5 = TRUE",
        "B = 'x'",  # names count as they are written
    ],
)
def test_a_message_is_not_wanted(expression: str) -> None:
    assert not matches(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "f = 3 OR TRUE",  # 3.5 is no Integer
        "big > 5 OR TRUE",  # nor is 3000000000
        "b > 5 OR TRUE",
        "b > f OR TRUE",
        "b BETWEEN 1 AND 2 OR TRUE",
        "spaced = 5 OR TRUE",
        "TRUE = flag OR TRUE",  # a cast that fails in Java
    ],
)
def test_what_can_not_be_compared_ends_the_evaluation(expression: str) -> None:
    assert not matches(expression)
    assert matches("TRUE OR " + expression)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "a property, a value or \\( is expected, and there is the end"),
        ("a > > 5 and", "expected, and there is '>' at 4"),
        ("a =", "there is the end"),
        ("(a = 5", "\\) is expected, and there is the end"),
        ("a AND", "there is the end"),
        ("5", "5 is not a condition"),
        ("'x' OR a = 5", "'x' is not a condition"),
        ("NOT 5", "5 is not a condition"),
        ("-a", "-a is not a condition"),
        ("a = 1 && b = 2", "no word or sign begins with '&& b = 2' at 6"),
        ("a != 5", "begins with '!= 5'"),
        ("(a LIKE 'x')", "\\) is expected, and there is 'LIKE'"),
        ("(a + 1 > 2)", "\\) is expected, and there is '\\+'"),
        ("a = 'x", 'begins with "\'x"'),
        ("a IN (1)", "IN lists texts"),
        ("a IN ()", "IN lists texts"),
        ("a IN ('x'", "\\) is expected"),
        ("'a' IN ('x')", "IN needs a property"),
        ("NOT a IN ('x')", "IN needs a property"),  # NOT binds more
        ("a NOT 5", "IN is expected"),
        ("a IS 5", "NULL is expected"),
        ("a = NULL", "IS NULL is meant"),
        ("TRUE = 5", "TRUE can't be compared with 5"),
        ("a > 'x'", "can't be compared by >"),
        ("a > TRUE", "TRUE can't be compared"),
        ("(a = 1) > 1", "= can't be compared"),
        ("a BETWEEN 6 AND 5", "BETWEEN goes from 6 to 5"),
        ("a BETWEEN NULL AND 5", "ends of BETWEEN can't be NULL"),
        ("a BETWEEN 'x' AND 'y'", "can't be compared"),
        ("a BETWEEN 'x' AND 5", "which is not more"),
        ("a > 9223372036854775808", "is more than 9223372036854775807"),
        ("a > 0.0", "zero is written 0"),
        ("a > 1e400", "more than the largest"),
        ("a = 5 /* x", "the comment at 6 has no end"),
        ("x" * (MAX_CHARACTERS + 1), "characters"),
        ("(" * (MAX_DEPTH + 1), "in one another"),
        ("NOT " * (MAX_DEPTH + 1) + "a", "in one another"),
        ("a" + " IS NULL" * (MAX_HEIGHT + 1), "in one another"),
    ],
)
def test_what_can_not_be_read_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionInvalid, match=reason):
        compile_filter(expression)


def test_what_nests_as_deep_as_it_may_is_evaluated() -> None:
    assert matches("(" * MAX_DEPTH + "a = 5" + ")" * MAX_DEPTH)
    assert matches("NOT " * (MAX_DEPTH - 2) + "(a = 5)")
    assert not matches("a IS NULL" + " IS NULL" * (MAX_HEIGHT - 2))
    assert matches("a = 6 OR " * 1500 + "a = 5")


def test_ends_of_between_in_one_another_cost_no_more_each_level() -> None:
    assert not matches("-(" * 40 + "a" + " BETWEEN 1 AND 9)" * 40 + " = 1")


def test_mutated_expressions_are_read_or_refused() -> None:
    words = "a b 5 2.5 'x' TRUE NULL ( ) , AND OR NOT IN BETWEEN IS = <> > >= < <= + - -- /* */ ' é $ 99999999999 \n"
    start = "(TAGS IN ('A', 'B') AND a BETWEEN 1 AND 9) OR NOT (b <> 'x') AND missing IS NOT NULL"
    chosen = random.Random(7)
    read = 0
    for _ in range(5000):
        text = start
        for _ in range(chosen.randint(1, 4)):
            at = chosen.randint(0, len(text))
            text = text[:at] + chosen.choice(words.split(" ")) + text[at + chosen.randint(0, 5) :]
        try:
            found = compile_filter(text)
        except ExpressionInvalid:
            continue
        read += 1
        assert found.matches(PROPERTIES) in (True, False)
    assert read > 100


@pytest.mark.parametrize("expression", ["'{}'", "{}", "'{}' > 5", "'{}' IN ('x')"])
def test_a_refusal_shows_little_of_what_is_long(expression: str) -> None:
    with pytest.raises(ExpressionInvalid) as refused:
        compile_filter(expression.replace("{}", "1" * 5000))
    assert len(str(refused.value)) < 200
