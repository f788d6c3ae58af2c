"""mqadmin's commands about where a topic's queues are: clusters, order, allocation (tools command/topic)."""

import argparse
import json
from typing import Final

from broker_py.admin.targets import NotKnown, at_each
from broker_py.admin.topics import ORDER_NAMESPACE
from broker_py.cli.commands.subcommand import Answer, SubCommand, answer_of_outcomes, planned, topic_option
from broker_py.cli.options import Parser
from broker_py.client.allocation import allocate_averagely
from broker_py.client.client import Client
from broker_py.errors import ConfigError


async def _clusters(client: Client, options: argparse.Namespace) -> Answer:
    route = await client.name_servers.route(options.topic)
    names = sorted({broker.cluster for broker in route.broker_datas})
    return Answer(data=names, lines=names)


def _order_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-m", "--method", required=True, choices=("put", "get", "delete"), help="what to do")
    parser.add_argument(
        "-v", "--orderConf", dest="conf", metavar="BROKER:N;...", help="with -m put: brokers and queues"
    )


async def _order(client: Client, options: argparse.Namespace) -> Answer:
    topic = options.topic
    if options.method == "get":
        conf = await client.name_servers.kv_config(ORDER_NAMESPACE, topic)
        if conf is None:
            raise NotKnown(f"the topic {topic} has no order configuration")
        return Answer(
            data={"topic": topic, "orderConf": conf},
            lines=[f"get orderConf success. topic=[{topic}], orderConf=[{conf}]"],
        )
    servers = list(client.name_servers.addresses)
    if options.method == "delete":
        if options.dry_run:
            return planned(f"delete the order configuration of {topic}", servers)

        async def delete(address: str) -> None:
            await client.name_servers.delete_kv_config(address, ORDER_NAMESPACE, topic)

        return answer_of_outcomes(
            await at_each(servers, delete),
            lambda each: f"delete orderConf success. topic=[{topic}] {each.address}",
            f"the order configuration of {topic} was not deleted",
        )
    conf = (options.conf or "").strip()
    if not conf or not all(part.rpartition(":")[0] and part.rpartition(":")[2].isdecimal() for part in conf.split(";")):
        raise ConfigError("please set orderConf with option -v, such as broker-a:4;broker-b:4")
    if options.dry_run:
        return planned(f"give {topic} the order configuration {conf}", servers)

    async def put(address: str) -> None:
        await client.name_servers.put_kv_config(address, ORDER_NAMESPACE, topic, conf)

    return answer_of_outcomes(
        await at_each(servers, put),
        lambda each: f"update orderConf success. topic=[{topic}], orderConf=[{conf}] {each.address}",
        f"the order configuration of {topic} was not changed",
    )


def _allocate_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-i", "--ipList", dest="members", required=True, metavar="IP,IP", help="the consumers")


async def _allocate(client: Client, options: argparse.Namespace) -> Answer:
    queues = await client.queues.queues(options.topic)
    members = [member.strip() for member in options.members.split(",") if member.strip()]
    result = {member: [queue.to_json() for queue in allocate_averagely(queues, members, member)] for member in members}
    data = {"result": result}
    return Answer(data=data, lines=[json.dumps(data)])


COMMANDS: Final = {
    "topicClusterList": SubCommand(topic_option, _clusters),
    "updateOrderConf": SubCommand(_order_options, _order, dry_run=True),
    "allocateMQ": SubCommand(_allocate_options, _allocate),
}
