"""A power cut at any operation of a broker whose messages are popped.

What was acknowledged, and that answered, does not come back; everything else that was sent comes back in time.
"""

from random import Random
from typing import Any

import pytest

from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command, Reply
from tests.support.memory_files import CrashPolicy, MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.pops import a_pop, extra_infos
from tests.unit.broker.site import Site, a_command, a_send, bodies_of

_ROUNDS = 12
_INVISIBLE_MS = 4_000


class Life:
    """A site under load, and what its clients were told: which messages are there, which are acknowledged."""

    def __init__(self, files: MemoryFiles | None, random: Random, now_ms: int) -> None:
        self.site = Site(files, sync_flush=True, revive_queue_num=2)
        self.site.clock.advance(max(0, now_ms - self.site.clock.now_ms()))
        self.random = random
        self.sent: set[bytes] = set()
        self.asked: set[bytes] = set()
        self.acked: set[bytes] = set()
        for _ in range(4):
            self.turn()

    def turn(self) -> None:
        self.site.pop.step()
        self.site.end_turn()
        self.site.flush()

    def ask(self, code: int, fields: dict[str, Any], body: bytes = b"") -> Reply | None:
        peer, command = MemoryPeer(), a_command(code, fields, body)
        self.site.receive(command, peer=peer)
        self.site.flush()
        return self._answer(peer, command)

    def _answer(self, peer: MemoryPeer, command: Command) -> Reply | None:
        return peer.reply_to(command)

    def send(self, body: bytes) -> None:
        reply = self.ask(RequestCode.SEND_MESSAGE_V2, a_send(queue_id=self.random.randrange(2)), body)
        assert reply is not None
        if reply.code == 0:
            self.sent.add(body)

    def pop(self, ack_chance: float) -> list[bytes]:
        self.site.random = self.random.randrange(100)
        reply = self.ask(RequestCode.POP_MESSAGE, a_pop(invisibleTime=_INVISIBLE_MS, maxMsgNums=4))
        if reply is None or reply.code != 0:
            return []
        bodies = bodies_of(reply)
        for body, fields in zip(bodies, extra_infos(reply), strict=True):
            chance = self.random.random()
            if chance < ack_chance:
                self.asked.add(body)
                answer = self.ask(RequestCode.ACK_MESSAGE, fields)
                if answer is not None and answer.code == 0:
                    self.acked.add(body)
            elif chance > 0.9:
                self.ask(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, {**fields, "invisibleTime": 2_000})
        return bodies

    def pass_time(self, ms: int) -> None:
        self.site.pass_time(ms)
        for _ in range(3):
            self.turn()

    def save(self) -> None:
        self.site.pop.revive_log.note_position()
        self.site.offsets.save()

    def load(self) -> None:
        for number in range(_ROUNDS):
            self.send(b"m%d" % number)
            self.send(b"n%d" % number)
            self.pop(0.6)
            self.pass_time(self.random.choice((10, 500, 3_000)))
            if self.random.random() < 0.3:
                self.save()

    def drained(self) -> set[bytes]:
        """Return all that comes until nothing comes any more."""
        got: set[bytes] = set()
        for _ in range(6):
            while bodies := self.pop(1.0):
                got.update(bodies)
            self.pass_time(_INVISIBLE_MS)
        return got


@pytest.mark.parametrize("seed", range(6))
def test_a_power_cut_loses_no_popped_message_and_brings_no_acknowledged_one_back(seed: int) -> None:
    random = Random(seed)
    life = Life(None, random, 0)
    images: list[tuple[MemoryFiles, set[bytes], set[bytes], set[bytes], int]] = []
    files = life.site.files

    def cut(_operation: str) -> None:
        if random.random() < 0.15:
            policy = CrashPolicy(random.random(), random.random(), random.random())
            told = set(life.sent), set(life.asked), set(life.acked)
            images.append((files.crash(random, policy), *told, life.site.clock.now_ms()))

    files.on_step = cut
    life.load()
    files.on_step = None
    assert images
    for image, sent, asked, acked, now_ms in images:
        again = Life(image, Random(seed), now_ms)
        got = again.drained()
        assert not got & acked, "acknowledged messages came back"
        assert sent - asked <= got, "messages were lost"
        assert again.site.pop.revive_log.pending == 0
