import pytest

from broker_py.message.java_hash import extend_hash, java_hash, utf16_units

LONG = "".join(chr(33 + n * 7 % 90) for n in range(200))


@pytest.mark.parametrize(
    ("text", "value"),
    [("", 0), ("TagA", 2598919), ("*", 42), ("polygenelubricants", -(1 << 31)), ("ä", 228), ("😀", 1772899)],
)
def test_hashes_are_those_of_java(text: str, value: int) -> None:
    assert java_hash(text) == value


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 66, 128, 200])
def test_a_text_of_any_length_is_hashed_as_the_definition_says(size: int) -> None:
    value = 0
    for unit in LONG[:size].encode():
        value = (31 * value + unit) % (1 << 32)
    assert extend_hash(0, LONG[:size].encode()) == value
    assert java_hash(LONG[:size]) % (1 << 32) == value


@pytest.mark.parametrize("cut", [0, 1, 64, 100, 200])
def test_a_hash_is_extended_to_that_of_the_longer_text(cut: int) -> None:
    text = LONG + "ä😀"
    whole = extend_hash(0, utf16_units(text))
    assert extend_hash(extend_hash(0, utf16_units(text[:cut])), utf16_units(text[cut:])) == whole
