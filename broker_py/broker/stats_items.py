"""The items of request 315 by RocketMQ's names and keys (store stats/BrokerStatsManager).

    TOPIC_PUT_NUMS, _SIZE                                 topic
    TOPIC_PUT_LATENCY                                     queue id@topic
    GROUP_GET_NUMS, _SIZE; SNDBCK_PUT_NUMS                topic@group
    GROUP_ACK_NUMS, GROUP_CK_NUMS                         topic@group
    GROUP_GET_LATENCY                                     queue id@topic@group
    QUEUE_PUT_NUMS, _SIZE; QUEUE_GET_NUMS, _SIZE          topic@queue id, topic@queue id@group; of delay levels only
    SNDBCK2DLQ_TIMES                                      null@topic@group@SEND_BACK_TO_DLQ
    BROKER_PUT_NUMS, BROKER_GET_NUMS, BROKER_ACK_NUMS ... name of the cluster

An item is there once it counted something. Those that nothing counts in Java either (DLQ_PUT_NUMS, COMMERCIAL_*,
*_FROM_DISK_*, PRODUCER_REGISTER_TIME) are never there, nor are the times of heartbeats and the events of connections.
"""

from typing import Any, Final

from broker_py.broker.statistics import Statistics

_MESSAGES: Final = 1
_BYTES: Final = 2
_COLUMNS: Final = {"NUMS": _MESSAGES, "SIZE": _BYTES}


def figures_of(statistics: Statistics, cluster: str, name: str, key: str) -> dict[str, Any] | None:
    """Return the figures of an item of the last minute, hour and day; None when it is not there."""
    if name in statistics.of_broker:
        of_broker = statistics.of_broker[name]
        return of_broker.figures(_MESSAGES) if key == cluster and of_broker.messages else None
    parts = tuple(key.split("@"))
    counter, column = None, _MESSAGES
    match name, parts:
        case (("TOPIC_PUT_NUMS" | "TOPIC_PUT_SIZE"), (topic,)):
            counter, column = statistics.traffic.get(topic), _COLUMNS[name[-4:]]
        case (("GROUP_GET_NUMS" | "GROUP_GET_SIZE"), (_, _)):
            counter, column = statistics.traffic.get(parts), _COLUMNS[name[-4:]]
        case (("SNDBCK_PUT_NUMS" | "GROUP_ACK_NUMS" | "GROUP_CK_NUMS"), (_, _)):
            counter = statistics.traffic.get((name, *parts))
        case "SNDBCK2DLQ_TIMES", ("null", topic, group, "SEND_BACK_TO_DLQ"):
            counter = statistics.traffic.get((name, topic, group))
        case "TOPIC_PUT_LATENCY", (queue_id, topic):
            counter = statistics.queues.get((name, topic, queue_id))
        case "GROUP_GET_LATENCY", (queue_id, topic, group):
            counter = statistics.queues.get((name, topic, queue_id, group))
        case (("QUEUE_PUT_NUMS" | "QUEUE_PUT_SIZE"), (topic, queue_id)):
            counter, column = statistics.queues.get((name[:-5], topic, queue_id)), _COLUMNS[name[-4:]]
        case (("QUEUE_GET_NUMS" | "QUEUE_GET_SIZE"), (topic, queue_id, group)):
            counter, column = statistics.queues.get((name[:-5], topic, queue_id, group)), _COLUMNS[name[-4:]]
        case _:
            pass
    return None if counter is None else counter.figures(column)
