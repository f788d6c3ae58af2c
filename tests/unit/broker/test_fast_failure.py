"""Which requests are refused because they waited, and how that is said."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from broker_py.broker.fast_failure import FastFailure
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from tests.unit.broker.site import STORE, Site

LONG = 1 << 40


class Slow:
    """A broker whose requests have waited."""

    def __init__(self, **settings: Any) -> None:
        self.site = Site(store=replace(STORE, os_page_cache_busy_time_out_mills=1000), **settings)
        self.failure = FastFailure(self.site.config, self.site.store, self.site.clock)

    def refused(self, code: int, waited_ms: int) -> str | None:
        """Return the first word of the refusal, None without one."""
        reply = self.failure.refusal(Command(code), waited_ms, 4)
        if reply is None:
            return None
        assert reply.code == ResponseCode.SYSTEM_BUSY
        assert reply.remark is not None
        word, _, rest = reply.remark.partition("]")
        wanted = f"broker busy, start flow control for a while, period in queue: {waited_ms}ms, size of queue: 4"
        assert rest == wanted
        return word[1:]

    def write_for(self, ms: int) -> None:
        """Store a message; the write takes its time."""
        self.site.files.on_step = lambda step: self.site.clock.advance(ms if "pwrite /store/commitlog" in step else 0)
        self.site.send()
        self.site.files.on_step = None


@pytest.mark.parametrize(
    ("code", "limit_ms"),
    [
        (RequestCode.SEND_MESSAGE, 200),
        (RequestCode.SEND_MESSAGE_V2, 200),
        (RequestCode.SEND_BATCH_MESSAGE, 200),
        (RequestCode.CONSUMER_SEND_MSG_BACK, 200),
        (RequestCode.PULL_MESSAGE, 5000),
        (RequestCode.POP_MESSAGE, 5000),
        (RequestCode.PEEK_MESSAGE, 5000),
        (RequestCode.NOTIFICATION, 5000),
        (RequestCode.POLLING_INFO, 5000),
        (RequestCode.LITE_PULL_MESSAGE, 5000),
        (RequestCode.HEART_BEAT, 31_000),
        (RequestCode.END_TRANSACTION, 3000),
        (RequestCode.ACK_MESSAGE, 3000),
        (RequestCode.CHANGE_MESSAGE_INVISIBLETIME, 3000),
    ],
)
def test_each_kind_of_request_may_wait_as_long_as_in_java(code: int, limit_ms: int) -> None:
    slow = Slow()
    assert slow.refused(code, limit_ms - 1) is None
    assert slow.refused(code, limit_ms) == "TIMEOUT_CLEAN_QUEUE"


@pytest.mark.parametrize(
    "code",
    [
        RequestCode.UPDATE_CONSUMER_OFFSET,
        RequestCode.QUERY_MESSAGE,
        RequestCode.GET_BROKER_CONFIG,
        RequestCode.UNREGISTER_CLIENT,
        RequestCode.SEND_REPLY_MESSAGE,
    ],
)
def test_other_requests_may_wait_as_long_as_it_takes(code: int) -> None:
    assert Slow().refused(code, LONG) is None


def test_limits_are_properties_and_the_shortest_is_where_asking_begins() -> None:
    slow = Slow()
    assert slow.failure.seconds == 0.2
    slow.failure.configure(replace(slow.site.config, wait_time_mills_in_send_queue=3000))
    assert slow.failure.seconds == 1.0  # osPageCacheBusyTimeOutMills
    assert slow.refused(RequestCode.SEND_MESSAGE_V2, 2999) is None
    assert slow.refused(RequestCode.SEND_MESSAGE_V2, 3000) == "TIMEOUT_CLEAN_QUEUE"
    slow.failure.configure(replace(slow.site.config, broker_fast_failure_enable=False))
    assert slow.failure.seconds == float("inf")


def test_sends_that_came_while_a_write_took_too_long_are_told_so_however_short_they_waited() -> None:
    slow = Slow()
    slow.write_for(1000)
    slow.site.clock.advance(5)
    assert slow.refused(RequestCode.SEND_MESSAGE_V2, 6) == "PCBUSY_CLEAN_QUEUE"
    assert slow.refused(RequestCode.SEND_MESSAGE_V2, 5) is None
    assert slow.refused(RequestCode.PULL_MESSAGE, 6) is None
    assert slow.refused(RequestCode.SEND_MESSAGE_V2, 900) == "PCBUSY_CLEAN_QUEUE"


def test_a_write_that_takes_less_is_none() -> None:
    slow = Slow()
    slow.write_for(999)
    assert slow.refused(RequestCode.SEND_MESSAGE_V2, 100) is None
    assert slow.refused(RequestCode.SEND_MESSAGE_V2, 900) == "TIMEOUT_CLEAN_QUEUE"


def test_a_message_whose_write_took_too_long_is_sent() -> None:
    slow = Slow()
    slow.write_for(5000)
    assert slow.site.pull().code == ResponseCode.SUCCESS


def test_refusals_are_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            slow.refused(RequestCode.SEND_MESSAGE_V2, 300)
        slow.site.clock.advance(15_000)
        slow.refused(RequestCode.SEND_MESSAGE_V2, 400)
    first, second = [record.getMessage() for record in caplog.records]
    assert first == "1 requests refused, which waited too long for their turn; this one, of code 310, for 300 ms"
    assert second.startswith("100 requests refused")
