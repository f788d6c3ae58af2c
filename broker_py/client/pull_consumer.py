"""A consumer that is asked for messages (client consumer/DefaultLitePullConsumer)."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from broker_py.client.allocation import Allocate, allocate_averagely
from broker_py.client.consuming import ConsumeFromWhere, FlowLimits
from broker_py.client.expressions import Expression, subscription_to
from broker_py.client.instance import Instance
from broker_py.client.member import Member
from broker_py.client.messages import ReceivedMessage
from broker_py.client.namespaces import with_namespace
from broker_py.client.offsets import PERSIST_SECONDS, BrokerOffsets
from broker_py.client.process_queue import ProcessQueue
from broker_py.client.puller import Puller, begin_of
from broker_py.errors import ConfigError
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import ALL_TAGS, CONSUME_ACTIVELY, ConsumerData


@dataclass(frozen=True, kw_only=True)
class PullOptions:
    """How a pull consumer consumes; defaults are the Java client's. `limits` are those of a queue."""

    auto_commit: bool = True
    consume_from_where: ConsumeFromWhere = ConsumeFromWhere.LAST_OFFSET
    consume_timestamp_ms: int = 0
    pull_batch_size: int = 10
    limits: FlowLimits = field(default_factory=FlowLimits)
    allocate: Allocate = allocate_averagely


class PullConsumer:
    """Pulls ahead from `async with` on; `poll` hands out what has come.

    With subscriptions the group's members share the queues. Without, `assign` says which to read.
    """

    def __init__(
        self,
        instance: Instance,
        group: str,
        subscriptions: Mapping[str, Expression],
        options: PullOptions | None = None,
    ) -> None:
        self._instance = instance
        self.options = options or PullOptions()
        self._group = with_namespace(instance.namespace, group)
        self._expressions = {with_namespace(instance.namespace, each): want for each, want in subscriptions.items()}
        self._member = self._make_member() if subscriptions else None
        self._offsets = BrokerOffsets(instance.queues, self._group)
        self._puller = self._make_puller()
        self._queues: dict[MessageQueue, ProcessQueue] = {}
        self._polled: dict[MessageQueue, int] = {}
        self._paused: set[MessageQueue] = set()
        self._ready: deque[ProcessQueue] = deque()
        self._arrival = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def _make_member(self) -> Member:
        now_ms = self._instance.clock.now_ms()
        data = ConsumerData(
            group_name=self._group,
            consume_type=CONSUME_ACTIVELY,
            consume_from_where=self.options.consume_from_where.value,
            subscriptions=tuple(subscription_to(topic, want, now_ms) for topic, want in self._expressions.items()),
        )
        return Member(self._instance, data, self.options.allocate, self)

    def _make_puller(self) -> Puller:
        return Puller(
            self._instance,
            self._group,
            self._expressions,
            batch_size=self.options.pull_batch_size,
            commits=lambda _: False,
            start_offset=self._start_offset,
            on_messages=self._came,
        )

    # Queues

    @property
    def assigned(self) -> list[MessageQueue]:
        """The queues that are read now."""
        return sorted(self._queues)

    @property
    def held(self) -> list[MessageQueue]:
        """The same, for the membership."""
        return list(self._queues)

    async def assign(self, queues: list[MessageQueue], expression: Expression = ALL_TAGS) -> None:
        """Read these queues from now on, and no others; ConfigError when the group shares its queues."""
        if self._member is not None:
            raise ConfigError(f"the group {self._group} subscribes, so its queues are shared out and not assigned")
        self._expressions.update({queue.topic: expression for queue in queues})
        await self.give_up([queue for queue in self._queues if queue not in queues])
        await self.take([queue for queue in queues if queue not in self._queues])

    async def take(self, queues: list[MessageQueue]) -> bool:
        """Begin with queues."""
        for queue in queues:
            self._begin(queue, None)
        return True

    def _begin(self, queue: MessageQueue, offset: int | None) -> None:
        process_queue = ProcessQueue(queue, self.options.limits)
        process_queue.next_offset = offset
        self._queues[queue] = process_queue
        self._puller.start(process_queue)

    async def give_up(self, queues: list[MessageQueue]) -> None:
        """End with queues; what was polled of them is committed, unless that is left to the caller."""
        await self._puller.stop(queues)
        polled = {}
        for queue in queues:
            process_queue = self._queues.pop(queue, None)
            if process_queue is not None:
                process_queue.drop()
            if queue in self._polled:
                polled[queue] = self._polled.pop(queue)
        if self.options.auto_commit:
            await self._offsets.write(polled)

    async def seek(self, queue: MessageQueue, offset: int) -> None:
        """Go on at an offset of a queue that is read; ConfigError for another one."""
        await self._puller.stop([queue])
        if queue not in self._queues:
            raise ConfigError(f"{queue} is not one of the queues that are read")
        self._queues[queue].drop()
        self._polled[queue] = offset
        self._begin(queue, offset)

    async def seek_to_begin(self, queue: MessageQueue) -> None:
        """Go on at the oldest message of a queue."""
        await self.seek(queue, await self._instance.queues.min_offset(queue))

    async def seek_to_end(self, queue: MessageQueue) -> None:
        """Go on behind the newest message of a queue."""
        await self.seek(queue, await self._instance.queues.max_offset(queue))

    async def offset_at(self, queue: MessageQueue, stored_ms: int) -> int:
        """Return the offset of the first message stored at or after a time."""
        return await self._instance.queues.offset_at(queue, stored_ms)

    def pause(self, queues: list[MessageQueue]) -> None:
        """Have `poll` leave queues out; they are pulled on up to the limits."""
        self._paused.update(queues)

    def resume(self, queues: list[MessageQueue]) -> None:
        """Have `poll` serve queues again."""
        self._paused.difference_update(queues)
        for queue in queues:
            if queue in self._queues:
                self._came(self._queues[queue], [])

    # Messages

    async def _start_offset(self, queue: MessageQueue) -> int:
        stored = await self._offsets.read(queue)
        if stored is not None:
            return stored
        return await begin_of(self._instance, queue, self.options.consume_from_where, self.options.consume_timestamp_ms)

    def _came(self, process_queue: ProcessQueue, _messages: list[ReceivedMessage]) -> None:
        self._ready.append(process_queue)
        self._arrival.set()

    async def poll(self, timeout_seconds: float = 5.0) -> list[ReceivedMessage]:
        """Return up to `pull_batch_size` messages of one queue, in their order; none when the time is up."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            while self._ready:
                process_queue = self._ready[0]
                queue = process_queue.queue
                messages = process_queue.first(self.options.pull_batch_size)
                if process_queue.dropped or queue in self._paused or not messages:
                    self._ready.popleft()
                    continue
                process_queue.remove(messages)
                self._polled[queue] = messages[-1].queue_offset + 1
                self._ready.rotate(-1)
                return messages
            self._arrival.clear()
            try:
                await asyncio.wait_for(self._arrival.wait(), deadline - asyncio.get_running_loop().time())
            except asyncio.TimeoutError:
                return []

    def position(self, queue: MessageQueue) -> int | None:
        """Return the offset behind what `poll` returned of a queue; None when it returned nothing yet."""
        return self._polled.get(queue)

    async def committed(self, queue: MessageQueue) -> int | None:
        """Return where the group stands in a queue; None when it was never there."""
        return await self._instance.queues.committed_offset(self._group, queue)

    async def commit(self, offsets: Mapping[MessageQueue, int] | None = None) -> None:
        """Say where the group stands: at the given offsets, else behind what `poll` returned."""
        await self._offsets.write(dict(self._polled if offsets is None else offsets))

    # Running

    async def __aenter__(self) -> "PullConsumer":
        loop = asyncio.get_running_loop()
        if self._member is not None:
            self._member.join()
            self._tasks.append(loop.create_task(self._member.serve()))
        if self.options.auto_commit:
            self._tasks.append(loop.create_task(self._commit_for_ever()))
        return self

    async def _commit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PERSIST_SECONDS)
            await self.commit()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._member is not None:
            self._member.stop()
            await asyncio.gather(self._tasks[0], return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._member is not None:
            await self._member.leave()
        else:
            await self.give_up(list(self._queues))
