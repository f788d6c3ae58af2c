"""Mutated frames and requests at a broker and a name server in this process."""

from collections.abc import Callable
from random import Random

import pytest

from broker_py.errors import ProtocolError
from broker_py.wire.frame import FrameDecoder
from tests.mutations.frames import MutatedFrames
from tests.mutations.meter import SEED, Complaints, Meter, check_reason, listening
from tests.mutations.requests import Requests, served
from tests.mutations.subjects import BrokerSubject, NameServerSubject, Subject

BATCH = 32
BATCHES_OF_A_LIFE = 100


class Attack:
    """Frames at subjects of one kind, which live for some thousand requests."""

    def __init__(self, seed: str, make: Callable[[], Subject], complaints: Complaints, meter: Meter) -> None:
        self._make = make
        self._complaints = complaints
        self._meter = meter
        self.random = Random(seed)
        self._subject = make()
        self.frames = MutatedFrames(self.random, Requests(self.random, served(self._subject.router)))
        self._batches = 0
        self._since: list[bytes] = []

    def sound(self) -> None:
        """One frame that must be read."""
        frame = self.frames.sound()
        with self._meter.timed(frame):
            commands = FrameDecoder().receive_data(frame)
            assert len(commands) == 1
            self._subject.take(commands)
        self._look(frame)

    def unsound(self) -> None:
        """One that need not be, in pieces as a socket may give them."""
        random = self.random
        data = self.frames.unsound()
        if random.random() < 0.2:
            data += self.frames.unsound()
        decoder, size = FrameDecoder(), len(data)
        step = max(1, size // 100, random.choice((size, size, size // 3, 1)))
        with self._meter.timed(data):
            try:
                for start in range(0, len(data), step):
                    self._subject.take(decoder.receive_data(data[start : start + step]))
            except ProtocolError as error:
                check_reason(error)
        assert decoder.pending_bytes <= len(data)
        self._look(data)

    def _look(self, data: bytes) -> None:
        self._since.append(data[:2000])
        assert not self._complaints.found, f"after {data[:2000]!r}:\n{self._complaints.found[0]}"

    async def end_batch(self) -> None:
        """See that all is well; some time, begin with a new subject."""
        try:
            await self._subject.settle()
            assert not self._complaints.found, self._complaints.found[0]
        except Exception as error:
            raise AssertionError(f"{error} after one of {self._since}") from error
        self._since.clear()
        self._batches += 1
        if self._batches % BATCHES_OF_A_LIFE == 0:
            self._subject = self._make()


MAKERS: dict[str, Callable[[], Subject]] = {"broker requests": BrokerSubject, "name server requests": NameServerSubject}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", MAKERS)
async def test_a_mutated_request_is_answered_and_harms_nobody(kind: str) -> None:
    meter = Meter(kind)
    with listening() as complaints:
        attack = Attack(f"{SEED}/{kind}", MAKERS[kind], complaints, meter)
        for number in meter.each():
            attack.sound()
            if number % BATCH == BATCH - 1:
                await attack.end_batch()
        await attack.end_batch()


@pytest.mark.timeout(0)
async def test_a_mutated_frame_is_read_or_refused() -> None:
    meter = Meter("frames")
    with listening() as complaints:
        attacks = [Attack(f"{SEED}/frames", make, complaints, meter) for make in MAKERS.values()]
        for number in meter.each():
            attacks[number % 2].unsound()
            if number % BATCH == BATCH - 1:
                for attack in attacks:
                    await attack.end_batch()
        for attack in attacks:
            await attack.end_batch()
