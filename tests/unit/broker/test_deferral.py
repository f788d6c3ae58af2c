"""Where a message waits that is to be delivered later, and what is refused."""

from dataclasses import replace

import pytest

from broker_py.errors import RequestRefused
from broker_py.message.properties import decode_properties
from broker_py.model.topic import TIMER_TOPIC
from broker_py.wire.codes import ResponseCode
from tests.unit.broker.site import STORE, Site

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "out_ms"),
    [
        ("TIMER_DELAY_SEC\x015", NOW + 4000),
        ("TIMER_DELAY_MS\x011500", NOW + 1000),
        (f"TIMER_DELIVER_MS\x01{NOW + 2001}", NOW + 2000),
        (f"TIMER_DELIVER_MS\x01{NOW + 2000}", NOW + 1000),
        ("TIMER_DELAY_SEC\x015\x02TIMER_DELAY_MS\x011500", NOW + 4000),
    ],
)
def test_a_time_is_that_of_a_slot_which_is_delivered_when_the_next_begins(text: str, out_ms: int) -> None:
    site = Site()
    assert site.send(queue_id=3, properties=text).code == 0
    properties = decode_properties(site.stored(TIMER_TOPIC).properties)
    assert properties["TIMER_OUT_MS"] == str(out_ms)
    assert (properties["REAL_TOPIC"], properties["REAL_QID"]) == ("T", "3")


@pytest.mark.parametrize("text", [f"TIMER_DELIVER_MS\x01{NOW}", "TIMER_DELAY_SEC\x010", "TIMER_DELAY_MS\x01-5"])
def test_a_time_that_is_over_is_no_reason_to_wait(text: str) -> None:
    site = Site()
    assert site.send(properties=text).code == 0
    assert site.store.topics() == ["T"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("TIMER_DELAY_SEC\x01soon", ResponseCode.MESSAGE_ILLEGAL),
        ("TIMER_DELAY_SEC\x01259201", ResponseCode.MESSAGE_ILLEGAL),
        ("TIMER_DELAY_SEC\x010\x02TIMER_DEL_UNIQKEY\x01X", ResponseCode.MESSAGE_ILLEGAL),
    ],
)
def test_a_time_that_can_not_be_is_refused(text: str, code: int) -> None:
    assert Site().send(properties=text).code == code


def test_too_many_for_one_time_and_a_wheel_that_is_off_are_refused() -> None:
    site = Site()
    site.congested = True
    assert site.send(properties="TIMER_DELAY_SEC\x015").code == ResponseCode.SYSTEM_ERROR
    site = Site(store=replace(STORE, timer_wheel_enable=False))
    assert site.send(properties="TIMER_DELAY_SEC\x015").code == ResponseCode.SERVICE_NOT_AVAILABLE


def test_a_message_that_waited_does_not_wait_again() -> None:
    deferral = Site().deferral
    assert deferral.place("T", 0, {"TIMER_DELAY_SEC": "5", "TIMER_OUT_MS": "1"}) is None
    assert deferral.place("T", 0, {}) is None
    with pytest.raises(RequestRefused):
        deferral.place("T", 0, {"TIMER_DELAY_SEC": "1" * 30})
