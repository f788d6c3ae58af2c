#!/usr/bin/python
"""Change properties of brokers while they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, ClusterFault, Params, Result, run

if TYPE_CHECKING:
    from broker_py.client.client import Client

DOCUMENTATION = """
module: broker_config
short_description: Change properties of running brokers
version_added: 0.1.0
description:
  - Compares properties with those of running brokers, and changes what differs. A property that a broker does not have,
    that it refuses to change while it runs, or that does not take is a failure.
  - A broker that is deployed by this collection forgets the changes when it restarts. What shall last belongs in its
    inventory, in C(broker_config). A broker of RocketMQ writes them to its file.
author: [broker-py developers (@broker-py)]
options:
  address:
    description: One broker, by its advertised address. Give this, I(broker_name) or I(cluster).
    type: str
  broker_name:
    description: The master of this broker name.
    type: str
  cluster:
    description: All masters of this cluster.
    type: str
  slaves:
    description: With I(broker_name) or I(cluster) change the slaves too.
    type: bool
    default: false
  properties:
    description: The properties by RocketMQ's names. Those not given stay.
    type: dict
    required: true
extends_documentation_fragment: [broker_py.mq.cluster]
"""

EXAMPLES = """
- name: Keep messages for a week on all brokers, until they restart
  broker_py.mq.broker_config:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
    slaves: true
    properties: {fileReservedTime: 168}
"""

RETURN = """
brokers:
  description: The addresses of the brokers that were compared.
  type: list
  elements: str
  returned: always
steps:
  description: What was done, or would be, in order.
  type: list
  elements: str
  returned: always
  sample: ["change fileReservedTime from 72 to 168 at 192.168.56.11:10911"]
"""


@dataclass(frozen=True)
class Step:
    """Properties of one broker to change, with their old and new values."""

    address: str
    before: Mapping[str, str]
    after: Mapping[str, str]

    def __str__(self) -> str:
        changes = [f"{name} from {self.before[name]} to {value}" for name, value in self.after.items()]
        return f"change {', '.join(changes)} at {self.address}"


def text_of(value: Any) -> str:
    """Return a value as properties have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def plan(current: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Any]) -> list[Step]:
    """Return what gives each broker the properties; ClusterFault when one has no such property."""
    steps: list[Step] = []
    for address, properties in current.items():
        unknown = [name for name in wanted if name not in properties]
        if unknown:
            raise ClusterFault(f"the broker {address} has no property {', '.join(unknown)}: look at the spelling")
        after = {name: text_of(value) for name, value in wanted.items() if text_of(value) != properties[name]}
        if after:
            steps.append(Step(address, {name: properties[name] for name in after}, after))
    return steps


def not_taken(step: Step, properties: Mapping[str, str]) -> list[str]:
    """Say which properties a broker still has otherwise after a step."""
    return [
        f"{name} is {properties.get(name)} and not {value}"
        for name, value in step.after.items()
        if properties.get(name) != value
    ]


async def bring(client: Client, params: Params, check_mode: bool) -> Result:
    """Change what differs."""
    addresses = await _addresses(client, params)
    steps = plan({address: await client.brokers.config(address) for address in addresses}, params["properties"])
    if not check_mode:
        for step in steps:
            await client.brokers.update_config(step.address, dict(step.after))
            faults = not_taken(step, await client.brokers.config(step.address))
            if faults:
                raise ClusterFault(f"the broker {step.address} took the change and yet {'; '.join(faults)}")
    return {
        "changed": bool(steps),
        "brokers": addresses,
        "steps": [str(step) for step in steps],
        "diff": {
            "before": {step.address: dict(step.before) for step in steps},
            "after": {step.address: dict(step.after) for step in steps},
        },
    }


async def _addresses(client: Client, params: Params) -> list[str]:
    from broker_py.admin.targets import cluster_brokers, masters_of  # noqa: PLC0415  importable only now

    if params["address"] is not None:
        return [params["address"]]
    named = [params["broker_name"]] if params["broker_name"] is not None else []
    masters = await masters_of(client, cluster=params["cluster"], broker_names=named)
    names = [broker.broker_name for broker in masters]
    if not params["slaves"]:
        return [broker.address for broker in masters]
    return [broker.address for broker in await cluster_brokers(client) if broker.broker_name in names]


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "address": {"type": "str"},
            "broker_name": {"type": "str"},
            "cluster": {"type": "str"},
            "slaves": {"type": "bool", "default": False},
            "properties": {"type": "dict", "required": True},
        },
        required_one_of=[("address", "broker_name", "cluster")],
        mutually_exclusive=[("address", "broker_name", "cluster")],
        supports_check_mode=True,
    )
    run(module, bring)


if __name__ == "__main__":
    main()
