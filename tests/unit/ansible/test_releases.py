import os
import pathlib

import pytest

from plugins.modules.releases import linked, obsolete, present, running

NEWEST_FIRST = ["5", "4", "3", "2", "1"]


@pytest.mark.parametrize(
    ("needed", "kept", "removed"),
    [
        ([], 2, ["3", "2", "1"]),
        (["5", "4"], 2, ["3", "2", "1"]),
        (["1", "5"], 2, ["4", "3", "2"]),
        (["1"], 2, ["4", "3", "2"]),
        (["1", "2", "3"], 2, ["5", "4"]),
        (["5"], 9, []),
        (["elsewhere"], 5, []),
    ],
)
def test_the_oldest_are_removed_but_never_what_is_needed(needed: list[str], kept: int, removed: list[str]) -> None:
    assert obsolete(NEWEST_FIRST, needed, kept) == removed


def test_releases_are_listed_by_age(tmp_path: pathlib.Path) -> None:
    for age, name in enumerate(["new", "old", "oldest"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "file").write_text("")
    assert present(tmp_path) == ["new", "old", "oldest"]
    assert present(tmp_path / "missing") == []


def test_what_any_link_points_to_is_needed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "current").symlink_to("releases/2")
    (tmp_path / "previous").symlink_to("releases/1")
    assert linked(tmp_path) == {"1", "2"}
    assert linked(tmp_path / "missing") == set()


def test_what_a_process_runs_from_is_needed(tmp_path: pathlib.Path) -> None:
    releases, proc = pathlib.Path("/opt/broker-py/releases"), tmp_path / "proc"
    for pid, argv in (
        ("7", b"/opt/broker-py/releases/1/bin/python3\0/opt/x\0"),
        ("8", b"/usr/bin/python3\0"),
        ("9", b""),
    ):
        (proc / pid).mkdir(parents=True)
        (proc / pid / "cmdline").write_bytes(argv)
    (proc / "10").mkdir()
    assert running(releases, proc) == {"1"}
