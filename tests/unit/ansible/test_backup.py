"""A backup is what its checksums say, or it is none."""

import subprocess
from pathlib import Path

import pytest

from plugins.filter.backup import backup_problems, backup_tables, checksum_list

TOPICS = "brokers/broker-a/topics.json"
PROPERTIES = "properties/os1/broker-a.properties"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    for name, text in {TOPICS: '{"topicConfigTable":{}}', PROPERTIES: "brokerName=broker-a\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "SHA256SUMS").write_text(checksum_list(str(tmp_path)))
    return tmp_path


def test_a_backup_is_whole_and_its_tables_are_what_is_restored(backup: Path) -> None:
    assert backup_problems(str(backup)) == []
    assert backup_tables(str(backup)) == {TOPICS: '{"topicConfigTable":{}}'}


def test_the_checksums_are_those_of_sha256sum(backup: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=backup, check=True)


def test_each_file_that_is_not_as_written_is_named(backup: Path) -> None:
    (backup / TOPICS).write_text("{}")
    (backup / PROPERTIES).unlink()
    (backup / "brokers" / "broker-b.json").touch()
    assert backup_problems(str(backup)) == [
        f"{PROPERTIES} is missing",
        "brokers/broker-b.json does not belong to it",
        f"{TOPICS} has changed",
    ]


def test_an_empty_backup_is_none(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").touch()
    assert backup_problems(str(tmp_path)) == ["it has no tables"]
