"""Handing each queue's messages to a listener in their order (client impl/consumer/ConsumeMessageOrderlyService)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Final

from broker_py.client.concurrent_consumption import call_listener
from broker_py.client.consuming import ConsumeContext, ConsumeStatus, Listener, PushOptions
from broker_py.client.messages import ReceivedMessage
from broker_py.client.process_queue import ProcessQueue
from broker_py.client.send_back import SendBack
from broker_py.model.message_queue import MessageQueue
from broker_py.seams import Clock

log = logging.getLogger(__name__)

LOCK_AGAIN_SECONDS: Final = 1.0
GIVE_UP_SECONDS: Final = 1.0
_SUSPEND_MS: Final = (10, 30_000)


class OrderlyConsumption:
    """One task a queue. The lock of its broker is held while the listener has a message, so no two members have one.

    `owns` says whether a queue is locked, and locks it once more where it is not.
    """

    def __init__(
        self,
        options: PushOptions,
        listener: Listener,
        send_back: SendBack,
        clock: Clock,
        owns: Callable[[ProcessQueue], Awaitable[bool]],
    ) -> None:
        self._options = options
        self._listener = listener
        self._send_back = send_back
        self._clock = clock
        self._owns = owns
        self._turns = asyncio.Semaphore(options.concurrency)
        self._tasks: dict[MessageQueue, asyncio.Task[None]] = {}
        self._arrivals: dict[MessageQueue, asyncio.Event] = {}
        self._busy: dict[MessageQueue, asyncio.Lock] = {}
        self._ending = False
        self.failed = 0

    def start(self, process_queue: ProcessQueue) -> None:
        """Begin to consume a queue."""
        queue = process_queue.queue
        self._arrivals[queue] = asyncio.Event()
        self._busy[queue] = asyncio.Lock()
        self._tasks[queue] = asyncio.get_running_loop().create_task(self._consume_for_ever(process_queue))

    def offer(self, process_queue: ProcessQueue, _messages: list[ReceivedMessage]) -> None:
        """Have messages consumed that are held already."""
        arrival = self._arrivals.get(process_queue.queue)
        if arrival is not None:
            arrival.set()

    async def stop(self, process_queues: Iterable[ProcessQueue]) -> list[ProcessQueue]:
        """Return the queues that can be given up now: those whose listener is done within a second."""
        stopped = await asyncio.gather(*(self._stop(each) for each in process_queues))
        return [process_queue for process_queue in stopped if process_queue is not None]

    async def _stop(self, process_queue: ProcessQueue) -> ProcessQueue | None:
        queue = process_queue.queue
        busy = self._busy.get(queue)
        if busy is not None:
            try:
                await asyncio.wait_for(busy.acquire(), GIVE_UP_SECONDS)
            except asyncio.TimeoutError:
                return None
        task = self._tasks.pop(queue, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._arrivals.pop(queue, None)
        self._busy.pop(queue, None)
        return process_queue

    async def _consume_for_ever(self, process_queue: ProcessQueue) -> None:
        queue = process_queue.queue
        arrival, busy = self._arrivals[queue], self._busy[queue]
        while not (process_queue.dropped or self._ending):
            arrival.clear()
            if not await self._owns(process_queue):
                await asyncio.sleep(LOCK_AGAIN_SECONDS)
                continue
            if not len(process_queue):
                await arrival.wait()
                continue
            try:
                async with busy, self._turns:
                    pause_ms = await self._consume(process_queue)
            except Exception:
                log.exception("messages of %s are not consumed", queue)
                pause_ms = self._options.suspend_ms
            if pause_ms:
                await asyncio.sleep(pause_ms / 1000)

    async def _consume(self, process_queue: ProcessQueue) -> int:
        """Hand the first messages over; return for how long the queue is suspended."""
        messages = process_queue.first(self._options.consume_message_batch_max_size)
        context = ConsumeContext(process_queue.queue, len(messages) - 1)
        status = await call_listener(self._listener, messages, context)
        process_queue.consumed_ms = self._clock.now_ms()
        if status is not ConsumeStatus.SUCCESS:
            self.failed += len(messages)
            if await self._comes_again(process_queue, messages):
                low, high = _SUSPEND_MS
                return min(max(context.suspend_ms or self._options.suspend_ms, low), high)
        process_queue.remove(messages)
        return 0

    async def _comes_again(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> bool:
        """Count the attempt; False when all of the messages had their last one and are put aside."""
        again = False
        limit = self._options.max_reconsume_times
        for message in messages:
            last = 0 <= limit <= message.reconsume_times
            if last and await self._send_back.anew(message, message.reconsume_times):
                continue
            again = True
            process_queue.replace(replace(message, reconsume_times=message.reconsume_times + 1))
        return again

    async def sweep(self, process_queue: ProcessQueue) -> None:
        """An orderly listener may take its time."""

    async def finish(self, seconds: float) -> None:
        """Wait so long for what is under way, then end."""
        self._ending = True
        tasks = list(self._tasks.values())
        deadline = asyncio.get_running_loop().time() + seconds
        while any(busy.locked() for busy in self._busy.values()):
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._busy.clear()
