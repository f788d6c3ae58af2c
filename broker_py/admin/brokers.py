"""Single brokers: their state, their properties, their write permission (tools command/broker and command/namesrv)."""

from dataclasses import dataclass

from broker_py.admin.targets import BrokerAddress, NotKnown, Outcome, at_each, cluster_brokers, cluster_masters
from broker_py.client.client import Client


@dataclass(frozen=True, kw_only=True)
class BrokerProperties:
    """A broker's properties; `broker` is None when it was named by its address."""

    address: str
    properties: dict[str, str]
    broker: BrokerAddress | None = None


async def broker_status(client: Client, addresses: list[str]) -> dict[str, dict[str, str]]:
    """Return the runtime values of brokers by their addresses."""
    return {address: await client.brokers.runtime_info(address) for address in addresses}


async def broker_addresses(client: Client, cluster: str) -> list[str]:
    """Return the addresses of a cluster's masters and slaves."""
    return [broker.address for broker in await cluster_brokers(client, cluster)]


async def broker_config(client: Client, address: str) -> BrokerProperties:
    """Return the properties of one broker."""
    return BrokerProperties(address=address, properties=await client.brokers.config(address))


async def cluster_config(client: Client, cluster: str) -> list[BrokerProperties]:
    """Return the properties of all brokers of a cluster."""
    return [
        BrokerProperties(address=broker.address, properties=await client.brokers.config(broker.address), broker=broker)
        for broker in await cluster_brokers(client, cluster)
    ]


async def update_broker_config(
    client: Client,
    changes: dict[str, str],
    *,
    address: str | None = None,
    cluster: str | None = None,
    slaves_too: bool = False,
) -> list[Outcome]:
    """Change properties of one broker, or of a cluster's masters (and slaves), while they run."""
    if address is not None:
        addresses = [address]
    else:
        assert cluster is not None, "an address or a cluster is the target"
        brokers = await (cluster_brokers if slaves_too else cluster_masters)(client, cluster)
        addresses = [broker.address for broker in brokers]

    async def change(target: str) -> None:
        await client.brokers.update_config(target, changes)

    return await at_each(addresses, change)


async def wipe_write_perm(client: Client, broker_name: str) -> list[Outcome]:
    """Have all name servers give out a broker's queues without write permission; counts are topics.

    An outcome's error is NotKnown where the name server does not know the broker.
    """

    async def change(name_server: str) -> int:
        return _some(await client.name_servers.wipe_write_perm(name_server, broker_name), broker_name)

    return await at_each(list(client.name_servers.addresses), change)


async def add_write_perm(client: Client, broker_name: str) -> list[Outcome]:
    """Undo `wipe_write_perm`; counts and errors are as there."""

    async def change(name_server: str) -> int:
        return _some(await client.name_servers.add_write_perm(name_server, broker_name), broker_name)

    return await at_each(list(client.name_servers.addresses), change)


def _some(topics: int, broker_name: str) -> int:
    if topics == 0:  # every broker has some
        raise NotKnown(f"no broker {broker_name} is registered there")
    return topics
