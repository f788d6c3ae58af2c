"""Request 12."""

import asyncio
from dataclasses import replace
from typing import Any

from broker_py.broker.config import BrokerRole
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Reply
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.site import STORE, Site, bodies_of, ext_of

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


def test_what_is_not_there_is_told_as_java_tells_it() -> None:
    site = a_site()
    for reply in (query(site, "nobody's"), query(site, "k", topic="Unknown"), query(site, "k", endTimestamp=5)):
        assert reply.code == ResponseCode.QUERY_NOT_FOUND
        assert (reply.remark or "").startswith("can not find message, maybe time range not correct")


def test_a_broker_without_an_index_says_so() -> None:
    site = Site(store=replace(STORE, message_index_enable=False))
    site.send(b"0", properties="KEYS\x01k")
    reply = query(site, "k")
    assert (reply.code, reply.remark) == (
        ResponseCode.QUERY_NOT_FOUND,
        "can not find message: messageIndexEnable is false on this broker",
    )


def test_an_index_that_is_not_complete_yet_says_how_much_is_left() -> None:
    files = MemoryFiles()
    site = Site(files)
    site.send(b"0", properties="KEYS\x01k")
    end = site.store.written.value
    site.store.close()
    for name in files.list_dir("/store/index"):
        files.remove(f"/store/index/{name}")
    again = Site(files)
    assert f"; the index is not complete yet, {end} bytes of the log are left" in (query(again, "k").remark or "")
    again.store.complete_index()
    assert bodies_of(query(again, "k")) == [b"0"]


def test_a_unique_id_is_no_key_and_the_number_wanted_is_the_brokers() -> None:
    site = Site(store=replace(STORE, default_query_max_num=2, max_msgs_num_batch=3))
    for number in range(5):
        site.send(b"%d" % number, properties=f"KEYS\x01U\x02UNIQ_KEY\x01{'U' if number < 4 else 'V'}")
    assert bodies_of(query(site, "U", _UNIQUE_KEY_QUERY="true", maxNum=1)) == [b"2", b"3"]
    assert bodies_of(query(site, "U", maxNum=9)) == [b"2", b"3", b"4"]


def test_messages_are_found_however_many_came_after_them() -> None:
    site = Site()
    site.send(b"old", properties="KEYS\x01k")
    for number in range(100):
        site.send(b"%d" % number)
    site.store.checkpoint()
    assert bodies_of(query(site, "k")) == [b"old"]
    slave = Site(site.files.kill(), broker_role=BrokerRole.SLAVE, broker_id=1)
    assert bodies_of(query(slave, "k")) == [b"old"]


def test_an_index_that_can_not_be_read_is_told() -> None:
    site = a_site()
    site.store.checkpoint()
    (name,) = site.files.list_dir("/store/index")
    site.files.remove(f"/store/index/{name}")
    site.files.make_dirs(f"/store/index/{name}")
    reply = query(site, "k", endTimestamp=FIRST_MS * 2)
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert "the index can't be read: [Errno 21] Is a directory" in (reply.remark or "")
