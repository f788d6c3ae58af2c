"""The brokers of a cluster and what they do now (tools command/cluster/ClusterListSubCommand)."""

import asyncio
from dataclasses import dataclass
from typing import Final

from broker_py.admin.targets import BrokerAddress, cluster_brokers
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError

_MS_PER_HOUR: Final = 3_600_000


@dataclass(frozen=True, kw_only=True)
class BrokerState:
    """One broker; `runtime` has its own words by RocketMQ's keys, and is empty when `error` says why there are none."""

    broker: BrokerAddress
    runtime: dict[str, str]
    error: BrokerPyError | None = None

    @property
    def version(self) -> str:
        """Such as V5_1_0."""
        return self.runtime.get("brokerVersionDesc", "")

    @property
    def active(self) -> bool:
        """True when it runs the services that only one of a broker name runs."""
        return self.runtime.get("brokerActive") == "true"

    @property
    def disk_ratio(self) -> float:
        """Used part of the disk that the commit log lies on, 0 to 1."""
        return self.number("commitLogDiskRatio")

    def number(self, key: str) -> float:
        """Return a value, or the first of several separated by blanks, as a number; 0 when there is none."""
        words = self.runtime.get(key, "").split()
        try:
            return float(words[0]) if words else 0.0
        except ValueError:
            return 0.0

    def hours(self, now_ms: int) -> float:
        """Return the age of the oldest message in hours; 0 without messages."""
        earliest_ms = self.number("earliestMessageTimeStamp")
        return (now_ms - earliest_ms) / _MS_PER_HOUR if earliest_ms > 0 else 0.0

    def grown(self, counter: str, since: str, until: str) -> int:
        """Return by how much `msgPutTotal` or `msgGetTotal` grew, such as from "TodayMorning" to "TodayNow"."""
        return int(self.number(counter + until) - self.number(counter + since))


async def cluster_list(client: Client, cluster: str | None = None) -> list[BrokerState]:
    """Return the state of every broker of one cluster or of all; a broker that is silent has an `error`."""

    async def state(broker: BrokerAddress) -> BrokerState:
        try:
            return BrokerState(broker=broker, runtime=await client.brokers.runtime_info(broker.address))
        except BrokerPyError as error:
            return BrokerState(broker=broker, runtime={}, error=error)

    return list(await asyncio.gather(*map(state, await cluster_brokers(client, cluster))))
