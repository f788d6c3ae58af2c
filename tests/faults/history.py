"""What clients saw of the queues of a topic, and whether a broker may have behaved so.

    send     invoke ──► acknowledged | weak (stored, by fewer than asked for) | refused | unknown (no answer)
    read     (reader, queue, queue offset, value), each queue from its first message on
    consume  the same without an order: members of groups get messages again

A value says which producer sent it and its number there; to send it again is a further attempt. Offsets order all,
so every check is one pass. `check` names its findings:

    lost           acknowledged, and not there at the end; for each producer before (prefix), between (middle) or behind
                   (postfix) what is there
    phantom        read, though it was never sent or each attempt was refused
    conflict       one (queue, queue offset) held two values, in whatever two reads or acknowledgements
    gap            a reader went on at another queue offset than the next
    disorder       stored before a message of the same queue that was acknowledged before this one was sent
    duplicate      stored at more places than attempts can have put it
    vanished       read once, and not there at the end
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

SHOWN: Final = 10
"""How many findings of a kind are kept as text."""


class Value(NamedTuple):
    """What a message says."""

    producer: int
    counter: int

    def encode(self) -> bytes:
        """Return the body that says it."""
        return b"%d %d " % self

    @classmethod
    def decode(cls, body: bytes) -> "Value":
        """Return what a body says, whatever follows; ValueError."""
        producer, counter, _ = body.split(b" ", 2)
        return cls(int(producer), int(counter))


class Place(NamedTuple):
    """Where a message lies."""

    queue_id: int
    queue_offset: int


class Outcome(Enum):
    """What a producer knows of an attempt."""

    ACKNOWLEDGED = "acknowledged"
    WEAK = "weak"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Attempt:
    """One request to store a value; times in monotonic seconds, `queue_offset` where the answer had one."""

    value: Value
    queue_id: int
    invoked: float
    answered: float = float("inf")
    outcome: Outcome = Outcome.UNKNOWN
    queue_offset: int = -1


@dataclass
class Findings:
    """How many findings there are of each kind, and the first ones in words."""

    counts: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        """Count a finding."""
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            self.texts.append(f"{kind}: {text}")

    def __bool__(self) -> bool:
        return bool(self.counts)


class History:
    """Everything that the clients of a topic did. `final` is the reader whose reads say what is there at the end."""

    def __init__(self, final: str = "final") -> None:
        self._final = final
        self._attempts: dict[Value, list[Attempt]] = {}
        self._values: dict[Place, Value] = {}
        self._next: dict[tuple[str, int], int] = {}
        self._there: dict[Value, set[Place]] = {}
        self._read: set[Place] = set()
        self._found = Findings()
        self.outcomes: Counter[Outcome] = Counter()
        self.read_again = 0

    # Sends

    def invoke(self, value: Value, queue_id: int, now: float) -> Attempt:
        """Note that a value is about to be sent; without an `answer`, nobody knows what became of it."""
        attempt = Attempt(value, queue_id, now)
        self._attempts.setdefault(value, []).append(attempt)
        self.outcomes[Outcome.UNKNOWN] += 1
        return attempt

    def answer(self, attempt: Attempt, outcome: Outcome, now: float, queue_offset: int = -1) -> None:
        """Note what the broker said."""
        self.outcomes[Outcome.UNKNOWN] -= 1
        self.outcomes[outcome] += 1
        attempt.outcome, attempt.answered, attempt.queue_offset = outcome, now, queue_offset
        if outcome is Outcome.ACKNOWLEDGED:
            self._place(Place(attempt.queue_id, queue_offset), attempt.value, "acknowledged")

    # Reads

    def read(self, reader: str, queue_id: int, queue_offset: int, value: Value) -> None:
        """Note a message that a reader got as the queue's next."""
        expected = self._next.get((reader, queue_id), queue_offset)
        if queue_offset != expected:
            self._found.add("gap", f"{reader} got {queue_offset} of queue {queue_id}, {expected} was next")
        self._next[reader, queue_id] = queue_offset + 1
        place = Place(queue_id, queue_offset)
        self._place(place, value, f"read by {reader}")
        if reader == self._final:
            self._there.setdefault(value, set()).add(place)
        else:
            self._read.add(place)

    def consume(self, queue_id: int, queue_offset: int, value: Value) -> None:
        """Note a message that a member of a group got, maybe again."""
        place = Place(queue_id, queue_offset)
        self.read_again += place in self._read
        self._read.add(place)
        self._place(place, value, "consumed")

    def reads_end_at(self, reader: str, queue_id: int) -> int:
        """Return the queue offset that comes next for a reader."""
        return self._next.get((reader, queue_id), 0)

    def _place(self, place: Place, value: Value, how: str) -> None:
        known = self._values.setdefault(place, value)
        if known != value:
            self._found.add("conflict", f"{place} holds {known}, and {value} was {how} there")

    # The verdict

    def check(self) -> Findings:
        """Return what may not be. Call it once, when the final reader has read every queue to its end."""
        self._find_lost()
        self._find_phantoms_and_duplicates()
        self._find_disorder()
        for place in sorted(self._read):
            if place not in self._there.get(self._values[place], ()):
                self._found.add("vanished", f"{self._values[place]} was read at {place}")
        return self._found

    def _find_lost(self) -> None:
        acknowledged: dict[int, list[Value]] = {}
        for value, attempts in sorted(self._attempts.items()):
            if any(attempt.outcome is Outcome.ACKNOWLEDGED for attempt in attempts):
                acknowledged.setdefault(value.producer, []).append(value)
        for values in acknowledged.values():
            there = [index for index, value in enumerate(values) if value in self._there]
            first, last = (there[0], there[-1]) if there else (-1, -1)
            for index, value in enumerate(values):
                if value not in self._there:
                    where = "prefix" if index < first else "middle" if index < last else "postfix"
                    self._found.add(f"lost {where}", f"{value} of {self._attempts[value]}")

    def _find_phantoms_and_duplicates(self) -> None:
        stored: dict[Value, set[Place]] = {}
        for place, value in self._values.items():
            stored.setdefault(value, set()).add(place)
        for value, places in stored.items():
            attempts = self._attempts.get(value, [])
            possible = sum(attempt.outcome is not Outcome.REFUSED for attempt in attempts)
            if possible == 0:
                self._found.add("phantom", f"{value} is at {sorted(places)} after {attempts or 'no attempt'}")
            elif len(places) > possible:
                self._found.add("duplicate", f"{value} is at {sorted(places)} after {attempts}")

    def _find_disorder(self) -> None:
        """Replay the sends: what of a queue is acknowledged when an attempt begins lies before its place."""
        events: list[tuple[float, bool, Attempt]] = []
        for attempts in self._attempts.values():
            for attempt in attempts:
                events.append((attempt.invoked, True, attempt))
                if attempt.outcome is Outcome.ACKNOWLEDGED:
                    events.append((attempt.answered, False, attempt))
        events.sort(key=lambda event: event[:2])
        ends: dict[int, int] = {}
        for _, is_invoke, attempt in events:
            end = ends.get(attempt.queue_id, 0)
            if not is_invoke:
                ends[attempt.queue_id] = max(end, attempt.queue_offset + 1)
                continue
            if attempt is self._attempts[attempt.value][0]:
                offsets = [place.queue_offset for place in self._there.get(attempt.value, ())]
            else:
                offsets = [attempt.queue_offset] if attempt.outcome is Outcome.ACKNOWLEDGED else []
            if any(offset < end for offset in offsets):
                self._found.add("disorder", f"{attempt} began when {end - 1} was acknowledged, and is at {offsets}")

    @property
    def twice(self) -> int:
        """How many values are stored more than once."""
        return sum(len(places) > 1 for places in self._there.values())
