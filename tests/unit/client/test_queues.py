"""Which queues and addresses a route means."""

from broker_py.client.queues import (
    all_addresses,
    next_broker_id,
    read_address,
    readable_queues,
    route_of_new_topic,
    writable_queues,
)
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import BrokerData, QueueData, TopicRoute


def route(perm: int = 6, addresses: dict[int, str] | None = None, order_conf: str | None = None) -> TopicRoute:
    brokers = BrokerData(
        cluster="C", broker_name="b", broker_addrs={0: "m:1", 1: "s:1"} if addresses is None else addresses
    )
    queues = QueueData(broker_name="b", read_queue_nums=3, write_queue_nums=2, perm=perm)
    return TopicRoute(queue_datas=(queues,), broker_datas=(brokers,), order_topic_conf=order_conf)


def ids(queues: list[MessageQueue]) -> list[int]:
    return [queue.queue_id for queue in queues]


def test_a_topic_that_is_being_shrunk_is_written_to_fewer_queues_than_it_is_read_from() -> None:
    assert (ids(writable_queues("T", route())), ids(readable_queues("T", route()))) == ([0, 1], [0, 1, 2])


def test_permission_decides_who_sees_the_queues() -> None:
    assert (writable_queues("T", route(perm=4)), readable_queues("T", route(perm=2))) == ([], [])


def test_a_broker_without_its_master_is_read_but_not_written() -> None:
    slave_only = route(addresses={1: "s:1"})
    assert writable_queues("T", slave_only) == []
    assert ids(readable_queues("T", slave_only)) == [0, 1, 2]


def test_an_ordered_topic_keeps_its_queues_while_a_broker_is_down() -> None:
    queues = writable_queues("T", route(order_conf="b:1;down:2;broken"))
    assert [(queue.broker_name, queue.queue_id) for queue in queues] == [("b", 0), ("down", 0), ("down", 1)]


def test_reading_goes_to_the_preferred_broker_and_else_to_the_lowest_id() -> None:
    assert [read_address(route(), "b", number) for number in (0, 1, 7)] == ["m:1", "s:1", "m:1"]
    assert read_address(route(addresses={2: "t:1", 1: "s:1"}), "b", 0) == "s:1"
    assert read_address(route(), "other", 0) is None


def test_after_a_failure_the_next_broker_of_the_name_is_tried_and_after_the_last_the_first() -> None:
    assert [next_broker_id(route(), "b", number) for number in (0, 1)] == [1, 0]
    assert next_broker_id(route(), "other", 1) == 0


def test_a_new_topic_gets_at_most_four_queues() -> None:
    template = TopicRoute(queue_datas=(QueueData(broker_name="b", read_queue_nums=8, write_queue_nums=3, perm=7),))
    assert route_of_new_topic(template).queue_datas[0] == QueueData(
        broker_name="b", read_queue_nums=4, write_queue_nums=3, perm=7
    )


def test_heartbeats_go_to_masters_and_slaves() -> None:
    assert all_addresses(route()) == ["m:1", "s:1"]
