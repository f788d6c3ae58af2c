"""Messages that have a time are delivered when it has come: not early, not lost, also after restarts and crashes."""

from dataclasses import replace
from random import Random

import pytest

from broker_py.broker.kept_files import KeptFiles
from broker_py.broker.timers import TimerService
from broker_py.message.properties import decode_properties
from broker_py.model.topic import TIMER_TOPIC
from broker_py.store.config import StoreConfig
from broker_py.store.handles import NotCached
from broker_py.store.timer_checkpoint import decode_checkpoint, read_timer_checkpoint
from broker_py.store.warmer import Done
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles
from tests.unit.broker.site import STORE, Site
from tests.unit.broker.timers import ManualTimers

CONFIG = replace(STORE, mapped_file_size_timer_log=1024)
NOW = 1_700_000_000_000


class Timed:
    """A site with the service, and a loop that a test moves."""

    def __init__(self, files: MemoryFiles | None = None, *, store: StoreConfig = CONFIG, now_ms: int = NOW) -> None:
        self.site = Site(files, store=store)
        self.site.clock.set_ms(now_ms)
        self.timers = ManualTimers(self.site.clock)
        self.service = TimerService(
            self.site.store,
            self.site.own,
            self.site.files,
            self.site.clock,
            self.timers.call_later,
            self._fetch,
        )
        self.site.store.on_arrival(self._arrived)
        self.service.start()
        self.turn()

    def _fetch(self, _owner: object, _miss: NotCached, done: Done) -> bool:
        self.timers.call_later(0, lambda: done(None))
        return True

    def _arrived(self, topic: str, _queue_id: int, _next: int, _code: int, _ms: int) -> None:
        if topic == TIMER_TOPIC:
            self.service.arrived()

    def turn(self) -> None:
        """Let the loop do what is due."""
        self.timers.settle(self.site.end_turn)

    def pass_time(self, ms: int, step_ms: int = 500) -> None:
        """Let time pass."""
        while ms > 0:
            self.site.pass_time(min(ms, step_ms))
            ms -= step_ms
            self.turn()

    def send(self, seconds: int, body: bytes = b"later", more: str = "") -> None:
        reply = self.site.send(body, queue_id=1, properties=f"TIMER_DELAY_SEC\x01{seconds}\x02{more}")
        assert reply.code == 0, reply.remark
        self.turn()

    def save(self) -> None:
        """Force the log, and then say how far all is."""
        self.service.checkpoint_due()
        self.site.flush()
        self.service.checkpoint()

    def bodies(self, topic: str = "T", queue_id: int = 1) -> list[bytes]:
        store = self.site.store
        return [
            bytes(self.site.stored(topic, queue_id, offset).body) for offset in range(store.max_offset(topic, queue_id))
        ]

    @property
    def now_ms(self) -> int:
        return self.site.clock.now_ms()


def test_it_is_delivered_when_its_time_has_come_and_not_before() -> None:
    there = Timed()
    there.send(5, more="TAGS\x01red\x02WAIT\x01true\x02")
    there.pass_time(4999, 4999)
    assert there.bodies() == []
    there.pass_time(1)
    assert there.bodies() == [b"later"]
    properties = decode_properties(there.site.stored("T", 1).properties)
    assert (properties["TAGS"], properties["TIMER_OUT_MS"]) == ("red", str(NOW + 4000))
    assert (properties["TIMER_ENQUEUE_MS"], properties["TIMER_DEQUEUE_MS"]) == (str(NOW), str(NOW + 5000))
    assert not properties.keys() & {"REAL_TOPIC", "REAL_QID", "WAIT"}


def test_nothing_is_looked_at_while_nothing_waits() -> None:
    there = Timed()
    there.pass_time(5000)
    assert there.timers.next_seconds is None
    there.send(3)
    there.pass_time(3000)
    assert there.timers.next_seconds is None


def test_those_of_one_time_come_in_the_order_in_which_they_were_sent() -> None:
    there = Timed()
    for number in range(700):
        there.send(2, b"%d" % number)
    there.pass_time(2000)
    assert there.bodies() == [b"%d" % number for number in range(700)]


def test_the_next_start_goes_on_with_the_files() -> None:
    there = Timed()
    for number in range(100):
        there.send(2 + number % 7, b"%d" % number)
    there.pass_time(3000)
    before = there.bodies()
    there.save()
    there.site.store.close()
    again = Timed(there.site.files, now_ms=there.now_ms)
    assert again.bodies() == before
    again.pass_time(10_000)
    assert sorted(again.bodies(), key=int) == [b"%d" % number for number in range(100)]


def test_what_came_due_while_the_broker_was_away_is_delivered_at_once() -> None:
    there = Timed()
    there.send(5)
    there.save()
    there.site.store.close()
    again = Timed(there.site.files, now_ms=NOW + 100_000_000)
    again.turn()
    assert again.bodies() == [b"later"]


@pytest.mark.parametrize("saved", [True, False])
def test_a_power_cut_loses_nothing_that_was_flushed(saved: bool) -> None:
    there = Timed()
    for number in range(30):
        there.send(2 + number % 5, b"%d" % number)
    if saved:
        there.pass_time(3000)
        there.save()
    for number in range(30, 60):
        there.send(4 + number % 5, b"%d" % number)
    there.site.flush()
    there.pass_time(1000)
    again = Timed(there.site.files.crash(Random(1), NOTHING_KEPT), now_ms=there.now_ms)
    again.pass_time(20_000)
    assert sorted(set(again.bodies()), key=int) == [b"%d" % number for number in range(60)]


def test_without_its_files_only_what_was_not_delivered_comes() -> None:
    there = Timed()
    there.send(2, b"delivered")
    there.send(20, b"waiting")
    there.pass_time(5000)
    there.save()
    there.site.store.close()
    for name in there.site.files.list_dir("/store/timerlog"):
        there.site.files.remove("/store/timerlog/" + name)
    there.site.files.remove("/store/timerwheel")
    again = Timed(there.site.files, now_ms=there.now_ms)
    again.pass_time(20_000)
    assert again.bodies() == [b"delivered", b"waiting"]


def test_a_slave_that_becomes_master_goes_on_where_the_master_was() -> None:
    there = Timed()
    there.send(2, b"delivered")
    there.send(20, b"waiting")
    there.pass_time(5000)
    there.save()
    there.site.store.close()
    files = there.site.files
    text = there.site.kept.timer_checkpoint()
    files.remove("/store/config/timercheck")
    for name in files.list_dir("/store/timerlog"):
        files.remove("/store/timerlog/" + name)
    files.remove("/store/timerwheel")
    KeptFiles(files, "/store/config").take_timer_checkpoint(text)
    copied = read_timer_checkpoint(files, "/store/config/timercheck")
    assert copied is not None
    assert (copied.read_ms, copied.log_end, copied.queue_offset, copied.master_queue_offset) == (NOW + 5000, 0, 0, 2)
    again = Timed(files, now_ms=there.now_ms)
    again.pass_time(20_000)
    assert again.bodies() == [b"delivered", b"waiting"]


def test_another_precision_makes_the_files_anew() -> None:
    there = Timed()
    there.send(20, b"waiting")
    there.save()
    there.site.store.close()
    again = Timed(there.site.files, store=replace(CONFIG, timer_precision_ms=100), now_ms=there.now_ms)
    again.pass_time(20_000)
    assert again.bodies() == [b"waiting"]


def test_what_is_beyond_the_wheel_goes_round_more_than_once() -> None:
    there = Timed(store=replace(CONFIG, timer_roll_window_slot=10))
    there.send(35, b"far")
    there.pass_time(34_900)
    assert there.bodies() == []
    there.pass_time(100)
    assert there.bodies() == [b"far"]
    properties = decode_properties(there.site.stored("T", 1).properties)
    assert properties["TIMER_ROLL_TIMES"] == "3"
    assert there.site.store.max_offset(TIMER_TOPIC, 0) == 4


def test_one_that_is_taken_back_does_not_come() -> None:
    there = Timed()
    there.send(5, b"kept", "UNIQ_KEY\x01A\x02")
    there.send(5, b"taken back", "UNIQ_KEY\x01B\x02")
    there.send(5, b"takes", "UNIQ_KEY\x01C\x02TIMER_DEL_UNIQKEY\x01B\x02")
    assert there.service.figures()["timerCongestNum"] == "1"
    there.pass_time(5000)
    assert there.bodies() == [b"kept"]


def test_a_disk_without_room_only_delays() -> None:
    there = Timed()
    for number in range(40):
        there.send(2, b"%d" % number)
    there.site.files.fail_after_bytes = 0
    there.pass_time(4000)
    assert there.bodies() == []
    there.site.files.fail_after_bytes = None
    there.pass_time(3000)
    assert list(dict.fromkeys(there.bodies())) == [b"%d" % number for number in range(40)]


def test_a_clock_that_is_set_back_makes_nothing_come_early() -> None:
    there = Timed()
    there.pass_time(60_000, 1000)
    there.site.clock.set_ms(NOW)
    there.send(5)
    there.pass_time(4999, 4999)
    assert there.bodies() == []
    there.pass_time(1)
    assert there.bodies() == [b"later"]


def test_too_many_for_one_time_are_told() -> None:
    there = Timed(store=replace(CONFIG, timer_congest_num_each_slot=2))
    for _ in range(3):
        there.send(5)
    assert there.service.congested(NOW + 4000)
    assert not there.service.congested(NOW + 5000)


def test_timer_log_files_without_messages_in_the_log_are_deleted() -> None:
    there = Timed()
    for number in range(60):
        there.send(2 + number, bytes(2000))
    there.save()
    files = there.site.files
    assert len(files.list_dir("/store/timerlog")) > 3
    there.service.clean()
    assert files.list_dir("/store/timerlog")[0] == f"{0:020d}"
    there.site.store.log.remove_first()
    there.service.clean()
    assert files.list_dir("/store/timerlog")[0] != f"{0:020d}"


def test_an_idle_wheel_writes_nothing() -> None:
    there = Timed()
    there.send(2)
    there.pass_time(3000)
    there.save()
    there.pass_time(10_000)
    assert not there.service.checkpoint_due()
    assert decode_checkpoint(there.site.kept.timer_checkpoint()).queue_offset == 1


def test_a_message_that_says_no_time_is_left_out() -> None:
    there = Timed()
    there.site.send(b"bad", topic=TIMER_TOPIC, properties="k\x01v")
    there.send(1)
    there.pass_time(1000)
    assert there.bodies() == [b"later"]
