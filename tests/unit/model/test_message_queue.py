"""One queue of a topic on one broker."""

import pytest

from broker_py.errors import ProtocolError
from broker_py.model.message_queue import MessageQueue


def test_a_queue_has_javas_form_and_reads_back_the_same() -> None:
    queue = MessageQueue("T", "b", 3)
    assert queue.to_json() == {"brokerName": "b", "queueId": 3, "topic": "T"}
    assert MessageQueue.from_json(queue.to_json()) == queue


def test_queues_are_in_order_of_topic_broker_and_number() -> None:
    ordered = [
        MessageQueue("A", "z", 9),
        MessageQueue("B", "a", 2),
        MessageQueue("B", "a", 10),
        MessageQueue("B", "b", 0),
    ]
    shuffled = [ordered[i] for i in (2, 0, 3, 1)]
    assert sorted(shuffled) == ordered


def test_a_queue_id_is_a_number() -> None:
    with pytest.raises(ProtocolError, match="queueId"):
        MessageQueue.from_json({"topic": "T", "brokerName": "b", "queueId": "x"})
