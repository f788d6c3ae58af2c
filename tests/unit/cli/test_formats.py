"""Output for scripts: YAML and CSV."""

from typing import Any

import pytest
import yaml

from broker_py.cli.formats import to_csv, to_yaml


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        None,
        "yes",
        [{"a": 1, "b": [1, 2], "c": {"d": None}}, {"a": "x: y", "b": [], "c": {}}],
        {"10.0.0.1:10911": {"key": "true", "Null": "1.5", "other": "2026-01-01", "text": "a b\nc"}},
        [[1, [2, 3]], [True]],
        {"plain": "broker-a", "empty": "", "star": "*", "unicode": "ü"},
    ],
)
def test_yaml_is_what_a_parser_reads_back(value: Any) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


def test_csv_has_a_row_for_each_item() -> None:
    assert to_csv([{"a": 1, "b": "x,y"}, {"a": None, "c": [1]}]) == 'a,b,c\n1,"x,y",\n,,[1]\n'


def test_csv_of_an_object_with_one_table_is_the_table() -> None:
    assert to_csv({"total": 5, "queues": [{"q": 0}, {"q": 1}]}) == "q\n0\n1\n"


def test_csv_of_objects_by_key_has_the_key_in_front() -> None:
    assert to_csv({"a:1": {"x": "y"}}) == "key,x\na:1,y\n"


def test_csv_of_names() -> None:
    assert to_csv(["T", "U"]) == "value\nT\nU\n"
