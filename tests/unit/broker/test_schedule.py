"""Messages with a delay level are delivered when they are due: not early, not lost, in their order."""

from dataclasses import replace
from random import Random

import pytest

from broker_py.broker.schedule import ScheduleService
from broker_py.message.properties import decode_properties
from broker_py.message.record import Message
from broker_py.message.tags import tags_code
from broker_py.model.topic import SCHEDULE_TOPIC
from broker_py.store.config import StoreConfig
from broker_py.store.handles import NotCached
from broker_py.store.warmer import Done
from tests.support.memory_files import NOTHING_KEPT, MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import STORE, Site, a_command, a_send, ext_of
from tests.unit.broker.timers import ManualTimers


class Scheduled:
    """A site with the service, and a loop that a test moves."""

    def __init__(
        self, files: MemoryFiles | None = None, *, store: StoreConfig = STORE, sync_flush: bool = False
    ) -> None:
        self.site = Site(files, store=store, sync_flush=sync_flush)
        self.timers = ManualTimers(self.site.clock)
        self.fetched: list[Done] = []
        self.service = ScheduleService(
            self.site.store,
            self.site.own,
            self.site.metadata("delayOffset.json"),
            self.site.clock,
            self.timers.call_later,
            self._fetch,
        )
        self.site.store.on_arrival(self._arrived)
        self.service.start()
        self.turn()

    def _fetch(self, _owner: object, _miss: NotCached, done: Done) -> bool:
        self.fetched.append(done)
        return True

    def _arrived(self, topic: str, queue_id: int, _next: int, code: int, _ms: int) -> None:
        if topic == SCHEDULE_TOPIC:
            self.service.arrived(queue_id, code)

    def turn(self) -> None:
        """Let the loop do what is due."""
        self.timers.settle(self.site.end_turn)

    def pass_time(self, ms: int, step_ms: int = 100) -> None:
        """Let time pass."""
        while ms > 0:
            self.site.pass_time(min(ms, step_ms))
            ms -= step_ms
            self.turn()

    def send(
        self, level: int | str = 1, body: bytes = b"later", topic: str = "T", queue_id: int = 2, more: str = ""
    ) -> None:
        reply = self.site.send(body, topic=topic, queue_id=queue_id, properties=f"DELAY\x01{level}\x02{more}")
        assert reply.code == 0, reply.remark

    def bodies(self, topic: str = "T", queue_id: int = 2) -> list[bytes]:
        store = self.site.store
        return [
            bytes(self.site.stored(topic, queue_id, offset).body) for offset in range(store.max_offset(topic, queue_id))
        ]


def test_a_delayed_message_waits_in_the_queue_of_its_level() -> None:
    there = Scheduled()
    reply = there.site.send(b"x", queue_id=2, properties="DELAY\x013\x02TAGS\x01red\x02TIMER_DELAY_SEC\x015\x02")
    assert (ext_of(reply)["queueId"], ext_of(reply)["queueOffset"]) == ("2", "0")
    record = there.site.stored(SCHEDULE_TOPIC, 2)
    properties = decode_properties(record.properties)
    assert (properties["REAL_TOPIC"], properties["REAL_QID"], properties["DELAY"]) == ("T", "2", "3")
    assert "TIMER_DELAY_SEC" not in properties
    unit = there.site.store.unit(SCHEDULE_TOPIC, 2, 0)
    assert unit is not None
    assert unit[2] == record.stored_ms + 10_000


def test_it_is_delivered_when_it_is_due_and_not_before() -> None:
    there = Scheduled()
    there.send(2, more="TAGS\x01red\x02WAIT\x01true\x02k\x01v\x02")
    there.pass_time(4999, 4999)
    assert there.bodies() == []
    there.pass_time(1)
    assert there.bodies() == [b"later"]
    record = there.site.stored("T", 2)
    properties = decode_properties(record.properties)
    assert (properties["REAL_TOPIC"], properties["TAGS"], properties["k"]) == ("T", "red", "v")
    assert "DELAY" not in properties
    assert "WAIT" not in properties
    unit = there.site.store.unit("T", 2, 0)
    assert unit is not None
    assert unit[2] == tags_code("red")


def test_nothing_is_looked_at_while_nothing_waits() -> None:
    there = Scheduled()
    there.pass_time(10_000)
    assert there.timers.next_seconds is None
    there.send(1)
    assert there.timers.next_seconds == pytest.approx(1.0)


def test_a_level_above_the_highest_is_the_highest() -> None:
    there = Scheduled(store=replace(STORE, message_delay_level="1s 2s"))
    there.send(99)
    assert decode_properties(there.site.stored(SCHEDULE_TOPIC, 1).properties)["DELAY"] == "2"
    there.pass_time(2000)
    assert there.bodies() == [b"later"]


def test_many_messages_come_in_their_order() -> None:
    there = Scheduled()
    for number in range(100):
        there.send(1, b"%d" % number)
    there.pass_time(1000)
    assert there.bodies() == [b"%d" % number for number in range(100)]


def test_the_position_is_saved_when_what_was_moved_is_on_disk() -> None:
    there = Scheduled()
    there.send(1)
    there.pass_time(1000)
    there.service.save()
    assert there.site.metadata("delayOffset.json").text() is None
    there.site.flush()
    there.service.save()
    text = there.site.metadata("delayOffset.json").text()
    assert text is not None
    assert b'"offsetTable":{"1":1}' in text
    assert there.service.figures()["scheduleMessageOffset_1"] == "1,1"


def test_the_next_start_goes_on() -> None:
    there = Scheduled()
    there.send(1, b"first")
    there.pass_time(1000)
    there.site.flush()
    there.service.save()
    there.send(1, b"second")
    there.site.store.close()
    again = Scheduled(there.site.files)
    again.pass_time(1000)
    assert again.bodies() == [b"first", b"second"]


def test_after_a_power_cut_a_message_comes_again_rather_than_not() -> None:
    there = Scheduled()
    there.send(1, b"first")
    there.site.flush()
    there.pass_time(1000)
    there.service.save()
    again = Scheduled(there.site.files.crash(Random(1), NOTHING_KEPT))
    assert again.bodies() == []
    again.pass_time(1000)
    assert again.bodies() == [b"first"]


def test_a_position_that_the_queue_does_not_have_is_corrected() -> None:
    there = Scheduled()
    there.site.metadata("delayOffset.json").save({"offsetTable": {"1": 5}})
    there.site.store.close()
    again = Scheduled(there.site.files)
    again.send(1)
    again.pass_time(1000)
    assert again.bodies() == [b"later"]


def test_a_disk_without_room_only_delays() -> None:
    there = Scheduled()
    for number in range(40):
        there.send(1, b"%d" % number)
    there.site.files.fail_after_bytes = 0
    there.pass_time(3000)
    assert there.bodies() == []
    there.site.files.fail_after_bytes = None
    there.pass_time(2000)
    assert there.bodies() == [b"%d" % number for number in range(40)]


def test_it_counts_as_moved_when_it_is_as_safe_as_the_profile_asks() -> None:
    there = Scheduled(sync_flush=True)
    there.site.receive(a_command(310, a_send(queue_id=2, properties="DELAY\x011\x02"), b"x"), peer=MemoryPeer())
    there.pass_time(1000)
    assert there.site.store.max_offset(SCHEDULE_TOPIC, 0) == 0
    there.site.flush()
    there.pass_time(1000)
    assert there.service.figures()["scheduleMessageOffset_1"] == "0,1"
    there.site.flush()
    assert there.service.figures()["scheduleMessageOffset_1"] == "1,1"


def test_a_clock_that_was_set_back_does_not_hold_messages() -> None:
    there = Scheduled()
    there.send(1)
    there.site.clock.set_ms(there.site.clock.now_ms() - 3_600_000)
    there.pass_time(1000)
    assert there.bodies() == [b"later"]


def test_what_says_no_destination_is_left_out() -> None:
    there = Scheduled()
    there.site.own.put(Message(SCHEDULE_TOPIC, 0, 0, 0, 1, bytes(8), b"x", b"DELAY\x011", 0), lambda _: None)
    there.site.end_turn()
    there.send(1)
    there.pass_time(1000)
    assert there.bodies() == [b"later"]
