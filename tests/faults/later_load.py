"""Messages for later under kills: by delay level, and by time."""

from abc import abstractmethod
from random import Random
from typing import ClassVar, Final

from broker_py.client.consuming import ConsumeFromWhere, PushOptions
from broker_py.client.messages import OutgoingMessage
from tests.faults.history import Outcome, Value
from tests.faults.promise_load import PromiseLoad
from tests.faults.promises import Again
from tests.support.cluster import Cluster, Daemon

LEVELS_SECONDS: Final = (1, 2, 3, 4)
"""What levels 1 to 4 wait."""
_LONGEST_MS: Final = 4_000


class LaterLoad(PromiseLoad):
    """Senders of messages for later, and a consumer that notes when they come."""

    topic = "Later"
    again: ClassVar[Again]

    def __init__(self, cluster: Cluster, broker: Daemon, random: Random) -> None:
        super().__init__(cluster, broker, random, self.again)
        self._producer = self.client.producer("later-producers")
        options = PushOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET)
        self._consumer = self.client.push_consumer("later-consumers", {self.topic: "*"}, self._consume, options)

    @abstractmethod
    def message(self, value: Value, now_ms: int) -> tuple[OutgoingMessage, int]:
        """Return a message, and when it is due if the broker gets it at once."""

    @property
    def owed(self) -> int:
        """How many messages have still to come."""
        return self._promises.owed

    async def begin(self) -> None:
        """Start the consumer."""
        await self._consumer.__aenter__()

    async def end(self) -> None:
        """Stop the consumer."""
        await self._consumer.__aexit__(None, None, None)

    async def send(self, value: Value) -> bool:
        """Send one message; False when the broker did not take it."""
        now_ms = self.client.now_ms()
        message, due_ms = self.message(value, now_ms)
        self._promises.invoke(value, now_ms)
        self._promises.allow(value, due_ms)
        outcome, _ = await self.sent(self._producer, message)
        self._promises.answer(value, outcome)
        return outcome is Outcome.ACKNOWLEDGED

    def figures(self) -> str:
        """Return what is worth to be known of the run."""
        return f"{self._promises.twice} delivered twice"


class DelayLoad(LaterLoad):
    """By delay level."""

    again = Again.AFTER_KILL
    properties = {
        "messageDelayLevel": " ".join(f"{seconds}s" for seconds in LEVELS_SECONDS),
        "flushDelayOffsetInterval": 1000,
    }

    def message(self, value: Value, now_ms: int) -> tuple[OutgoingMessage, int]:
        """Return a message, and when it is due if the broker gets it at once."""
        level = self.random.randint(1, len(LEVELS_SECONDS))
        message = OutgoingMessage(topic=self.topic, body=value.encode(), delay_level=level)
        return message, now_ms + LEVELS_SECONDS[level - 1] * 1000


class TimerLoad(LaterLoad):
    """By time: to wait so long, or until then. The wheel is small, so that some messages go round it more than once."""

    again = Again.AFTER_ANY_KILL
    properties = {"timerFlushIntervalMs": 300, "timerPrecisionMs": 100, "timerRollWindowSlot": 15}

    def message(self, value: Value, now_ms: int) -> tuple[OutgoingMessage, int]:
        """Return a message, and when it is due if the broker gets it at once."""
        wait_ms = self.random.randint(1, _LONGEST_MS)
        due_ms = now_ms + wait_ms
        if self.random.random() < 0.5:
            return OutgoingMessage(topic=self.topic, body=value.encode(), delay_ms=wait_ms), due_ms
        return OutgoingMessage(topic=self.topic, body=value.encode(), deliver_at_ms=due_ms), due_ms
