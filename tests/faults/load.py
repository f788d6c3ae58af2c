"""The clients of a fault run: producers that send again until they are answered, readers, and a consumer group."""

import asyncio
from random import Random
from typing import Final

from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import Producer, SendStatus
from broker_py.client.queue_reader import PullStatus
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.message_queue import MessageQueue
from tests.faults.history import History, Outcome, Value
from tests.faults.pair import BROKER, QUEUES, TOPIC
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

GROUP: Final = "faults-consumers"
TAIL: Final = "tail"
FINAL: Final = "final"
SLAVE: Final = "slave"
_RETRY_SECONDS: Final = 0.05
_SUSPEND_MS: Final = 5_000
_REST_SECONDS: Final = 90.0
_FILLER: Final = b"broker-py " * 100


class Load:
    """Clients of one topic. Each sender is a producer in the history's sense: it sends one message at a time.

    `recoveries` has for each kill of the master that `master_killed` was told of how long nothing was acknowledged.
    """

    def __init__(self, cluster: Cluster, random: Random, *, producers: int, senders: int, members: int) -> None:
        self.history = History(FINAL)
        self.refusals: set[str] = set()
        self.recoveries: list[float] = []
        self._random = random
        self._senders = senders
        self._producing = [cluster.client() for _ in range(producers)]
        self._consuming = [cluster.client() for _ in range(members)]
        self._reading = cluster.client()
        self._ending = asyncio.Event()
        self._consumed: set[Value] = set()
        self._acknowledged: set[Value] = set()
        self._killed_at: float | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._consumers = [client.group_consumer(GROUP, TOPIC, self._consume) for client in self._consuming]

    def start(self) -> None:
        """Begin to send, to read and to consume."""
        loop = asyncio.get_running_loop()
        self._send_tasks = [
            loop.create_task(self._send_for_ever(client, client.producer("faults-producers"), each))
            for number, client in enumerate(self._producing)
            for each in range(number * self._senders, (number + 1) * self._senders)
        ]
        self._tasks = [loop.create_task(self._follow(queue_id)) for queue_id in range(QUEUES)]
        self._consume_tasks = [loop.create_task(consumer.run()) for consumer in self._consumers]

    @property
    def acknowledged(self) -> int:
        """How many messages were acknowledged as safe."""
        return self.history.outcomes[Outcome.ACKNOWLEDGED]

    def master_killed(self) -> None:
        """Take the time until the next acknowledgement."""
        if self._killed_at is None:
            self._killed_at = asyncio.get_running_loop().time()

    def check_running(self) -> None:
        """Raise what went wrong in a client, if anything."""
        for task in (*self._send_tasks, *self._tasks, *self._consume_tasks):
            if task.done():
                task.result()

    # Sending

    async def _send_for_ever(self, client: Client, producer: Producer, sender: int) -> None:
        counter = 0
        while not self._ending.is_set():
            value = Value(sender, counter)
            queue = MessageQueue(TOPIC, BROKER, self._random.randrange(QUEUES))
            body = value.encode() + _FILLER[: self._random.choice((0, 20, 200, 900))]
            message = OutgoingMessage(topic=TOPIC, body=body, keys=f"{sender}-{counter}")
            while not await self._sent(producer, value, message, queue):
                if self._ending.is_set():
                    return
                client.routes.renew(TOPIC)
                await asyncio.sleep(_RETRY_SECONDS)
            counter += 1

    async def _sent(self, producer: Producer, value: Value, message: OutgoingMessage, queue: MessageQueue) -> bool:
        """Send once; True when it is stored."""
        loop = asyncio.get_running_loop()
        attempt = self.history.invoke(value, queue.queue_id, loop.time())
        try:
            result = await producer.send_to(message, queue)
        except RequestFailed as error:
            self.refusals.add(str(error)[:120])
            self.history.answer(attempt, Outcome.REFUSED, loop.time())
            return False
        except BrokerPyError:
            return False
        safe = result.status is SendStatus.SEND_OK
        outcome = Outcome.ACKNOWLEDGED if safe else Outcome.WEAK
        self.history.answer(attempt, outcome, loop.time(), result.queue_offset)
        if safe:
            self._acknowledged.add(value)
            if self._killed_at is not None and attempt.invoked > self._killed_at:
                self.recoveries.append(loop.time() - self._killed_at)
                self._killed_at = None
        return True

    # Reading

    async def _follow(self, queue_id: int) -> None:
        """Read a queue from its beginning on, as it grows, from whichever broker the route names the master."""
        queue = MessageQueue(TOPIC, BROKER, queue_id)
        while True:
            position = self.history.reads_end_at(TAIL, queue_id)
            try:
                result = await self._reading.queues.pull(queue, position, suspend_ms=_SUSPEND_MS)
            except BrokerPyError:
                self._reading.routes.renew(TOPIC)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if result.status is PullStatus.OFFSET_MOVED:
                await asyncio.sleep(_RETRY_SECONDS)
            for message in result.messages:
                self.history.read(TAIL, queue_id, message.queue_offset, Value.decode(message.body))

    def _consume(self, message: ReceivedMessage) -> None:
        value = Value.decode(message.body)
        self._consumed.add(value)
        self.history.consume(message.queue_id, message.queue_offset, value)

    # The end

    async def finish(self, master: Daemon, slave: Daemon) -> int:
        """Stop sending, have the group consume the rest, read both brokers; return what the group never got."""
        self._ending.set()
        await asyncio.gather(*self._send_tasks)

        async def consumed() -> bool:
            self.check_running()
            return self._acknowledged <= self._consumed

        try:
            await until(consumed, "the group has everything", _REST_SECONDS)
        except AssertionError:
            pass  # the caller is told
        for consumer in self._consumers:
            consumer.stop()
        await asyncio.gather(*self._consume_tasks)
        await self._read_all(master, FINAL)
        await self._read_all(slave, SLAVE)
        await self._stop_reading()
        return len(self._acknowledged - self._consumed)

    async def _stop_reading(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in (*self._producing, *self._consuming, self._reading):
            await client.close()

    async def _read_all(self, broker: Daemon, reader: str) -> None:
        async with Direct() as direct:
            for queue_id in range(QUEUES):
                for message in await direct.read_queue(broker.address, TOPIC, queue_id):
                    self.history.read(reader, queue_id, message.queue_offset, Value.decode(message.body))
