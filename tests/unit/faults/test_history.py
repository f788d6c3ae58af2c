"""The judge of the fault tests: a sound history passes, and each kind of fault is told by its name."""

from tests.faults.history import History, Outcome, Value


class Log:
    """A queue of one topic as a broker would serve it, and the history of its clients."""

    def __init__(self) -> None:
        self.history = History()
        self.values: list[Value] = []
        self.now = 0.0

    def send(self, counter: int, outcome: Outcome = Outcome.ACKNOWLEDGED, *, stored: bool = True) -> Value:
        """Send a value; one that is stored gets the next place."""
        value = Value(1, counter)
        self.now += 1
        attempt = self.history.invoke(value, 0, self.now)
        place = len(self.values)
        if stored:
            self.values.append(value)
        self.now += 1
        if outcome is not Outcome.UNKNOWN:
            self.history.answer(attempt, outcome, self.now, place)
        return value

    def read(self, reader: str = "final") -> None:
        """Read the queue from its beginning."""
        for offset, value in enumerate(self.values):
            self.history.read(reader, 0, offset, value)

    def found(self) -> dict[str, int]:
        """What is wrong, after a last read."""
        self.read()
        return dict(self.history.check().counts)


def test_a_sound_history_has_no_findings() -> None:
    log = Log()
    log.send(0)
    log.send(1, Outcome.WEAK)
    log.send(2, Outcome.REFUSED, stored=False)
    log.send(2)
    log.send(3, Outcome.UNKNOWN)
    log.send(3)
    log.send(4, Outcome.UNKNOWN, stored=False)
    log.read("tail")
    log.history.consume(0, 1, Value(1, 1))
    log.history.consume(0, 1, Value(1, 1))
    assert log.found() == {}
    assert (log.history.twice, log.history.read_again) == (1, 2)
    assert log.history.outcomes == {
        Outcome.ACKNOWLEDGED: 3,
        Outcome.WEAK: 1,
        Outcome.REFUSED: 1,
        Outcome.UNKNOWN: 2,
    }


def test_what_is_lost_is_told_apart_by_where_it_was() -> None:
    log = Log()
    values = [log.send(counter) for counter in range(6)]
    for offset in (1, 4):
        log.history.read("final", 0, offset, values[offset])
    assert log.history.check().counts == {"gap": 1, "lost prefix": 1, "lost middle": 2, "lost postfix": 1}


def test_what_is_lost_of_a_producer_that_has_nothing_left_is_a_postfix() -> None:
    log = Log()
    log.send(0, stored=False)
    assert log.found() == {"lost postfix": 1}


def test_a_value_that_was_refused_or_never_sent_is_a_phantom() -> None:
    log = Log()
    log.send(0, Outcome.REFUSED)
    log.values.append(Value(9, 9))
    assert log.found() == {"phantom": 2}


def test_a_place_with_another_value_than_acknowledged_is_a_conflict() -> None:
    log = Log()
    log.send(0)
    log.send(1)
    log.values.reverse()
    assert log.found() == {"conflict": 2, "disorder": 1}


def test_a_place_that_two_readers_see_differently_is_a_conflict() -> None:
    log = Log()
    log.send(0, Outcome.UNKNOWN)
    log.read("slave")
    log.values[0] = Value(1, 1)
    log.history.invoke(Value(1, 1), 0, 9.0)
    assert log.found() == {"conflict": 1, "vanished": 1}


def test_a_reader_that_skips_or_goes_back_found_a_gap() -> None:
    log = Log()
    values = [log.send(counter) for counter in range(4)]
    for offset in (0, 2, 2, 3):
        log.history.read("tail", 0, offset, values[offset])
    assert log.history.reads_end_at("tail", 0) == 4
    assert log.found() == {"gap": 2}


def test_a_queue_that_is_not_in_the_order_of_its_acknowledgements_is_in_disorder() -> None:
    log = Log()
    log.send(0)
    log.send(1, Outcome.UNKNOWN)
    log.send(2, Outcome.UNKNOWN)
    log.values.sort(reverse=True)
    assert log.found() == {"conflict": 1, "disorder": 1, "duplicate": 1}


def test_a_message_stored_more_often_than_it_was_sent_is_a_duplicate() -> None:
    log = Log()
    value = log.send(0)
    log.values.append(value)
    log.send(1, Outcome.UNKNOWN)
    log.send(1)
    assert log.found() == {"duplicate": 1}


def test_what_was_read_and_is_gone_has_vanished() -> None:
    log = Log()
    log.send(0, Outcome.UNKNOWN)
    log.read("tail")
    log.values.clear()
    assert log.found() == {"vanished": 1}


def test_a_long_list_of_findings_is_counted_and_not_shown() -> None:
    log = Log()
    for counter in range(50):
        log.send(counter, Outcome.REFUSED)
    log.read()
    found = log.history.check()
    assert (found.counts["phantom"], len(found.texts)) == (50, 10)


def test_a_body_says_its_value() -> None:
    assert Value.decode(Value(3, 14).encode() + b"filler 15") == Value(3, 14)
