"""The modules that talk to a cluster, opposite RocketMQ's own name server and brokers."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage
from broker_py.errors import RequestFailed
from broker_py.model.message_queue import MessageQueue
from plugins.module_utils.cluster import ClusterFault
from plugins.modules import (
    broker_config,
    broker_permission,
    cluster_info,
    subscription_group,
    topic,
    topic_shrink,
)
from tests.interop.java import MixedCluster, why_not
from tests.support.cluster import CLUSTER_NAME, until

JAVA_SECONDS = 60.0

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(240),
]

Work = Callable[[Client, Any, bool], Awaitable[dict[str, Any]]]


async def twice(client: Client, work: Work, params: dict[str, Any]) -> None:
    """Have a module change something, and change nothing the second time."""
    assert [(await work(client, params, False))["changed"] for _ in range(2)] == [True, False]


async def test_a_cluster_of_rocketmq_is_told_and_changed(cluster: MixedCluster) -> None:
    await cluster.java_nameserver().start()
    master = cluster.java_broker()
    await master.start()
    slave = cluster.java_broker("broker-a", 1)
    await slave.start()
    group: dict[str, Any] = dict.fromkeys(subscription_group.SETTINGS_OPTIONS)
    target = {"name": "orders", "cluster": CLUSTER_NAME, "brokers": None, "state": "present", "force": False}
    counts = {"queues": 4, "read_queues": None, "write_queues": None, "perm": None}
    async with cluster.client() as client:

        async def told() -> dict[str, Any]:
            everything = {"cluster": CLUSTER_NAME, "broker_name": "", "groups": True, "settings": True}
            return await cluster_info.tell(client, everything, False)

        async def well() -> bool:
            now = await told()
            return now["problems"] == [] and len(now["brokers"]) == 2

        await until(well, "the slave is in sync", JAVA_SECONDS)
        wanted = {**target, **counts, "order": True, "attributes": {"message.type": "FIFO"}}
        await twice(client, topic.bring, wanted)
        readers = {**group, **target, "name": "readers", "clean_offsets": False, "retry_max_times": 3}
        await twice(client, subscription_group.bring, readers)
        one = {"address": master.address, "broker_name": None, "cluster": None, "slaves": False}
        await twice(client, broker_config.bring, {**one, "properties": {"fileReservedTime": 99}})
        for write in (False, True):
            permission = {"address": master.address, "read": True, "write": write, "wait_seconds": JAVA_SECONDS}
            await twice(client, broker_permission.bring, permission)
        now = await told()
        assert now["topics"]["broker-a"]["orders"]["attributes"] == {"message.type": "FIFO"}
        assert now["subscription_groups"]["broker-a"]["readers"]["retry_max_times"] == 3

        queue = MessageQueue("orders", "broker-a", 3)
        producer = client.producer("producers")

        async def send() -> int:
            return (await producer.send_to(OutgoingMessage(topic="orders", body=b"m"), queue)).queue_offset + 1

        await client.queues.commit_offset("readers", queue, await send() - 1)

        async def left() -> bool:
            groups: dict[str, Any] = (await told())["groups"]
            return groups == {"readers": {"orders": 1}}

        await until(left, "the queue shows its message", JAVA_SECONDS)
        fewer: dict[str, Any] = {
            **target,
            "queues": 2,
            "ignore_groups": [],
            "without_groups": False,
            "settle_seconds": 1,
        }
        with pytest.raises(ClusterFault, match="the group readers has 1 messages left in queue 3 of broker-a"):
            await topic_shrink.shrink(client, {**fewer, "timeout_seconds": 3}, False)
        await client.queues.commit_offset("readers", queue, 1)
        await twice(client, topic_shrink.shrink, {**fewer, "timeout_seconds": JAVA_SECONDS})
        with pytest.raises(RequestFailed, match="queueId"):
            await send()

        await twice(client, subscription_group.bring, {**readers, "state": "absent", "clean_offsets": True})
        await twice(client, topic.bring, {**wanted, "state": "absent"})
