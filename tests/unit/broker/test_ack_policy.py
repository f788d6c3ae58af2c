"""When a send is answered, and when consumers see its message."""

import errno

import pytest

from broker_py.broker import ack_policy
from broker_py.broker.config import BrokerRole
from broker_py.errors import StoreError
from broker_py.replication.config import ReplicationConfig
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import FLAG_ONEWAY, Command
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import Site, a_command, a_send, bodies_of, ext_of

SYNC = BrokerRole.SYNC_MASTER


def sent(site: Site, peer: MemoryPeer, body: bytes = b"hello", **fields: object) -> Command:
    """Send a message and return the request, answered or not."""
    command = a_command(RequestCode.SEND_MESSAGE_V2, a_send(**fields), body)  # type: ignore[arg-type]
    site.receive(command, peer=peer)
    return command


def with_slave(site: Site, number: int = 1, host: str = "10.0.0.2") -> None:
    """Have a slave that holds all there is."""
    site.slaves.join(number, host)
    site.slaves.acknowledge(number, site.store.written.value)


def acknowledged(site: Site, number: int = 1) -> None:
    """The slave holds all there is."""
    site.slaves.acknowledge(number, site.store.written.value)
    site.acks.advance()


def seen(site: Site) -> list[bytes]:
    return bodies_of(site.pull())


def test_an_asynchronous_master_answers_when_the_message_is_written() -> None:
    site = Site()
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == [0]
    assert seen(site) == [b"hello"]
    assert site.flushes_wanted == 0
    assert site.store.flushed.value == 0


def test_a_batch_of_requests_is_written_once_and_answered_in_order() -> None:
    site = Site()
    peer = MemoryPeer()
    steps = site.files.steps
    commands = [a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"%d" % number) for number in range(20)]
    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"first"), peer=MemoryPeer())
    steps = site.files.steps
    site.receive(*commands, peer=peer)
    assert site.files.steps == steps + 1
    assert [command for command, _ in peer.replies] == commands
    assert [ext_of(reply)["queueOffset"] for _, reply in peer.replies] == [str(offset) for offset in range(1, 21)]


def test_no_reply_leaves_before_its_message_is_written() -> None:
    site = Site()
    peer = MemoryPeer()
    written_at_reply: list[int] = []

    class Watching(MemoryPeer):
        def reply(self, command: Command, reply: object) -> None:
            written_at_reply.append(site.store.written.value)

    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"x"), peer=Watching())
    assert written_at_reply == [site.store.log.end]
    assert peer.codes == []


# A disk that fails


def test_a_write_that_fails_refuses_exactly_its_batch_and_its_offsets_are_given_again() -> None:
    site = Site()
    peer = MemoryPeer()
    sent(site, peer, b"before")
    site.files.fail_writes = errno.ENOSPC
    site.receive(*[a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"lost") for _ in range(3)], peer=peer)
    assert peer.codes == [0, *[ResponseCode.SERVICE_NOT_AVAILABLE] * 3]
    assert "can't be stored" in (peer.replies[-1][1].remark or "")
    site.files.fail_writes = None
    after = sent(site, peer, b"after")
    reply = peer.reply_to(after)
    assert reply is not None
    assert (reply.code, ext_of(reply)["queueOffset"]) == (0, "1")
    assert seen(site) == [b"before", b"after"]


def test_a_disk_that_fails_a_write_is_given_no_other_one_before_a_restart() -> None:
    site = Site()
    peer = MemoryPeer()
    sent(site, peer, b"before")
    site.files.fail_writes = errno.EIO
    sent(site, peer, b"lost")
    site.files.fail_writes = None
    steps = site.files.steps
    sent(site, peer, b"refused")
    assert peer.codes == [0, 14, 14]
    assert "restart the broker: [Errno 5]" in (peer.replies[-1][1].remark or "")
    assert "full" not in (peer.replies[-1][1].remark or "")
    assert site.files.steps == steps
    assert seen(site) == [b"before"]
    again = Site(site.files.kill())
    assert seen(again) == [b"before"]
    sent(again, peer, b"after")
    assert peer.codes[-1] == 0


def test_a_full_disk_is_told_apart_with_how_full_it_is() -> None:
    site = Site()
    peer = MemoryPeer()
    site.files.used_bytes, site.files.free_bytes = 880, 120
    site.files.fail_writes = errno.ENOSPC
    sent(site, peer)
    assert peer.codes == [ResponseCode.SERVICE_NOT_AVAILABLE]
    assert (peer.replies[0][1].remark or "").startswith(
        "the message can't be stored: the broker's disk is full [CL:  0.88 CQ:  0.88 INDEX:  0.88]: "
        "there is no room for the log: [Errno 28]"
    )


def test_what_a_full_disk_refused_is_not_there_after_a_restart() -> None:
    files = MemoryFiles()
    site = Site(files)
    peer = MemoryPeer()
    sent(site, peer, b"kept")
    files.fail_after_bytes = 100
    sent(site, peer, b"x" * 1000)
    assert peer.codes == [0, ResponseCode.SERVICE_NOT_AVAILABLE]
    image = files.kill()
    assert seen(Site(image)) == [b"kept"]


def test_a_full_disk_refuses_at_once_until_there_is_room() -> None:
    site = Site()
    peer = MemoryPeer()
    sent(site, peer, b"first")
    site.files.fail_writes = errno.ENOSPC
    sent(site, peer)
    sent(site, peer)
    assert peer.codes == [0, 14, 14]
    site.files.fail_writes = None
    sent(site, peer, b"second")
    assert peer.codes[-1] == 0
    assert seen(site) == [b"first", b"second"]


# SYNC_FLUSH


def test_with_synchronous_flush_a_send_is_answered_and_seen_when_it_is_on_disk() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == []
    assert site.flushes_wanted == 1
    assert site.pull().code == ResponseCode.PULL_NOT_FOUND
    site.flush()
    assert peer.codes == [0]
    assert seen(site) == [b"hello"]


def test_one_flush_answers_all_that_were_written_before_it() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    for _ in range(3):
        sent(site, peer)
    flush = site.store.start_flush()
    late = sent(site, peer)
    flush.run()
    site.store.finish_flush(flush, None)
    site.acks.advance()
    assert peer.codes == [0, 0, 0]
    assert peer.reply_to(late) is None
    assert site.acks.waiting == 1


def test_a_producer_that_does_not_want_to_wait_is_answered_when_it_is_written() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    sent(site, peer, properties="WAIT\x01false")
    assert peer.codes == [0]
    assert site.pull().code == ResponseCode.PULL_NOT_FOUND
    site.flush()
    assert seen(site) == [b"hello"]


def test_a_failed_fsync_is_never_acknowledged() -> None:
    files = MemoryFiles()
    site = Site(files, sync_flush=True)
    peer = MemoryPeer()
    sent(site, peer)
    files.fail_sync_number = 1
    flush = site.store.start_flush()
    with pytest.raises(OSError, match="injected") as failed:
        flush.run()
    site.store.finish_flush(flush, failed.value)
    site.acks.fail_waiting(str(failed.value))
    assert peer.codes == [ResponseCode.SERVICE_NOT_AVAILABLE]
    files.fail_sync_number = None
    # A later flush can't make good what the failed one dropped.
    with pytest.raises(StoreError):
        site.flush()
    site.acks.advance()
    site.pass_time(60_000)
    assert len(peer.replies) == 1
    assert site.pull().code == ResponseCode.PULL_NOT_FOUND
    sent(site, peer)
    assert peer.codes[1:] == [ResponseCode.SERVICE_NOT_AVAILABLE]


def test_a_flush_that_takes_too_long_is_told_and_its_message_is_seen_only_when_flushed() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    sent(site, peer)
    site.pass_time(4999)
    assert peer.codes == []
    site.pass_time(1)
    assert peer.codes == [ResponseCode.FLUSH_DISK_TIMEOUT]
    assert set(ext_of(peer.replies[0][1])) >= {"msgId", "queueId", "queueOffset"}
    assert site.pull().code == ResponseCode.PULL_NOT_FOUND
    site.flush()
    assert seen(site) == [b"hello"]
    assert len(peer.replies) == 1


# SYNC_MASTER


def test_a_synchronous_master_answers_when_its_slave_has_the_message() -> None:
    site = Site(broker_role=SYNC)
    with_slave(site)
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == []
    assert site.pull().code == ResponseCode.PULL_NOT_FOUND
    acknowledged(site)
    assert peer.codes == [0]
    assert seen(site) == [b"hello"]


def test_a_slave_that_has_a_part_of_the_messages_has_that_part_answered() -> None:
    site = Site(broker_role=SYNC)
    with_slave(site)
    peer = MemoryPeer()
    sent(site, peer, b"one")
    first_end = site.store.written.value
    sent(site, peer, b"two")
    site.slaves.acknowledge(1, first_end + 3)
    site.acks.advance()
    assert peer.codes == [0]
    assert seen(site) == [b"one"]


def test_without_a_slave_a_send_is_stored_and_told_so_at_once() -> None:
    site = Site(broker_role=SYNC)
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == [ResponseCode.SLAVE_NOT_AVAILABLE]
    assert set(ext_of(peer.replies[0][1])) >= {"msgId", "queueId", "queueOffset"}
    assert seen(site) == [b"hello"]


def test_a_send_whose_slave_is_lost_is_told_so_with_the_next_message() -> None:
    site = Site(broker_role=SYNC)
    peer = MemoryPeer()
    with_slave(site)
    sent(site, peer, b"waits")
    assert peer.codes == []
    site.slaves.leave(1)
    sent(site, peer, b"comes alone")
    assert peer.codes == [ResponseCode.SLAVE_NOT_AVAILABLE] * 2


def test_a_send_whose_slave_is_lost_is_told_so_though_no_other_comes() -> None:
    site = Site(broker_role=SYNC)
    peer = MemoryPeer()
    with_slave(site)
    sent(site, peer)
    site.slaves.leave(1)
    site.acks.expire()
    assert peer.codes == [ResponseCode.SLAVE_NOT_AVAILABLE]
    assert seen(site) == [b"hello"]


def test_a_message_nobody_waits_for_is_seen_though_its_slave_is_lost() -> None:
    site = Site(broker_role=SYNC)
    with_slave(site)
    sent(site, MemoryPeer(), properties="WAIT\x01false")
    assert seen(site) == []
    site.slaves.leave(1)
    site.acks.expire()
    assert seen(site) == [b"hello"]


def test_a_slave_that_is_too_far_behind_counts_as_none() -> None:
    site = Site(broker_role=SYNC, replication=ReplicationConfig(ha_max_gap_not_in_sync=500))
    with_slave(site)
    peer = MemoryPeer()
    sent(site, peer, b"x" * 1000)
    assert peer.codes == [ResponseCode.SLAVE_NOT_AVAILABLE]


def test_with_fewer_brokers_in_sync_than_the_least_a_send_is_refused_and_not_stored() -> None:
    site = Site(broker_role=SYNC, replication=ReplicationConfig(in_sync_replicas=2, min_in_sync_replicas=2))
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == [ResponseCode.SYSTEM_ERROR]
    assert peer.replies[0][1].remark == (
        "in-sync replicas not enough: 1, this broker included, and minInSyncReplicas is 2"
    )
    assert site.store.written.value == 0
    with_slave(site)
    sent(site, peer)
    acknowledged(site)
    assert peer.codes[1:] == [0]


def test_of_as_many_as_are_waited_for_the_least_is_enough_to_take_a_send() -> None:
    site = Site(broker_role=SYNC, replication=ReplicationConfig(in_sync_replicas=3, min_in_sync_replicas=2))
    with_slave(site)
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == [ResponseCode.SLAVE_NOT_AVAILABLE]
    assert seen(site) == [b"hello"]


def test_an_asynchronous_master_waits_for_no_slave_whatever_the_number_of_replicas() -> None:
    site = Site(replication=ReplicationConfig(in_sync_replicas=2, min_in_sync_replicas=2))
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == [0]
    assert seen(site) == [b"hello"]


def test_a_slave_that_takes_too_long_is_told_and_the_message_is_seen() -> None:
    site = Site(broker_role=SYNC)
    with_slave(site)
    peer = MemoryPeer()
    sent(site, peer)
    site.pass_time(2999)
    assert peer.codes == []
    site.pass_time(1)
    assert peer.codes == [ResponseCode.FLUSH_SLAVE_TIMEOUT]
    assert seen(site) == [b"hello"]
    acknowledged(site)
    assert len(peer.replies) == 1


def test_the_message_behind_one_that_timed_out_still_waits() -> None:
    site = Site(broker_role=SYNC)
    with_slave(site)
    peer = MemoryPeer()
    sent(site, peer, b"old")
    site.pass_time(1000)
    sent(site, peer, b"young")
    site.pass_time(2000)
    assert peer.codes == [ResponseCode.FLUSH_SLAVE_TIMEOUT]
    assert seen(site) == [b"old"]
    acknowledged(site)
    assert peer.codes[1:] == [0]


def test_as_many_brokers_are_waited_for_as_the_profile_says() -> None:
    site = Site(broker_role=SYNC, replication=ReplicationConfig(in_sync_replicas=3))
    with_slave(site, 1, "10.0.0.2")
    with_slave(site, 2, "10.0.0.3")
    peer = MemoryPeer()
    sent(site, peer)
    acknowledged(site, 1)
    assert peer.codes == []
    acknowledged(site, 2)
    assert peer.codes == [0]


def test_flushed_and_replicated_are_both_waited_for() -> None:
    for flush_first in (True, False):
        site = Site(broker_role=SYNC, sync_flush=True)
        with_slave(site)
        peer = MemoryPeer()
        sent(site, peer)
        if flush_first:
            site.flush()
        else:
            acknowledged(site)
        assert peer.codes == []
        assert site.pull().code == ResponseCode.PULL_NOT_FOUND
        if flush_first:
            acknowledged(site)
        else:
            site.flush()
        assert peer.codes == [0]


def test_of_two_that_are_late_the_slave_is_named_only_when_it_lacks_the_message() -> None:
    site = Site(broker_role=SYNC, sync_flush=True)
    with_slave(site)
    peer = MemoryPeer()
    sent(site, peer)
    acknowledged(site)
    site.pass_time(5000)
    assert peer.codes == [ResponseCode.FLUSH_DISK_TIMEOUT]
    sent(site, peer)
    site.flush()
    site.pass_time(5000)
    assert peer.codes[1:] == [ResponseCode.FLUSH_SLAVE_TIMEOUT]


def test_without_a_slave_the_flush_is_waited_for_all_the_same() -> None:
    site = Site(broker_role=SYNC, sync_flush=True)
    peer = MemoryPeer()
    sent(site, peer)
    assert peer.codes == []
    site.flush()
    assert peer.codes == [ResponseCode.SLAVE_NOT_AVAILABLE]


def test_a_restart_shows_all_that_the_log_has_though_no_slave_is_there() -> None:
    site = Site(broker_role=SYNC)
    peer = MemoryPeer()
    sent(site, peer)
    site.store.close()
    assert seen(Site(site.files, broker_role=SYNC)) == [b"hello"]


def test_a_slave_shows_what_it_has_written() -> None:
    site = Site(broker_role=BrokerRole.SLAVE, broker_id=1)
    assert site.acks.visible() == site.store.written.value


def test_more_sends_than_may_wait_are_refused_before_anything_is_stored() -> None:
    site = Site(sync_flush=True)
    site.acks.max_waiting = 2
    peer = MemoryPeer()
    for _ in range(2):
        sent(site, peer)
    end = site.store.written.value
    refused = sent(site, peer)
    reply = peer.reply_to(refused)
    assert reply is not None
    assert reply.code == ResponseCode.SYSTEM_BUSY
    assert (reply.remark or "").startswith("[OVERLOAD]system busy, start flow control for a while: 2 sends wait")
    assert site.store.written.value == end
    site.clock.advance(40)
    assert site.acks.figures() == {
        "sendThreadPoolQueueSize": "2",
        "sendThreadPoolQueueCapacity": "2",
        "sendThreadPoolQueueHeadWaitTimeMills": "40",
    }
    site.flush()
    sent(site, peer)
    site.flush()
    assert peer.codes == [ResponseCode.SYSTEM_BUSY, 0, 0, 0]
    assert site.acks.figures()["sendThreadPoolQueueHeadWaitTimeMills"] == "0"


def test_while_the_disk_hangs_no_more_is_stored_than_memory_can_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ack_policy, "MAX_UNACKNOWLEDGED_BYTES", 10_000)
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    for _ in range(10):
        sent(site, peer, bytes(2000))
        site.pass_time(6000)  # longer than syncFlushTimeout: nobody waits
    assert site.acks.waiting == 0
    assert peer.codes[:5] == [ResponseCode.FLUSH_DISK_TIMEOUT] * 5
    assert peer.codes[5:] == [ResponseCode.SYSTEM_BUSY] * 5
    site.flush()
    sent(site, peer)
    site.flush()
    assert peer.codes[-1] == 0


def test_a_send_that_waits_keeps_its_body_no_longer_than_it_takes_to_write_it() -> None:
    site = Site(sync_flush=True)
    peer = MemoryPeer()
    command = sent(site, peer, b"a large body")
    assert command.body == b""
    site.flush()
    assert seen(site) == [b"a large body"]


def test_nobody_waits_for_a_oneway_send() -> None:
    site = Site(sync_flush=True)
    command = a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"told to nobody")
    command.flag |= FLAG_ONEWAY
    site.receive(command, peer=MemoryPeer())
    assert site.acks.waiting == 0
    assert seen(site) == []
    site.flush()
    assert seen(site) == [b"told to nobody"]
