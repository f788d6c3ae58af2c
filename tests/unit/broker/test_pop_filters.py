"""Pops by expressions over properties."""

from typing import Any

import pytest

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.pops import RETRY, a_pop, extra_infos
from tests.unit.broker.site import Site, a_command, bodies_of, ext_of


def pop(site: Site, exp: str, **fields: Any) -> Reply:
    return site.ask(RequestCode.POP_MESSAGE, a_pop(exp=exp, expType="SQL92", **fields))


def park(site: Site, peer: MemoryPeer, exp: str, **fields: Any) -> Command:
    command = a_command(RequestCode.POP_MESSAGE, a_pop(exp=exp, expType="SQL92", pollTime=15_000, **fields))
    site.receive(command, peer=peer)
    return command


def a_site(count: int = 10, **settings: Any) -> Site:
    """Messages `0`, `1`, ... in queue 0, whose property `a` has the same number."""
    site = Site(**settings)
    for n in range(count):
        site.send(b"%d" % n, properties=f"a\x01{n}", queue_id=0)
    return site


def pass_time(site: Site, ms: int) -> None:
    site.pass_time(ms)
    for _ in range(4):
        site.pop.step()
        site.end_turn()


def ack(site: Site, fields: dict[str, Any]) -> None:
    assert site.ask(RequestCode.ACK_MESSAGE, fields).code == 0


def test_a_pop_gets_the_messages_whose_properties_match_once() -> None:
    site = a_site()
    reply = pop(site, "a IN ('2', '5', '6')")
    assert bodies_of(reply) == [b"2", b"5", b"6"]
    assert ext_of(reply)["msgOffsetInfo"] == "0 0 2,5,6"
    assert pop(site, "a IN ('2', '5', '6')").code == ResponseCode.POLLING_TIMEOUT
    assert site.offsets.offset("g", "T", 0) == 10


def test_a_pop_goes_on_behind_what_it_took() -> None:
    site = a_site()
    assert bodies_of(pop(site, "a BETWEEN 3 AND 8", maxMsgNums=2)) == [b"3", b"4"]
    assert bodies_of(pop(site, "a BETWEEN 3 AND 8", maxMsgNums=3)) == [b"5", b"6", b"7"]
    assert bodies_of(pop(site, "a BETWEEN 3 AND 8")) == [b"8"]


def test_only_what_was_taken_and_not_acknowledged_comes_back() -> None:
    site = a_site()
    first, second, third = extra_infos(pop(site, "a IN ('2', '5', '6')"))
    assert [first["offset"], second["offset"], third["offset"]] == [2, 5, 6]
    ack(site, second)
    pass_time(site, 11_000)
    reply = pop(site, "a > 0")
    assert sorted(bodies_of(reply)) == [b"2", b"6"]
    assert {fields["topic"] for fields in extra_infos(reply)} == {RETRY}
    for fields in extra_infos(reply):
        ack(site, fields)
    pass_time(site, 11_000)
    assert pop(site, "a > 0").code == ResponseCode.POLLING_TIMEOUT


def test_what_comes_back_is_chosen_too() -> None:
    site = a_site(4)
    pop(site, "a < 2")
    pass_time(site, 11_000)
    assert bodies_of(pop(site, "a = 1")) == [b"1"]


def test_tags_and_expressions_both_choose() -> None:
    site = Site()
    site.send(b"no tag", properties="a\x015", queue_id=0)
    site.send(b"both", properties="a\x015\x02TAGS\x01A", queue_id=0)
    site.send(b"tag alone", properties="TAGS\x01A", queue_id=0)
    assert bodies_of(pop(site, "TAGS = 'A' AND a IS NOT NULL")) == [b"both"]


def test_a_waiting_pop_wakes_for_a_message_that_matches() -> None:
    site, peer = a_site(0), MemoryPeer()
    command = park(site, peer, "a = 7")
    site.send(b"other", properties="a\x016", queue_id=0)
    assert peer.reply_to(command) is None
    site.send(b"wanted", properties="a\x017", queue_id=0)
    site.end_turn()
    reply = peer.reply_to(command)
    assert reply is not None
    assert bodies_of(reply) == [b"wanted"]


def test_what_does_not_match_is_passed_while_a_pop_waits_and_its_time_is_up() -> None:
    site, peer = a_site(0), MemoryPeer()
    command = park(site, peer, "a = 7")
    for n in range(3):
        site.send(properties=f"a\x01{n}", queue_id=0)
    site.pass_time(16_000)
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.code == ResponseCode.POLLING_TIMEOUT
    assert site.offsets.offset("g", "T", 0) == 3


def test_in_order_what_does_not_match_is_passed_with_what_does() -> None:
    site = a_site()
    order = {"queueId": 0, "order": "true"}
    reply = pop(site, "a IN ('2', '5', '6')", maxMsgNums=2, **order)
    assert bodies_of(reply) == [b"2", b"5"]
    assert pop(site, "a IN ('2', '5', '6')", **order).code == ResponseCode.POLLING_TIMEOUT
    start, revive = "0", "999"
    for offset in (2, 5):
        ext = ext_of(reply)
        info = f"{start} {ext['popTime']} {ext['invisibleTime']} {revive} 0 broker-a 0 {offset}"
        fields = {"consumerGroup": "g", "topic": "T", "queueId": 0, "offset": offset, "extraInfo": info}
        ack(site, fields)
    assert bodies_of(pop(site, "a IN ('2', '5', '6')", **order)) == [b"6"]


@pytest.mark.parametrize("expression", ["a >", "a > 5 AND", "\u2603"])
def test_an_expression_that_can_not_be_read_is_refused(expression: str) -> None:
    reply = pop(a_site(1), expression)
    assert reply.code == ResponseCode.SUBSCRIPTION_PARSE_FAILED
    assert (reply.remark or "").startswith("Invalid MessageSelector. ")


def test_an_expression_of_another_kind_is_refused() -> None:
    reply = Site().ask(RequestCode.POP_MESSAGE, a_pop(exp="x", expType="XPATH"))
    assert reply.code == ResponseCode.SUBSCRIPTION_PARSE_FAILED


def test_without_an_expression_its_kind_does_not_matter() -> None:
    assert bodies_of(pop(a_site(2), "")) == [b"0", b"1"]


def test_pops_need_no_property_filter_but_pulls_do() -> None:
    site = a_site(2, enable_property_filter=False)
    assert site.pull(subscription="a = 1", expressionType="SQL92").code == ResponseCode.SYSTEM_ERROR
    assert bodies_of(pop(site, "a = 1")) == [b"1"]
