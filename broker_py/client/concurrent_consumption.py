"""Handing messages to a listener side by side (client impl/consumer/ConsumeMessageConcurrentlyService)."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from broker_py.client.consuming import ConsumeContext, ConsumeStatus, Listener, PushOptions
from broker_py.client.messages import ReceivedMessage
from broker_py.client.process_queue import ProcessQueue
from broker_py.client.send_back import SendBack
from broker_py.seams import Clock

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 5.0
_OVERDUE_LEVEL: Final = 3
_SWEEP_BATCH: Final = 16  # messages of a queue at a time

_Batch = tuple[ProcessQueue, list[ReceivedMessage]]


class ConcurrentConsumption:
    """Workers, no more than `concurrency` and no more than are busy at once, and the batches that wait for one."""

    def __init__(self, options: PushOptions, listener: Listener, send_back: SendBack, clock: Clock) -> None:
        self._options = options
        self._listener = listener
        self._send_back = send_back
        self._clock = clock
        self._waiting: deque[_Batch] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._workers: list[asyncio.Task[None]] = []
        self.failed = 0

    def start(self, process_queue: ProcessQueue) -> None:
        """Be ready for a queue."""

    async def stop(self, process_queues: Iterable[ProcessQueue]) -> list[ProcessQueue]:
        """Return the queues that can be given up now: all, as what is under way does not count for those dropped."""
        return list(process_queues)

    def offer(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        """Have messages consumed."""
        size = self._options.consume_message_batch_max_size
        for start in range(0, len(messages), size):
            self._waiting.append((process_queue, messages[start : start + size]))
            if self._idle:
                idle = self._idle.popleft()
                if not idle.done():
                    idle.set_result(None)
            elif len(self._workers) < self._options.concurrency:
                self._workers.append(asyncio.get_running_loop().create_task(self._work()))

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle
            process_queue, messages = self._waiting.popleft()
            if process_queue.dropped:
                continue
            try:
                await self._consume(process_queue, messages)
            except Exception:
                log.exception("messages of %s are not consumed", process_queue.queue)
                self._again(process_queue, messages)

    async def _consume(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        context = ConsumeContext(process_queue.queue, len(messages) - 1)
        now = self._clock.monotonic()
        for message in messages:
            process_queue.started(message, now)
        status = await call_listener(self._listener, messages, context)
        if process_queue.dropped:
            return
        process_queue.consumed_ms = self._clock.now_ms()
        consumed = context.ack_index + 1 if status is ConsumeStatus.SUCCESS else 0
        failed = messages[consumed:]
        self.failed += len(failed)
        kept = []
        for message in failed:
            if self._options.broadcasting:
                log.warning("%s is dropped: it can't come again to a broadcasting consumer", message.message_id)
            elif not await self._send_back.by_broker(process_queue.queue, message, context.delay_level):
                kept.append(message)
        process_queue.remove([message for message in messages if message not in kept] if kept else messages)
        if kept:
            self._again(process_queue, [replace(each, reconsume_times=each.reconsume_times + 1) for each in kept])

    def _again(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        """Have messages consumed after a while that could not be sent back."""
        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.offer, process_queue, messages)

    async def sweep(self, process_queue: ProcessQueue) -> None:
        """Have messages come again that a listener holds for too long, so that the queue's offset goes on."""
        before = self._clock.monotonic() - self._options.consume_timeout_seconds
        for _ in range(_SWEEP_BATCH):
            message = process_queue.overdue(before)
            if message is None or process_queue.dropped or self._options.broadcasting:
                return
            if not await self._send_back.by_broker(process_queue.queue, message, _OVERDUE_LEVEL):
                return
            log.warning("%s is with the listener for too long, and comes again", message.message_id)
            process_queue.remove([message])

    async def finish(self, seconds: float) -> None:
        """Wait so long for what is under way, then end; what waits still comes again to another member."""
        self._waiting.clear()
        deadline = asyncio.get_running_loop().time() + seconds
        while len(self._idle) < len(self._workers) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()


async def call_listener(listener: Listener, messages: list[ReceivedMessage], context: ConsumeContext) -> ConsumeStatus:
    """Return what a listener says; LATER when it raises or returns something else."""
    try:
        status: object = await listener(messages, context)
    except Exception:
        log.exception("the listener failed at messages of %s", context.queue)
        return ConsumeStatus.LATER
    if isinstance(status, ConsumeStatus):
        return status
    log.error("the listener returned %r, which is no ConsumeStatus: the messages come again", status)
    return ConsumeStatus.LATER
