import pytest

from broker_py.message.tags import java_hash, tags_code


@pytest.mark.parametrize(
    ("text", "value"),
    [("", 0), ("TagA", 2598919), ("*", 42), ("polygenelubricants", -(1 << 31)), ("ä", 228), ("😀", 1772899)],
)
def test_hashes_are_those_of_java(text: str, value: int) -> None:
    assert java_hash(text) == value


def test_a_message_without_a_tag_has_code_0() -> None:
    assert tags_code(None) == tags_code("") == 0
    assert tags_code("TagA") == 2598919
