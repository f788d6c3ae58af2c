import pytest

from broker_py.errors import ConfigError
from broker_py.message.delay import DelayLevels


def test_levels_count_from_one() -> None:
    delays = DelayLevels("1s 2m 3h 4d")
    waits = [delays.due_ms({"DELAY": level}, 100) for level in ("1", "2", "3", "4")]
    assert waits == [1_100, 120_100, 10_800_100, 345_600_100]


def test_a_level_above_the_highest_is_the_highest() -> None:
    assert DelayLevels("1s 5s").due_ms({"DELAY": "3"}, 0) == 5_000


@pytest.mark.parametrize(
    "properties", [{}, {"DELAY": "0"}, {"DELAY": "-1"}, {"DELAY": "two"}, {"DELAY": "²"}, {"DELAY": "9" * 5000}]
)
def test_a_message_without_a_level_is_not_delayed(properties: dict[str, str]) -> None:
    assert DelayLevels().due_ms(properties, 0) is None


@pytest.mark.parametrize("text", ["", "1", "s", "1s,5s", "1w", "-1s", "12345678901s"])
def test_levels_that_can_not_be_read_are_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="messageDelayLevel"):
        DelayLevels(text)
