"""Versions of tables."""

from broker_py.model.data_version import DataVersion
from broker_py.wire.fastjson import loads_object
from tests.support.vectors import java_remoting


def test_a_version_of_java_is_read_and_written() -> None:
    fields = loads_object(java_remoting("data-version"))
    version = DataVersion.from_json(fields)
    assert version == DataVersion(timestamp=1_700_000_000_000, counter=3)
    assert version.to_json() == fields


def test_a_change_counts_and_notes_its_time() -> None:
    assert DataVersion(1, 2, 3).next(9) == DataVersion(9, 3, 3)


def test_versions_are_equal_only_in_all_three() -> None:
    versions = {DataVersion(1, 1, 1), DataVersion(2, 1, 1), DataVersion(1, 2, 1), DataVersion(1, 1, 2)}
    assert len(versions) == 4
