"""Consumer groups and how far they are (tools command/consumer/ConsumerProgressSubCommand)."""

import asyncio
from dataclasses import dataclass, field

from broker_py.admin.targets import (
    TOPIC_NOT_EXIST,
    NotKnown,
    lowest_addresses,
)
from broker_py.client.brokers import GroupConnections, QueueProgress
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.group import PREDEFINED_GROUPS, SYSTEM_GROUP_PREFIX
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import RETRY_PREFIX, retry_topic


@dataclass(frozen=True, kw_only=True)
class GroupProgress:
    """How far a group is: its queues, sorted, its messages a second, and which client pulls which queue."""

    group: str
    queues: tuple[QueueProgress, ...]
    consume_tps: float
    clients: dict[MessageQueue, str] = field(default_factory=dict)

    @property
    def diff_total(self) -> int:
        """Messages not yet consumed."""
        return sum(queue.diff for queue in self.queues)

    @property
    def inflight_total(self) -> int:
        """Messages pulled and not yet consumed."""
        return sum(queue.inflight for queue in self.queues)


@dataclass(frozen=True, kw_only=True)
class GroupSummary:
    """A group in one line; `connections` is None when it has no members now."""

    group: str
    connections: GroupConnections | None
    consume_tps: float
    diff_total: int


def is_system_group(group: str) -> bool:
    """True for the groups that every broker has, and those of the brokers' own services."""
    return group in PREDEFINED_GROUPS or group.startswith(SYSTEM_GROUP_PREFIX)


async def consumer_progress(
    client: Client, group: str, topic: str | None = None, *, with_clients: bool = False
) -> GroupProgress:
    """Return how far a group is, in one topic or in all; NotKnown when no broker knows the group."""
    addresses = await broker_addresses_of(client, group)
    queues: list[QueueProgress] = []
    tps = 0.0
    for address in addresses:
        there, tps_there = await client.brokers.progress(address, group, topic)
        queues += there
        tps += tps_there
    return GroupProgress(
        group=group,
        queues=tuple(sorted(queues, key=lambda each: each.queue)),
        consume_tps=tps,
        clients=await _clients(client, addresses, group) if with_clients else {},
    )


async def group_list(client: Client) -> list[GroupSummary]:
    """Return all groups, found by their retry topics, those with members and with the longest way to go first."""
    topics = await client.name_servers.topics()
    groups = [topic.removeprefix(RETRY_PREFIX) for topic in topics if topic.startswith(RETRY_PREFIX)]
    summaries = await asyncio.gather(*(_summary(client, group) for group in groups))
    return sorted(
        summaries,
        key=lambda each: (-len(each.connections.clients) if each.connections else 0, -each.diff_total, each.group),
    )


async def _summary(client: Client, group: str) -> GroupSummary:
    """A group whose brokers are down is listed all the same, with zeros."""
    connections: GroupConnections | None = None
    tps, diff_total = 0.0, 0
    try:
        progress = await consumer_progress(client, group)
        tps, diff_total = progress.consume_tps, progress.diff_total
        connections = await _connections(client, await broker_addresses_of(client, group), group)
    except BrokerPyError:
        pass
    return GroupSummary(group=group, connections=connections, consume_tps=tps, diff_total=diff_total)


async def broker_addresses_of(client: Client, group: str) -> list[str]:
    """Return one address of each broker name that knows a group; NotKnown when there is none.

    A group has a retry topic on the brokers where it was ever a member; its route leads to them.
    """
    try:
        route = await client.name_servers.route(retry_topic(group))
    except RequestFailed as error:
        if error.code != TOPIC_NOT_EXIST:
            raise
        raise NotKnown(f"no broker knows the consumer group {group}") from None
    return lowest_addresses(route.broker_datas)


async def members_of(client: Client, addresses: list[str], group: str) -> list[str]:
    """Return the ids of a group's members, as the first of the brokers that knows any tells them."""
    connections = await _connections(client, addresses, group)
    return [member.client_id for member in connections.clients] if connections else []


async def _connections(client: Client, addresses: list[str], group: str) -> GroupConnections | None:
    for address in addresses:
        try:
            return await client.brokers.group_connections(address, group)
        except RequestFailed:
            continue
    return None


async def _clients(client: Client, addresses: list[str], group: str) -> dict[MessageQueue, str]:
    """Ask the members themselves, through a broker; those that don't answer are left out."""
    found: dict[MessageQueue, str] = {}
    connections = await _connections(client, addresses, group)
    for member in connections.clients if connections else ():
        for address in addresses:
            try:
                queues = await client.brokers.queues_of_client(address, group, member.client_id)
            except BrokerPyError:
                continue
            found.update(dict.fromkeys(queues, member.client_id.partition("@")[0]))
            break
    return found
