#!/usr/bin/python
"""Ask a running daemon of Java RocketMQ what has to be known before ours takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, Params, Result, run

if TYPE_CHECKING:
    from broker_py.client.client import Client

DOCUMENTATION = """
module: java_info
short_description: Properties of a running Java broker or name server
version_added: 0.2.0
description:
  - Tells the properties that a daemon of RocketMQ runs with. Changes nothing.
author: [broker-py developers (@broker-py)]
extends_documentation_fragment: [broker_py.mq.cluster]
options:
  kind:
    description: What it is.
    type: str
    choices: [nameserver, broker]
    required: true
  address:
    description: Its address, C(host:port).
    type: str
    required: true
"""

EXAMPLES = """
- name: Ask the master of broker-a
  broker_py.mq.java_info:
    nameservers: 10.0.0.1:9876
    bin_dir: /opt/broker-py/current/bin
    kind: broker
    address: 10.0.0.2:10911
  register: java
"""

RETURN = """
properties:
  description: Its properties by RocketMQ's names, but for those that are secrets.
  type: dict
  returned: success
  sample: {brokerName: broker-a, storePathRootDir: /home/rocketmq/store}
"""

SECRET_WORDS = ("password", "secret", "accesskey")


def shown(properties: Mapping[str, str]) -> dict[str, str]:
    """Return properties without those that are secrets."""
    return {name: value for name, value in properties.items() if not any(word in name.lower() for word in SECRET_WORDS)}


async def look(client: Client, params: Params, check_mode: bool) -> Result:  # noqa: ARG001
    """Return what the module returns."""
    kind, address = params["kind"], params["address"]
    properties: dict[str, str]
    if kind == "nameserver":
        properties = await client.name_servers.config(address)
    else:
        properties = await client.brokers.config(address)
    return {"changed": False, "properties": shown(properties)}


def main() -> None:
    """Run as an Ansible module."""
    options = {
        "kind": {"type": "str", "choices": ["nameserver", "broker"], "required": True},
        "address": {"type": "str", "required": True},
    }
    run(AnsibleModule(argument_spec={**CLUSTER_OPTIONS, **options}, supports_check_mode=True), look)


if __name__ == "__main__":
    main()
