"""One fault run: a pair under load, faults at random from a seed, and what the history says at the end."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from statistics import median

from tests.faults.history import Findings, History, Outcome
from tests.faults.load import Load
from tests.faults.pair import NewBroker, Pair, differences
from tests.support.cluster import Cluster, Daemon, until

SLOW_LINKS = ((0.02, 2e6), (0.05, float("inf")), (0.1, 500e3))
"""Delay in seconds and bytes a second of a link that is slow."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a run goes. It ends when it has had `kills` or after `seconds`, whichever is first."""

    seed: int
    kills: int
    seconds: float
    producers: int = 4
    senders: int = 8  # a producer
    members: int = 2
    pause_seconds: float = 1.0  # load between two faults, on average
    other_faults: float = 0.2  # part of the faults that are no kills


@dataclass
class Report:
    """What came of a run."""

    plan: Plan
    history: History
    found: Findings
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    log_bytes: int = 0
    recoveries: list[float] = field(default_factory=list)
    refusals: set[str] = field(default_factory=set)

    @property
    def kills(self) -> int:
        """How often a broker was killed."""
        return self.faults["kill master"] + self.faults["kill slave"]

    def summary(self) -> str:
        """Return one line."""
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        sends = ", ".join(f"{self.history.outcomes[outcome]} {outcome.value}" for outcome in Outcome)
        times = [round(seconds * 1000) for seconds in self.recoveries]
        again = f"; acknowledged again {median(times):.0f} ms after a kill, at most {max(times)} ms" if times else ""
        findings = ", ".join(f"{count} {kind}" for kind, count in sorted(self.found.counts.items())) or "0 violations"
        return (
            f"seed {self.plan.seed}: {faults} in {self.seconds:.0f} s; sends: {sends}; "
            f"{self.history.twice} stored twice, {self.history.read_again} consumed again{again}; "
            f"{self.log_bytes} bytes of log compared; {findings}"
        )


class Nemesis:
    """Does harm to a pair and makes it good again."""

    def __init__(self, pair: Pair, load: Load, random: Random) -> None:
        self._pair = pair
        self._load = load
        self._random = random
        self.done: Counter[str] = Counter()

    async def kill(self) -> None:
        """Kill a broker and start it again."""
        random, pair = self._random, self._pair
        if random.random() < 0.5:
            self.done["kill master"] += 1
            pair.master.kill()
            self._load.master_killed()
            await self._restart(pair.master)
        else:
            self.done["kill slave"] += 1
            pair.slave.kill()
            await self._restart(pair.slave)
        if random.random() < 0.8:  # else the next fault hits a pair that is not together
            await self._goes_on()

    async def _restart(self, broker: Daemon) -> None:
        await asyncio.sleep(self._random.choice((0.0, 0.0, 0.3)))
        await self._pair.start_broker(broker)

    async def other(self) -> None:
        """Have the slave stand still, or the link between the two be slow, stand still or break."""
        random, pair = self._random, self._pair
        name = random.choice(("freeze slave", "slow link", "held link", "cut link"))
        self.done[name] += 1
        seconds = random.uniform(1, 5)
        if name == "freeze slave":
            pair.slave.freeze()
            await asyncio.sleep(seconds)
            pair.slave.thaw()
        elif name == "slow link":
            pair.link.delay_seconds, pair.link.bytes_per_second = random.choice(SLOW_LINKS)
            await asyncio.sleep(seconds)
        elif name == "held link":
            pair.link.hold()
            await asyncio.sleep(seconds)
        else:
            for _ in range(random.randrange(1, 4)):
                pair.link.cut()
                await asyncio.sleep(0.3)
        pair.link.restore()
        await self._goes_on()

    async def _goes_on(self) -> None:
        """Wait until messages are acknowledged by both again."""
        before = self._load.acknowledged

        async def more() -> bool:
            self._load.check_running()
            return self._load.acknowledged > before

        await until(more, "messages are acknowledged after a fault", 60.0)


async def run(cluster: Cluster, new_broker: NewBroker, plan: Plan) -> Report:
    """Do a run and return what came of it; all daemons are stopped then."""
    random = Random(plan.seed)
    pair = Pair(cluster, new_broker)
    async with pair.link:
        await pair.start()
        load = Load(
            cluster, Random(random.random()), producers=plan.producers, senders=plan.senders, members=plan.members
        )
        nemesis = Nemesis(pair, load, random)
        load.start()
        loop = asyncio.get_running_loop()
        began = loop.time()
        kills = 0
        while kills < plan.kills and loop.time() - began < plan.seconds:
            await asyncio.sleep(random.uniform(0, 2 * plan.pause_seconds))
            load.check_running()
            if random.random() < plan.other_faults:
                await nemesis.other()
            else:
                await nemesis.kill()
                kills += 1
        seconds = loop.time() - began
        await pair.together()
        unconsumed = await load.finish(pair.master, pair.slave)
        found = load.history.check()
        if unconsumed:
            found.add("never consumed", f"{unconsumed} acknowledged messages never came to the group")
        await pair.together()
        await pair.slave.stop()
        await pair.master.stop()
    size, differ = differences(pair.master.store / "commitlog", pair.slave.store / "commitlog")
    for text in differ:
        found.add("logs differ", text)
    return Report(plan, load.history, found, nemesis.done, seconds, size, load.recoveries, load.refusals)
