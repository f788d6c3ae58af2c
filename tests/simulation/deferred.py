"""A broker that delivers delayed and timed messages, cut short at every operation on a file.

What was flushed is delivered by the next start, once or more often, and nothing before it is due.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from broker_py.broker.schedule import ScheduleService
from broker_py.broker.timers import TimerService
from broker_py.errors import StoreError
from broker_py.message.record import decode_record
from broker_py.model.topic import SCHEDULE_TOPIC, TIMER_TOPIC
from broker_py.store.handles import NotCached
from broker_py.store.warmer import Done
from broker_py.wire.codes import RequestCode
from tests.simulation.crasher import POLICIES, Crasher, left_by
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE, Site, a_command, a_send
from tests.unit.broker.timers import ManualTimers

WAITS_MS = (1000, 2000, 5000)
CONFIG = replace(
    STORE,
    message_delay_level="1s 2s 5s",
    mapped_file_size_timer_log=1024,
    timer_roll_window_slot=6,
    mapped_file_size_commit_log=1 << 14,
)
LONGEST_MS = 20_000


@dataclass(slots=True)
class Sent:
    """A message that was accepted: when it is due, and where its record ends in the log."""

    due_ms: int
    end: int


@dataclass(slots=True)
class Life:
    """A broker with both services, from one start to its end. `sent` are the messages of all lives, by their bodies."""

    files: MemoryFiles
    now_ms: int
    sent: dict[bytes, Sent] = field(default_factory=dict)
    number: int = 0
    is_open: bool = False
    site: Site = field(init=False)
    timers: ManualTimers = field(init=False)
    schedule: ScheduleService = field(init=False)
    timed: TimerService = field(init=False)

    def __post_init__(self) -> None:
        self.site = site = Site(self.files, store=CONFIG)
        site.clock.set_ms(self.now_ms)
        self.timers = ManualTimers(site.clock)
        offsets = site.metadata("delayOffset.json")
        self.schedule = ScheduleService(site.store, site.own, offsets, site.clock, self.timers.call_later, self._fetch)
        self.timed = TimerService(site.store, site.own, self.files, site.clock, self.timers.call_later, self._fetch)
        site.store.on_arrival(self._arrived)
        self.schedule.start()
        self.timed.start()
        self.is_open = True
        self.turn()

    def _fetch(self, _owner: object, _miss: NotCached, done: Done) -> bool:
        self.timers.call_later(0, lambda: done(None))
        return True

    def _arrived(self, topic: str, queue_id: int, _next: int, code: int, _ms: int) -> None:
        if topic == SCHEDULE_TOPIC:
            self.schedule.arrived(queue_id, code)
        elif topic == TIMER_TOPIC:
            self.timed.arrived()

    def turn(self) -> None:
        """Let the loop do what is due."""
        self.timers.settle(self.site.end_turn)

    def pass_time(self, ms: int) -> None:
        """Let time pass."""
        self.site.pass_time(ms)
        self.now_ms += ms
        self.turn()

    def flushed(self) -> dict[bytes, Sent]:
        """The messages that must survive a power cut at this moment."""
        if not self.is_open:
            return dict(self.sent)
        flushed = self.site.store.flushed.value
        return {body: sent for body, sent in self.sent.items() if sent.end <= flushed}

    def send(self, random: Random) -> None:
        """Send a message that is to come later."""
        self.number += 1
        body = b"%d:" % self.number + bytes(random.choice((3, 40, 700)))
        if random.random() < 0.5:
            level = random.randrange(3)
            properties, wait_ms = f"DELAY\x01{level + 1}\x02", WAITS_MS[level]
        else:
            wait_ms = random.randrange(1, 15_000)
            properties = f"TIMER_DELAY_MS\x01{wait_ms}\x02"
        peer = MemoryPeer()
        self.site.receive(a_command(RequestCode.SEND_MESSAGE_V2, a_send(properties=properties), body), peer=peer)
        if peer.codes == [0]:
            self.sent[body] = Sent(self.now_ms + wait_ms, self.site.store.written.value)
        self.turn()

    def step(self, random: Random) -> None:
        """Do one random thing."""
        choice = random.random()
        if choice < 0.45:
            self.send(random)
        elif choice < 0.65:
            self.pass_time(random.choice((1, 100, 999, 1000, 3000)))
        elif choice < 0.75:
            self.site.flush()
        elif choice < 0.82:
            self.schedule.save()
        elif choice < 0.92:
            if self.timed.checkpoint_due():
                work = self.timed.start_checkpoint()
                work.run()
                self.timed.finish_checkpoint(work, None)
        elif choice < 0.96:
            self.site.store.checkpoint()
        else:
            self.site.store.write_out()

    def stop(self) -> None:
        """End in good order."""
        self.schedule.stop()
        self.timed.stop()
        self.site.store.flush_log()
        self.schedule.save()
        self.timed.checkpoint()
        self.site.store.close()
        self.is_open = False

    def delivered(self) -> list[tuple[bytes, int]]:
        """(body, store time) of what consumers get."""
        store, found = self.site.store, []
        for offset in range(store.min_offset("T", 0), store.max_offset("T", 0)):
            result = store.get("T", 0, offset, 1, 1 << 20)
            if result.count:
                record = decode_record(b"".join(result.chunks))
                found.append((bytes(record.body), record.stored_ms))
        return found

    def violations(self, needed: dict[bytes, Sent]) -> list[str]:
        """Deliver all, and return what is wrong with it."""
        for _ in range(LONGEST_MS // 1000):
            self.pass_time(1000)
        delivered = self.delivered()
        bodies = {body for body, _ in delivered}
        lost = [f"message {_number(body)} is lost" for body in needed if body not in bodies]
        early = [
            f"message {_number(body)} came {self.sent[body].due_ms - stored_ms} ms early"
            for body, stored_ms in delivered
            if body in self.sent and stored_ms < self.sent[body].due_ms
        ]
        return lost + early


def _number(body: bytes) -> str:
    return body.partition(b":")[0].decode()


def judged(life: Life) -> Callable[[MemoryFiles, bool], list[str]]:
    """Return what starts a broker on an image of a life's files, and says what is wrong with what it delivers."""

    def violations(image: MemoryFiles, _again: bool) -> list[str]:
        try:
            again = Life(image, life.now_ms, dict(life.sent))
            return again.violations(life.flushed())
        except StoreError as error:
            return [f"does not start: {error}"]

    return violations


def deferrals(seed: int, limit: int) -> Crasher:
    """Run lives until so many crash states were looked at; each goes on from a crash or the end of the one before."""
    crasher = Crasher(seed, limit)
    random = Random(seed)
    while not crasher.done():
        life = Life(MemoryFiles(), 1_700_000_000_000)
        for _ in range(3):
            crasher.watch(life, judged(life))
            for _ in range(random.randrange(10, 40)):
                life.step(random)
            if random.random() < 0.3:
                life.stop()
            life.files.on_step = None
            if crasher.done():
                break
            kept = life.flushed()
            files = left_by(life.files, random, random.choice(POLICIES))
            life = Life(files, life.now_ms + random.choice((0, 500, 4000)), kept, life.number)
    return crasher
