"""What is left to read on a broker that shall go."""

from broker_py.admin.backlog import QueueBacklog
from broker_py.admin.pending import Pending
from broker_py.wire.codes import RequestCode
from plugins.modules.unread_info import described, look, pending_sentence, unread_entries
from tests.unit.client.fake_broker import json_reply
from tests.unit.client.fake_cluster import FakeCluster


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


def test_what_the_broker_itself_has_to_act_on_is_left_too(cluster: FakeCluster) -> None:
    cluster.a.on(RequestCode.GET_ALL_DELAY_OFFSET, None, lambda *_: json_reply({"offsetTable": {"3": 1}}))
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 2, [b"1", b"2", b"3"])

    def left(*ignored: str) -> list[str]:
        params = {"address": cluster.a.address, "ignore_groups": [], "ignore_topics": list(ignored)}
        found: list[str] = cluster.ask(lambda client: look(client, params, False))["problems"]
        return found

    assert left() == ["the broker has at most 2 delayed messages that are not delivered yet (SCHEDULE_TOPIC_XXXX)"]
    assert left("SCHEDULE_TOPIC_XXXX") == []


def test_what_is_pending_is_said_as_a_sentence_whatever_kind_it_is() -> None:
    for kind in ("delayed", "timed", "half", "popped"):
        assert pending_sentence(Pending(kind=kind, messages=3, topic="T")).startswith("the broker has at most 3 ")
