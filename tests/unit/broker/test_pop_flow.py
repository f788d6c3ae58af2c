"""Pops that wait: how many may, and those of a peer that doesn't read."""

from typing import Any

import pytest

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import FLAG_ONEWAY, Command
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.pops import a_pop
from tests.unit.broker.site import Site, a_command, bodies_of

NOTIFICATION = {"consumerGroup": "g", "topic": "T", "queueId": -1, "pollTime": 15_000, "bornTime": 0}


def park(site: Site, peer: MemoryPeer, **fields: Any) -> Command:
    command = a_command(RequestCode.POP_MESSAGE, a_pop(pollTime=15_000, **fields))
    site.receive(command, peer=peer)
    return command


def waiting(site: Site, **fields: Any) -> str:
    ext = {"consumerGroup": "g", "topic": "T", "queueId": -1, **fields}
    return (site.ask(RequestCode.POLLING_INFO, ext).ext or {})["pollingNum"]


def test_nothing_is_popped_for_a_peer_that_does_not_read_and_the_next_in_line_gets_it() -> None:
    site = Site()
    silent, quick = MemoryPeer(), MemoryPeer()
    for _ in range(3):
        park(site, silent)
    served = park(site, quick)
    silent.is_writable = False
    site.send(b"one")
    site.acks.commit()
    reply = quick.reply_to(served)
    assert reply is not None
    assert bodies_of(reply) == [b"one"]
    assert silent.replies == []
    site.send(b"two")
    silent.is_writable = True
    site.pop.waiting.writable(silent)
    site.acks.commit()
    ((_, reply),) = silent.replies
    assert bodies_of(reply) == [b"two"]
    site.send(b"three")
    site.acks.commit()
    assert len(silent.replies) == 2
    assert site.pop.waiting.count == 1


def test_a_pop_of_a_peer_that_does_not_read_is_answered_without_messages_when_its_time_is_up() -> None:
    site = Site()
    silent = MemoryPeer()
    park(site, silent)
    silent.is_writable = False
    site.send(b"one")
    assert site.pop.waiting.count == 1
    site.pass_time(15_000)
    assert silent.codes == [ResponseCode.POLLING_TIMEOUT]
    assert site.pop.waiting.count == 0
    assert bodies_of(site.ask(RequestCode.POP_MESSAGE, a_pop())) == [b"one"]


def test_a_lost_peer_that_did_not_read_leaves_nothing() -> None:
    site = Site()
    silent = MemoryPeer()
    for _ in range(2):
        park(site, silent)
    silent.is_writable = False
    site.send(b"one")  # the first is looked at, and leaves the line; and so does the second
    site.pop.waiting.drop(silent)
    assert site.pop.waiting.count == site.pop.waiting.keys == 0
    site.pop.waiting.writable(silent)
    assert silent.replies == []


def test_a_notification_of_a_peer_that_does_not_read_waits_for_it_too() -> None:
    site = Site()
    silent = MemoryPeer()
    command = a_command(RequestCode.NOTIFICATION, NOTIFICATION)
    site.receive(command, peer=silent)
    silent.is_writable = False
    site.send()
    assert silent.replies == []
    silent.is_writable = True
    site.pop.waiting.writable(silent)
    reply = silent.reply_to(command)
    assert reply is not None
    assert reply.ext == {"hasMsg": "true"}


def test_no_more_wait_for_the_same_than_allowed() -> None:
    site = Site(pop_polling_size=2)
    peer = MemoryPeer()
    for _ in range(3):
        park(site, peer)
    assert peer.codes == [ResponseCode.POLLING_FULL]
    assert waiting(site) == "2"
    park(site, peer, queueId=1)
    assert waiting(site, queueId=1) == "1"


def test_those_of_a_peer_that_does_not_read_take_nobody_elses_place() -> None:
    site = Site(pop_polling_size=2)
    silent, quick = MemoryPeer(), MemoryPeer()
    for _ in range(2):
        park(site, silent)
    silent.is_writable = False
    site.send()
    assert waiting(site) == "0"
    for _ in range(2):
        park(site, quick, topic="T", queueId=-1)
    assert ResponseCode.POLLING_FULL not in quick.codes


@pytest.mark.parametrize("limit", [{"max_pop_polling_size": 2}, {"pop_polling_map_size": 2}])
def test_no_more_wait_in_all_and_for_no_more_different_things_than_allowed(limit: dict[str, Any]) -> None:
    site = Site(**limit)
    peer = MemoryPeer()
    for queue_id in range(3):
        park(site, peer, queueId=queue_id)
    assert peer.codes == [ResponseCode.POLLING_FULL]
    assert site.pop.waiting.count == 2


def test_a_notification_too_many_is_told_that_there_is_nothing() -> None:
    site = Site(pop_polling_size=1)
    peer = MemoryPeer()
    first, second = (a_command(RequestCode.NOTIFICATION, NOTIFICATION) for _ in range(2))
    site.receive(first, second, peer=peer)
    assert peer.reply_to(first) is None
    reply = peer.reply_to(second)
    assert reply is not None
    assert (reply.code, reply.ext) == (0, {"hasMsg": "false"})


def test_a_pop_that_is_too_large_or_whose_answer_nobody_waits_for_does_not_wait() -> None:
    site, peer = Site(), MemoryPeer()
    command = park(site, peer)
    assert command.ext == {}
    park(site, peer, exp=" || ".join(f"tag{n}" for n in range(3000)), expType="TAG")
    assert peer.codes == [ResponseCode.POLLING_FULL]
    oneway = a_command(RequestCode.POP_MESSAGE, a_pop(pollTime=15_000))
    oneway.flag |= FLAG_ONEWAY
    site.receive(oneway, peer=peer)
    assert site.pop.waiting.count == 1
