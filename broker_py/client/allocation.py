"""Which queues of a topic a member of a group consumes (client consumer/rebalance/AllocateMessageQueueAveragely)."""

from collections.abc import Callable

from broker_py.model.message_queue import MessageQueue

# (queues of a topic, client ids of the group, one of them) → its share. All members must take the same way.
Allocate = Callable[[list[MessageQueue], list[str], str], list[MessageQueue]]


def allocate_averagely(queues: list[MessageQueue], members: list[str], member: str) -> list[MessageQueue]:
    """Return the share of `member`: adjacent queues, the first members one more where it doesn't divide evenly.

    All members compute this for themselves from the same two lists, so both are sorted here. Members beyond the
    number of queues get none, as does one that is not in the list.
    """
    ordered = sorted(members)
    if member not in ordered:
        return []
    index = ordered.index(member)
    share, extra = divmod(len(queues), len(ordered))
    start = index * share + min(index, extra)
    return sorted(queues)[start : start + share + (1 if index < extra else 0)]


def allocate_by_circle(queues: list[MessageQueue], members: list[str], member: str) -> list[MessageQueue]:
    """Return the share of `member` when queues are dealt out one by one (AllocateMessageQueueAveragelyByCircle)."""
    ordered = sorted(members)
    return sorted(queues)[ordered.index(member) :: len(ordered)] if member in ordered else []
