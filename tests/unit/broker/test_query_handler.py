"""Request 12."""

import asyncio
from typing import Any

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Reply
from tests.unit.broker.site import Site, bodies_of, ext_of

FIRST_MS = 1_700_000_000_000


def query(site: Site, key: str, **ext: Any) -> Reply:
    fields = {"topic": "T", "key": key, "maxNum": 32, "beginTimestamp": 0, "endTimestamp": FIRST_MS * 2, **ext}
    return asyncio.run(site.ask_later(RequestCode.QUERY_MESSAGE, fields))


def a_site() -> Site:
    """Messages with the keys `k` and `both` in two queues, a second apart."""
    site = Site()
    for number, keys in enumerate(("k", "other both", "k both")):
        site.send(b"%d" % number, queue_id=number % 2, properties=f"KEYS\x01{keys}\x02UNIQ_KEY\x01U{number}")
        site.clock.advance(1000)
    return site


def test_messages_are_found_by_each_of_their_keys_and_by_their_unique_id() -> None:
    site = a_site()
    assert sorted(bodies_of(query(site, "k"))) == [b"0", b"2"]
    assert sorted(bodies_of(query(site, "both"))) == [b"1", b"2"]
    assert bodies_of(query(site, "U1")) == [b"1"]
    assert ext_of(query(site, "k"))["indexLastUpdateTimestamp"].isdecimal()


def test_no_more_are_found_than_are_wanted_and_none_of_another_time() -> None:
    site = a_site()
    assert len(bodies_of(query(site, "k", maxNum=1))) == 1
    assert bodies_of(query(site, "k", beginTimestamp=FIRST_MS + 1)) == [b"2"]
    assert bodies_of(query(site, "k", endTimestamp=FIRST_MS)) == [b"0"]


def test_a_key_that_no_message_has_and_an_unknown_topic_are_told() -> None:
    site = a_site()
    assert query(site, "nobody's").code == ResponseCode.QUERY_NOT_FOUND
    assert query(site, "k", topic="Unknown").code == ResponseCode.TOPIC_NOT_EXIST
