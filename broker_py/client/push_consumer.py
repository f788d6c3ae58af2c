"""A member of a consumer group that messages are pushed to (client impl/consumer/DefaultMQPushConsumerImpl)."""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Final, Protocol

from broker_py.client.concurrent_consumption import ConcurrentConsumption, call_listener
from broker_py.client.consuming import ConsumeContext, ConsumeStatus, Listener, PushOptions
from broker_py.client.expressions import Expression, subscription_to
from broker_py.client.instance import Instance
from broker_py.client.member import Member
from broker_py.client.messages import ReceivedMessage
from broker_py.client.namespaces import with_namespace
from broker_py.client.offsets import PERSIST_SECONDS, BrokerOffsets, FileOffsets, Offsets
from broker_py.client.orderly_consumption import OrderlyConsumption
from broker_py.client.process_queue import ProcessQueue
from broker_py.client.puller import Puller, begin_of
from broker_py.client.queue_locks import RENEW_SECONDS, QueueLocks
from broker_py.client.running_info import running_info
from broker_py.client.send_back import SendBack
from broker_py.errors import ConfigError
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import ALL_TAGS, BROADCASTING, CLUSTERING, ConsumerData
from broker_py.model.topic import retry_topic
from broker_py.runtime.files import DiskFiles

__all__ = ["Listener", "PushConsumer", "PushOptions"]

DEFAULT_MAX_RECONSUME_TIMES: Final = 16
_SWEEP_SECONDS: Final = 15.0


class _Consumption(Protocol):
    """How messages are handed over."""

    failed: int

    def start(self, process_queue: ProcessQueue) -> None: ...
    def offer(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None: ...
    async def stop(self, process_queues: list[ProcessQueue]) -> list[ProcessQueue]: ...
    async def sweep(self, process_queue: ProcessQueue) -> None: ...
    async def finish(self, seconds: float) -> None: ...


class PushConsumer:
    """Consumes from `async with` on; on leaving it waits for the listener, commits, and leaves the group.

    A message counts as consumed when the listener says so: what a crash or another member interrupts comes again.
    """

    def __init__(
        self,
        instance: Instance,
        group: str,
        subscriptions: Mapping[str, Expression],
        listener: Listener,
        options: PushOptions | None = None,
    ) -> None:
        if not subscriptions:
            raise ConfigError(f"the group {group} subscribes to no topic")
        self._instance = instance
        self.options = options = options or PushOptions()
        self._group = with_namespace(instance.namespace, group)
        self._listener = listener
        self._expressions = {with_namespace(instance.namespace, each): want for each, want in subscriptions.items()}
        if not options.broadcasting:
            self._expressions[retry_topic(self._group)] = ALL_TAGS
        self._started_ms = instance.clock.now_ms()
        self.data = ConsumerData(
            group_name=self._group,
            message_model=BROADCASTING if options.broadcasting else CLUSTERING,
            consume_from_where=options.consume_from_where.value,
            subscriptions=tuple(
                subscription_to(topic, want, self._started_ms) for topic, want in self._expressions.items()
            ),
        )
        self._member = Member(instance, self.data, options.allocate, self)
        self._offsets = self._make_offsets()
        self._locks = QueueLocks(instance, self._group) if options.orderly and not options.broadcasting else None
        self._consumption: _Consumption = self._make_consumption()
        self._puller = Puller(
            instance,
            self._group,
            self._expressions,
            batch_size=options.pull_batch_size,
            commits=lambda process_queue: not options.broadcasting and self._counts(process_queue),
            start_offset=self._start_offset,
            on_messages=self._consumption.offer,
        )
        self._queues: dict[MessageQueue, ProcessQueue] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = asyncio.Lock()

    def _make_offsets(self) -> Offsets:
        if not self.options.broadcasting:
            return BrokerOffsets(self._instance.queues, self._group)
        directory = self.options.offset_directory or os.path.expanduser("~/.rocketmq_offsets")
        return FileOffsets(DiskFiles(), directory, self._instance.identity.ip, self._group)

    def _make_consumption(self) -> _Consumption:
        options, clock = self.options, self._instance.clock
        times = options.max_reconsume_times
        if options.orderly:
            send_back = SendBack(self._instance, self._group, times if times >= 0 else (1 << 31) - 1)
            return OrderlyConsumption(options, self._listener, send_back, clock, self._owns)
        send_back = SendBack(self._instance, self._group, times if times >= 0 else DEFAULT_MAX_RECONSUME_TIMES)
        return ConcurrentConsumption(options, self._listener, send_back, clock)

    # The group

    @property
    def assigned(self) -> list[MessageQueue]:
        """The queues that this member consumes now."""
        return sorted(self._queues)

    @property
    def held(self) -> list[MessageQueue]:
        """The same, for the membership."""
        return list(self._queues)

    async def take(self, queues: list[MessageQueue]) -> bool:
        """Begin with queues; False when some of them are locked for another member still."""
        leases = {} if self._locks is None else await self._locks.lock(queues)
        done = True
        for queue in queues:
            process_queue = ProcessQueue(queue, self.options.limits)
            process_queue.lease = leases.get(queue)
            if self._locks is not None and process_queue.lease is None:
                done = False
                continue
            self._queues[queue] = process_queue
            self._consumption.start(process_queue)
            self._puller.start(process_queue)
        return done

    async def _owns(self, process_queue: ProcessQueue) -> bool:
        """True when a queue's lock is ours, or is again.

        While it was not, another member may have consumed: what is held here is forgotten, and where the group stands
        is asked anew.
        """
        if self._locks is None or self._locks.holds(process_queue):
            return True
        async with self._ending:
            found = await self._locks.lock([process_queue.queue])
            if process_queue.queue not in found or process_queue.dropped:
                return False
            await self._puller.stop([process_queue.queue])
            process_queue.begin_anew()
            process_queue.lease = found[process_queue.queue]
            if process_queue.lease is None:
                return False
            self._puller.start(process_queue)
            return True

    def _counts(self, process_queue: ProcessQueue) -> bool:
        """True when what was consumed of a queue may be committed: it is not another member's."""
        return self._locks is None or self._locks.holds(process_queue)

    async def give_up(self, queues: list[MessageQueue]) -> None:
        """End with queues, and commit: whoever takes one over goes on where we were."""
        await self._end(queues, commit=True)

    async def _end(self, queues: list[MessageQueue], *, commit: bool) -> None:
        """End with queues, one call after the other: the membership and a tool may want it at once."""
        async with self._ending:
            await self._end_now([queue for queue in queues if queue in self._queues], commit=commit)

    async def _end_now(self, queues: list[MessageQueue], *, commit: bool) -> None:
        await self._puller.stop(queues)
        ended = await self._consumption.stop([self._queues[queue] for queue in queues])
        for process_queue in ended:
            process_queue.drop()
            del self._queues[process_queue.queue]
        for queue in queues:
            if queue in self._queues:  # its listener is not done: it stays until the next time
                self._puller.start(self._queues[queue])
        if commit:
            await self._persist(ended)
        if self._locks is not None:
            await asyncio.gather(*(self._locks.unlock(each.queue) for each in ended))

    async def _start_offset(self, queue: MessageQueue) -> int:
        stored = await self._offsets.read(queue)
        if stored is not None:
            return stored
        options = self.options
        return await begin_of(self._instance, queue, options.consume_from_where, options.consume_timestamp_ms)

    async def _persist(self, process_queues: list[ProcessQueue]) -> None:
        await self._offsets.write(
            {
                each.queue: each.commit_offset
                for each in process_queues
                if each.commit_offset is not None and self._counts(each)
            }
        )

    # Running

    def suspend(self) -> None:
        """Pull no more; what was pulled is consumed."""
        self._puller.suspend()

    def resume(self) -> None:
        """Pull again."""
        self._puller.resume()

    async def __aenter__(self) -> "PushConsumer":
        self._member.join()
        self._instance.requests.add_consumer(self._group, self)
        self._run(self._member.serve())
        self._run(self._persist_for_ever())
        self._run(self._sweep_for_ever())
        if self._locks is not None:
            self._instance.watch(self._locks, self._locks.lost)
            self._run(self._renew_for_ever(self._locks))
        return self

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def _persist_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PERSIST_SECONDS)
            await self._persist(list(self._queues.values()))

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self.options.consume_timeout_seconds))
            for process_queue in list(self._queues.values()):
                await self._consumption.sweep(process_queue)

    async def _renew_for_ever(self, locks: QueueLocks) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await locks.renew(list(self._queues.values()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._member.stop()
        await asyncio.gather(self._tasks[0], return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._puller.stop(list(self._queues))
        await self._consumption.finish(self.options.shutdown_seconds)
        await self._member.leave()
        if self._locks is not None:
            self._instance.unwatch(self._locks)

    # What brokers ask

    async def reset_offsets(self, topic: str, offsets: dict[MessageQueue, int]) -> None:
        """Go on elsewhere in queues of a topic, now."""
        queues = [queue for queue in offsets if queue in self._queues and queue.topic == topic]
        await self._end(queues, commit=False)
        await self._offsets.write({queue: offsets[queue] for queue in queues if queue not in self._queues})
        self._member.wake()

    def offsets_of(self, topic: str) -> dict[MessageQueue, int]:
        """Return where this member stands in its queues of a topic."""
        return {
            queue: each.commit_offset
            for queue, each in self._queues.items()
            if queue.topic == topic and each.commit_offset is not None
        }

    def running_info(self) -> dict[str, Any]:
        """Return what this member is doing."""
        return running_info(
            self.data,
            self._queues.values(),
            orderly=self.options.orderly,
            concurrency=self.options.concurrency,
            started_ms=self._started_ms,
            name_servers=self._instance.name_servers.addresses,
        )

    async def consume_directly(self, message: ReceivedMessage) -> dict[str, Any]:
        """Hand one message to the listener, whatever the offsets say."""
        queue = MessageQueue(message.topic, message.broker_name, message.queue_id)
        began_ms = self._instance.clock.now_ms()
        status = await call_listener(self._listener, [self._puller.as_sent(message)], ConsumeContext(queue, 0))
        return {
            "order": self.options.orderly,
            "autoCommit": True,
            "consumeResult": "CR_SUCCESS" if status is ConsumeStatus.SUCCESS else "CR_LATER",
            "spentTimeMills": self._instance.clock.now_ms() - began_ms,
        }
