"""A run of kills of one broker, under the load of one kind of message, and what came of it."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.faults.history import Findings, Outcome
from tests.faults.kind_load import BROKER, KindLoad
from tests.faults.later_load import DelayLoad, TimerLoad
from tests.faults.pop_load import PopLoad
from tests.faults.retry_load import RetryLoad
from tests.faults.transaction_load import TransactionLoad
from tests.support.cluster import Cluster, Daemon, until

LOADS: Final[dict[str, type[KindLoad]]] = {
    "delay": DelayLoad,
    "timer": TimerLoad,
    "transaction": TransactionLoad,
    "retry": RetryLoad,
    "pop": PopLoad,
}
_PATIENCE_SECONDS: Final = 60.0
_STARTING_SECONDS: Final = 1.0
_PROFILES: Final = ("SYNC_FLUSH", "ASYNC_FLUSH")
"""What was written outlives the process, whichever of the two acknowledged it: each start takes one of them."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How a run goes: so many kills, with so much load between two of them, on average."""

    load: str
    seed: int
    kills: int
    pause_seconds: float = 1.0


@dataclass
class RoundsReport:
    """What came of a run."""

    rounds: Rounds
    found: Findings
    outcomes: Counter[Outcome]
    figures: str
    killed: Counter[str] = field(default_factory=Counter)
    refusals: set[str] = field(default_factory=set)
    seconds: float = 0.0
    rest_seconds: float = 0.0

    def summary(self) -> str:
        """Return one line."""
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.killed.items()))
        sends = ", ".join(f"{self.outcomes[outcome]} {outcome.value}" for outcome in Outcome)
        findings = ", ".join(f"{count} {kind}" for kind, count in sorted(self.found.counts.items())) or "0 violations"
        return (
            f"{self.rounds.load}, seed {self.rounds.seed}: killed {kills} in {self.seconds:.0f} s, all came "
            f"{self.rest_seconds:.0f} s later; sends: {sends}; {self.figures}; {findings}"
        )


class _Killer:
    """Kills a broker and starts it again."""

    def __init__(self, broker: Daemon, load: KindLoad, random: Random) -> None:
        self._broker = broker
        self._load = load
        self._random = random
        self.killed: Counter[str] = Counter()

    async def round(self) -> None:
        """Kill the broker, at times once more while it starts, and mostly wait until it takes messages again."""
        random = self._random
        self._kill("under load")
        while random.random() < 0.2:
            self._launch()
            await asyncio.sleep(random.uniform(0, _STARTING_SECONDS))
            self._kill("while it started")
        self._launch()
        await self._serves()
        if random.random() < 0.8:  # else the next kill comes before anybody is here again
            await self._goes_on()

    def _kill(self, when: str) -> None:
        self._broker.kill()
        self.killed[when] += 1
        self._load.killed(self._load.client.now_ms())

    def _launch(self) -> None:
        self._broker.properties["flushDiskType"] = self._random.choice(_PROFILES)
        self._broker.launch()

    async def _serves(self) -> None:
        broker = self._broker
        process = broker.process
        assert process is not None

        async def ready() -> bool:
            assert process.poll() is None, f"the broker ended:\n{broker.output()[-2000:]}"
            return broker.serves(process)

        await until(ready, "the broker serves", _PATIENCE_SECONDS)

    async def _goes_on(self) -> None:
        before = self._load.outcomes[Outcome.ACKNOWLEDGED]

        async def more() -> bool:
            self._load.check_running()
            return self._load.outcomes[Outcome.ACKNOWLEDGED] > before

        await until(more, "messages are acknowledged after a kill", _PATIENCE_SECONDS)


async def run_rounds(cluster: Cluster, rounds: Rounds) -> RoundsReport:
    """Do a run and return what came of it; the daemons are stopped then."""
    random = Random(rounds.seed)
    nameserver = cluster.nameserver()
    kind = LOADS[rounds.load]
    broker = cluster.broker(BROKER, **kind.properties)
    await nameserver.start()
    await broker.start()
    load = kind(cluster, broker, Random(random.random()))
    await load.start()
    killer = _Killer(broker, load, random)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(rounds.kills):
        await asyncio.sleep(random.uniform(0, 2 * rounds.pause_seconds))
        load.check_running()
        await killer.round()
    ended = loop.time()
    await load.finish()
    rest_seconds = loop.time() - ended
    found = await load.check()
    await broker.stop()
    return RoundsReport(
        rounds, found, load.outcomes, load.figures(), killer.killed, load.refusals, ended - began, rest_seconds
    )
