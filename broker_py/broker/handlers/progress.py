"""How far groups are: requests 202, 208, 300, 303, 308, 317, 321, 343 and 345.

Source: broker processor/AdminBrokerProcessor.
"""

from typing import Any, Final

from broker_py.broker.clients import ConsumerTable
from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.groups import GroupTable
from broker_py.broker.topics import TopicTable
from broker_py.broker.traffic import Traffic
from broker_py.errors import RequestRefused
from broker_py.model.message_queue import MessageQueue
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.admin import (
    BrokerConsumeStatsRequest,
    ConsumeStatsRequest,
    CorrectionRequest,
    GroupRequest,
    QueryConsumeQueueRequest,
    TopicGroupRequest,
    TopicRequest,
)

MAX_UNITS: Final = 10_000
_NO_CORRECTION: Final = (1 << 63) - 1


class ProgressHandler:
    """Compares the ends of queues with where groups stand."""

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        topics: TopicTable,
        groups: GroupTable,
        offsets: ConsumerOffsetTable,
        consumers: ConsumerTable,
        traffic: Traffic,
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._consumers = consumers
        self._traffic = traffic

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on(RequestCode.GET_TOPIC_STATS_INFO, TopicRequest, self.topic_stats)
        router.on(RequestCode.GET_CONSUME_STATS, ConsumeStatsRequest, self.consume_stats)
        router.on(RequestCode.GET_BROKER_CONSUME_STATS, BrokerConsumeStatsRequest, self.broker_consume_stats)
        router.on(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, TopicRequest, self.groups_of_topic)
        router.on(RequestCode.QUERY_TOPICS_BY_CONSUMER, GroupRequest, self.topics_of_group)
        router.on(RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, TopicGroupRequest, self.subscription)
        router.on(RequestCode.QUERY_CONSUME_TIME_SPAN, TopicGroupRequest, self.time_span)
        router.on(RequestCode.QUERY_CORRECTION_OFFSET, CorrectionRequest, self.corrections)
        router.on(RequestCode.QUERY_CONSUME_QUEUE, QueryConsumeQueueRequest, self.queue_units)

    def topic_stats(self, request: TopicRequest, _command: Command, _peer: Peer) -> Reply:
        """Return first, last and last time of each of a topic's queues."""
        topic = self._topics.require(request.topic)
        table: dict[MessageQueue, Any] = {}
        for queue_id in range(max(topic.write_queue_nums, topic.read_queue_nums)):
            low = max(0, self._store.min_offset(request.topic, queue_id))
            high = max(0, self._store.max_offset(request.topic, queue_id))
            last_ms = self._store.stored_ms(request.topic, queue_id, high - 1) if high > low else 0
            table[MessageQueue(request.topic, self._config.broker_name, queue_id)] = {
                "lastUpdateTimestamp": max(0, last_ms),
                "maxOffset": high,
                "minOffset": low,
            }
        return Reply(body=dumps({"offsetTable": table}))

    def consume_stats(self, request: ConsumeStatsRequest, _command: Command, _peer: Peer) -> Reply:
        """Return a group's lag in each queue of its topics; of those only that its members want, if it has any."""
        topics = {request.topic} if request.topic else self._offsets.topics_of(request.consumer_group)
        members = self._consumers.get(request.consumer_group)
        if members is not None and members.subscriptions:
            topics &= members.subscriptions.keys()
        table: dict[MessageQueue, Any] = {}
        tps = 0.0
        for topic in sorted(topics):
            table.update(self._group_in_topic(request.consumer_group, topic))
            tps += self._traffic.tps((topic, request.consumer_group))
        return Reply(body=dumps({"consumeTps": tps, "offsetTable": table}))

    def _group_in_topic(self, group: str, topic: str) -> dict[MessageQueue, Any]:
        settings = self._topics.get(topic)
        if settings is None:
            return {}
        table: dict[MessageQueue, Any] = {}
        for queue_id in range(settings.read_queue_nums):
            high = max(0, self._store.max_offset(topic, queue_id))
            consumed = self._offsets.offset(group, topic, queue_id)
            pulled = self._offsets.pulled_offset(group, topic, queue_id)
            consumed = max(0, consumed)
            last_ms = self._store.stored_ms(topic, queue_id, consumed - 1) if consumed > 0 else 0
            table[MessageQueue(topic, self._config.broker_name, queue_id)] = {
                "brokerOffset": high,
                "consumerOffset": consumed,
                "lastTimestamp": max(0, last_ms),
                "pullOffset": max(pulled, consumed),
            }
        return table

    def broker_consume_stats(self, request: BrokerConsumeStatsRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the lag of all groups (of those that consume in order, or of the others)."""
        groups: list[dict[str, Any]] = []
        total_lag = total_in_flight = 0
        for group in self._groups:
            if group.consume_message_orderly != request.is_order:
                continue
            stats: list[Any] = []
            for topic in sorted(self._offsets.topics_of(group.group_name)):
                table = self._group_in_topic(group.group_name, topic)
                total_lag += sum(row["brokerOffset"] - row["consumerOffset"] for row in table.values())
                total_in_flight += sum(row["pullOffset"] - row["consumerOffset"] for row in table.values())
                if table:
                    tps = self._traffic.tps((topic, group.group_name))
                    stats.append({"consumeTps": tps, "offsetTable": table})
            if stats:
                groups.append({group.group_name: stats})
        return Reply(
            body=dumps(
                {
                    "brokerAddr": self._config.address,
                    "consumeStatsList": groups,
                    "totalDiff": total_lag,
                    "totalInflightDiff": total_in_flight,
                }
            )
        )

    def groups_of_topic(self, request: TopicRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the groups that consume a topic now or did."""
        groups = self._consumers.subscribers_of(request.topic) | self._offsets.groups_of(request.topic)
        return Reply(body=dumps({"groupList": sorted(groups)}))

    def topics_of_group(self, request: GroupRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the topics that a group has offsets in."""
        return Reply(body=dumps({"topicList": sorted(self._offsets.topics_of(request.group))}))

    def subscription(self, request: TopicGroupRequest, _command: Command, _peer: Peer) -> Reply:
        """Return what a group wants of a topic."""
        body: dict[str, Any] = {"group": request.group, "topic": request.topic}
        members = self._consumers.get(request.group)
        wanted = members.subscriptions.get(request.topic or "") if members is not None else None
        if wanted is not None:
            body["subscriptionData"] = wanted.to_json()
        return Reply(body=dumps(body))

    def time_span(self, request: TopicGroupRequest, _command: Command, _peer: Peer) -> Reply:
        """Return for each queue the times of its first and last message and of what the group consumed last."""
        name = request.topic or ""
        topic = self._topics.require(name)
        spans: list[dict[str, Any]] = []
        for queue_id in range(max(topic.write_queue_nums, topic.read_queue_nums)):
            high = self._store.max_offset(name, queue_id)
            last_ms = self._store.stored_ms(name, queue_id, high - 1) if high > 0 else -1
            consumed = self._offsets.offset(request.group, name, queue_id)
            first_ms = self._store.stored_ms(name, queue_id, self._store.min_offset(name, queue_id)) or -1
            consumed_ms = self._store.stored_ms(name, queue_id, consumed - 1) if consumed > 0 else first_ms
            next_ms = self._store.stored_ms(name, queue_id, consumed) if 0 <= consumed < high else -1
            spans.append(
                {
                    "consumeTimeStamp": consumed_ms,
                    "delayTime": max(0, last_ms - next_ms) if next_ms > 0 else 0,
                    "maxTimeStamp": last_ms,
                    "messageQueue": MessageQueue(name, self._config.broker_name, queue_id).to_json(),
                    "minTimeStamp": first_ms,
                }
            )
        return Reply(body=dumps({"consumeTimeSpanSet": spans}))

    def queue_units(self, request: QueryConsumeQueueRequest, _command: Command, _peer: Peer) -> Reply:
        """Return raw units of a consume queue."""
        self._topics.require(request.topic)
        low = self._store.min_offset(request.topic, request.queue_id)
        high = self._store.max_offset(request.topic, request.queue_id)
        if high <= 0:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"{request.queue_id}@{request.topic} is not exist!")
        members = self._consumers.get(request.consumer_group) if request.consumer_group else None
        wanted = members.subscriptions.get(request.topic) if members is not None else None
        units: list[dict[str, Any]] = []
        first = max(low, request.index)
        for queue_offset in range(first, min(high, first + min(request.count, MAX_UNITS))):
            unit = self._store.unit(request.topic, request.queue_id, queue_offset)
            if unit is None:
                break
            log_offset, size, tags_code = unit
            units.append(
                {
                    "eval": wanted is None or not wanted.codes or tags_code in wanted.codes,
                    "physicOffset": log_offset,
                    "physicSize": size,
                    "tagsCode": tags_code,
                }
            )
        body: dict[str, Any] = {"maxQueueIndex": high, "minQueueIndex": low, "queueData": units}
        if wanted is not None:
            body["subscriptionData"] = wanted.to_json()
        return Reply(body=dumps(body))

    def corrections(self, request: CorrectionRequest, _command: Command, _peer: Peer) -> Reply:
        """Return, for each queue, how far the slowest group of a topic is, offsets that are deleted left out.

        Where the group that is compared is further behind than that, there is nothing to correct: the greatest number.
        Groups to leave out are only left out; Java forgets their offsets, too.
        """
        left_out = (request.filter_groups or "").split(",")
        slowest: dict[int, int] = {}
        compared: dict[int, int] = {}
        for topic, group, queues in self._offsets:
            if topic != request.topic:
                continue
            if group == request.compare_group:
                compared = queues
            if group in left_out:
                continue
            for queue_id, queue_offset in queues.items():
                if queue_offset >= self._store.min_offset(topic, queue_id):
                    slowest[queue_id] = min(queue_offset, slowest.get(queue_id, _NO_CORRECTION))
        for queue_id, queue_offset in compared.items():
            if slowest.get(queue_id, 0) > queue_offset:
                slowest[queue_id] = _NO_CORRECTION
        return Reply(body=dumps({"correctionOffsets": {str(key): value for key, value in slowest.items()}}))
