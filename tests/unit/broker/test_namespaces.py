"""Topics and groups of a namespace: to a broker `INST%topic` is a name like any other, with its own retries."""

from typing import Any

from broker_py.message.properties import decode_properties
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Reply
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.pops import a_pop
from tests.unit.broker.site import Site, a_heartbeat, bodies_of, ext_of

TOPIC = "INST%T"
GROUP = "INST%g"
RETRY = "%RETRY%INST%g"
DLQ = "%DLQ%INST%g"
POP_RETRY = "%RETRY%INST%g_INST%T"


def a_site() -> Site:
    site = Site()
    assert site.send(b"hello", topic=TOPIC, queue_id=0).code == 0
    return site


def give_back(site: Site, level: int) -> Reply:
    ext = {"group": GROUP, "offset": 0, "delayLevel": level, "originTopic": TOPIC}
    return site.ask(RequestCode.CONSUMER_SEND_MSG_BACK, ext)


def test_a_topic_is_made_by_sending_and_pulled() -> None:
    site = a_site()
    assert bodies_of(site.pull(topic=TOPIC, consumerGroup=GROUP)) == [b"hello"]
    assert "T" in site.topics
    assert site.pull(topic="T", consumerGroup=GROUP).code == ResponseCode.PULL_NOT_FOUND


def test_a_heartbeat_makes_the_groups_retry_topic() -> None:
    site = a_site()
    site.ask(RequestCode.HEART_BEAT, {}, a_heartbeat(GROUP, "c", {TOPIC: "*"}), MemoryPeer())
    assert site.groups.get(GROUP) is not None
    assert site.topics.get(RETRY) is not None
    groups = site.json(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, {"topic": TOPIC})["groupList"]
    assert groups == [GROUP]


def test_what_is_given_back_waits_for_the_groups_retry_topic() -> None:
    site = a_site()
    assert give_back(site, 0).code == 0
    properties = decode_properties(site.stored("SCHEDULE_TOPIC_XXXX", 2).properties)
    assert (properties["REAL_TOPIC"], properties["RETRY_TOPIC"]) == (RETRY, TOPIC)


def test_what_came_too_often_lies_in_the_groups_dead_letters() -> None:
    site = a_site()
    assert give_back(site, -1).code == 0
    assert decode_properties(site.stored(DLQ).properties)["RETRY_TOPIC"] == TOPIC


def test_a_retry_that_a_client_sends_itself_counts_for_the_group() -> None:
    site = a_site()
    site.groups.require(GROUP)
    assert site.send(topic=RETRY, reconsume_times=3).code == 0
    assert site.store.max_offset(RETRY, 0) == 1
    assert site.send(topic=RETRY, reconsume_times=17).code == 0
    assert site.store.max_offset(DLQ, 0) == 1


def test_what_is_popped_and_not_acknowledged_comes_back_to_the_topic() -> None:
    site = a_site()
    fields: dict[str, Any] = {"topic": TOPIC, "consumerGroup": GROUP}
    assert bodies_of(site.ask(RequestCode.POP_MESSAGE, a_pop(**fields))) == [b"hello"]
    site.pass_time(11_000)
    for _ in range(4):
        site.pop.step()
        site.end_turn()
    assert site.store.max_offset(POP_RETRY, 0) == 1
    again = site.ask(RequestCode.POP_MESSAGE, a_pop(**fields))
    assert bodies_of(again) == [b"hello"]


def test_traces_are_sent_like_messages_and_answers_say_whether_they_are_wanted() -> None:
    site = Site(region_id="here", trace_on=False)
    assert site.send(b"trace", topic="RMQ_SYS_TRACE_TOPIC", queue_id=0).code == 0
    reply = site.send()
    assert (ext_of(reply)["MSG_REGION"], ext_of(reply)["TRACE_ON"]) == ("here", "false")
