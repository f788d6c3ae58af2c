"""What a cluster consists of and does, as RocketMQ's tools write it to files (tools command/export)."""

from dataclasses import replace
from typing import Any, Final

from broker_py.admin.clusters import BrokerState
from broker_py.admin.groups import is_system_group
from broker_py.admin.statistics import PUTS
from broker_py.admin.targets import BrokerAddress, cluster_brokers, cluster_masters
from broker_py.admin.topics import is_own_topic
from broker_py.admin.versions import version_text
from broker_py.client.administration import Rate
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError
from broker_py.model.group import GroupConfig
from broker_py.model.route import MASTER_ID
from broker_py.model.topic import DLQ_PREFIX, HALF_TOPIC, RETRY_PREFIX, SCHEDULE_TOPIC, TopicConfig

_PROPERTIES: Final = (
    "brokerClusterName",
    "brokerId",
    "brokerName",
    "brokerRole",
    "fileReservedTime",
    "filterServerNums",
    "flushDiskType",
    "maxMessageSize",
    "messageDelayLevel",
    "msgTraceTopicName",
    "slaveReadEnable",
    "traceOn",
    "traceTopicEnable",
    "useTLS",
    "autoCreateTopicEnable",
    "autoCreateSubscriptionGroup",
)


async def broker_topics(
    client: Client, address: str, *, with_special: bool, cluster: str = "", broker_name: str = ""
) -> dict[str, TopicConfig]:
    """Return a broker's topics without its own; retry and dead-letter topics only `with_special`."""
    return {
        name: config
        for name, config in (await client.brokers.topics(address)).items()
        if (name.startswith((RETRY_PREFIX, DLQ_PREFIX)) and with_special)
        or not is_own_topic(name, cluster, broker_name)
    }


async def broker_groups(client: Client, address: str) -> dict[str, GroupConfig]:
    """Return a broker's consumer groups without those that every broker has."""
    return {
        name: config for name, config in (await client.brokers.groups(address)).items() if not is_system_group(name)
    }


async def cluster_metadata(
    client: Client, cluster: str, *, with_special: bool
) -> tuple[dict[str, TopicConfig], dict[str, GroupConfig]]:
    """Return a cluster's topics and groups; numbers of queues are those of all masters together."""
    topics: dict[str, TopicConfig] = {}
    groups: dict[str, GroupConfig] = {}
    for broker in await cluster_masters(client, cluster):
        found = await broker_topics(
            client, broker.address, with_special=with_special, cluster=cluster, broker_name=broker.broker_name
        )
        for name, topic in found.items():
            known = topics.get(name)
            topics[name] = (
                topic
                if known is None
                else replace(
                    topic,
                    read_queue_nums=known.read_queue_nums + topic.read_queue_nums,
                    write_queue_nums=known.write_queue_nums + topic.write_queue_nums,
                )
            )
        for name, group in (await broker_groups(client, broker.address)).items():
            before = groups.get(name)
            groups[name] = (
                group
                if before is None
                else replace(group, retry_queue_nums=before.retry_queue_nums + group.retry_queue_nums)
            )
    return topics, groups


async def cluster_settings(client: Client, cluster: str) -> dict[str, Any]:
    """Return the settings of a cluster's masters that matter elsewhere, and how large it is."""
    brokers = await cluster_brokers(client, cluster)
    masters = [broker for broker in brokers if broker.broker_id == MASTER_ID]
    configs: dict[str, dict[str, str]] = {}
    for broker in masters:
        properties = await client.brokers.config(broker.address)
        configs[broker.broker_name] = {name: properties[name] for name in _PROPERTIES if name in properties}
    return {
        "brokerConfigs": configs,
        "clusterScale": {
            "namesrvSize": len(client.name_servers.addresses),
            "masterBrokerSize": len(masters),
            "slaveBrokerSize": len(brokers) - len(masters),
        },
    }


async def cluster_metrics(client: Client, cluster: str) -> dict[str, Any]:
    """Return the rates, counts and sizes of a cluster's masters, and their sums."""
    report: dict[str, Any] = {}
    for broker in await cluster_masters(client, cluster):
        report[broker.broker_name] = await _metrics(client, broker)
    quotas = [each["runtimeQuota"] for each in report.values()]
    rates = ("normalInTps", "normalOutTps", "transInTps", "scheduleInTps")
    counts = ("normalOneDayInNum", "normalOneDayOutNum", "transOneDayInNum", "scheduleOneDayInNum")
    total_tps = {f"total{name[0].upper()}{name[1:]}": sum(each["tps"][name] for each in quotas) for name in rates}
    total_day = {name: sum(each["oneDayNum"][name] for each in quotas) for name in counts}
    return {"evaluateReport": report, "totalData": {"totalTps": total_tps, "totalOneDayNum": total_day}}


async def _metrics(client: Client, broker: BrokerAddress) -> dict[str, Any]:
    address = broker.address
    state = BrokerState(broker=broker, runtime=await client.brokers.runtime_info(address))
    properties = await client.brokers.config(address)
    topics = await broker_topics(
        client, address, with_special=False, cluster=broker.cluster, broker_name=broker.broker_name
    )
    groups = await broker_groups(client, address)
    halves = await _rate(client, address, HALF_TOPIC)
    delayed = await _rate(client, address, SCHEDULE_TOPIC)
    env = {
        "cpuNum": properties.get("clientCallbackExecutorThreads"),
        "totalMemKBytes": state.runtime.get("totalMemKBytes"),
    }
    return {
        "runtimeEnv": {name: value for name, value in env.items() if value is not None},
        "runtimeQuota": {
            "diskRatio": {name: state.runtime.get(name) for name in ("commitLogDiskRatio", "consumeQueueDiskRatio")},
            "tps": {
                "normalInTps": state.number("putTps"),
                "normalOutTps": state.number("getTransferredTps"),
                "transInTps": halves.per_second,
                "scheduleInTps": delayed.per_second,
            },
            "oneDayNum": {
                "normalOneDayInNum": state.grown("msgPutTotal", "YesterdayMorning", "TodayMorning"),
                "normalOneDayOutNum": state.grown("msgGetTotal", "YesterdayMorning", "TodayMorning"),
                "transOneDayInNum": halves.last_day,
                "scheduleOneDayInNum": delayed.last_day,
            },
            "messageAverageSize": state.runtime.get("putMessageAverageSize"),
            "topicSize": len(topics),
            "groupSize": len(groups),
        },
        "runtimeVersion": {"rocketmqVersion": state.version, "clientInfo": await _clients(client, address, groups)},
    }


async def _rate(client: Client, address: str, topic: str) -> Rate:
    try:
        return await client.administration.rate(address, PUTS, topic)
    except BrokerPyError:  # nothing was counted
        return Rate(per_second=0.0, last_day=0)


async def _clients(client: Client, address: str, groups: dict[str, GroupConfig]) -> list[str]:
    """Return languages and versions of all consumers, `JAVA%V5_1_0`."""
    found: set[str] = set()
    for group in groups:
        try:
            connections = await client.brokers.group_connections(address, group)
        except BrokerPyError:
            continue
        found.update(f"{each.language}%{version_text(each.version)}" for each in connections.clients)
    return sorted(found)
