#!/usr/bin/python
"""Give the store of a Java broker to ours, or give it back: one rename, and a note that says where it came from.

The note lies beside our directory and not in the store, `<ours>.java.json`:

    {"store":"/home/rocketmq/store","uid":997,"gid":995,"mode":493}

It is durable before anything moves, so whatever is interrupted can be gone on with, or back from. Whose the store is
follows from where it is: a directory has a commit log in it or it is not there.
"""

from __future__ import annotations

import grp
import json
import os
import pathlib
import pwd
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.store_lock import lock_holder

DOCUMENTATION = """
module: java_store
short_description: Look at the store of a Java broker, give it to ours, or give it back
version_added: 0.2.0
description:
  - Renames a store from where a Java broker has it to where ours will have it, with all that is in it, and gives it to
    the user of our daemons; or the other way round, to the user that had it. A note beside our directory remembers
    both.
  - Nobody may use the store meanwhile; the module refuses one whose lock is held.
author: [broker-py developers (@broker-py)]
options:
  state:
    description:
      - Whose the store shall be.
      - C(begun) only writes the note, before Java is stopped. C(looked) changes nothing.
    type: str
    choices: [java, ours, begun, looked]
    required: true
  java:
    description: The store's directory when it is Java's.
    type: path
    required: true
  ours:
    description: The store's directory when it is ours.
    type: path
    required: true
  user:
    description: The user that owns it when it is ours.
    type: str
  group:
    description: The group that owns it when it is ours.
    type: str
"""

EXAMPLES = """
- name: Take the store over
  broker_py.mq.java_store:
    state: ours
    java: /home/rocketmq/store
    ours: /var/lib/broker-py/store
    user: rocketmq
    group: rocketmq
"""

RETURN = """
side:
  description: Whose the store is now; C(none) when there is a commit log in neither directory, C(both) if in both.
  type: str
  returned: success
begun:
  description: Whether there is a note, so that it has been moved or was about to be.
  type: bool
  returned: success
log_file_bytes:
  description: The sizes of the files of the commit log.
  type: list
  elements: int
  returned: success
queue_file_bytes:
  description: The sizes of the files of the consume queues.
  type: list
  elements: int
  returned: success
link:
  description: Whether the store, or the commit log in it, is a link to another place.
  type: bool
  returned: success
movable:
  description: Whether both places are in one mount and neither is a mount point, so that a rename suffices.
  type: bool
  returned: success
empty:
  description: Whether our directory is not there, or nothing is in it, while the store is Java's.
  type: bool
  returned: success
"""

OUR_MODE = 0o750  # as role broker makes the directory of a store
JAVA_MODE = 0o755  # where nobody wrote down what it was
JAVA, OURS, NONE, BOTH = "java", "ours", "none", "both"


class StoreError(Exception):
    """It can't be moved; the text is a sentence for the operator."""


@dataclass(frozen=True)
class Places:
    """Where a store is when it is Java's and when it is ours."""

    java: pathlib.Path
    ours: pathlib.Path

    @property
    def used(self) -> pathlib.Path:
        """The directory that has the store."""
        return self.ours if self.side() == OURS else self.java

    @property
    def note(self) -> pathlib.Path:
        """The file that remembers where the store came from."""
        return self.ours.with_name(f"{self.ours.name}.java.json")

    def side(self) -> str:
        """Say whose the store is."""
        found = [side for side, path in ((JAVA, self.java), (OURS, self.ours)) if (path / "commitlog").is_dir()]
        return BOTH if len(found) > 1 else (found or [NONE])[0]

    def movable(self, mount_points: Sequence[str]) -> bool:
        """Say whether a rename does it, which goes into no other mount, not even of the same file system."""
        java, ours = os.path.realpath(self.java), os.path.realpath(self.ours)
        below = [mount_of(os.path.dirname(path), mount_points) for path in (java, ours)]
        return below[0] == below[1] and java not in mount_points and ours not in mount_points


def mounted(mountinfo: str) -> list[str]:
    """Return the mount points in the text of /proc/self/mountinfo; blanks in them are written as octal numbers."""
    found = [line.split()[4] for line in mountinfo.splitlines()]
    return [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path) for path in found]


def mount_of(path: str, mount_points: Sequence[str]) -> str:
    """Return the mount point that a path is below, or is."""
    return max((each for each in mount_points if os.path.commonpath([each, path]) == each), key=len, default="/")


def _mount_points() -> list[str]:
    return mounted(pathlib.Path("/proc/self/mountinfo").read_text())


def file_bytes(directory: pathlib.Path, levels: int) -> list[int]:
    """Return the sizes of the files that are so many levels down, each once; names of a store's files are digits."""
    pattern = "/".join(["*"] * levels)
    return sorted({path.stat().st_size for path in directory.glob(pattern) if path.name.isdigit() and path.is_file()})


def looked(places: Places) -> dict[str, Any]:
    """Return what there is to see of a store."""
    side, store = places.side(), places.used
    return {
        "side": side,
        "begun": places.note.exists(),
        "log_file_bytes": file_bytes(store / "commitlog", 1),
        "queue_file_bytes": file_bytes(store / "consumequeue", 3),
        "link": store.is_symlink() or (store / "commitlog").is_symlink(),
        "movable": places.movable(_mount_points()),
        "empty": not places.ours.exists() or side == OURS or not any(places.ours.iterdir()),
    }


def moves(side: str, wanted: str) -> bool:
    """Say whether a store has to be moved; StoreError when it is not clear which one it is."""
    if side in (NONE, BOTH):
        where = "in neither of them" if side == NONE else "in both of them"
        raise StoreError(f"it is not clear which directory is the store: there is a commitlog {where}")
    return side != wanted


def move(places: Places, wanted: str, owner: tuple[int, int] | None) -> None:
    """Move the store to where `wanted` says, and give it to whom it belongs there: `owner`, or whom the note names.

    The order is what makes it safe to be interrupted: the note, the rename, the owners. A store that was moved and not
    given yet is given the next time, as `give` runs in any case.
    """
    mode = OUR_MODE
    if wanted == JAVA:
        owner, mode = noted_owner(places), noted_mode(places)
    elif not places.note.exists():
        remember(places)
    source, target = (places.java, places.ours) if wanted == OURS else (places.ours, places.java)
    os.rename(source, target)  # replaces an empty directory, and nothing else
    for parent in {source.parent, target.parent}:
        sync_directory(parent)
    give(target, owner)
    target.chmod(mode)


def remember(places: Places) -> None:
    """Write the note, durably."""
    status = places.java.stat()
    mode = stat.S_IMODE(status.st_mode)
    content = json.dumps({"store": str(places.java), "uid": status.st_uid, "gid": status.st_gid, "mode": mode})
    temporary = places.note.with_name(f"{places.note.name}.tmp")
    with temporary.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(places.note)
    sync_directory(places.note.parent)


def noted_owner(places: Places) -> tuple[int, int]:
    """Return user and group that a store had as Java's; StoreError when nobody wrote that down."""
    try:
        note = json.loads(places.note.read_text())
        store, owner = note["store"], (int(note["uid"]), int(note["gid"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{places.note} does not say whose the store was ({error}): write"
            f' {{"store": "{places.java}", "uid": NUMBER, "gid": NUMBER}} into it, of the user that runs Java'
        ) from None
    if store != str(places.java):
        raise StoreError(f"{places.note} says that it was {store}: set store in migration_brokers to that")
    return owner


def noted_mode(places: Places) -> int:
    """Return the permissions that the directory had as Java's; call it where `noted_owner` found the note whole."""
    return int(json.loads(places.note.read_text()).get("mode", JAVA_MODE))


def give(store: pathlib.Path, owner: tuple[int, int] | None) -> bool:
    """Give the directory and all that is in it to a user and group; say whether anything was another's."""
    if owner is None:
        return False
    changed = False
    for parent, _, files in os.walk(store):
        for path in (parent, *(os.path.join(parent, name) for name in files)):
            status = os.lstat(path)
            if (status.st_uid, status.st_gid) != owner:
                os.chown(path, *owner, follow_symlinks=False)
                changed = True
    return changed


def sync_directory(path: pathlib.Path) -> None:
    """Make durable which names a directory has."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def apply(places: Places, wanted: str, owner: tuple[int, int] | None, check_mode: bool) -> dict[str, Any]:
    """Bring the store to whose it shall be and return what to report; in check mode only report it."""
    if wanted == "looked":
        return {"changed": False, **looked(places)}
    if wanted == "begun":
        begins = places.side() == JAVA and not places.note.exists()
        if begins and not check_mode:
            remember(places)
        return {"changed": begins, **looked(places)}
    changed = moves(places.side(), wanted)
    holder = lock_holder(places.used / "lock")
    if changed and holder is not None and not check_mode:
        raise StoreError(f"the process with pid {holder} uses the store: stop it first")
    if changed and not places.movable(_mount_points()):
        raise StoreError(f"{places.java} and {places.ours} are not in one mount, or one is a mount point")
    if not check_mode and changed:
        move(places, wanted, owner)
    elif not check_mode and wanted == OURS:
        changed = give(places.ours, owner)
    elif not check_mode and places.note.exists():
        changed = give(places.java, noted_owner(places))
        places.java.chmod(noted_mode(places))
    if not check_mode and wanted == JAVA:
        places.note.unlink(missing_ok=True)
    return {"changed": changed, **looked(places)}


def ids_of(user: str | None, group: str | None) -> tuple[int, int] | None:
    """Return the numbers of a user and a group, given by name or number; None without a user."""
    if user is None or group is None:
        return None
    uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    return uid, gid


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["java", "ours", "begun", "looked"], "required": True},
            "java": {"type": "path", "required": True},
            "ours": {"type": "path", "required": True},
            "user": {"type": "str"},
            "group": {"type": "str"},
        },
        supports_check_mode=True,
    )
    options: Mapping[str, Any] = module.params
    places = Places(pathlib.Path(options["java"]), pathlib.Path(options["ours"]))
    try:
        owner = ids_of(options["user"], options["group"])
        module.exit_json(**apply(places, options["state"], owner, module.check_mode))
    except KeyError as error:
        module.fail_json(msg=f"there is no such user or group: {error}")
    except (StoreError, OSError) as error:
        module.fail_json(msg=f"the store {places.java} of Java, {places.ours} as ours: {error}")


if __name__ == "__main__":
    main()
