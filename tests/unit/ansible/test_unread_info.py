"""What is left to read on a broker that shall go."""

from broker_py.admin.backlog import QueueBacklog
from plugins.modules.unread_info import described, unread_entries


def backlog(group: str, topic: str, queue_id: int, consumed: int | None) -> QueueBacklog:
    return QueueBacklog(group=group, topic=topic, queue_id=queue_id, min_offset=5, max_offset=10, consumed=consumed)


def test_the_queues_of_a_topic_are_added_up_for_each_group() -> None:
    backlogs = [
        backlog("billing", "Orders", 0, 8),
        backlog("billing", "Orders", 1, None),
        backlog("a", "Orders", 0, 10),
    ]
    assert unread_entries(backlogs, {"Orders": 10}, []) == [{"topic": "Orders", "group": "billing", "messages": 7}]


def test_messages_of_a_topic_that_no_group_consumes_are_left_too() -> None:
    assert unread_entries([], {"%DLQ%billing": 2, "Empty": 0}, []) == [
        {"topic": "%DLQ%billing", "group": "", "messages": 2}
    ]


def test_a_group_that_will_never_come_is_not_waited_for() -> None:
    assert unread_entries([backlog("dead", "Orders", 0, None)], {"Orders": 5}, ["dead"]) == []


def test_an_entry_is_said_as_a_sentence() -> None:
    entry = {"topic": "Orders", "group": "billing", "messages": 7}
    assert described(entry) == "group billing has 7 messages of Orders to consume"
    assert described({**entry, "group": ""}) == "Orders has 7 messages that no group consumes"
