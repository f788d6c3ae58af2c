"""What consumer groups have still to consume on one broker, queue by queue."""

from collections.abc import Collection
from dataclasses import dataclass

from broker_py.admin.groups import is_system_group
from broker_py.admin.topics import queues_at
from broker_py.client.client import Client
from broker_py.model.topic import is_system_topic


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueBacklog:
    """Where a group stands in a queue that keeps messages; `consumed` is None when it has no offset there."""

    group: str
    topic: str
    queue_id: int
    min_offset: int
    max_offset: int
    consumed: int | None

    @property
    def left(self) -> int:
        """Messages that the queue keeps and the group has not consumed."""
        return max(0, self.max_offset - max(self.consumed or 0, self.min_offset))


async def backlogs(
    client: Client, address: str, topics: Collection[str] | None = None, also: Collection[str] = ()
) -> list[QueueBacklog]:
    """Return where each group stands in every queue with messages of the topics, or of all but system topics.

    The groups of a topic are those that have an offset or a member in it on this broker, and those of `also`. Offsets
    are read after ends, so that a group which keeps up has nothing left although messages come.
    """
    configs = await client.brokers.topics(address)
    if topics is None:
        topics = [topic for topic in configs if not is_system_topic(topic)]
    kept = {topic: await queues_at(client, address, configs[topic]) for topic in topics if topic in configs}
    groups = {
        topic: {*await client.brokers.consumers_of(address, topic), *also}
        for topic, queues in kept.items()
        if any(queue.max_offset > queue.min_offset for queue in queues)
    }
    offsets = await client.brokers.consumer_offsets(address)
    return [
        QueueBacklog(
            group=group,
            topic=topic,
            queue_id=queue.queue_id,
            min_offset=queue.min_offset,
            max_offset=queue.max_offset,
            consumed=offsets.get((topic, group), {}).get(queue.queue_id),
        )
        for topic, members in groups.items()
        for group in sorted(members)
        if not is_system_group(group)
        for queue in kept[topic]
        if queue.max_offset > queue.min_offset
    ]


async def hidden_backlogs(client: Client, address: str, topic: str, first_queue: int) -> list[QueueBacklog]:
    """Return where groups stand in queues from `first_queue` on, which the topic has no more.

    Only groups count that have an offset there: nobody else ever began to read such a queue.
    """
    offsets = await client.brokers.consumer_offsets(address)
    return [
        QueueBacklog(
            group=group,
            topic=topic,
            queue_id=queue_id,
            min_offset=await client.brokers.queue_begin(address, topic, queue_id),
            max_offset=await client.brokers.queue_end(address, topic, queue_id),
            consumed=consumed,
        )
        for (owner, group), queues in offsets.items()
        if owner == topic and not is_system_group(group)
        for queue_id, consumed in sorted(queues.items())
        if queue_id >= first_queue
    ]
