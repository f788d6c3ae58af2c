"""What loads have in common whose messages come at a time that they can tell."""

from collections import Counter
from random import Random

from broker_py.client.consuming import ConsumeContext, ConsumeStatus
from broker_py.client.messages import ReceivedMessage
from tests.faults.history import Findings, Outcome, Value
from tests.faults.kind_load import KindLoad
from tests.faults.promises import Again, Promises
from tests.support.cluster import Cluster, Daemon


class PromiseLoad(KindLoad):
    """Notes when messages come, and judges by what was promised of each."""

    def __init__(self, cluster: Cluster, broker: Daemon, random: Random, again: Again) -> None:
        super().__init__(cluster, broker, random)
        self._promises = Promises(again)

    @property
    def outcomes(self) -> Counter[Outcome]:
        """What became of the sends."""
        return self._promises.outcomes

    async def _consume(self, messages: list[ReceivedMessage], _: ConsumeContext) -> ConsumeStatus:
        now_ms = self.client.now_ms()
        for message in messages:
            self._promises.arrive(Value.decode(message.body), now_ms)
        return ConsumeStatus.SUCCESS

    def killed(self, now_ms: int) -> None:
        """Take note of a kill."""
        self._promises.killed(now_ms)

    async def check(self) -> Findings:
        """Read what the broker has at the end, and judge."""
        for message in await self.read_all(self.topic):
            self._promises.stored(Value.decode(message.body), message.stored_ms)
        return self._promises.check()
