"""Which broker names have queues of which topic."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from broker_py.model.route import QueueData
from broker_py.model.topic import PERM_READ, PERM_WRITE, TopicConfig


class TopicQueues:
    """Topic → broker name → queues (the topicQueueTable of namesrv routeinfo/RouteInfoManager).

    Beside them, likewise, the mappings of static topics, which the name server hands on without looking in.
    """

    def __init__(self) -> None:
        self._queues: dict[str, dict[str, QueueData]] = {}
        self._mappings: dict[str, dict[str, Any]] = {}

    def of(self, topic: str) -> dict[str, QueueData]:
        """Return the queues of a topic by broker name; empty when nobody has it."""
        return self._queues.get(topic, {})

    def mappings_of(self, topic: str) -> dict[str, Any] | None:
        """Return the mappings of a static topic by broker name."""
        return self._mappings.get(topic)

    def topics(self) -> list[str]:
        """Return all topics."""
        return list(self._queues)

    def topics_on(self, broker_names: Collection[str]) -> list[str]:
        """Return the topics that one of the brokers has."""
        return [topic for topic, queues in self._queues.items() if not queues.keys().isdisjoint(broker_names)]

    def topics_flagged(self, wanted: Callable[[int], bool]) -> list[str]:
        """Return the topics whose system flag is `wanted`; the first broker's counts."""
        return [topic for topic, queues in self._queues.items() if wanted(next(iter(queues.values())).topic_sys_flag)]

    def take(self, broker_name: str, topics: Iterable[TopicConfig], *, only_missing: bool, writable: bool) -> None:
        """Note what a broker registered. What it no longer has stays: it may have registered a part only."""
        for topic in topics:
            queues = self._queues.setdefault(topic.topic_name, {})
            if not only_missing or broker_name not in queues:
                queues[broker_name] = QueueData(
                    broker_name=broker_name,
                    read_queue_nums=topic.read_queue_nums,
                    write_queue_nums=topic.write_queue_nums,
                    perm=topic.perm if writable else topic.perm & ~PERM_WRITE,
                    topic_sys_flag=topic.topic_sys_flag,
                )

    def take_mappings(self, broker_name: str, mappings: dict[str, Any]) -> None:
        """Note a broker's part of static topics."""
        for topic, mapping in mappings.items():
            self._mappings.setdefault(topic, {})[broker_name] = mapping

    def add_topic(self, topic: str, queue_datas: Iterable[QueueData]) -> None:
        """Make the route of a topic that nobody registered."""
        self._queues[topic] = {queues.broker_name: queues for queues in queue_datas}

    def remove_topic(self, topic: str, broker_names: Collection[str] | None = None) -> None:
        """Forget a topic on some brokers, or on all."""
        for table in (self._queues, self._mappings):
            entries: dict[str, Any] = table.get(topic, {})
            for name in list(entries) if broker_names is None else broker_names:
                entries.pop(name, None)
            if not entries:
                table.pop(topic, None)

    def remove_broker(self, broker_name: str) -> None:
        """Forget all that a broker had."""
        for topic in [*self._queues, *self._mappings]:
            self.remove_topic(topic, (broker_name,))

    def wipe_write_perm(self, broker_name: str) -> int:
        """Take write permission from all topics of a broker; return their number."""
        return self._change_perm(broker_name, lambda perm: perm & ~PERM_WRITE)

    def add_write_perm(self, broker_name: str) -> int:
        """Make all topics of a broker readable and writable, whatever they were before; return their number."""
        return self._change_perm(broker_name, lambda _: PERM_READ | PERM_WRITE)

    def _change_perm(self, broker_name: str, change: Callable[[int], int]) -> int:
        changed = 0
        for queues in self._queues.values():
            data = queues.get(broker_name)
            if data is not None:
                queues[broker_name] = replace(data, perm=change(data.perm))
                changed += 1
        return changed
