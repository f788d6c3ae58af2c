"""What a message that is not to be seen at once promises, and whether a broker kept it.

    send       invoke ──► acknowledged | weak | refused | unknown, as in `history`
    allow      from which moment on it may be seen: when it is due, when its transaction is committed; maybe never
    arrive     a consumer got it
    stored     it lies in its topic at the end, stored there at some moment

All times are milliseconds of one machine's clock. `check` names its findings:

    lost       acknowledged and allowed, and not there at the end
    unseen     the same, and there, but no consumer got it
    early      seen, or stored where it can be seen, before it was allowed
    forbidden  seen though it never was allowed: a half message, or one that was rolled back
    phantom    seen, though it was never sent or was refused
    repeated   stored again without a kill that may be the cause, where `Again` says which may
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from tests.faults.history import Findings, Outcome, Value


class Again(Enum):
    """When a message may be stored once more."""

    AFTER_KILL = "after a kill since it was stored before"
    AFTER_ANY_KILL = "after a kill since it was sent: it is stored anew more than once before it is seen"
    ANY = "always: its producer may say twice that it may be seen"


@dataclass(slots=True)
class Promise:
    """One message. `allowed_ms` is None until it may be seen; `stored_ms` has a time for each place it lies at."""

    sent_ms: int
    outcome: Outcome = Outcome.UNKNOWN
    allowed_ms: int | None = None
    arrived_ms: list[int] = field(default_factory=list)
    stored_ms: list[int] = field(default_factory=list)

    @property
    def is_owed(self) -> bool:
        """True for a message that a consumer has to get."""
        return self.outcome is Outcome.ACKNOWLEDGED and self.allowed_ms is not None


class Promises:
    """All messages of a run."""

    def __init__(self, again: Again) -> None:
        self._again = again
        self._promises: dict[Value, Promise] = {}
        self._kills_ms: list[int] = []
        self._found = Findings()
        self._waiting: set[Value] = set()
        self.outcomes: Counter[Outcome] = Counter()

    # What happens

    def invoke(self, value: Value, now_ms: int) -> None:
        """Note that a value is about to be sent."""
        self._promises[value] = Promise(now_ms)
        self.outcomes[Outcome.UNKNOWN] += 1

    def answer(self, value: Value, outcome: Outcome) -> None:
        """Note what the broker said of it."""
        self.outcomes[Outcome.UNKNOWN] -= 1
        self.outcomes[outcome] += 1
        self._promises[value].outcome = outcome
        self._wait_for(value)

    def allow(self, value: Value, allowed_ms: int) -> None:
        """Note that a value may be seen from a moment on; the first such moment counts."""
        promise = self._promises[value]
        if promise.allowed_ms is None:
            promise.allowed_ms = allowed_ms
            self._wait_for(value)

    def _wait_for(self, value: Value) -> None:
        promise = self._promises[value]
        if promise.is_owed and not promise.arrived_ms:
            self._waiting.add(value)

    def arrive(self, value: Value, now_ms: int) -> None:
        """Note that a consumer got a value, maybe again."""
        promise = self._known(value, "came")
        if promise is not None:
            promise.arrived_ms.append(now_ms)
            self._waiting.discard(value)
            self._judge(value, promise, now_ms, "came")

    def stored(self, value: Value, stored_ms: int) -> None:
        """Note that a value lies in its topic."""
        promise = self._known(value, "is stored")
        if promise is not None:
            promise.stored_ms.append(stored_ms)
            self._judge(value, promise, stored_ms, "was stored")

    def killed(self, now_ms: int) -> None:
        """Note that the broker was killed."""
        self._kills_ms.append(now_ms)

    def _known(self, value: Value, what: str) -> Promise | None:
        promise = self._promises.get(value)
        if promise is None or promise.outcome is Outcome.REFUSED:
            self._found.add("phantom", f"{value} {what} after {promise or 'no attempt'}")
            return None
        return promise

    def _judge(self, value: Value, promise: Promise, seen_ms: int, what: str) -> None:
        if promise.allowed_ms is None:
            self._found.add("forbidden", f"{value} {what} at {seen_ms}: {promise}")
        elif seen_ms < promise.allowed_ms:
            self._found.add("early", f"{value} {what} {promise.allowed_ms - seen_ms} ms too early: {promise}")

    def outcome(self, value: Value) -> Outcome:
        """Return what the broker said of a value."""
        return self._promises[value].outcome

    @property
    def owed(self) -> int:
        """How many messages a consumer has still to get."""
        return len(self._waiting)

    # The verdict

    def check(self) -> Findings:
        """Return what may not be. Call it once, when all that lies in the topic was `stored`."""
        for value, promise in sorted(self._promises.items()):
            if promise.is_owed and not promise.stored_ms:
                self._found.add("lost", f"{value}: {promise}")
            elif promise.is_owed and not promise.arrived_ms:
                self._found.add("unseen", f"{value}: {promise}")
            self._find_repeated(value, promise)
        return self._found

    def _find_repeated(self, value: Value, promise: Promise) -> None:
        for before, again in pairwise(sorted(promise.stored_ms)):
            since = before if self._again is Again.AFTER_KILL else promise.sent_ms
            kill = bisect_left(self._kills_ms, since)
            if self._again is not Again.ANY and not any(ms <= again for ms in self._kills_ms[kill : kill + 1]):
                self._found.add("repeated", f"{value} was stored at {before} and at {again}: {promise}")

    @property
    def twice(self) -> int:
        """How many values lie in more than one place."""
        return sum(len(promise.stored_ms) > 1 for promise in self._promises.values())
