"""Members of a consumer group that come and go while messages flow, and what each of them consumed."""

import asyncio
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

from broker_py.client import (
    Client,
    ConsumeContext,
    ConsumeStatus,
    MessageQueue,
    OutgoingMessage,
    PushOptions,
    ReceivedMessage,
    RequestFailed,
    allocate_averagely,
)
from broker_py.errors import BrokerPyError
from tests.support.client_lab import FIRST, ClientLab, a_broker
from tests.support.cluster import PATIENCE, until

SETTLE_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Got:
    """A message that a member's listener had, and from when to when."""

    member: str
    queue: MessageQueue
    offset: int
    key: int
    began_ms: int
    ended_ms: int


@dataclass
class Journal:
    """What the members of a group consumed, in the order in which it became known."""

    entries: list[Got] = field(default_factory=list)

    def keys(self, member: str | None = None) -> set[int]:
        """The messages that were consumed, by all or by one member."""
        return {got.key for got in self.entries if member in {None, got.member}}

    @property
    def repeated(self) -> int:
        """How often a message was consumed again."""
        return len(self.entries) - len(self.keys())

    def out_of_order(self) -> list[tuple[Got, Got]]:
        """Pairs that came one after the other in a queue, the second one beyond the next offset.

        One that lies before it was consumed again: its member could not commit it.
        """
        return [(one, next_) for one, next_ in self._pairs() if next_.offset > one.offset + 1]

    def at_once(self) -> list[tuple[Got, Got]]:
        """Pairs of a queue that two members had at the same time."""
        return [
            (one, next_) for one, next_ in self._pairs() if one.member != next_.member and next_.began_ms < one.ended_ms
        ]

    def _pairs(self) -> list[tuple[Got, Got]]:
        queues: dict[MessageQueue, list[Got]] = defaultdict(list)
        for got in self.entries:
            queues[got.queue].append(got)
        found: list[tuple[Got, Got]] = []
        for some in queues.values():
            some.sort(key=lambda got: (got.began_ms, got.ended_ms, got.offset))
            found += pairwise(some)
        return found


class Members(Protocol):
    """Members by one client library."""

    async def join(self, name: str) -> None:
        """Have a further member join the group."""

    async def leave(self, name: str) -> None:
        """Have a member leave in good order."""


class OwnMembers:
    """Members by our client library, each a client of its own whose listener takes `work_ms` a message."""

    def __init__(
        self, lab: ClientLab, topic: str, group: str, journal: Journal, work_ms: int, options: PushOptions = FIRST
    ) -> None:
        self._lab = lab
        self._topic = topic
        self._group = group
        self._journal = journal
        self._options = options
        self._work_ms = work_ms
        self._stacks: dict[str, AsyncExitStack] = {}

    async def join(self, name: str) -> None:
        """Join the group."""

        async def listen(messages: list[ReceivedMessage], context: ConsumeContext) -> ConsumeStatus:
            for message in messages:
                began_ms = _now_ms()
                await asyncio.sleep(self._work_ms / 1000)
                self._journal.entries.append(
                    Got(name, context.queue, message.queue_offset, int(message.keys or -1), began_ms, _now_ms())
                )
            return ConsumeStatus.SUCCESS

        stack = AsyncExitStack()
        client = await stack.enter_async_context(self._lab.client())
        await stack.enter_async_context(client.push_consumer(self._group, {self._topic: "*"}, listen, self._options))
        self._stacks[name] = stack

    async def leave(self, name: str) -> None:
        """Leave the group."""
        await self._stacks.pop(name).aclose()

    async def leave_all(self) -> None:
        """Have all leave that are still in the group."""
        for name in list(self._stacks):
            await self.leave(name)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Load:
    """Messages with numbers as keys, so many a second, from the beginning of a block until its end.

    A number is in `sent` when a broker has acknowledged it. What can't be sent is sent again, to any queue.
    """

    def __init__(self, client: Client, topic: str, per_second: int) -> None:
        self._producer = client.producer("P_Load")
        self._topic = topic
        self._pause = 1 / per_second
        self._sending: asyncio.Task[None] | None = None
        self._ending = False
        self.sent: set[int] = set()

    async def __aenter__(self) -> "Load":
        self._sending = asyncio.create_task(self._send_for_ever())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._ending = True
        assert self._sending is not None
        await self._sending

    async def _send_for_ever(self) -> None:
        number = 0
        due = time.monotonic()
        while not self._ending:
            message = OutgoingMessage(topic=self._topic, body=b"x", keys=str(number))
            try:
                await self._producer.send(message)
            except BrokerPyError:
                await asyncio.sleep(0.1)
                continue
            self.sent.add(number)
            number += 1
            due = max(due + self._pause, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def goes_on(self, messages: int) -> None:
        """Wait until so many more messages are sent."""
        before = len(self.sent)

        async def more() -> bool:
            return len(self.sent) >= before + messages

        await until(more, f"{messages} messages are sent", 30)


async def settled(client: Client, topic: str, group: str, members: int) -> dict[str, list[MessageQueue]]:
    """Wait until the group has so many members, and each owns just the queues that are its by the client ids.

    The members are asked themselves, through a broker. Returns the queues by client id.
    """
    queues = await client.topic_queues(topic)
    address = await a_broker(client, topic)

    async def shared() -> dict[str, list[MessageQueue]] | None:
        connected = (await client.brokers.group_connections(address, group)).clients
        ids = [each.client_id for each in connected]
        wanted = {each: allocate_averagely(queues, ids, each) for each in ids}
        found = {}
        for each in ids:
            owned = await client.brokers.queues_of_client(address, group, each)
            found[each] = sorted(queue for queue in owned if queue.topic == topic)
        last.clear()
        last.update(found)
        return found if len(ids) == members and found == wanted else None

    last: dict[str, list[MessageQueue]] = {}
    try:
        return await until(shared, f"{members} members share {topic}", SETTLE_SECONDS * PATIENCE)
    except AssertionError as error:
        raise AssertionError(f"{error}; each has {last}") from None


async def consumed(journal: Journal, sent: set[int], seconds: float = 60.0) -> None:
    """Wait until everything that was sent was consumed."""

    async def complete() -> bool:
        return sent <= journal.keys()

    try:
        await until(complete, "everything is consumed", seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; lost: {sorted(sent - journal.keys())[:20]}") from None


async def committed(client: Client, topic: str, group: str) -> dict[MessageQueue, tuple[int | None, int]]:
    """Return where the group stands in each queue of a topic, and where the queue ends."""
    found = {}
    for queue in await client.topic_queues(topic):
        try:
            offset = await client.queues.committed_offset(group, queue)
        except RequestFailed:
            offset = None
        found[queue] = (offset, await client.queues.max_offset(queue))
    return found
