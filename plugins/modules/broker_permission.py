#!/usr/bin/python
"""Let a broker take messages or not, and wait until the routes say so at every name server."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, ClusterFault, Params, Result, run

if TYPE_CHECKING:
    from broker_py.admin.targets import BrokerAddress
    from broker_py.client.client import Client

DOCUMENTATION = """
module: broker_permission
short_description: Let a broker take messages and give them out, or not
version_added: 0.1.0
description:
  - Sets C(brokerPermission) of a running master, and waits until every name server gives out the routes of all its
    topics accordingly. Clients follow when they fetch routes next, which they do every 30 seconds.
  - A broker without write permission still takes the messages of clients that don't know it yet. Nothing is lost.
  - A broker that is deployed by this collection forgets the change when it restarts.
author: [broker-py developers (@broker-py)]
options:
  address:
    description: The master, by its advertised address, such as C(192.168.56.11:10911).
    type: str
    required: true
  read:
    description: Whether consumers may read from it.
    type: bool
    default: true
  write:
    description: Whether producers may send to it.
    type: bool
    default: true
  wait_seconds:
    description: How long name servers may take to give out the new routes; the module fails when they don't.
    type: float
    default: 60
extends_documentation_fragment: [broker_py.mq.cluster]
"""

EXAMPLES = """
- name: Have producers leave broker-a
  broker_py.mq.broker_permission:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    address: 192.168.56.11:10911
    write: false
"""

RETURN = """
broker_name:
  description: The broker's name.
  type: str
  returned: always
permission:
  description: What it permits now, or would outside of check mode; 4 is read, 2 is write, 6 is both.
  type: int
  returned: always
previous_permission:
  description: What it permitted before.
  type: int
  returned: always
"""

READ = 4
WRITE = 2
POLL_SECONDS = 0.5


def permission_of(read: bool, write: bool) -> int:
    """Return the property's value."""
    return READ * read + WRITE * write


async def bring(client: Client, params: Params, check_mode: bool) -> Result:
    """Set the permission if it differs, and see it in the routes in any case: a run before may have ended too early."""
    from broker_py.admin.permission import broker_permission, set_broker_permission  # noqa: PLC0415  only now

    found = await broker_permission(client, params["address"])
    wanted = permission_of(params["read"], params["write"])
    changed = found.permission != wanted
    if not check_mode:
        if changed:
            await set_broker_permission(client, params["address"], wanted)
        await _wait_for_routes(client, found.broker, wanted, params["wait_seconds"])
    return {
        "changed": changed,
        "broker_name": found.broker.broker_name,
        "permission": wanted,
        "previous_permission": found.permission,
        "diff": {"before": f"brokerPermission={found.permission}\n", "after": f"brokerPermission={wanted}\n"},
    }


async def _wait_for_routes(client: Client, broker: BrokerAddress, permission: int, wait_seconds: float) -> None:
    from broker_py.admin.permission import unlike_routes  # noqa: PLC0415  importable only now

    deadline = time.monotonic() + wait_seconds
    while faults := await unlike_routes(client, broker, permission):
        if time.monotonic() >= deadline:
            raise ClusterFault(
                f"{broker.broker_name} at {broker.address} has brokerPermission {permission}, but after"
                f" {wait_seconds:g} s not all clients can know it: {'; '.join(faults)}. Start what does not answer, or"
                " take it out of nameservers, and run this again."
            )
        await asyncio.sleep(POLL_SECONDS)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "address": {"type": "str", "required": True},
            "read": {"type": "bool", "default": True},
            "write": {"type": "bool", "default": True},
            "wait_seconds": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    run(module, bring)


if __name__ == "__main__":
    main()
