"""Java's numbers."""

import math

import pytest

from broker_py.filter.values import (
    EvaluationFailed,
    Long,
    boolean_of,
    compare,
    compare_doubles,
    double_of,
    integer_of,
    long_of,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), ("+5", 5), ("-2147483648", -(1 << 31)), ("0000000000000000000000005", 5), ("٣", 3), ("５", 5)],
)
def test_an_integer_is_read(text: str, number: int) -> None:
    assert integer_of(text) == number


@pytest.mark.parametrize("text", ["", "+", "1.5", " 5", "1_0", "2147483648", "9" * 30_000, "0x10", "𝟓"])
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(EvaluationFailed):
        integer_of(text)


def test_a_long_reaches_further() -> None:
    assert long_of("-9223372036854775808") == -(1 << 63)
    with pytest.raises(EvaluationFailed):
        long_of("9223372036854775808")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5.0),
        (" 5. ", 5.0),
        (".5e1f", 5.0),
        ("5d", 5.0),
        ("0x1p3", 8.0),
        ("1e400", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_a_double_is_read(text: str, number: float) -> None:
    assert double_of(text) == number


@pytest.mark.parametrize("text", ["", ".", "inf", "nan", "1_0", "1e", "0x10", "٣"])
def test_what_is_no_double_is_refused(text: str) -> None:
    with pytest.raises(EvaluationFailed):
        double_of(text)


def test_doubles_have_an_order_of_all() -> None:
    assert compare_doubles(-0.0, 0.0) < 0
    assert compare_doubles(math.nan, math.inf) > 0
    assert compare_doubles(math.inf, math.nan) < 0
    assert compare_doubles(math.nan, math.nan) == 0


def test_a_text_becomes_what_it_is_compared_with() -> None:
    assert compare("3000000000", Long(3_000_000_000)) == 0
    assert compare("TRUE", True) == 0
    assert compare(2.5, "2.5") == 0
    assert compare("b", "a") > 0


def test_what_has_nothing_in_common_is_less() -> None:
    assert compare(5, True) == -1
    assert compare(True, 5) == -1


def test_a_boolean_is_true_in_any_case_of_letters() -> None:
    assert boolean_of("TrUe")
    assert not boolean_of("yes")
