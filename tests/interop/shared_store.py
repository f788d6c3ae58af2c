"""One store that a broker of each kind may have, one after the other, at the same address, behind one name server."""

from typing import Final

from broker_py.wire.codes import RequestCode
from tests.interop.java import MixedCluster
from tests.support.cluster import Daemon, until
from tests.support.direct import Direct

BROKER: Final = "broker-a"
JAVA_SECONDS: Final = 60.0


class SharedStore:
    """A name server of ours, the two brokers, none of them started; `properties` are both brokers'."""

    def __init__(self, cluster: MixedCluster, **properties: object) -> None:
        self.nameserver = cluster.nameserver()
        self.ours = cluster.broker(BROKER, 0, **properties)
        # The id is another one only until here: it is part of the directory's name.
        self.java = cluster.java_broker(BROKER, 1, **properties)
        self.java.port = self.ours.port
        self.java.properties |= {
            "listenPort": self.ours.port,
            "haListenPort": self.ours.properties["haListenPort"],
            "brokerId": 0,
            "brokerRole": "ASYNC_MASTER",
            "storePathRootDir": self.ours.store,
            "timerWheelEnable": "true",
        }

    def in_turn(self, first: str) -> tuple[Daemon, Daemon]:
        """Return the brokers in the order in which they get the store: "ours" or "java" first."""
        return (self.ours, self.java) if first == "ours" else (self.java, self.ours)

    async def start(self, broker: Daemon) -> None:
        """Start one of them; return when clients find it."""
        if self.nameserver.process is None:
            await self.nameserver.start()
        await broker.start()
        async with Direct() as direct:

            async def routed() -> bool:
                reply = await direct.ask(
                    self.nameserver.address, RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": "TBW102"}
                )
                return reply.code == 0 and broker.address in reply.body.decode()

            await until(routed, "the name server knows the broker", JAVA_SECONDS)

    async def make_topics(self, broker: Daemon, *topics: str) -> None:
        """Give the one that runs topics of four queues; return when they have routes."""
        async with Direct() as direct:
            for topic in topics:
                await direct.make_topic(broker.address, topic)

            async def routed() -> bool:
                replies = [
                    await direct.ask(self.nameserver.address, RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})
                    for topic in topics
                ]
                return all(reply.code == 0 for reply in replies)

            await until(routed, "the topics have routes", JAVA_SECONDS)

    async def end(self, broker: Daemon, how: str) -> None:
        """Stop ("stopped") or kill ("killed") the one that runs."""
        if how == "killed":
            broker.kill()
        else:
            await broker.stop()
