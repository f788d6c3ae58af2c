"""Topics: finding, making, changing and deleting them (tools command/topic)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from broker_py.admin.targets import (
    TOPIC_NOT_EXIST,
    NotKnown,
    Outcome,
    at_each,
    cluster_brokers,
    cluster_masters,
    lowest_addresses,
)
from broker_py.client.brokers import QueueStatus
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.route import TopicRoute
from broker_py.model.topic import DLQ_PREFIX, RETRY_PREFIX, TopicConfig, is_system_topic

ORDER_NAMESPACE: Final = "ORDER_TOPIC_CONFIG"


@dataclass(frozen=True, kw_only=True)
class TopicUse:
    """A topic, the cluster that has it and the groups that consume it."""

    cluster: str
    topic: str
    groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class QueueRange:
    """The messages that a queue of a topic keeps on one broker."""

    queue_id: int
    min_offset: int
    max_offset: int


@dataclass(frozen=True, kw_only=True)
class PermChange:
    """What became of a topic's permission on one broker; `old_perm` is None where the broker has no such topic."""

    outcome: Outcome
    old_perm: int | None


def is_own_topic(topic: str, cluster: str, broker_name: str) -> bool:
    """True for topics that a broker makes by itself: RocketMQ's, those named like it, and those of groups."""
    named = (cluster, broker_name, f"{cluster}_REPLY_TOPIC")
    return is_system_topic(topic) or topic in named or topic.startswith((RETRY_PREFIX, DLQ_PREFIX))


async def topic_list(client: Client) -> list[str]:
    """Return the names of all topics."""
    return await client.name_servers.topics()


async def topic_uses(client: Client) -> list[TopicUse]:
    """Return all topics but retry and dead-letter topics, with clusters and groups as far as they can be told."""
    return [
        await _topic_use(client, topic)
        for topic in await client.name_servers.topics()
        if not topic.startswith((RETRY_PREFIX, DLQ_PREFIX))
    ]


async def _topic_use(client: Client, topic: str) -> TopicUse:
    clusters: set[str] = set()
    groups: set[str] = set()
    try:
        route = await client.name_servers.route(topic)
        clusters.update(broker.cluster for broker in route.broker_datas)
        for address in lowest_addresses(route.broker_datas):
            groups.update(await client.brokers.consumers_of(address, topic))
    except BrokerPyError:
        pass  # a topic that was just deleted, or a broker that is down, is no reason to list nothing
    return TopicUse(cluster=",".join(sorted(clusters)), topic=topic, groups=tuple(sorted(groups)))


async def topic_route(client: Client, topic: str) -> TopicRoute:
    """Return a topic's route; RequestFailed with code 17 when it has none."""
    return await client.name_servers.route(topic)


async def find_topic(client: Client, address: str, topic: str) -> TopicConfig | None:
    """Return a topic's settings on a broker, or None where it has no such topic."""
    try:
        return await client.brokers.topic_config(address, topic)
    except RequestFailed as error:
        if error.code != TOPIC_NOT_EXIST:
            raise
        return None


async def name_servers_with(client: Client, topic: str, broker_names: Collection[str]) -> list[str]:
    """Return the name servers that give out queues of a topic on any of these brokers."""
    found: list[str] = []
    for name_server in client.name_servers.apart():
        try:
            route = await name_server.route(topic)
        except RequestFailed as error:
            if error.code != TOPIC_NOT_EXIST:
                raise
            continue
        if any(queues.broker_name in broker_names for queues in route.queue_datas):
            found += name_server.addresses
    return found


async def topic_status(client: Client, topic: str) -> list[QueueStatus]:
    """Return the state of a topic's queues on all its brokers, sorted by broker and queue."""
    route = await client.name_servers.route(topic)
    queues: list[QueueStatus] = []
    for address in lowest_addresses(route.broker_datas):
        queues += await client.brokers.topic_status(address, topic)
    return sorted(queues, key=lambda queue: (queue.broker_name, queue.queue_id))


async def queues_at(client: Client, address: str, config: TopicConfig) -> list[QueueRange]:
    """Return the ends of all queues of a topic on a broker, those included that are read and written no more.

    A broker of RocketMQ tells only of those that are written, so it is asked for each of the others.
    """
    topic = config.topic_name
    queues = [
        QueueRange(queue_id=each.queue_id, min_offset=each.min_offset, max_offset=each.max_offset)
        for each in await client.brokers.topic_status(address, topic)
    ]
    told = {queue.queue_id for queue in queues}
    for queue_id in range(max(config.read_queue_nums, config.write_queue_nums)):
        if queue_id not in told:
            begin = await client.brokers.queue_begin(address, topic, queue_id)
            end = await client.brokers.queue_end(address, topic, queue_id)
            queues.append(QueueRange(queue_id=queue_id, min_offset=begin, max_offset=end))
    return sorted(queues, key=lambda queue: queue.queue_id)


async def update_topic(
    client: Client,
    config: TopicConfig,
    *,
    attributes: str | None = None,
    address: str | None = None,
    cluster: str | None = None,
) -> list[Outcome]:
    """Make or change a topic on one broker or on all masters of a cluster.

    An ordered topic also gets its order configuration at all name servers: which queues there are, whoever is up.
    """
    if address is not None:
        targets = {address: ""}
    else:
        assert cluster is not None, "an address or a cluster is the target"
        targets = {broker.address: broker.broker_name for broker in await cluster_masters(client, cluster)}

    async def change(target: str) -> None:
        await client.brokers.put_topic(target, config, attributes)

    outcomes = await at_each(list(targets), change)
    if config.order and not any(outcome.error for outcome in outcomes):
        names = [await _broker_name(client, address)] if address is not None else list(targets.values())
        queue_nums = dict.fromkeys(names, config.write_queue_nums)
        known_too = address is not None
        for order in await order_changes(
            client, config.topic_name, lambda known: order_conf(known if known_too else "", queue_nums)
        ):
            await change_order(client, order)
    return outcomes


async def _broker_name(client: Client, address: str) -> str:
    for broker in await cluster_brokers(client):
        if broker.address == address:
            return broker.broker_name
    raise NotKnown(f"no name server knows the broker {address}, so the topic was made but has no order configuration")


@dataclass(frozen=True, kw_only=True)
class OrderChange:
    """What is to become of a topic's order configuration at one name server; empty text: there is none."""

    name_server: str
    topic: str
    before: str
    after: str


def order_conf(known: str, queue_nums: Mapping[str, int | None]) -> str:
    """Return an order configuration, `broker:queues;...`, with the brokers given set, or taken out where None."""
    numbers = {**_numbers(known), **{name: number for name, number in queue_nums.items() if number is not None}}
    for name in queue_nums:
        if queue_nums[name] is None:
            numbers.pop(name, None)
    return _order_text(numbers)


def capped_order_conf(known: str, queues: int, broker_names: Collection[str]) -> str:
    """Return an order configuration in which none of these brokers has more than so many queues."""
    return _order_text(
        {name: min(number, queues) if name in broker_names else number for name, number in _numbers(known).items()}
    )


def _numbers(order_conf: str) -> dict[str, int]:
    items = [item.partition(":") for item in order_conf.split(";")]
    return {name: int(number) for name, _, number in items if number.isdecimal()}


def _order_text(numbers: Mapping[str, int]) -> str:
    return ";".join(f"{name}:{number}" for name, number in sorted(numbers.items()))


async def order_changes(client: Client, topic: str, wanted: Callable[[str], str]) -> list[OrderChange]:
    """Return what has to change at each name server so that it has the order configuration that `wanted` makes."""
    changes: list[OrderChange] = []
    for name_server in client.name_servers.apart():
        [address] = name_server.addresses
        before = await name_server.kv_config(ORDER_NAMESPACE, topic) or ""
        after = wanted(before)
        if _numbers(after) != _numbers(before):
            changes.append(OrderChange(name_server=address, topic=topic, before=before, after=after))
    return changes


async def change_order(client: Client, change: OrderChange) -> None:
    """Make a change of an order configuration."""
    if change.after:
        await client.name_servers.put_kv_config(change.name_server, ORDER_NAMESPACE, change.topic, change.after)
    else:
        await client.name_servers.delete_kv_config(change.name_server, ORDER_NAMESPACE, change.topic)


async def update_topic_perm(
    client: Client, topic: str, perm: int, *, address: str | None = None, cluster: str | None = None
) -> list[PermChange]:
    """Change nothing of a topic but its permission, on one broker or on those masters of a cluster that have it."""
    if address is not None:
        return [await _change_perm(client, address, topic, perm)]
    assert cluster is not None, "an address or a cluster is the target"
    masters = await cluster_masters(client, cluster)
    changes = [await _change_perm(client, broker.address, topic, perm) for broker in masters]
    having = [change for change in changes if change.old_perm is not None]
    return having or changes


async def _change_perm(client: Client, address: str, topic: str, perm: int) -> PermChange:
    old_perm: int | None = None
    try:
        config = await client.brokers.topic_config(address, topic)
        old_perm = config.perm
        if old_perm != perm:
            await client.brokers.put_topic(address, replace(config, perm=perm))
    except BrokerPyError as error:
        return PermChange(outcome=Outcome(address=address, error=error), old_perm=old_perm)
    return PermChange(outcome=Outcome(address=address), old_perm=old_perm)


async def delete_topic(client: Client, topic: str, cluster: str) -> list[Outcome]:
    """Delete a topic on a cluster's masters, then have all name servers forget it there.

    In this order and only then: a broker that still has the topic would register it again.
    """
    masters = [broker.address for broker in await cluster_masters(client, cluster)]

    async def delete(address: str) -> None:
        await client.brokers.delete_topic(address, topic)

    async def forget(name_server: str) -> None:
        await client.name_servers.delete_topic(name_server, topic, cluster)

    outcomes = await at_each(masters, delete)
    if any(outcome.error for outcome in outcomes):
        return outcomes
    return outcomes + await at_each(list(client.name_servers.addresses), forget)
