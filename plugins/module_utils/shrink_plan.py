"""When queues of a topic may go, and in which order: decided from counts, ends and offsets, without a cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker_py.admin.backlog import QueueBacklog

Queue = tuple[str, int]


@dataclass(frozen=True)
class Counts:
    """The queues of a topic on one broker."""

    read: int
    write: int

    @property
    def all(self) -> int:
        """Queues that messages can come to: a broker takes them for every queue that is written or read."""
        return max(self.read, self.write)


@dataclass(frozen=True)
class Step:
    """One number of queues of a topic on one broker, before and after."""

    topic: str
    broker_name: str
    what: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.what}_queues of {self.topic} on {self.broker_name} from {self.before} to {self.after}"


@dataclass(frozen=True)
class Look:
    """What is to be seen of the queues that go: their ends, and why it is too early to take them away."""

    ends: Mapping[Queue, int]
    open_routes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


class Settling:
    """Knows since when nothing has moved, from looks at increasing times."""

    def __init__(self, settle_seconds: float, now: float) -> None:
        self._settle_seconds = settle_seconds
        self._since = now
        self._ends: Mapping[Queue, int] | None = None

    def remaining(self, look: Look, now: float) -> float:
        """Take a look into account, and return for how many seconds more nothing may move."""
        if look.open_routes or look.ends != self._ends:
            self._since = now
            self._ends = look.ends
        return max(0.0, self._since + self._settle_seconds - now)


def plan(topic: str, counts: Mapping[str, Counts], queues: int, hidden: Mapping[str, int]) -> list[Step]:
    """Return the steps in their order: writers leave, readers of `hidden` queues come back, readers leave.

    `hidden` has the number of queues that a broker must be read with again, since messages are left in them.
    """
    steps = [
        Step(topic, name, "write", each.write, queues) for name, each in sorted(counts.items()) if each.write > queues
    ]
    steps += [
        Step(topic, name, "read", counts[name].read, wanted)
        for name, wanted in sorted(hidden.items())
        if wanted > counts[name].read
    ]
    for name, each in sorted(counts.items()):
        read = max(each.read, hidden.get(name, 0))
        if read > queues:
            steps.append(Step(topic, name, "read", read, queues))
    return steps


def unread_sentences(
    backlogs: Mapping[str, Collection[QueueBacklog]], queues: int, ignored: Collection[str]
) -> tuple[str, ...]:
    """Say which groups have messages left in which of the queues that go."""
    return tuple(
        f"the group {each.group} has {each.left} messages left in queue {each.queue_id} of {broker_name}"
        + ("" if each.consumed is not None else ", where it has no offset")
        for broker_name, of_broker in sorted(backlogs.items())
        for each in of_broker
        if each.queue_id >= queues and each.left and each.group not in ignored
    )


def hidden_queues(backlogs: Mapping[str, Collection[QueueBacklog]], ignored: Collection[str]) -> dict[str, int]:
    """Return for each broker with messages left in queues that the topic has no more how many it must have again."""
    wanted: dict[str, int] = {}
    for broker_name, of_broker in backlogs.items():
        for each in of_broker:
            if each.left and each.group not in ignored:
                wanted[broker_name] = max(wanted.get(broker_name, 0), each.queue_id + 1)
    return wanted
