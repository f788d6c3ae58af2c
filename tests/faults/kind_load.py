"""What the loads of all kinds of messages share: clients of one broker that is killed, and senders that go on."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Coroutine, Mapping
from itertools import count
from random import Random
from typing import Any, ClassVar, Final

from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import Producer, SendResult, SendStatus
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.message_queue import MessageQueue
from tests.faults.history import Findings, Outcome, Value
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

BROKER: Final = "broker-a"
QUEUES: Final = 4
SENDERS: Final = 8
RETRY_SECONDS: Final = 0.05
REST_SECONDS: Final = 90.0
"""How long what is owed may take at the end."""


class KindLoad(ABC):
    """Senders and consumers of one kind of message. `properties` are what its broker needs."""

    topic: ClassVar[str]
    properties: ClassVar[Mapping[str, object]] = {}
    senders: ClassVar[int] = SENDERS
    pause_seconds: ClassVar[float] = 0.02
    """Of a sender, on average, between two messages."""

    def __init__(self, cluster: Cluster, broker: Daemon, random: Random) -> None:
        self.client: Client = cluster.client()
        self.broker = broker
        self.random = random
        self.refusals: set[str] = set()
        self._ending = asyncio.Event()
        self._sending: list[asyncio.Task[None]] = []
        self._others: list[asyncio.Task[None]] = []

    # What a kind says

    @property
    @abstractmethod
    def outcomes(self) -> Counter[Outcome]:
        """What became of the sends."""

    @property
    @abstractmethod
    def owed(self) -> int:
        """How many messages have still to come."""

    @abstractmethod
    async def begin(self) -> None:
        """Start what consumes."""

    @abstractmethod
    async def send(self, value: Value) -> bool:
        """Send one message; False when the broker did not take it."""

    @abstractmethod
    def killed(self, now_ms: int) -> None:
        """Take note of a kill."""

    @abstractmethod
    async def check(self) -> Findings:
        """Read what the broker has at the end, and judge."""

    @abstractmethod
    def figures(self) -> str:
        """Return what is worth to be known of the run."""

    @abstractmethod
    async def end(self) -> None:
        """Stop what consumes."""

    async def rest(self) -> None:
        """Do what is to be done while what is owed is waited for."""
        return

    # The run

    async def start(self) -> None:
        """Make the topic, and begin to send and to consume."""
        async with Direct() as direct:
            await direct.make_topic(self.broker.address, self.topic)
        await until(self._routed, f"a route of {self.topic}")
        await self.begin()
        loop = asyncio.get_running_loop()
        self._sending = [loop.create_task(self._send_for_ever(sender)) for sender in range(self.senders)]

    async def _routed(self) -> bool:
        return bool(await self.client.topic_queues(self.topic))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Have work done beside the sending, until `end`."""
        self._others.append(asyncio.get_running_loop().create_task(work))

    def check_running(self) -> None:
        """Raise what went wrong in a client, if anything."""
        for task in (*self._sending, *self._others):
            if task.done() and not task.cancelled():
                task.result()

    async def _send_for_ever(self, sender: int) -> None:
        for counter in count():
            if self._ending.is_set():
                return
            if await self.send(Value(sender, counter)):
                await asyncio.sleep(self.random.uniform(0, 2 * self.pause_seconds))
            else:
                await asyncio.sleep(RETRY_SECONDS)

    async def sent(self, producer: Producer, message: OutgoingMessage) -> tuple[Outcome, SendResult | None]:
        """Send a message once, to a queue at random."""
        queue = MessageQueue(self.topic, BROKER, self.random.randrange(QUEUES))
        try:
            result = await producer.send_to(message, queue)
        except BrokerPyError as error:
            return self.failed(error), None
        return outcome_of(result), result

    def failed(self, error: BrokerPyError) -> Outcome:
        """Return what an error says of a send."""
        if isinstance(error, RequestFailed):
            self.refusals.add(str(error)[:120])
            return Outcome.REFUSED
        return Outcome.UNKNOWN

    async def finish(self) -> None:
        """Stop sending, and wait until all that is owed came; without it the check tells what did not."""
        self._ending.set()
        await asyncio.gather(*self._sending)
        await self.rest()

        async def complete() -> bool:
            self.check_running()
            return self.owed == 0

        try:
            await until(complete, "all has come", REST_SECONDS)
        except AssertionError:
            pass  # the check tells what did not
        await self.end()
        for task in self._others:
            task.cancel()
        await asyncio.gather(*self._others, return_exceptions=True)
        await self.client.close()

    async def read_all(self, topic: str, queues: int = QUEUES) -> list[ReceivedMessage]:
        """Return all messages of a topic."""
        async with Direct() as direct:
            lists = [await direct.read_queue(self.broker.address, topic, queue_id) for queue_id in range(queues)]
        return [message for messages in lists for message in messages]


def outcome_of(result: SendResult) -> Outcome:
    """Return what the broker said of a message that it stored."""
    return Outcome.ACKNOWLEDGED if result.status is SendStatus.SEND_OK else Outcome.WEAK
