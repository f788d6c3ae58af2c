"""Which queues a client gets, when its broker decides (broker processor/QueryAssignmentProcessor).

Source of the strategies: client consumer/rebalance/AllocateMessageQueueAveragely, ...ByCircle.
"""

from collections.abc import Callable
from typing import Final

from broker_py.model.message_queue import MessageQueue
from broker_py.wire.headers.pop import ANY_QUEUE

Strategy = Callable[[list[MessageQueue], list[str], str], list[MessageQueue]]
"""(queues, client ids, client id) → queues; both lists are sorted, and the client is in the second."""


def averagely(queues: list[MessageQueue], clients: list[str], client: str) -> list[MessageQueue]:
    """Return adjacent queues, the first clients one more where it doesn't divide evenly."""
    index = clients.index(client)
    share, extra = divmod(len(queues), len(clients))
    start = index * share + min(index, extra)
    return queues[start : start + share + (1 if index < extra else 0)]


def by_circle(queues: list[MessageQueue], clients: list[str], client: str) -> list[MessageQueue]:
    """Return the queues as they are dealt out one by one."""
    return queues[clients.index(client) :: len(clients)]


STRATEGIES: Final[dict[str, Strategy]] = {"AVG": averagely, "AVG_BY_CIRCLE": by_circle}


def assign(queues: list[MessageQueue], clients: list[str], client: str, strategy: Strategy) -> list[MessageQueue]:
    """Return the queues that a client pulls; none for one that is not known."""
    return strategy(sorted(queues), sorted(clients), client) if client in clients else []


def assign_pops(
    queues: list[MessageQueue], clients: list[str], client: str, strategy: Strategy, share: int
) -> list[MessageQueue]:
    """Return the queues that a client pops: its own and those of the next `share` clients.

    Without a share, or one that reaches all: any queue of each broker.
    """
    if share <= 0 or share >= len(clients) - 1:
        return sorted({MessageQueue(queue.topic, queue.broker_name, ANY_QUEUE) for queue in queues})
    if client not in clients:
        return []
    clients, queues = sorted(clients), sorted(queues)
    index = clients.index(client)
    if len(clients) > len(queues):
        return [queues[index % len(queues)]] if queues else []
    sharing = [clients[(index + i) % len(clients)] for i in range(share + 1)]
    return list(dict.fromkeys(queue for each in sharing for queue in strategy(queues, clients, each)))
