"""What a group saw that gives messages back, and whether their redeliveries were as they have to be.

    deliver    a listener got a value that was given back so many times before (`times`); `by_client`: it could not be
               given back, and its client has it come again by itself, however often
    give_back  it wants it again: after the wait of its level, and after `max_times` as a dead letter
    done       it wants it no more

All times are milliseconds of one machine's clock. A value's n-th redelivery follows from giving it back the n-th time;
where a kill made several of a message, the first one that was given back is what counts. `check` names its findings:

    lost       acknowledged, and neither consumed nor, where it never would be, a dead letter
    early      it came before its level's time was up
    uncalled   it came for the n-th time though nobody had given it back so often; or is a dead letter too soon
    too often  it came once more than `max_times`
    phantom    never sent, or refused
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.history import Findings, Outcome, Value


@dataclass(slots=True)
class Course:
    """What became of one message. `given_back_ms`: redeliveries before → when it first was given back."""

    hopeless: bool
    outcome: Outcome = Outcome.UNKNOWN
    given_back_ms: dict[int, int] = field(default_factory=dict)
    deliveries: int = 0
    consumed: bool = False
    dead: int = 0

    @property
    def is_at_its_end(self) -> bool:
        """True when nothing more is owed."""
        return self.dead > 0 if self.hopeless else self.consumed


class Retries:
    """All messages of a run. `wait_ms(times)` is how long one waits that came back so many times before."""

    def __init__(self, max_times: int, wait_ms: Callable[[int], int]) -> None:
        self._max_times = max_times
        self._wait_ms = wait_ms
        self._courses: dict[Value, Course] = {}
        self._found = Findings()
        self.outcomes: Counter[Outcome] = Counter()
        self.redeliveries: Counter[int] = Counter()

    def invoke(self, value: Value, *, hopeless: bool) -> None:
        """Note that a value is about to be sent; a hopeless one is never consumed."""
        self._courses[value] = Course(hopeless)
        self.outcomes[Outcome.UNKNOWN] += 1

    def answer(self, value: Value, outcome: Outcome) -> None:
        """Note what the broker said of it."""
        self.outcomes[Outcome.UNKNOWN] -= 1
        self.outcomes[outcome] += 1
        self._courses[value].outcome = outcome

    def _known(self, value: Value, what: str) -> Course | None:
        course = self._courses.get(value)
        if course is None or course.outcome is Outcome.REFUSED:
            self._found.add("phantom", f"{value} {what} after {course or 'no attempt'}")
            return None
        return course

    def deliver(self, value: Value, times: int, now_ms: int, *, by_client: bool = False) -> None:
        """Note that a listener got a value."""
        course = self._known(value, "came")
        if course is None:
            return
        course.deliveries += 1
        self.redeliveries[times] += 1
        if times > self._max_times and not by_client:
            self._found.add("too often", f"{value} came for time {times}: {course}")
        if times > 0:
            self._judge(value, course, times, now_ms, self._wait_ms(times - 1))

    def _judge(self, value: Value, course: Course, times: int, now_ms: int, wait_ms: int) -> None:
        given_back_ms = course.given_back_ms.get(times - 1)
        if given_back_ms is None:
            self._found.add("uncalled", f"{value} came for time {times} at {now_ms}: {course}")
        elif now_ms < given_back_ms + wait_ms:
            early_ms = given_back_ms + wait_ms - now_ms
            self._found.add("early", f"{value} came for time {times} {early_ms} ms too early: {course}")

    def give_back(self, value: Value, times: int, now_ms: int) -> None:
        """Note that the listener is about to say that it wants a value later."""
        course = self._courses.get(value)
        if course is not None:
            course.given_back_ms.setdefault(times, now_ms)

    def done(self, value: Value) -> None:
        """Note that the listener is about to say that a value is consumed."""
        course = self._courses.get(value)
        if course is not None:
            course.consumed = True

    def dead_letter(self, value: Value, stored_ms: int) -> None:
        """Note that a value lies in the dead letters."""
        course = self._known(value, "is a dead letter")
        if course is not None:
            course.dead += 1
            self._judge(value, course, self._max_times + 1, stored_ms, 0)

    def unfinished(self, dead: set[Value]) -> int:
        """Return how many acknowledged values are not at their end, with these among the dead letters."""
        return sum(
            course.outcome is Outcome.ACKNOWLEDGED and not (course.is_at_its_end or value in dead)
            for value, course in self._courses.items()
        )

    def check(self) -> Findings:
        """Return what may not be. Call it once, when all dead letters were told."""
        for value, course in sorted(self._courses.items()):
            if course.outcome is Outcome.ACKNOWLEDGED and not course.is_at_its_end:
                self._found.add("lost", f"{value}: {course}")
        return self._found

    @property
    def dead_letters(self) -> int:
        """How many values are dead letters."""
        return sum(course.dead > 0 for course in self._courses.values())

    @property
    def dead_twice(self) -> int:
        """How many values are dead letters more than once."""
        return sum(course.dead > 1 for course in self._courses.values())
