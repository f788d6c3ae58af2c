"""From routes to queues and addresses (client impl/factory/MQClientInstance.topicRouteData2TopicPublishInfo)."""

from dataclasses import replace
from typing import Final

from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import MASTER_ID, BrokerData, TopicRoute
from broker_py.model.topic import PERM_READ, PERM_WRITE

DEFAULT_TOPIC_QUEUE_NUMS: Final = 4


def writable_queues(topic: str, route: TopicRoute) -> list[MessageQueue]:
    """Return the queues that producers may use: of brokers with a master and write permission, sorted.

    For an ordered topic they are those that its order configuration lists, `broker:queues;...`, whether the broker
    is there or not: moving a key to another queue would break its order.
    """
    if route.order_topic_conf:
        return _ordered_queues(topic, route.order_topic_conf)
    return sorted(
        MessageQueue(topic, data.broker_name, queue_id)
        for data in route.queue_datas
        if data.perm & PERM_WRITE and master_address(route, data.broker_name)
        for queue_id in range(data.write_queue_nums)
    )


def _ordered_queues(topic: str, order_conf: str) -> list[MessageQueue]:
    queues: list[MessageQueue] = []
    for item in order_conf.split(";"):
        broker_name, _, queue_nums = item.partition(":")
        if queue_nums.isdecimal():
            queues += [MessageQueue(topic, broker_name, queue_id) for queue_id in range(int(queue_nums))]
    return queues


def readable_queues(topic: str, route: TopicRoute) -> list[MessageQueue]:
    """Return the queues that consumers read, sorted."""
    return sorted(
        MessageQueue(topic, data.broker_name, queue_id)
        for data in route.queue_datas
        if data.perm & PERM_READ
        for queue_id in range(data.read_queue_nums)
    )


def route_of_new_topic(template: TopicRoute) -> TopicRoute:
    """Return where a topic that nobody has yet may be made by sending to it, from the route of TBW102."""
    return replace(
        template,
        queue_datas=tuple(
            replace(
                data,
                read_queue_nums=min(data.read_queue_nums, DEFAULT_TOPIC_QUEUE_NUMS),
                write_queue_nums=min(data.write_queue_nums, DEFAULT_TOPIC_QUEUE_NUMS),
            )
            for data in template.queue_datas
        ),
    )


def broker_of(route: TopicRoute, broker_name: str) -> BrokerData | None:
    """Return the brokers of a name, or None when the route has none."""
    for broker in route.broker_datas:
        if broker.broker_name == broker_name and broker.broker_addrs:
            return broker
    return None


def master_address(route: TopicRoute, broker_name: str) -> str | None:
    """Return the master's address of a broker name, or None."""
    broker = broker_of(route, broker_name)
    return None if broker is None else broker.broker_addrs.get(MASTER_ID)


def read_address(route: TopicRoute, broker_name: str, preferred_id: int) -> str | None:
    """Return where to read from: the preferred broker id if it is there, else the lowest of that name."""
    broker = broker_of(route, broker_name)
    if broker is None:
        return None
    return broker.broker_addrs.get(preferred_id) or broker.any_address


def next_broker_id(route: TopicRoute, broker_name: str, failed_id: int) -> int:
    """Return the broker id to try after `failed_id`: the next higher one, after the highest the lowest."""
    broker = broker_of(route, broker_name)
    if broker is None:
        return MASTER_ID
    ids = sorted(broker.broker_addrs)
    return next((number for number in ids if number > failed_id), ids[0])


def all_addresses(route: TopicRoute) -> list[str]:
    """Return the addresses of all brokers of a route, masters and slaves."""
    return sorted({address for broker in route.broker_datas for address in broker.broker_addrs.values()})
