"""Pops under kills: a group that takes from any queue, and one that wants the order of each."""

import asyncio
from collections import Counter
from random import Random
from typing import Final

from broker_py.broker.pop.extra_info import pop_retry_topic
from broker_py.client.messages import OutgoingMessage
from broker_py.errors import BrokerPyError
from tests.faults.history import Findings, Outcome, Value
from tests.faults.kind_load import BROKER, QUEUES, RETRY_SECONDS, KindLoad
from tests.faults.ordered_pops import OrderedPops
from tests.faults.pop_client import PopClient, PoppedMessage
from tests.faults.pops import Delivery, PopPlace, Pops
from tests.support.cluster import Cluster, Daemon, until

GROUP: Final = "pop-consumers"
ORDERED: Final = "ordered-pop-consumers"
CONSUMERS: Final = 4
_INVISIBLE_MS: Final = (1000, 3000)
_ORDERED_INVISIBLE_MS: Final = 800
_POLL_MS: Final = 500
_AT_MOST: Final = 16
_AT_MOST_ORDERED: Final = 6
_ACKED: Final = 0.7
_HIDDEN: Final = 0.8
_WHOLE: Final = 0.9  # of the pops in order
_LAST_INVISIBLE_MS: Final = 10_000


class PopLoad(KindLoad):
    """Senders, and consumers of two groups that leave some of what they get unacknowledged."""

    topic = "Pops"
    pause_seconds = 0.05

    def __init__(self, cluster: Cluster, broker: Daemon, random: Random) -> None:
        super().__init__(cluster, broker, random)
        self._pops = Pops()
        self._ordered = OrderedPops()
        self._producer = self.client.producer("pop-producers")
        self._popper = PopClient(broker.address, BROKER, GROUP, self.topic)
        self._ordered_popper = PopClient(broker.address, BROKER, ORDERED, self.topic)
        self._resting = False
        self._ends: dict[int, int] = {}

    @property
    def outcomes(self) -> Counter[Outcome]:
        """What became of the sends."""
        return self._pops.outcomes

    @property
    def owed(self) -> int:
        """How many messages have still to be acknowledged by both groups."""
        return self._pops.owed + sum(
            max(0, end - self._ordered.next_offset(queue_id)) for queue_id, end in self._ends.items()
        )

    async def begin(self) -> None:
        """Start the consumers."""
        for _ in range(CONSUMERS):
            self.run(self._pop_for_ever())
        for queue_id in range(QUEUES):
            self.run(self._pop_in_order_for_ever(queue_id))

    async def rest(self) -> None:
        """From now on acknowledge all."""
        self._resting = True
        self._ends = dict.fromkeys(range(QUEUES), 0)

        async def ends_known() -> bool:
            for message in await self.read_all(self.topic):
                self._ends[message.queue_id] = message.queue_offset + 1
            return True

        await until(ends_known, "the queues can be read")

    async def end(self) -> None:
        """Close the connections of the consumers."""
        await self._popper.__aexit__(None, None, None)
        await self._ordered_popper.__aexit__(None, None, None)

    async def send(self, value: Value) -> bool:
        """Send one message; False when the broker did not take it."""
        self._pops.invoke(value)
        outcome, _ = await self.sent(self._producer, OutgoingMessage(topic=self.topic, body=value.encode()))
        self._pops.answer(value, outcome)
        return outcome is Outcome.ACKNOWLEDGED

    def killed(self, now_ms: int) -> None:
        """Take note of a kill."""
        self._ordered.killed(now_ms)

    # Any queue

    async def _pop_for_ever(self) -> None:
        while True:
            low, high = _INVISIBLE_MS
            invisible_ms = _LAST_INVISIBLE_MS if self._resting else self.random.randint(low, high)
            count = self.random.randint(1, _AT_MOST)
            try:
                found = await self._popper.pop(-1, count, invisible_ms, _POLL_MS, self.client.now_ms())
            except BrokerPyError as error:
                await self._failed(error)
                continue
            got = [(popped, self._note(popped)) for popped in found]
            for popped, delivery in got:
                await self._settle(popped, delivery)

    def _note(self, popped: PoppedMessage) -> Delivery:
        message = popped.message
        place = PopPlace(popped.retry, message.queue_id, message.queue_offset)
        return self._pops.pop(Value.decode(message.body), place, popped.pop_ms, popped.invisible_ms)

    async def _settle(self, popped: PoppedMessage, delivery: Delivery) -> None:
        chance = 0.0 if self._resting else self.random.random()
        try:
            if chance < _ACKED:
                self._pops.ask(Value.decode(popped.message.body), delivery)
                await self._popper.ack(popped)
                self._pops.ack(delivery, self.client.now_ms())
            elif chance < _HIDDEN:
                invisible_ms = self.random.randint(*_INVISIBLE_MS)
                soonest_ms = self.client.now_ms() + invisible_ms
                known_ms = delivery.back_ms
                self._pops.hide(delivery, min(known_ms, soonest_ms))
                back_ms = await self._popper.hide(popped, invisible_ms)
                if self.client.now_ms() < known_ms:
                    self._pops.hide(delivery, back_ms)
        except BrokerPyError as error:
            await self._failed(error)

    async def _failed(self, error: BrokerPyError) -> None:
        self.failed(error)
        await asyncio.sleep(RETRY_SECONDS)

    # In order

    async def _pop_in_order_for_ever(self, queue_id: int) -> None:
        while True:
            count = _AT_MOST if self._resting else self.random.randint(1, _AT_MOST_ORDERED)
            popper, now_ms = self._ordered_popper, self.client.now_ms()
            try:
                found = await popper.pop(queue_id, count, _ORDERED_INVISIBLE_MS, _POLL_MS, now_ms, order=True)
            except BrokerPyError as error:
                await self._failed(error)
                continue
            if not found:
                continue
            offsets = [popped.message.queue_offset for popped in found]
            self._ordered.pop(queue_id, offsets, found[0].pop_ms, found[0].invisible_ms)
            acked = 1.0 if self._resting or self.random.random() < _WHOLE else _ACKED
            for popped in found:
                if self.random.random() < acked:
                    self._ordered.ask(queue_id, popped.message.queue_offset)
                    try:
                        await popper.ack(popped)
                    except BrokerPyError as error:
                        await self._failed(error)

    # The end

    async def check(self) -> Findings:
        """Read what the broker has at the end, and judge."""
        for message in await self.read_all(self.topic):
            place = PopPlace(False, message.queue_id, message.queue_offset)
            self._pops.copy(Value.decode(message.body), place, 0)
        for message in await self.read_all(pop_retry_topic(self.topic, GROUP), 1):
            place = PopPlace(True, message.queue_id, message.queue_offset)
            self._pops.copy(Value.decode(message.body), place, message.reconsume_times)
        found, ordered = self._pops.check(), self._ordered.check(self._ends)
        found.counts.update(ordered.counts)
        found.texts += ordered.texts
        return found

    def figures(self) -> str:
        """Return what is worth to be known of the run."""
        return (
            f"{self._pops.acknowledged} acknowledged by the group, {self._pops.came_back} came back, "
            f"{self._pops.placed_again} from the same place; {self._ordered.pops} pops in order"
        )
