"""Which brokers an operation is for (tools command/CommandUtil), and how it went on each."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from broker_py.client.client import Client
from broker_py.errors import BrokerPyError
from broker_py.model.route import MASTER_ID, BrokerData, ClusterInfo


class NotKnown(BrokerPyError):
    """What was named does not exist; the text says what there is instead."""


@dataclass(frozen=True, kw_only=True)
class BrokerAddress:
    """One broker process of a cluster."""

    cluster: str
    broker_name: str
    broker_id: int
    address: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a change went at one daemon; `count` is how many things it touched, where the daemon tells."""

    address: str
    error: BrokerPyError | None = None
    count: int | None = None


async def cluster_brokers(client: Client, cluster: str | None = None) -> list[BrokerAddress]:
    """Return the brokers of one cluster or of all, sorted; NotKnown when there is no such cluster."""
    return _brokers(await client.name_servers.cluster_info(), cluster)


def _brokers(info: ClusterInfo, cluster: str | None) -> list[BrokerAddress]:
    if cluster is not None and cluster not in info.clusters:
        known = ", ".join(sorted(info.clusters)) or "none"
        raise NotKnown(f"there is no cluster {cluster} (known: {known})")
    return [
        BrokerAddress(cluster=name, broker_name=broker_name, broker_id=number, address=address)
        for name in sorted(info.clusters if cluster is None else [cluster])
        for broker_name in sorted(info.clusters[name])
        if broker_name in info.brokers
        for number, address in sorted(info.brokers[broker_name].broker_addrs.items())
    ]


async def cluster_masters(client: Client, cluster: str) -> list[BrokerAddress]:
    """Return the masters of a cluster; NotKnown when there is no such cluster or it has none."""
    masters = [broker for broker in await cluster_brokers(client, cluster) if broker.broker_id == MASTER_ID]
    if not masters:
        raise NotKnown(f"the cluster {cluster} has no master now")
    return masters


def lowest_addresses(brokers: tuple[BrokerData, ...]) -> list[str]:
    """Return one address for each broker name: the master's, or that of the lowest id."""
    return [broker.any_address for broker in brokers if broker.broker_addrs]


async def at_each(addresses: list[str], change: Callable[[str], Coroutine[Any, Any, int | None]]) -> list[Outcome]:
    """Make a change at every address, whatever becomes of the others."""

    async def at(address: str) -> Outcome:
        try:
            return Outcome(address=address, count=await change(address))
        except BrokerPyError as error:
            return Outcome(address=address, error=error)

    return list(await asyncio.gather(*map(at, addresses)))
