"""Messages that are given back under kills: until they are consumed, or dead letters."""

from collections import Counter
from random import Random
from typing import Final

from broker_py.client.consuming import ConsumeContext, ConsumeFromWhere, ConsumeStatus, PushOptions
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.model.topic import DLQ_PREFIX
from tests.faults.history import Findings, Outcome, Value
from tests.faults.kind_load import REST_SECONDS, KindLoad
from tests.faults.retries import Retries
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct

GROUP: Final = "retry-consumers"
MAX_TIMES: Final = 3
HOPELESS: Final = 1 << 30
WAITS_SECONDS: Final = (1, 2, 3)
"""What the first, the second and the third redelivery wait: levels 3 to 5."""


def wait_ms(times: int) -> int:
    """Return how long a message waits that came back so many times before."""
    return WAITS_SECONDS[min(times, len(WAITS_SECONDS) - 1)] * 1000


class RetryLoad(KindLoad):
    """Senders, and a consumer that fails at each message as often as was drawn for it."""

    topic = "Retries"
    properties = {
        "messageDelayLevel": " ".join(f"{seconds}s" for seconds in (1, 1, *WAITS_SECONDS)),
        "flushDelayOffsetInterval": 1000,
    }

    def __init__(self, cluster: Cluster, broker: Daemon, random: Random) -> None:
        super().__init__(cluster, broker, random)
        self._retries = Retries(MAX_TIMES, wait_ms)
        self._failures: dict[Value, int] = {}
        self._times: dict[str, int] = {}
        self._dead: set[Value] = set()
        self._producer = self.client.producer("retry-producers")
        options = PushOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET, max_reconsume_times=MAX_TIMES)
        self._consumer = self.client.push_consumer(GROUP, {self.topic: "*"}, self._consume, options)

    @property
    def outcomes(self) -> Counter[Outcome]:
        """What became of the sends."""
        return self._retries.outcomes

    @property
    def owed(self) -> int:
        """How many messages have still to come to their end."""
        return self._retries.unfinished(self._dead)

    async def begin(self) -> None:
        """Start the consumer."""
        await self._consumer.__aenter__()

    async def rest(self) -> None:
        """Look for dead letters until all is there."""
        self.run(self._watch_dead_letters())

    async def _watch_dead_letters(self) -> None:
        offset = 0
        async with Direct() as direct:

            async def look() -> bool:
                nonlocal offset
                for message in await direct.read_queue(self.broker.address, DLQ_PREFIX + GROUP, 0, offset):
                    self._dead.add(Value.decode(message.body))
                    offset = message.queue_offset + 1
                return self.owed == 0

            try:
                await until(look, "all dead letters are there", REST_SECONDS)
            except AssertionError:
                pass  # the check tells which are not

    async def end(self) -> None:
        """Stop the consumer."""
        await self._consumer.__aexit__(None, None, None)

    async def send(self, value: Value) -> bool:
        """Send one message; False when the broker did not take it."""
        failures = self.random.choice((0, 0, 0, 0, 1, 2, 3, HOPELESS))
        self._failures[value] = failures
        self._retries.invoke(value, hopeless=failures == HOPELESS)
        outcome, _ = await self.sent(self._producer, OutgoingMessage(topic=self.topic, body=value.encode()))
        self._retries.answer(value, outcome)
        return outcome is Outcome.ACKNOWLEDGED

    async def _consume(self, messages: list[ReceivedMessage], _: ConsumeContext) -> ConsumeStatus:
        (message,) = messages
        value = Value.decode(message.body)
        # A client that can't give a message back has it come again by itself after 5 s, and counts that too.
        times = message.reconsume_times
        by_client = times > self._times.setdefault(message.offset_id, times)
        self._retries.deliver(value, times, self.client.now_ms(), by_client=by_client)
        if times < self._failures.get(value, 0):
            self._retries.give_back(value, times, self.client.now_ms())
            return ConsumeStatus.LATER
        self._retries.done(value)
        return ConsumeStatus.SUCCESS

    def killed(self, now_ms: int) -> None:
        """Take note of a kill."""

    async def check(self) -> Findings:
        """Read what the broker has at the end, and judge."""
        for message in await self.read_all(DLQ_PREFIX + GROUP, 1):
            self._retries.dead_letter(Value.decode(message.body), message.stored_ms)
        return self._retries.check()

    def figures(self) -> str:
        """Return what is worth to be known of the run."""
        retries = self._retries
        came = retries.redeliveries
        counts = ", ".join(f"{came[times]} for time {times}" for times in range(MAX_TIMES + 1))
        oftener = sum(count for times, count in came.items() if times > MAX_TIMES)
        return (
            f"came {counts}, {oftener} oftener by a client that could not give them back; "
            f"{retries.dead_letters} dead letters, {retries.dead_twice} of them twice"
        )
