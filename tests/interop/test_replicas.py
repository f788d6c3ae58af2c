"""Masters and slaves of different kinds: the same bytes, the same queues, the same tables, and reads from the slave.

REPLICATED_MESSAGES=100000 pytest tests/interop/test_replicas.py     (a few thousand without)
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from broker_py.admin.replication import replication_status
from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import loads_object
from tests.interop.contents import SYSTEM_QUEUES, Contents, Held
from tests.interop.java import MixedCluster, why_not
from tests.support.cluster import PATIENCE, Daemon, until
from tests.support.direct import Direct

MESSAGES: Final = int(os.environ.get("REPLICATED_MESSAGES", "3000"))
SECONDS: Final = 120.0 + MESSAGES / 100
TOPICS: Final = ("Orders", "Invoices", "Parcels")
QUEUES: Final = {**dict.fromkeys(TOPICS, 4), **SYSTEM_QUEUES}
DELAYED, HALF = 40, 30
_MARKS_SECONDS: Final = 4.0  # brokers gather for 3 s what they mark as ended
GROUP: Final = b'{"groupName":"readers","retryMaxTimes":5}'
MODE: Final = b'{"topic":"Orders","consumerGroup":"readers","mode":"POP","popShareQueueNum":2}'
DELAY_OFFSETS: Final = (
    '{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1700000000000},"offsetTable":{3:0,5:0}}'
)

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(4 * SECONDS * PATIENCE),
]


class Pair:
    """A master and a slave, one of them Java's."""

    def __init__(self, cluster: MixedCluster, master: str, directory: Path) -> None:
        self.cluster = cluster
        self.nameserver = cluster.nameserver()
        self.master: Daemon
        self.slave: Daemon
        self.contents = Contents(directory, self.nameserver.address)
        same = {
            "mappedFileSizeConsumeQueue": 20_000,
            "timerWheelEnable": "true",
            "slaveReadEnable": "true",
            "transactionCheckInterval": 3_600_000,  # nobody is asked about half messages by itself
            "transactionTimeOut": 3_600_000,
        }
        if master == "ours":
            self.master, self.slave = cluster.broker(**same), cluster.java_broker("broker-a", 1, **same)
        else:
            self.master, self.slave = cluster.java_broker(**same), cluster.broker("broker-a", 1, **same)
        self.of_java = self.slave if master == "ours" else self.master

    async def level(self) -> None:
        """Wait until the slave holds, and has dispatched, all that its master has."""
        async with Direct() as direct:

            async def reached() -> bool:
                ends = []
                for broker in (self.master, self.slave):
                    body = (await direct.tell(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)).body
                    table = loads_object(body)["table"]
                    ends.append((table["commitLogMaxOffset"], table["dispatchBehindBytes"]))
                return ends[0] == ends[1] and ends[0][1] == "0"

            await until(reached, "the slave has the master's log", SECONDS)

    async def same_tables(self) -> None:
        """Wait until the slave has topics, groups, consumer and delay offsets of its master."""

        async def equal() -> bool:
            async with Direct() as direct:
                found = [await tables(direct, broker) for broker in (self.master, self.slave)]
            return found[0] == found[1]

        await until(equal, "the slave has the master's tables", SECONDS)


async def tables(direct: Direct, broker: Daemon) -> dict[str, Any]:
    """Return what slaves copy, without the versions of groups, which no kind copies alike."""

    async def asked(code: int) -> dict[str, Any]:
        return loads_object((await direct.tell(broker.address, code)).body)

    topics = (await asked(RequestCode.GET_ALL_TOPIC_CONFIG))["topicConfigTable"]
    groups = (await asked(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG))["subscriptionGroupTable"]
    offsets = (await asked(RequestCode.GET_ALL_CONSUMER_OFFSET))["offsetTable"]
    return {
        "topics": {name: topics.get(name) for name in QUEUES},
        "readers": groups.get("readers"),
        "offsets": offsets.get("Orders@readers"),
        "delays": (await asked(RequestCode.GET_ALL_DELAY_OFFSET))["offsetTable"],
        "modes": (await asked(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE))["messageRequestModeMap"],
    }


def files_of(directory: Path) -> dict[str, bytes]:
    """Return the files below a directory but those that hold nothing yet, being made in advance."""
    found: dict[str, bytes] = {}
    for path in sorted(directory.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if data.strip(b"\0"):
            found[str(path.relative_to(directory))] = data
    return found


@pytest.mark.parametrize("master", ["ours", "java"])
async def test_a_slave_of_the_other_kind_becomes_its_masters_copy(
    cluster: MixedCluster, tmp_path: Path, master: str
) -> None:
    pair = Pair(cluster, master, tmp_path / "client")
    await pair.nameserver.start()
    if master == "ours":
        (pair.master.store / "config").mkdir(parents=True)
        (pair.master.store / "config" / "delayOffset.json").write_text(DELAY_OFFSETS)
    await pair.master.start()
    async with Direct() as direct:
        for topic in TOPICS:
            await direct.make_topic(pair.master.address, topic)
        await direct.tell(pair.master.address, RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=GROUP)
        await direct.tell(pair.master.address, RequestCode.SET_MESSAGE_REQUEST_MODE, body=MODE)
    await pair.slave.start()
    began = time.monotonic()
    await pair.contents.fill("run", TOPICS, MESSAGES, DELAYED, HALF)
    filled = time.monotonic()
    await pair.contents.commit("broker-a", "Orders", 1, 77)
    await pair.level()
    sys.stdout.write(
        f"{MESSAGES} messages sent in {filled - began:.1f} s, level {time.monotonic() - filled:.1f} s later\n"
    )
    await pair.same_tables()
    await asyncio.sleep(_MARKS_SECONDS)
    await pair.level()
    if master == "java":
        async with cluster.client() as client:
            (status,) = (await replication_status(client, address=pair.slave.address)).values()
        assert status.fault == ""
    async with Direct() as direct:
        assert "Orders" in (await tables(direct, pair.slave))["modes"]
    at_master = await pair.contents.held("broker-a", QUEUES)
    assert len([key for key in at_master.messages if key[0] in TOPICS]) >= MESSAGES
    said = (pair.of_java.directory / "logs" / "rocketmqlogs" / "broker.log").read_text(errors="replace")
    for failure in (
        "SyncTimerMetrics Exception",
        "SyncMessageRequestMode Exception",
        "SyncSubscriptionGroup Exception",
        "Exception, " + pair.master.address,
    ):
        assert failure not in said
    await pair.master.stop()

    async def at_slave() -> Held | None:
        held = await pair.contents.held("broker-a", QUEUES)
        return held if held.messages else None

    read = await until(at_slave, "the slave is read", SECONDS)
    assert {place: read.messages.get(place) for place in at_master.messages} == at_master.messages
    assert read.offsets["Orders", 1] == 77
    await pair.slave.stop()
    assert files_of(pair.slave.store / "commitlog") == files_of(pair.master.store / "commitlog")
    assert files_of(pair.slave.store / "consumequeue") == files_of(pair.master.store / "consumequeue")
