"""How busy topics and groups are (tools command/stats/StatsAllSubCommand)."""

import asyncio
from dataclasses import dataclass
from typing import Final

from broker_py.admin.targets import NotKnown
from broker_py.client.administration import Rate
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError
from broker_py.model.route import MASTER_ID
from broker_py.model.topic import DLQ_PREFIX, RETRY_PREFIX

_TOPICS_AT_ONCE: Final = 8
PUTS: Final = "TOPIC_PUT_NUMS"
GETS: Final = "GROUP_GET_NUMS"


@dataclass(frozen=True, kw_only=True)
class TopicStatistics:
    """A topic and one of its groups; `group` is empty and `read` None where nobody consumes it."""

    topic: str
    group: str
    left: int
    written: Rate
    read: Rate | None

    @property
    def is_active(self) -> bool:
        """True when something was written or read in the last 24 hours."""
        return self.written.last_day > 0 or (self.read is not None and self.read.last_day > 0)


async def topic_statistics(client: Client, topic: str | None = None) -> list[TopicStatistics]:
    """Return the rates of all topics but retry and dead-letter topics, or of one; NotKnown when there is no such."""
    names = [each for each in await client.name_servers.topics() if not each.startswith((RETRY_PREFIX, DLQ_PREFIX))]
    if topic is not None and topic not in names:
        raise NotKnown(f"no name server knows the topic {topic}")
    turn = asyncio.Semaphore(_TOPICS_AT_ONCE)

    async def one(name: str) -> list[TopicStatistics]:
        async with turn:
            try:
                return await _of_topic(client, name)
            except BrokerPyError:  # a topic that was just deleted, or whose brokers are down
                return []

    found = await asyncio.gather(*(one(name) for name in ([topic] if topic is not None else names)))
    return [each for rows in found for each in rows]


async def _of_topic(client: Client, topic: str) -> list[TopicStatistics]:
    route = await client.name_servers.route(topic)
    masters = [each.broker_addrs[MASTER_ID] for each in route.broker_datas if MASTER_ID in each.broker_addrs]
    groups: set[str] = set()
    for address in masters:
        groups.update(await client.brokers.consumers_of(address, topic))
    written = await _total(client, masters, PUTS, topic)
    if not groups:
        return [TopicStatistics(topic=topic, group="", left=0, written=written, read=None)]
    return [
        TopicStatistics(
            topic=topic,
            group=group,
            left=await _left(client, masters, group, topic),
            written=written,
            read=await _total(client, masters, GETS, f"{topic}@{group}"),
        )
        for group in sorted(groups)
    ]


async def _total(client: Client, masters: list[str], name: str, key: str) -> Rate:
    """Brokers that counted nothing of it lately refuse: they count as zero."""
    per_second, last_day = 0.0, 0
    for address in masters:
        try:
            rate = await client.administration.rate(address, name, key)
        except BrokerPyError:
            continue
        per_second += rate.per_second
        last_day += rate.last_day
    return Rate(per_second=per_second, last_day=last_day)


async def _left(client: Client, masters: list[str], group: str, topic: str) -> int:
    left = 0
    for address in masters:
        try:
            queues, _ = await client.brokers.progress(address, group, topic)
        except BrokerPyError:
            continue
        left += sum(max(0, queue.diff) for queue in queues)
    return left
