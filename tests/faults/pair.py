"""The cluster under test: a name server, a master that waits for its slave and its disk, and a link between them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import loads_object
from tests.interop.java import JavaDaemon
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct
from tests.support.ports import free_port
from tests.support.slow_link import SlowLink

TOPIC: Final = "Faults"
BROKER: Final = "broker-a"
QUEUES: Final = 4
_PATIENCE_SECONDS: Final = 60.0
_READ_BYTES: Final = 1 << 20
_EXCHANGE_BROKER_HA_INFO: Final = 906

NewBroker = Callable[..., Daemon]


class Pair:
    """A master and its slave; `new_broker(name, id, **properties)` makes one, ours or RocketMQ's."""

    def __init__(self, cluster: Cluster, new_broker: NewBroker) -> None:
        self.cluster = cluster
        self.nameserver = cluster.nameserver()
        properties = {
            "flushDiskType": "SYNC_FLUSH",
            "inSyncReplicas": 2,
            "slaveTimeout": 2000,
            "slaveReadEnable": "true",
            "mappedFileSizeCommitLog": 4 << 20,
        }
        self.master = new_broker(BROKER, 0, **{**properties, "brokerRole": "SYNC_MASTER"})
        link_port = free_port()
        self.link = SlowLink(link_port, int(str(self.master.properties["haListenPort"])))
        self.slave = new_broker(BROKER, 1, **properties, haMasterAddress=self.link.address)

    async def start(self) -> None:
        """Start all three, and make the topic on both brokers."""
        await self.nameserver.start()
        await self.start_broker(self.master)
        await self.start_broker(self.slave)
        async with Direct() as direct:
            await direct.make_topic(self.master.address, TOPIC)
        await self.together()
        await until(self._slave_has_topic, "the slave has the topic", _PATIENCE_SECONDS)

    async def start_broker(self, broker: Daemon) -> None:
        """Start a broker and wait until it serves."""
        process = broker.launch()

        async def ready() -> bool:
            assert process.poll() is None, f"{broker.directory.name} ended:\n{broker.output()[-2000:]}"
            return broker.serves(process)

        await until(ready, f"{broker.directory.name} serves", _PATIENCE_SECONDS)
        if broker is self.slave and isinstance(broker, JavaDaemon):
            # It takes haMasterAddress before it has the part that would use it, and asks no name server either.
            async with Direct() as direct:
                await direct.tell(broker.address, _EXCHANGE_BROKER_HA_INFO, {"masterHaAddress": self.link.address})

    async def together(self) -> None:
        """Wait until the slave holds the whole log of the master."""

        async def level() -> bool:
            async with Direct() as direct:
                reply = await direct.tell(self.master.address, RequestCode.GET_BROKER_HA_STATUS)
            status = loads_object(reply.body)
            end = status["masterCommitLogMaxOffset"]
            return any(slave["slaveAckOffset"] == end for slave in status["haConnectionInfo"])

        await until(level, "the slave has the master's log", _PATIENCE_SECONDS)

    async def _slave_has_topic(self) -> bool:
        async with Direct() as direct:
            reply = await direct.tell(self.slave.address, RequestCode.GET_ALL_TOPIC_CONFIG)
        return TOPIC in loads_object(reply.body)["topicConfigTable"]


def differences(master: Path, slave: Path) -> tuple[int, list[str]]:
    """Compare two commit log directories; return the bytes of both, and where they differ.

    A file that only one has must hold nothing: RocketMQ makes the next one ahead of time.
    """
    names = {directory: {file.name for file in directory.iterdir()} for directory in (master, slave)}
    common = names[master] & names[slave]
    found = [
        f"only {directory.parent.parent.name} has {name}, which holds records"
        for directory, own in names.items()
        for name in sorted(own - common)
        if _holds_something(directory / name)
    ]
    size = 0
    for name in sorted(common):
        ours, theirs = (master / name).read_bytes(), (slave / name).read_bytes()
        size += len(ours)
        if ours != theirs:
            at = next((i for i in range(min(len(ours), len(theirs))) if ours[i] != theirs[i]), len(ours))
            found.append(f"{name} differs from byte {at} on")
    return size, found


def _holds_something(path: Path) -> bool:
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            if data.strip(b"\0"):
                return True
    return False
