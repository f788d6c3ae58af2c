"""What a group saw of a queue that it pops in order, and whether the order was kept.

    pop     a client got messages of the queue; nothing more comes while one of them is out
    ack     it has consumed one, or is about to say so

`check` names its findings; times are milliseconds of one machine's clock:

    disorder   messages of one pop that do not follow each other
    skipped    a pop began behind a message that was never acknowledged
    early      a pop while messages of the one before were out; after a kill RocketMQ too may give them at once, as it
               writes down what is out every few seconds
    left       never acknowledged until the end
"""

from dataclasses import dataclass, field

from tests.faults.history import Findings


@dataclass(slots=True)
class _Queue:
    next: int = 0  # all before it were acknowledged
    asked: set[int] = field(default_factory=set)
    out: set[int] = field(default_factory=set)
    pop_ms: int = 0
    back_ms: int = 0


class OrderedPops:
    """All queues of a topic, as one group sees them. Each offset of a queue is a message that the group wants."""

    def __init__(self) -> None:
        self._queues: dict[int, _Queue] = {}
        self._killed_ms = -1
        self._found = Findings()
        self.pops = 0

    def pop(self, queue_id: int, queue_offsets: list[int], pop_ms: int, invisible_ms: int) -> None:
        """Note what a client got."""
        queue = self._queues.setdefault(queue_id, _Queue())
        self.pops += 1
        first = queue_offsets[0]
        if queue_offsets != list(range(first, first + len(queue_offsets))):
            self._found.add("disorder", f"queue {queue_id} gave {queue_offsets}")
        if first > queue.next:
            self._found.add("skipped", f"queue {queue_id} gave {queue_offsets}, {queue.next} was not acknowledged")
        if queue.out and pop_ms < queue.back_ms and queue.pop_ms > self._killed_ms:
            self._found.add("early", f"queue {queue_id} gave {queue_offsets} at {pop_ms}, {queue.out} is out: {queue}")
        queue.out = set(queue_offsets)
        queue.pop_ms = pop_ms
        queue.back_ms = pop_ms + invisible_ms

    def ask(self, queue_id: int, queue_offset: int) -> None:
        """Note that a client is about to acknowledge a message: from now on nobody may rely on its coming back."""
        queue = self._queues[queue_id]
        queue.out.discard(queue_offset)
        if queue_offset >= queue.next:
            queue.asked.add(queue_offset)
        while queue.next in queue.asked:
            queue.asked.remove(queue.next)
            queue.next += 1

    def killed(self, now_ms: int) -> None:
        """Note that the broker was killed: what was popped until now may be forgotten."""
        self._killed_ms = now_ms

    def next_offset(self, queue_id: int) -> int:
        """Return the first offset of a queue that nobody has acknowledged."""
        return self._queues.get(queue_id, _Queue()).next

    def check(self, ends: dict[int, int]) -> Findings:
        """Return what may not be, given where the queues end."""
        for queue_id, end in ends.items():
            if self.next_offset(queue_id) < end:
                self._found.add("left", f"queue {queue_id} ends at {end}, and {self.next_offset(queue_id)} was not got")
        return self._found
