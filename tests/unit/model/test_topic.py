"""Topics: settings, permissions, names."""

import pytest

from broker_py.errors import ProtocolError
from broker_py.model.topic import TopicConfig, is_system_topic, retry_topic, topic_name_fault


def test_a_topic_has_javas_form_and_reads_back_the_same() -> None:
    topic = TopicConfig(topic_name="T", read_queue_nums=8, write_queue_nums=4, perm=4, attributes={"k": "v"})
    assert topic.to_json() == {
        "attributes": {"k": "v"},
        "order": False,
        "perm": 4,
        "readQueueNums": 8,
        "topicFilterType": "SINGLE_TAG",
        "topicName": "T",
        "topicSysFlag": 0,
        "writeQueueNums": 4,
    }
    assert TopicConfig.from_json(topic.to_json()) == topic


def test_a_topic_of_4_9_has_no_attributes() -> None:
    assert TopicConfig.from_json({"topicName": "T", "attributes": None}) == TopicConfig(topic_name="T")


def test_attributes_are_text() -> None:
    assert TopicConfig.from_json({"topicName": "T", "attributes": {"a": 1}}).attributes == {"a": "1"}
    with pytest.raises(ProtocolError):
        TopicConfig.from_json({"topicName": "T", "attributes": []})


@pytest.mark.parametrize(
    ("perm", "readable", "writable"),
    [(0, False, False), (2, False, True), (4, True, False), (6, True, True), (7, True, True)],
)
def test_permissions_are_bits(perm: int, readable: bool, writable: bool) -> None:
    topic = TopicConfig(topic_name="T", perm=perm)
    assert (topic.readable, topic.writable) == (readable, writable)


@pytest.mark.parametrize("name", ["T", "a-b_c", "%RETRY%group", "a|b", "x" * 127])
def test_a_legal_name_has_no_fault(name: str) -> None:
    assert topic_name_fault(name) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [("", "blank"), ("  ", "blank"), ("a b", "illegal"), ("ü", "illegal"), ("a\n", "illegal"), ("x" * 128, "longer")],
)
def test_a_faulty_name_is_told_why(name: str, fault: str) -> None:
    assert fault in (topic_name_fault(name) or "")


def test_system_topics_are_known_by_name_or_prefix() -> None:
    assert is_system_topic("TBW102")
    assert is_system_topic("rmq_sys_anything")
    assert not is_system_topic("TopicTest")
    assert not is_system_topic(retry_topic("group"))


def test_a_group_has_a_topic_for_what_it_will_see_again() -> None:
    assert retry_topic("group") == "%RETRY%group"
