#!/usr/bin/python
"""Read what a preflight check wants to know of a host and Ansible's facts don't tell: free space and who listens."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: host_info
short_description: Free space behind a path, and the processes that listen on ports
version_added: 0.1.0
description:
  - Changes nothing. Linux only, as it reads C(/proc).
author: [broker-py developers (@broker-py)]
options:
  path:
    description: A file or directory; where it does not exist yet, its nearest existing parent is measured.
    type: path
    required: true
  ports:
    description: TCP ports to look for listeners on.
    type: list
    elements: int
    default: []
"""

EXAMPLES = """
- name: Look for room and for listeners
  broker_py.mq.host_info:
    path: /opt/broker-py/store
    ports: [9876, 10911]
  register: found
"""

RETURN = """
free_bytes:
  description: What an unprivileged process may still write there.
  type: int
  returned: always
listeners:
  description: One entry for each of the ports that somebody listens on.
  type: list
  elements: dict
  returned: always
  sample: [{port: 9876, pid: 4711, argv: [/usr/bin/python3, /usr/bin/mqnamesrv]}]
"""

LISTENING = "0A"  # the state in /proc/net/tcp
SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")


def free_bytes(path: str) -> int:
    """Return the free bytes of the file system that holds `path` or will hold it."""
    place = pathlib.Path(path).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def listening_inodes(table: str) -> dict[str, int]:
    """Return port by socket inode from the text of /proc/net/tcp or tcp6 (header, then one socket a line)."""
    inodes = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTENING:
            inodes[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    return inodes


def _open_sockets() -> Iterator[tuple[str, int]]:
    """Yield (inode, pid) of every socket that we may see."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.scandir(f"/proc/{name}/fd"):
                match = SOCKET_LINK.match(os.readlink(descriptor.path))
                if match:
                    yield match[1], int(name)
        except OSError:
            continue  # ended meanwhile, or somebody else's


def _argv(pid: int | None) -> list[str]:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def listeners(ports: Sequence[int]) -> list[dict[str, Any]]:
    """Return who listens on the ports; a process that we may not look into has no pid and an empty command."""
    inodes: dict[str, int] = {}
    for name in ("tcp", "tcp6"):
        table = pathlib.Path("/proc/net", name)
        if table.exists():
            inodes.update(listening_inodes(table.read_text()))
    wanted = {inode: port for inode, port in inodes.items() if port in ports}
    owners = {inode: pid for inode, pid in _open_sockets() if inode in wanted} if wanted else {}
    found = {port: owners.get(inode) for inode, port in wanted.items()}
    return [{"port": port, "pid": found[port], "argv": _argv(found[port])} for port in sorted(found)]


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "ports": {"type": "list", "elements": "int", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(
        changed=False, free_bytes=free_bytes(module.params["path"]), listeners=listeners(module.params["ports"])
    )


if __name__ == "__main__":
    main()
