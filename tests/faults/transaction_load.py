"""Transactions under kills: committed, rolled back, told late, or told only when the broker asks."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from random import Random
from typing import Final

from broker_py.client.consuming import ConsumeFromWhere, PushOptions
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import ProducerOptions
from broker_py.client.transactions import TransactionState
from broker_py.errors import BrokerPyError
from tests.faults.history import Outcome, Value
from tests.faults.kind_load import outcome_of
from tests.faults.promise_load import PromiseLoad
from tests.faults.promises import Again
from tests.support.cluster import Cluster, Daemon

_LATE_SECONDS: Final = 2.0


class How(Enum):
    """How its producer tells the state of a transaction."""

    AT_ONCE = "at once"
    LATE = "late"  # the broker asks meanwhile
    ASKED = "asked"


class _Plan:
    """What becomes of a transaction; it is undecided until `decided`."""

    def __init__(self, random: Random) -> None:
        self.commits = random.random() < 0.6
        self.how = random.choice((How.AT_ONCE, How.AT_ONCE, How.LATE, How.ASKED))
        self.late_seconds = random.uniform(0, _LATE_SECONDS)
        self.sent = False
        self.decided = False
        self.asked = 0


class TransactionLoad(PromiseLoad):
    """Producers of transactions that know their state, and a consumer."""

    topic = "Transactions"
    senders = 24
    properties = {
        "transactionTimeOut": 1000,
        "transactionCheckInterval": 1000,
        "transactionOpBatchInterval": 200,
        # While the broker is away, or the producer not known to it again, checks are of no use, but count.
        "transactionCheckMax": 1000,
    }

    def __init__(self, cluster: Cluster, broker: Daemon, random: Random) -> None:
        super().__init__(cluster, broker, random, Again.ANY)
        self._plans: dict[Value, _Plan] = {}
        self._producer = self.client.transaction_producer("tx-producers", self._asked, ProducerOptions(retries=0))
        options = PushOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET)
        self._consumer = self.client.push_consumer("tx-consumers", {self.topic: "*"}, self._consume, options)

    @property
    def owed(self) -> int:
        """How many messages have still to come: committed ones, and those that only the broker can bring to an end."""
        return self._promises.owed + sum(
            plan.how is How.ASKED and not plan.decided and self._promises.outcome(value) is Outcome.ACKNOWLEDGED
            for value, plan in self._plans.items()
        )

    async def begin(self) -> None:
        """Start the consumer, and have the broker know the producer."""
        await self._producer.__aenter__()
        await self._consumer.__aenter__()

    async def end(self) -> None:
        """Stop both."""
        await self._consumer.__aexit__(None, None, None)
        await self._producer.__aexit__(None, None, None)

    async def send(self, value: Value) -> bool:
        """Send one message; False when the broker did not take it."""
        self._plans[value] = _Plan(self.random)
        self._promises.invoke(value, self.client.now_ms())
        try:
            result = await self._producer.send(
                OutgoingMessage(topic=self.topic, body=value.encode()), self._execute(value)
            )
        except BrokerPyError as error:
            outcome = self.failed(error)
            self.client.routes.renew(self.topic)  # so that the broker hears of the producer again
        else:
            outcome = outcome_of(result.sent)
        self._plans[value].sent = True
        self._promises.answer(value, outcome)
        return outcome is Outcome.ACKNOWLEDGED

    def _execute(self, value: Value) -> Callable[[OutgoingMessage], Awaitable[TransactionState]]:
        plan = self._plans[value]

        async def execute(_: OutgoingMessage) -> TransactionState:
            if plan.how is How.ASKED:
                return TransactionState.UNKNOWN
            if plan.how is How.LATE:
                await asyncio.sleep(plan.late_seconds)
            return self._decide(value, plan)

        return execute

    def _decide(self, value: Value, plan: _Plan) -> TransactionState:
        plan.decided = True
        if not plan.commits:
            return TransactionState.ROLLBACK
        self._promises.allow(value, self.client.now_ms())
        return TransactionState.COMMIT

    async def _asked(self, message: ReceivedMessage) -> TransactionState:
        """Answer the broker; before its producer is done, and at times without a reason, that nobody knows yet."""
        value = Value.decode(message.body)
        plan = self._plans[value]
        plan.asked += 1
        if not plan.decided and (not plan.sent or self.random.random() < 0.3):
            return TransactionState.UNKNOWN
        return self._decide(value, plan)

    def figures(self) -> str:
        """Return what is worth to be known of the run."""
        plans = self._plans.values()
        return (
            f"{sum(plan.decided and plan.commits for plan in plans)} committed, "
            f"{sum(plan.decided and not plan.commits for plan in plans)} rolled back, "
            f"{sum(plan.asked for plan in plans)} checks, {self._promises.twice} delivered twice"
        )
