"""Subscriptions by tag."""

import pytest

from broker_py.broker.tag_filter import parse_subscription, tag_filter
from broker_py.errors import RequestRefused
from broker_py.message.tags import tags_code
from broker_py.model.subscription import Subscription
from broker_py.wire.codes import ResponseCode


@pytest.mark.parametrize("expression", [None, "", "*"])
def test_no_expression_and_a_star_want_everything(expression: str | None) -> None:
    assert tag_filter(parse_subscription("T", expression, None)) is None


@pytest.mark.parametrize("expression", ["A||B", " A ||  B ", "A||||B", "A || B || A"])
def test_tags_are_trimmed_and_blank_ones_dropped(expression: str) -> None:
    subscription = parse_subscription("T", expression, "TAG")
    assert subscription.tags == ("A", "B")
    wanted = tag_filter(subscription)
    assert wanted is not None
    assert [wanted(tags_code(tag)) for tag in ("A", "B", "C", "")] == [True, True, False, False]


@pytest.mark.parametrize("expression", ["||", " ", " || "])
def test_an_expression_without_a_tag_is_refused(expression: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_subscription("T", expression, "TAG")
    assert refused.value.code == ResponseCode.SUBSCRIPTION_PARSE_FAILED


def test_expressions_of_another_kind_are_kept_as_they_are() -> None:
    subscription = parse_subscription("T", "a > 5 || b", "SQL92")
    assert (subscription.sub_string, subscription.expression_type) == ("a > 5 || b", "SQL92")
    assert subscription.tags == ()


def test_a_heartbeats_subscription_counts_by_its_codes() -> None:
    wanted = tag_filter(Subscription(topic="T", sub_string="A", codes=frozenset({tags_code("A")})))
    assert wanted is not None
    assert wanted(tags_code("A"))
    assert not wanted(tags_code("B"))


def test_a_message_whose_queue_holds_no_code_but_an_address_is_the_clients_to_judge() -> None:
    wanted = tag_filter(parse_subscription("T", "A", "TAG"))
    assert wanted is not None
    assert wanted(-(1 << 63))  # the first unit of consumequeue_ext
    assert wanted(-(1 << 31) - 1)  # the last possible one
    assert not wanted(-(1 << 31))  # a hash


def test_an_empty_expression_of_a_heartbeat_wants_everything() -> None:
    assert tag_filter(Subscription(topic="T", sub_string="")) is None


def test_class_filters_are_not_the_brokers_to_apply() -> None:
    assert tag_filter(Subscription(topic="T", sub_string="A", class_filter_mode=True)) is None
