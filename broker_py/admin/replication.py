"""How replication is doing (tools command/ha/HAStatusSubCommand)."""

from broker_py.admin.targets import cluster_masters
from broker_py.client.brokers import ReplicationStatus
from broker_py.client.client import Client


async def replication_status(
    client: Client, *, address: str | None = None, cluster: str | None = None
) -> dict[str, ReplicationStatus]:
    """Return what one broker, or what each master of a cluster says of it, by their addresses."""
    if address is not None:
        addresses = [address]
    else:
        assert cluster is not None, "an address or a cluster is the target"
        addresses = [broker.address for broker in await cluster_masters(client, cluster)]
    return {each: await client.brokers.replication_status(each) for each in addresses}
