#!/usr/bin/python
"""Read what a check wants to know of a host and Ansible's facts don't tell, or only with programs that may be missing.

Everything is read from `/proc` and the files themselves. What it means is decided elsewhere
(`plugins/filter/preflight.py`); here is only what was found.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.store_lock import lock_holder

DOCUMENTATION = """
module: host_info
short_description: Clock, addresses, listeners, stores and configured brokers of a host
version_added: 0.1.0
description:
  - Changes nothing. Linux only, as it reads C(/proc).
author: [broker-py developers (@broker-py)]
options:
  stores:
    description: Store directories of brokers, there already or not.
    type: list
    elements: path
    default: []
  ports:
    description: TCP ports to look for listeners on.
    type: list
    elements: int
    default: []
  names:
    description: Host names or addresses to resolve.
    type: list
    elements: str
    default: []
  conf_dir:
    description: Directory of properties files, to see which brokers are configured already.
    type: path
  asked_seconds:
    description: The asking machine's clock when it asked, in seconds since 1970; comes back in C(clock).
    type: float
    default: 0
"""

EXAMPLES = """
- name: Look for room, for listeners and for brokers
  broker_py.mq.host_info:
    stores: [/var/lib/broker-py/store]
    ports: [9876, 10911]
    names: [rocketmq-os1.example]
    conf_dir: /etc/broker-py
  register: found
"""

RETURN = """
init:
  description: Name of the process with pid 1.
  type: str
  returned: always
systemd:
  description: Whether systemd manages the services.
  type: bool
  returned: always
clock:
  description: I(asked_seconds), and this host's clock when it was read.
  type: dict
  returned: always
  sample: {asked_seconds: 1700000000.0, read_seconds: 1700000000.4}
addresses:
  description: The addresses of the interfaces, without those of loopback.
  type: list
  elements: str
  returned: always
names:
  description: The addresses that each of I(names) resolves to here; none for one that does not.
  type: dict
  returned: always
listeners:
  description: One entry for each of the ports that somebody listens on; pid 0 for one that may not be looked into.
  type: list
  elements: dict
  returned: always
  sample: [{port: 9876, pid: 4711, argv: [/usr/bin/python3, /usr/bin/mqnamesrv]}]
stores:
  description:
    - Of each store the file system it is on or will be on (C(device), C(mount), C(free_bytes)), what it uses there, the
      directory itself (C(identity), empty when it is not there), whose it is (C(owner), empty when it does not say) and
      who has it open (C(holder), empty when nobody has).
  type: list
  elements: dict
  returned: always
secured:
  description: The port of each daemon of I(conf_dir), and its properties that name TLS.
  type: dict
  returned: always
  sample: {broker-a: {listenPort: "10911", tls.enable: "true"}}
configured:
  description: The brokers of I(conf_dir) by the name of their file, with whose set it is and where it keeps messages.
  type: dict
  returned: always
  sample: {broker-a: {brokerName: broker-a, storePathRootDir: /var/lib/broker-py/store}}
"""

LISTENING = "0A"  # the state in /proc/net/tcp
SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")
DISK_BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's own


# ---- addresses and names


def own_addresses(fib_trie: str, if_inet6: str) -> list[str]:
    """Return the addresses of the interfaces from the texts of /proc/net/fib_trie and /proc/net/if_inet6.

    The trie names an address on one line and says on the next, with its prefix length, whether it is a local one.
    """
    lines = [line.split() for line in fib_trie.splitlines()]
    found = {
        address[1]
        for address, kind in itertools.pairwise(lines)
        if address[:1] == ["|--"] and kind == ["/32", "host", "LOCAL"]
    }
    found |= {str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in if_inet6.splitlines()}
    addresses = [ipaddress.ip_address(text) for text in found]
    return [
        str(address) for address in sorted(addresses, key=lambda one: (one.version, int(one))) if _is_global(address)
    ]


def _is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (address.is_loopback or address.is_link_local)


def resolve(name: str) -> list[str]:
    """Return the addresses of a name, in the resolver's order; none when it does not resolve."""
    try:
        return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(name, None)))
    except (OSError, UnicodeError):
        return []


# ---- processes and listeners


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


def _argv(pid: int) -> list[str]:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def listeners(ports: Sequence[int]) -> list[dict[str, Any]]:
    """Return who listens on the ports; a process that we may not look into has pid 0 and an empty command."""
    inodes: dict[str, int] = {}
    for name in ("tcp", "tcp6"):
        inodes.update(listening_inodes(_read(f"/proc/net/{name}")))
    wanted = {inode: port for inode, port in inodes.items() if port in ports}
    owners = {inode: pid for inode, pid in _open_sockets() if inode in wanted} if wanted else {}
    found = {port: owners.get(inode, 0) for inode, port in wanted.items()}
    return [{"port": port, "pid": found[port], "argv": _argv(found[port])} for port in sorted(found)]


# ---- stores


def store(path: str) -> dict[str, Any]:
    """Return what there is to know of a store directory, or of the place where one will be."""
    directory = pathlib.Path(path).absolute()
    place = directory
    while not place.exists():
        place = place.parent
    mount = place.resolve()
    while not mount.is_mount():
        mount = mount.parent
    status = place.stat()
    return {
        "path": path,
        "identity": f"{status.st_dev}:{status.st_ino}" if place == directory else "",
        "device": str(status.st_dev),
        "mount": str(mount),
        "free_bytes": shutil.disk_usage(place).free,
        "used_bytes": _used_bytes(directory),
        "owner": _owner(directory / "owner.json"),
        "holder": _holder(directory / "lock"),
    }


def _used_bytes(directory: pathlib.Path) -> int:
    used = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            try:
                used += os.lstat(os.path.join(parent, name)).st_blocks * DISK_BLOCK_BYTES
            except FileNotFoundError:
                continue  # a running broker removes old files
    return used


def _owner(path: pathlib.Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}  # the broker itself says what is wrong with it
    return content if isinstance(content, dict) else {}


def _holder(path: pathlib.Path) -> dict[str, Any]:
    pid = lock_holder(path)
    return {} if pid is None else {"pid": pid, "argv": _argv(pid)}


# ---- configured brokers


def configured(conf_dir: str) -> dict[str, dict[str, str]]:
    """Return set and store of each file that configures a broker, which a name server's does not."""
    files = {path.stem: _properties(_read(str(path))) for path in sorted(pathlib.Path(conf_dir).glob("*.properties"))}
    return {
        name: {key: properties.get(key, "") for key in ("brokerName", "storePathRootDir")}
        for name, properties in files.items()
        if "brokerName" in properties
    }


def secured(conf_dir: str) -> dict[str, dict[str, str]]:
    """Return the port of each daemon that a file configures, with its properties that name TLS."""
    files = {path.stem: _properties(_read(str(path))) for path in sorted(pathlib.Path(conf_dir).glob("*.properties"))}
    return {
        name: {key: value for key, value in properties.items() if key == "listenPort" or key.startswith("tls.")}
        for name, properties in files.items()
        if "listenPort" in properties
    }


def _properties(text: str) -> dict[str, str]:
    lines = [line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#")]
    return {key.strip(): value.strip() for key, equals, value in lines if equals}


def _read(path: str) -> str:
    """Return the text of a file; nothing when it is not there or not for us."""
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def found(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that the module reports."""
    return {
        "clock": {"asked_seconds": options["asked_seconds"], "read_seconds": time.time()},
        "init": _read("/proc/1/comm").strip(),
        "systemd": pathlib.Path("/run/systemd/system").is_dir(),
        "addresses": own_addresses(_read("/proc/net/fib_trie"), _read("/proc/net/if_inet6")),
        "names": {name: resolve(name) for name in options["names"]},
        "listeners": listeners(options["ports"]),
        "stores": [store(path) for path in options["stores"]],
        "configured": configured(options["conf_dir"]) if options["conf_dir"] else {},
        "secured": secured(options["conf_dir"]) if options["conf_dir"] else {},
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "stores": {"type": "list", "elements": "path", "default": []},
            "ports": {"type": "list", "elements": "int", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "conf_dir": {"type": "path"},
            "asked_seconds": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **found(module.params))


if __name__ == "__main__":
    main()
