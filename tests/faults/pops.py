"""What a group saw that pops, and whether its messages came back as they have to.

    pop        a client got a message from a place; it is out for `invisible_ms` from the pop time on
    hide       the client changed that time
    ack        asked ──► acknowledged, or nobody knows
    copy       at the end: where a value lies, and how often it had come back before

All times are milliseconds of one machine's clock. What is not acknowledged in time is put into the retry topic once
more, so a message comes back from another place. `check` names its findings:

    lost       acknowledged to its producer, and never got by a client, or left by it and not come back
    early      it came from its place, or a copy of it, while it was out
    returned   acknowledged in time, and a copy of it was made all the same
    phantom    never sent, or refused
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from tests.faults.history import Findings, Outcome, Value


class PopPlace(NamedTuple):
    """Where a popped message lies: in its topic, or in the retry topic of topic and group."""

    retry: bool
    queue_id: int
    queue_offset: int


@dataclass(slots=True)
class Delivery:
    """A message that a client got; `back_ms` is from when on it may come back."""

    place: PopPlace
    pop_ms: int
    back_ms: int
    asked: bool = False
    acknowledged_ms: int | None = None

    @property
    def is_settled(self) -> bool:
        """True when it must not come back: its ack was answered before its time was up."""
        return self.acknowledged_ms is not None and self.acknowledged_ms < self.back_ms


@dataclass(slots=True)
class _Course:
    outcome: Outcome = Outcome.UNKNOWN
    deliveries: list[Delivery] = field(default_factory=list)
    copies: dict[int, set[PopPlace]] = field(default_factory=dict)

    @property
    def is_at_its_end(self) -> bool:
        return any(delivery.asked for delivery in self.deliveries)


class Pops:
    """All messages that a group popped, or is to pop."""

    def __init__(self) -> None:
        self._courses: dict[Value, _Course] = {}
        self._found = Findings()
        self._waiting: set[Value] = set()
        self.outcomes: Counter[Outcome] = Counter()
        self.acknowledged = 0

    def invoke(self, value: Value) -> None:
        """Note that a value is about to be sent."""
        self._courses[value] = _Course()
        self.outcomes[Outcome.UNKNOWN] += 1

    def answer(self, value: Value, outcome: Outcome) -> None:
        """Note what the broker said of it."""
        self.outcomes[Outcome.UNKNOWN] -= 1
        self.outcomes[outcome] += 1
        course = self._courses[value]
        course.outcome = outcome
        if outcome is Outcome.ACKNOWLEDGED and not course.is_at_its_end:
            self._waiting.add(value)

    def _known(self, value: Value, what: str) -> _Course | None:
        course = self._courses.get(value)
        if course is None or course.outcome is Outcome.REFUSED:
            self._found.add("phantom", f"{value} {what} after {course or 'no attempt'}")
            return None
        return course

    def pop(self, value: Value, place: PopPlace, pop_ms: int, invisible_ms: int) -> Delivery:
        """Note that a client got a value."""
        delivery = Delivery(place, pop_ms, pop_ms + invisible_ms)
        course = self._known(value, "came")
        if course is not None:
            course.deliveries.append(delivery)
        return delivery

    def hide(self, delivery: Delivery, back_ms: int) -> None:
        """Note that the client may have changed when a message comes back; the sooner time counts until it is known."""
        delivery.back_ms = back_ms

    def ask(self, value: Value, delivery: Delivery) -> None:
        """Note that a client is about to acknowledge."""
        delivery.asked = True
        self._waiting.discard(value)

    def ack(self, delivery: Delivery, now_ms: int) -> None:
        """Note that the broker knows of the ack."""
        delivery.acknowledged_ms = now_ms
        self.acknowledged += 1

    def copy(self, value: Value, place: PopPlace, times: int) -> None:
        """Note where a value lies, and how often it had come back before."""
        course = self._known(value, "is stored")
        if course is not None:
            course.copies.setdefault(times, set()).add(place)

    @property
    def owed(self) -> int:
        """How many messages no client has tried to acknowledge yet."""
        return len(self._waiting)

    # The verdict

    def check(self) -> Findings:
        """Return what may not be. Call it once, when all copies were told."""
        for value, course in sorted(self._courses.items()):
            if course.outcome is Outcome.ACKNOWLEDGED and not course.is_at_its_end:
                self._found.add("lost", f"{value}: {course}")
            by_place: dict[PopPlace, list[Delivery]] = {}
            for delivery in sorted(course.deliveries, key=lambda each: each.pop_ms):
                by_place.setdefault(delivery.place, []).append(delivery)
            for deliveries in by_place.values():
                self._find_early(value, deliveries)
            for times, copies in course.copies.items():
                before = course.copies.get(times - 1, set())
                self._find_wrong_copies(value, copies, [by_place.get(place, []) for place in before])
        return self._found

    def _find_early(self, value: Value, deliveries: list[Delivery]) -> None:
        for first, again in pairwise(deliveries):
            if again.pop_ms < first.back_ms:
                self._found.add("early", f"{value} was out: {first}, and came: {again}")

    def _find_wrong_copies(self, value: Value, copies: set[PopPlace], before: list[list[Delivery]]) -> None:
        """Judge copies by the deliveries of those that they can be of; one without a known delivery excuses all."""
        if not before or not all(before):
            return
        if all(any(each.is_settled for each in deliveries) for deliveries in before):
            self._found.add("returned", f"{value} was acknowledged: {before}, and is at {sorted(copies)}")
        soonest_ms = min(each.back_ms for deliveries in before for each in deliveries)
        for delivery in self._courses[value].deliveries:
            if delivery.place in copies and delivery.pop_ms < soonest_ms:
                self._found.add("early", f"{value} was out: {before}, and a copy came: {delivery}")

    @property
    def came_back(self) -> int:
        """How many values came from more than one place."""
        return sum(len({each.place for each in course.deliveries}) > 1 for course in self._courses.values())

    @property
    def placed_again(self) -> int:
        """How many deliveries were of a place that one was of before."""
        return sum(
            len(course.deliveries) - len({each.place for each in course.deliveries})
            for course in self._courses.values()
        )
