"""What a broker, ours or Java's, keeps for later: messages that its own services still have to act on.

A broker that goes on with the store goes on with them; with a broker that leaves for good they would be lost.

    SCHEDULE_TOPIC_XXXX            delayed; queue = level - 1, delivered up to the offset of GET_ALL_DELAY_OFFSET
    rmq_sys_wheel_timer            timed; the runtime information counts them (5.0 and newer)
    RMQ_SYS_TRANS_HALF_TOPIC       halves of transactions, decided up to the offset of CID_RMQ_SYS_TRANS
    rmq_sys_REVIVE_LOG_<cluster>   receipts of POP, looked at up to the offset of CID_RMQ_SYS_REVIVE_GROUP

Source: broker schedule/ScheduleMessageService, transaction/queue/TransactionalMessageServiceImpl,
processor/PopReviveService, store timer/TimerMessageStore.
"""

from dataclasses import dataclass
from typing import Final

from broker_py.admin.topics import queues_at
from broker_py.client.client import Client
from broker_py.model.fields import int_of
from broker_py.model.topic import HALF_TOPIC, SCHEDULE_TOPIC, SYSTEM_TOPIC_PREFIX, TIMER_TOPIC

DELAYED: Final = "delayed"
TIMED: Final = "timed"
HALF: Final = "half"
POPPED: Final = "popped"

_DELAY_LEVELS: Final = 18
_HALF_GROUP: Final = "CID_RMQ_SYS_TRANS"
_REVIVE_TOPIC: Final = SYSTEM_TOPIC_PREFIX + "REVIVE_LOG_"
_REVIVE_GROUP: Final = "CID_RMQ_SYS_REVIVE_GROUP"
# Timed messages that wait for their second, and those that the timer has not read yet.
_TIMED_KEYS: Final = ("timerCongestNum", "timerOffsetBehind")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """Messages of a kind that are kept for later; at most so many, as services note with delay what is done."""

    kind: str
    messages: int
    topic: str


async def pending_messages(client: Client, address: str) -> list[Pending]:
    """Return what a broker keeps for later, each kind that it has any of. Unreachable, RequestFailed."""
    properties = await client.brokers.config(address)
    levels = max(_DELAY_LEVELS, len(properties.get("messageDelayLevel", "").split()))
    revive_topic = _REVIVE_TOPIC + properties.get("brokerClusterName", "")
    runtime: dict[str, object] = dict(await client.brokers.runtime_info(address))
    counts = {
        (DELAYED, SCHEDULE_TOPIC): await _delayed(client, address, levels),
        (TIMED, TIMER_TOPIC): sum(int_of(runtime, key) for key in _TIMED_KEYS),
        (HALF, HALF_TOPIC): await _unread(client, address, HALF_TOPIC, _HALF_GROUP),
        (POPPED, revive_topic): await _unread(client, address, revive_topic, _REVIVE_GROUP),
    }
    return [
        Pending(kind=kind, messages=messages, topic=topic) for (kind, topic), messages in counts.items() if messages > 0
    ]


async def _delayed(client: Client, address: str, levels: int) -> int:
    """Count all queues up to `levels`, and those of levels that were there once, which hold messages too."""
    delivered = await client.brokers.delay_offsets(address)
    total = 0
    for level in range(1, max(levels, *delivered, 1) + 1):
        begin = await client.brokers.queue_begin(address, SCHEDULE_TOPIC, level - 1)
        end = await client.brokers.queue_end(address, SCHEDULE_TOPIC, level - 1)
        total += max(0, end - max(begin, delivered.get(level, 0)))
    return total


async def _unread(client: Client, address: str, topic: str, group: str) -> int:
    """Return how many messages of a topic its service has not passed."""
    config = (await client.brokers.topics(address)).get(topic)
    if config is None:
        return 0
    queues = await queues_at(client, address, config)
    passed = (await client.brokers.consumer_offsets(address)).get((topic, group), {})
    return sum(max(0, each.max_offset - max(each.min_offset, passed.get(each.queue_id, 0))) for each in queues)
