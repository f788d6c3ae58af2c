"""Filters over properties, and pulls by them."""

from dataclasses import replace
from typing import Any, Final

import pytest

from broker_py.broker.message_filter import MAX_KEPT_CHARACTERS, MessageFilters
from broker_py.errors import RequestRefused
from broker_py.model.subscription import Subscription
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import CONFIG, Site, a_heartbeat, bodies_of, ext_of

SQL: Final[dict[str, Any]] = {"expressionType": "SQL92"}


def a_site(**broker: Any) -> Site:
    return Site(enable_property_filter=True, **broker)


def sql(text: str) -> Subscription:
    return Subscription(topic="T", sub_string=text, expression_type="SQL92")


def subscribe(site: Site, peer: MemoryPeer, expression: str, version: int = 1, kind: str = "SQL92") -> None:
    body = a_heartbeat("g", "c", {})
    body["consumerDataSet"][0]["subscriptionDataSet"] = [
        {"topic": "T", "subString": expression, "expressionType": kind, "subVersion": version}
    ]
    assert site.ask(RequestCode.HEART_BEAT, {}, body, peer).code == 0


def test_a_pull_gets_the_messages_whose_properties_match() -> None:
    site = a_site()
    for n in range(10):
        site.send(b"%d" % n, properties=f"a\x01{n}")
    reply = site.pull(subscription="a BETWEEN 3 AND 5 OR a = 8", **SQL)
    assert (reply.code, bodies_of(reply)) == (0, [b"3", b"4", b"5", b"8"])
    assert ext_of(reply)["nextBeginOffset"] == "10"
    reply = site.pull(subscription="a > 2", maxMsgNums=2, queueOffset=1, **SQL)
    assert bodies_of(reply) == [b"3", b"4"]
    assert ext_of(reply)["nextBeginOffset"] == "5"


def test_a_pull_that_finds_none_goes_on_behind_what_it_looked_at() -> None:
    site = a_site()
    for n in range(3):
        site.send(properties=f"a\x01{n}")
    reply = site.pull(subscription="a > 5", **SQL)
    assert (reply.code, ext_of(reply)["nextBeginOffset"]) == (ResponseCode.PULL_RETRY_IMMEDIATELY, "3")


def test_the_heartbeats_expression_counts_for_a_pull_without_one() -> None:
    site, peer = a_site(), MemoryPeer()
    for n in range(3):
        site.send(b"%d" % n, properties=f"a\x01{n}")
    subscribe(site, peer, "a = 1")
    assert bodies_of(site.pull(sysFlag=0, subVersion=1, subscription="")) == [b"1"]
    subscribe(site, peer, "a = 2", version=2)
    assert bodies_of(site.pull(sysFlag=0, subVersion=2, subscription="")) == [b"2"]


@pytest.mark.parametrize(
    ("expression", "kind", "own", "of_heartbeat"),
    [
        ("a >", "SQL92", ResponseCode.SUBSCRIPTION_PARSE_FAILED, ResponseCode.FILTER_DATA_NOT_EXIST),
        ("", "SQL92", ResponseCode.SUBSCRIPTION_PARSE_FAILED, ResponseCode.FILTER_DATA_NOT_EXIST),
        ("a > 5", "XPATH", ResponseCode.SUBSCRIPTION_PARSE_FAILED, ResponseCode.FILTER_DATA_NOT_EXIST),
    ],
)
def test_an_expression_that_can_not_be_read_is_refused(expression: str, kind: str, own: int, of_heartbeat: int) -> None:
    site = a_site()
    assert site.pull(subscription=expression, expressionType=kind).code == own
    subscribe(site, MemoryPeer(), expression, kind=kind)
    assert site.pull(sysFlag=0, subscription="").code == of_heartbeat
    check = {"subscriptionData": {"topic": "T", "subString": expression, "expressionType": kind}}
    reply = site.ask(RequestCode.CHECK_CLIENT_CONFIG, {}, check)
    assert (reply.code, (reply.remark or "").startswith("Invalid MessageSelector. ")) == (own, True)


def test_a_broker_without_property_filters_refuses_them() -> None:
    site = Site()
    remark = "The broker does not support consumer to filter message by SQL92"
    subscribe(site, MemoryPeer(), "a > 5")
    check = {"subscriptionData": {"topic": "T", "subString": "a > 5", "expressionType": "SQL92"}}
    for reply in (
        site.pull(subscription="a > 5", **SQL),
        site.pull(sysFlag=0, subscription=""),
        site.ask(RequestCode.CHECK_CLIENT_CONFIG, {}, check),
    ):
        assert (reply.code, reply.remark) == (ResponseCode.SYSTEM_ERROR, remark)


def test_a_check_accepts_what_can_be_read() -> None:
    check = {"subscriptionData": {"topic": "T", "subString": "a > 5", "expressionType": "SQL92"}}
    assert a_site().ask(RequestCode.CHECK_CLIENT_CONFIG, {}, check).code == 0


def test_a_waiting_pull_wakes_on_a_message_that_matches() -> None:
    site, peer = a_site(), MemoryPeer()
    command = site.park(peer, subscription="a = 7", **SQL)
    for n in range(5):
        site.send(b"%d" % n, properties=f"a\x01{n}")
        assert peer.reply_to(command) is None
    site.send(b"seven", properties="a\x017")
    reply = peer.reply_to(command)
    assert reply is not None
    assert (bodies_of(reply), ext_of(reply)["nextBeginOffset"]) == ([b"seven"], "6")


def test_a_waiting_pull_that_got_nothing_goes_on_behind_what_came() -> None:
    site, peer = a_site(), MemoryPeer()
    command = site.park(peer, subscription="a = 7", **SQL)
    for n in range(5):
        site.send(properties=f"a\x01{n}")
    site.clock.advance(16_000)
    site.parked.expire(site.clock.monotonic())
    reply = peer.reply_to(command)
    assert reply is not None
    assert (reply.code, ext_of(reply)["nextBeginOffset"]) == (ResponseCode.PULL_RETRY_IMMEDIATELY, "5")


def test_a_waiting_pull_that_got_no_message_at_all_says_so() -> None:
    site, peer = a_site(), MemoryPeer()
    command = site.park(peer, subscription="a = 7", **SQL)
    site.clock.advance(16_000)
    site.parked.expire(site.clock.monotonic())
    reply = peer.reply_to(command)
    assert reply is not None
    assert (reply.code, ext_of(reply)["nextBeginOffset"]) == (ResponseCode.PULL_NOT_FOUND, "0")


def test_a_waiting_pull_is_answered_when_a_thousand_messages_were_not_wanted() -> None:
    site, peer = a_site(), MemoryPeer()
    command = site.park(peer, subscription="a = 7", **SQL)
    for _ in range(1000):
        site.send(properties="a\x011")
    reply = peer.reply_to(command)
    assert reply is not None
    assert ext_of(reply)["nextBeginOffset"] == "1000"


def test_a_filter_is_compiled_once_while_it_is_kept() -> None:
    filters = MessageFilters(replace(CONFIG, enable_property_filter=True))
    first = filters.of_request(sql("a > 5")).selection
    assert filters.of_heartbeat(sql("a > 5")).selection is first
    for n in range(MAX_KEPT_CHARACTERS // 10_000 + 1):
        filters.of_request(sql(f"a = {n} " + " " * 10_000))
    assert filters.of_request(sql("a > 5")).selection is not first


def test_a_refusal_is_remembered_as_well() -> None:
    filters = MessageFilters(replace(CONFIG, enable_property_filter=True))
    for _ in range(2):
        with pytest.raises(RequestRefused, match="there is the end"):
            filters.of_request(sql("a >"))


def test_the_switch_works_while_the_broker_runs() -> None:
    filters = MessageFilters(CONFIG)
    with pytest.raises(RequestRefused):
        filters.of_request(sql("a > 5"))
    filters.configure(replace(CONFIG, enable_property_filter=True))
    assert filters.of_request(sql("a > 5")).selection is not None
