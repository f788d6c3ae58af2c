"""Requests for messages that are not in memory: read elsewhere, and answered then."""

from collections.abc import Callable
from typing import cast

import pytest

from broker_py.broker import cold_reads as cold_reads_module
from broker_py.broker.cold_reads import ColdReads
from broker_py.store.config import StoreConfig
from broker_py.store.handles import NotCached, Patience
from broker_py.store.warmer import Warmer
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import Site, a_command, a_pull, a_send, bodies_of, ext_of

STORE = StoreConfig(
    store_path_root_dir="/store", mapped_file_size_commit_log=1 << 16, mapped_file_size_consume_queue=2000
)


class MemoryWarmer:
    """Reads in the test's own time: `read_next` does what a thread would."""

    def __init__(self, files: MemoryFiles) -> None:
        self._files = files
        self.asked: list[tuple[object, NotCached, Callable[[OSError | None], None]]] = []
        self.full = False

    def request(self, owner: object, miss: NotCached, done: Callable[[OSError | None], None]) -> bool:
        if not self.full:
            self.asked.append((owner, miss, done))
        return not self.full

    def read_next(self, error: OSError | None = None) -> str:
        """Read what was asked for first, as far as it is there; return the file's path."""
        _, miss, done = self.asked.pop(0)
        if error is None and self._files.exists(miss.path):
            self._files.open(miss.path).pread(miss.size, miss.position)
        done(error)
        return miss.path

    def read_all(self) -> int:
        """Read until nothing more is asked for; return how often."""
        count = 0
        while self.asked:
            self.read_next()
            count += 1
        return count


class ColdSite(Site):
    """A broker that was started on a log of 300 messages in 8 files, of which nothing is in memory."""

    def __init__(self, messages: int = 300) -> None:
        writing = Site(store=STORE)
        for number in range(messages):
            writing.send(b"%d " % number + bytes(1500))
            writing.clock.advance(1000)
        writing.store.close()
        files = writing.files
        super().__init__(files, store=STORE)
        for path in files.dump():
            if "/commitlog/" in path or "/consumequeue/" in path:
                files.cool(path)
        self.cold = ColdReads(self.store, self.router)
        self.cold.register()
        self.warmer = MemoryWarmer(files)
        self.cold.warmer = cast(Warmer, self.warmer)

    def ask_cold(self, peer: MemoryPeer, code: int, ext: dict[str, object]) -> Command:
        command = a_command(code, ext)
        self.receive(command, peer=peer)
        return command


def test_old_messages_are_answered_once_their_queue_and_their_log_are_in_memory() -> None:
    site, peer = ColdSite(), MemoryPeer()
    command = site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull(queueOffset=3))
    assert peer.replies == []
    assert site.warmer.read_next() == "/store/consumequeue/T/0/00000000000000000000"
    assert site.warmer.read_next() == "/store/commitlog/00000000000000000000"
    reply = peer.reply_to(command)
    assert reply is not None
    assert bodies_of(reply)[0][:2] == b"3 "
    assert ext_of(reply)["nextBeginOffset"] == str(3 + len(bodies_of(reply)))
    again = site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull(queueOffset=3))
    assert peer.reply_to(again) is not None
    assert site.store._handles.patience is Patience.WAIT


def test_while_old_messages_are_read_everybody_else_is_served() -> None:
    site, slow, quick = ColdSite(), MemoryPeer(), MemoryPeer()
    site.ask_cold(slow, RequestCode.PULL_MESSAGE, a_pull())
    site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(), b"new"), peer=quick)
    assert quick.codes == [0]
    newest = site.ask_cold(quick, RequestCode.PULL_MESSAGE, a_pull(queueOffset=300))
    reply = quick.reply_to(newest)
    assert reply is not None
    assert bodies_of(reply) == [b"new"]
    assert slow.codes == []
    site.warmer.read_all()
    assert slow.codes == [0]


def test_a_search_by_time_reads_what_it_needs_one_after_the_other() -> None:
    site, peer = ColdSite(), MemoryPeer()
    ext: dict[str, object] = {"topic": "T", "queueId": 0, "timestamp": 1_700_000_123_000}
    command = site.ask_cold(peer, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, ext)
    assert 5 < site.warmer.read_all() < 30
    reply = peer.reply_to(command)
    assert reply is not None
    assert ext_of(reply)["offset"] == "123"


def test_where_the_file_system_can_not_tell_each_thing_is_read_once_before() -> None:
    site, peer = ColdSite(), MemoryPeer()
    site.files.can_not_tell = True
    site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull())
    assert site.warmer.read_all() == 1
    assert peer.codes == [0]


def test_bytes_that_are_gone_again_each_time_are_waited_for_in_the_end() -> None:
    site, peer = ColdSite(), MemoryPeer()
    site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull())
    rounds = 0
    while site.warmer.asked:
        path = site.warmer.read_next()
        site.files.cool(path)
        rounds += 1
        assert rounds < 50
    assert peer.codes == [0]


def test_a_request_that_needs_very_much_reads_the_rest_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_reads_module, "MAX_FETCHES", 3)
    site, peer = ColdSite(), MemoryPeer()
    ext: dict[str, object] = {"topic": "T", "queueId": 0, "timestamp": 1_700_000_123_000}
    site.ask_cold(peer, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, ext)
    assert site.warmer.read_all() == 3
    assert peer.codes == [0]


def test_a_file_that_is_deleted_while_it_is_read_sends_the_reader_to_the_first_message_there_is() -> None:
    site, peer = ColdSite(), MemoryPeer()
    command = site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull())
    site.store.flush_log()
    site.files.used_bytes, site.files.free_bytes = 86, 14
    site.store.clean(site.clock.now_ms())
    assert site.store.min_offset("T", 0) > 0
    site.warmer.read_all()
    reply = peer.reply_to(command)
    assert reply is not None
    assert reply.code == ResponseCode.PULL_OFFSET_MOVED
    assert ext_of(reply)["nextBeginOffset"] == ext_of(reply)["minOffset"] == str(site.store.min_offset("T", 0))


def test_a_disk_that_can_not_read_is_told_to_the_reader() -> None:
    site, peer = ColdSite(), MemoryPeer()
    site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull())
    site.warmer.read_next(OSError(5, "a bad sector"))
    assert peer.codes == [ResponseCode.SYSTEM_ERROR]
    assert "can't be read at 0: [Errno 5] a bad sector" in (peer.replies[0][1].remark or "")
    assert site.warmer.asked == []


def test_with_too_many_reads_waiting_a_reader_is_told_to_come_again() -> None:
    site, peer = ColdSite(), MemoryPeer()
    site.warmer.full = True
    site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull())
    assert peer.codes == [ResponseCode.SYSTEM_BUSY]


def test_what_was_read_for_a_peer_that_does_not_read_itself_waits_for_it() -> None:
    site, silent, gone = ColdSite(), MemoryPeer(), MemoryPeer()
    for peer in (silent, gone):
        site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull())
        peer.is_writable = False
    site.warmer.read_all()
    assert silent.codes == gone.codes == []
    site.cold.drop(gone)
    silent.is_writable = True
    for _ in range(3):
        site.cold.writable(silent)
        site.warmer.read_all()
    assert silent.codes == [0]
    site.cold.writable(gone)
    assert gone.codes == []
    assert site.cold._held == {}


def test_nothing_is_read_further_for_a_peer_that_is_gone() -> None:
    site, peer = ColdSite(), MemoryPeer()
    site.ask_cold(peer, RequestCode.PULL_MESSAGE, a_pull())
    peer.is_open = False
    assert site.warmer.read_all() == 1
    assert peer.replies == []
