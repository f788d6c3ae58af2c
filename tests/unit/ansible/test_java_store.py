"""The store of a Java broker becomes ours by one rename, and Java's again."""

import fcntl
import json
import os
from pathlib import Path

import pytest

from plugins.modules.java_store import Places, StoreError, apply, give, mount_of, mounted, noted_owner, remember

OWNER = (os.getuid(), os.getgid())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A store of Java's with a log of two files, and a place for it to go."""
    found = Places(tmp_path / "java" / "store", tmp_path / "ours" / "store")
    (found.java / "commitlog").mkdir(parents=True)
    (found.java / "consumequeue" / "T" / "0").mkdir(parents=True)
    for name in ("00000000000000000000", "00000000000000004096"):
        (found.java / "commitlog" / name).write_bytes(bytes(4096))
    (found.java / "consumequeue" / "T" / "0" / "00000000000000000000").write_bytes(bytes(40))
    found.ours.parent.mkdir()
    return found


def bring(places: Places, state: str, check_mode: bool = False) -> bool:
    return bool(apply(places, state, OWNER, check_mode)["changed"])


def test_a_look_tells_whose_the_store_is_and_how_long_its_files_are(places: Places) -> None:
    assert apply(places, "looked", None, False) == {
        "changed": False,
        "side": "java",
        "begun": False,
        "log_file_bytes": [4096],
        "queue_file_bytes": [40],
        "link": False,
        "movable": True,
        "empty": True,
    }


@pytest.mark.parametrize("there", [False, True])
def test_a_store_goes_to_a_place_that_is_not_there_or_empty_and_comes_back(places: Places, there: bool) -> None:
    if there:
        places.ours.mkdir()
    inode = places.java.stat().st_ino
    places.java.chmod(0o711)
    assert [bring(places, "begun"), bring(places, "ours"), bring(places, "ours")] == [True, True, False]
    assert places.ours.stat().st_mode & 0o777 == 0o750
    assert places.ours.stat().st_ino == inode
    assert not places.java.exists()
    assert places.note.exists()
    assert [bring(places, "java"), bring(places, "java")] == [True, False]
    assert places.java.stat().st_ino == inode
    assert places.java.stat().st_mode & 0o777 == 0o711
    assert list(places.ours.parent.iterdir()) == []


def test_check_mode_tells_and_moves_nothing(places: Places) -> None:
    assert bring(places, "begun", check_mode=True)
    assert bring(places, "ours", check_mode=True)
    assert places.side() == "java"
    assert not places.note.exists()


def test_nothing_is_moved_over_something(places: Places) -> None:
    (places.ours / "config").mkdir(parents=True)
    with pytest.raises(OSError, match="not empty"):
        bring(places, "ours")
    assert places.side() == "java"


@pytest.mark.parametrize("both", [True, False])
def test_which_directory_is_the_store_has_to_be_clear(places: Places, both: bool) -> None:
    if both:
        (places.ours / "commitlog").mkdir(parents=True)
    else:
        (places.java / "commitlog").rename(places.java / "elsewhere")
    with pytest.raises(StoreError, match="in both of them" if both else "in neither of them"):
        bring(places, "ours")


def test_a_store_that_is_in_use_stays_where_it_is(places: Places) -> None:
    with (places.java / "lock").open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 0)
        child = os.fork()
        if child == 0:  # a lock is seen by others only
            try:
                bring(places, "ours")
            except StoreError as error:
                os._exit(7 if f"pid {os.getppid()} uses the store" in str(error) else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert places.side() == "java"


def test_whoever_had_the_store_gets_it_back(places: Places) -> None:
    remember(places)
    assert noted_owner(places) == OWNER
    places.note.write_text("{}")
    with pytest.raises(StoreError, match="does not say whose the store was"):
        noted_owner(places)


def test_a_store_goes_back_to_where_it_was_and_nowhere_else(places: Places) -> None:
    assert bring(places, "ours")
    elsewhere = Places(places.java.with_name("elsewhere"), places.ours)
    with pytest.raises(StoreError, match="set store in migration_brokers to that"):
        bring(elsewhere, "java")
    assert places.side() == "ours"


def test_the_note_of_a_move_that_was_interrupted_is_believed(places: Places) -> None:
    places.note.write_text(json.dumps({"store": str(places.java), "uid": 1234, "gid": 1234}))
    assert bring(places, "begun") is False
    assert bring(places, "ours")
    assert noted_owner(places) == (1234, 1234)


def test_what_is_its_owner_s_already_is_left_alone(places: Places) -> None:
    assert give(places.java, OWNER) is False


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_all_that_is_in_a_store_changes_its_owner_even_where_a_run_was_interrupted(places: Places) -> None:
    assert bring(places, "ours")
    os.chown(places.ours / "commitlog" / "00000000000000004096", 1234, 1234)
    assert bring(places, "ours")
    assert (places.ours / "commitlog" / "00000000000000004096").stat().st_uid == OWNER[0]


MOUNTS = ["/", "/data", "/data/my disk", "/srv"]


def test_mount_points_may_have_blanks() -> None:
    assert mounted("22 1 8:1 / / rw - ext4 a rw\n23 22 8:2 / /data/my\\040disk rw - ext4 b rw\n") == [
        "/",
        "/data/my disk",
    ]


@pytest.mark.parametrize(
    ("path", "mount"), [("/data/my disk/store", "/data/my disk"), ("/database", "/"), ("/data", "/data")]
)
def test_a_path_is_below_the_nearest_mount_point(path: str, mount: str) -> None:
    assert mount_of(path, MOUNTS) == mount


@pytest.mark.parametrize(
    ("java", "ours", "movable"),
    [
        ("/data/java/store", "/data/ours/store", True),
        ("/data/store", "/srv/store", False),
        ("/data", "/store", False),
        ("/java/store", "/srv", False),
    ],
)
def test_a_rename_goes_into_no_other_mount(java: str, ours: str, movable: bool) -> None:
    assert Places(Path(java), Path(ours)).movable(MOUNTS) is movable
