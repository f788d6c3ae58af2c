"""The settings of consumer groups, and what else of them a broker keeps (tools command/consumer)."""

from dataclasses import replace

from broker_py.admin.targets import (
    TOPIC_NOT_EXIST,
    BrokerAddress,
    Outcome,
    at_each,
    cluster_brokers,
    cluster_masters,
)
from broker_py.admin.topics import delete_topic
from broker_py.client.client import Client
from broker_py.errors import RequestFailed
from broker_py.model.group import GroupConfig
from broker_py.model.topic import DLQ_PREFIX, retry_topic


def group_topics(group: str) -> tuple[str, str]:
    """Return the topics that belong to a group: its retries and its dead letters."""
    return retry_topic(group), DLQ_PREFIX + group


async def group_configs(client: Client, group: str) -> list[tuple[BrokerAddress, GroupConfig]]:
    """Return a group's settings on each broker name that knows it.

    All groups are asked for: a broker of RocketMQ that is asked for one makes it.
    """
    brokers = {broker.broker_name: broker for broker in reversed(await cluster_brokers(client))}
    found: list[tuple[BrokerAddress, GroupConfig]] = []
    for _, broker in sorted(brokers.items()):
        config = (await client.brokers.groups(broker.address)).get(group)
        if config is not None:
            found.append((broker, config))
    return found


async def update_group(
    client: Client, config: GroupConfig, *, address: str | None = None, cluster: str | None = None
) -> list[Outcome]:
    """Make or change a group on one broker or on all masters of a cluster."""
    if address is not None:
        addresses = [address]
    else:
        assert cluster is not None, "an address or a cluster is the target"
        addresses = [broker.address for broker in await cluster_masters(client, cluster)]

    async def change(target: str) -> None:
        await client.brokers.put_group(target, config)

    return await at_each(addresses, change)


async def delete_group_at(client: Client, group: str, *addresses: str, clean_offsets: bool) -> list[Outcome]:
    """Delete a group on brokers, and nothing else."""

    async def delete(address: str) -> None:
        await client.brokers.delete_group(address, group, clean_offsets)

    return await at_each(list(addresses), delete)


async def delete_group(client: Client, group: str, cluster: str, *, clean_offsets: bool) -> list[Outcome]:
    """Delete a group on a cluster's masters, then its retry and its dead-letter topic there and at name servers."""
    masters = [broker.address for broker in await cluster_masters(client, cluster)]
    outcomes = await delete_group_at(client, group, *masters, clean_offsets=clean_offsets)
    for topic in group_topics(group):
        outcomes += [replace(each, topic=topic) for each in await delete_topic(client, topic, cluster)]
    return outcomes


async def offsets_of(client: Client, address: str, group: str) -> dict[str, dict[int, int]]:
    """Return where a group stands on a broker: topic → queue id → next offset to consume."""
    offsets = await client.brokers.consumer_offsets(address)
    return {topic: queues for (topic, owner), queues in offsets.items() if owner == group}


async def dead_letters(client: Client, address: str, group: str) -> int:
    """Return how many messages a broker keeps that a group could not consume."""
    try:
        queues = await client.brokers.topic_status(address, DLQ_PREFIX + group)
    except RequestFailed as error:
        if error.code != TOPIC_NOT_EXIST:
            raise
        return 0
    return sum(queue.max_offset - queue.min_offset for queue in queues)
