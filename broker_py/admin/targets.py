"""Which brokers an operation is for (tools command/CommandUtil), and how it went on each."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from broker_py.client.client import Client
from broker_py.errors import BrokerPyError
from broker_py.model.route import MASTER_ID, BrokerData, ClusterInfo

TOPIC_NOT_EXIST: Final = 17
"""The code by which name servers and brokers say that there is no such topic."""


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
    """How a change went at one daemon; `count` is how many things it touched, where the daemon tells.

    `topic` is the one that was changed, where a change is of several things.
    """

    address: str
    error: BrokerPyError | None = None
    count: int | None = None
    topic: str | None = None


async def cluster_brokers(client: Client, cluster: str | None = None) -> list[BrokerAddress]:
    """Return the brokers of one cluster or of all, sorted; NotKnown when there is no such cluster."""
    info = await client.name_servers.cluster_info()
    if cluster is not None and cluster not in info.clusters:
        known = ", ".join(sorted(info.clusters)) or "none"
        raise NotKnown(f"there is no cluster {cluster} (known: {known})")
    return [broker for broker in all_brokers(info) if cluster in {None, broker.cluster}]


def all_brokers(info: ClusterInfo) -> list[BrokerAddress]:
    """Return the brokers that a name server knows, sorted."""
    return [
        BrokerAddress(cluster=name, broker_name=broker_name, broker_id=number, address=address)
        for name in sorted(info.clusters)
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


async def masters_of(
    client: Client, *, cluster: str | None = None, broker_names: Collection[str] = ()
) -> list[BrokerAddress]:
    """Return the masters of these broker names, or of all of a cluster; NotKnown when one has none.

    A change that is for all must not pass by the one whose master is away.
    """
    brokers = await cluster_brokers(client, cluster)
    found = {broker.broker_name: broker for broker in brokers if broker.broker_id == MASTER_ID}
    wanted = sorted(broker_names or {broker.broker_name for broker in brokers})
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        raise NotKnown(f"no name server knows a master of {', '.join(missing) or cluster} now")
    return [found[name] for name in wanted]


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
