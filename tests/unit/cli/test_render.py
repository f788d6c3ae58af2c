"""Values as text."""

import pytest

from broker_py.admin.versions import version_text
from broker_py.cli.commands.render import table, time_text


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("Name", "N"), [("a-long-name", 1), ("b", 22)]) == [
        "#Name        #N",
        "a-long-name  1",
        "b            22",
    ]


def test_a_time_that_is_none_is_empty() -> None:
    assert (time_text(0), time_text(-1)) == ("", "")
    assert time_text(1_700_000_000_123).endswith(",123")


@pytest.mark.parametrize(
    ("version", "name"),
    [(433, "V5_1_0"), (435, "V5_1_1"), (317, "V4_5_2"), (401, "V4_9_4"), (232, "V4_1_0_SNAPSHOT"), (37, "37")],
)
def test_versions_have_names(version: int, name: str) -> None:
    assert version_text(version) == name
