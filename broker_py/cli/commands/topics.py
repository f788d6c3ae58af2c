"""mqadmin's commands about topics (tools command/topic)."""

import argparse
import json
from typing import Final

from broker_py.admin.targets import cluster_masters
from broker_py.admin.topics import (
    delete_topic,
    find_topic,
    topic_list,
    topic_route,
    topic_status,
    topic_uses,
    update_topic,
    update_topic_perm,
)
from broker_py.cli.commands.render import fields_json, table, time_text
from broker_py.cli.commands.subcommand import (
    Answer,
    OutputOr,
    SubCommand,
    add_broker_or_cluster,
    answer_of_outcomes,
    checked,
    natural,
    planned,
    topic_option,
    truth,
)
from broker_py.cli.options import Exit, Parser
from broker_py.client.client import Client
from broker_py.model.route import TopicRoute
from broker_py.model.topic import PERM_READ, PERM_WRITE, TopicConfig, topic_name_fault

_PERMS: Final = (PERM_WRITE, PERM_READ, PERM_READ | PERM_WRITE)
_QUEUE_NUMS: Final = 8
# common sysflag/TopicSysFlag
_UNIT: Final = 1
_UNIT_SUBSCRIBED: Final = 2


def _perm_option(parser: Parser, required: bool) -> None:
    parser.add_argument(
        "-p",
        "--perm",
        type=int,
        choices=_PERMS,
        required=required,
        default=_PERMS[-1],
        help="permission: 2 write, 4 read, 6 both",
    )


def _list_options(parser: Parser) -> None:
    parser.add_argument(
        "-c", "--clusterModel", dest="uses", action="store_true", help="with clusters and consumer groups"
    )


async def _list(client: Client, options: argparse.Namespace) -> Answer:
    if not options.uses:
        names = await topic_list(client)
        return Answer(data=names, lines=names)
    uses = await topic_uses(client)
    rows = [(use.cluster, use.topic, group) for use in uses for group in use.groups or ("",)]
    data = [{"clusterName": use.cluster, "topic": use.topic, "groups": list(use.groups)} for use in uses]
    return Answer(data=data, lines=table(("Cluster Name", "Topic", "Consumer Group"), rows))


def _route_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-l", "--list", dest="as_list", action="store_true", help="as a table and not as JSON")


async def _route(client: Client, options: argparse.Namespace) -> Answer:
    route = await topic_route(client, options.topic)
    data = route.to_json()
    return Answer(data=data, lines=_route_table(route) if options.as_list else [json.dumps(data, indent=2)])


def _route_table(route: TopicRoute) -> list[str]:
    queues = {each.broker_name: each for each in route.queue_datas}
    rows: list[tuple[object, ...]] = []
    for broker in sorted(route.broker_datas, key=lambda each: each.broker_name):
        addresses = ", ".join(f"{number}={address}" for number, address in sorted(broker.broker_addrs.items()))
        mine = queues.get(broker.broker_name)
        numbers = (mine.read_queue_nums, mine.write_queue_nums, mine.perm) if mine else (0, 0, 0)
        rows.append((broker.cluster, broker.broker_name, f"{{{addresses}}}", *numbers))
    reads = sum(each.read_queue_nums for each in route.queue_datas)
    writes = sum(each.write_queue_nums for each in route.queue_datas)
    rows.append(("Total:", len(queues), "", reads, writes, ""))
    return table(("ClusterName", "BrokerName", "BrokerAddrs", "ReadQueue", "WriteQueue", "Perm"), rows)


async def _status(client: Client, options: argparse.Namespace) -> Answer:
    queues = await topic_status(client, options.topic)
    rows = [
        (each.broker_name, each.queue_id, each.min_offset, each.max_offset, time_text(each.last_update_ms))
        for each in queues
    ]
    return Answer(
        data=[fields_json(each) for each in queues],
        lines=table(("Broker Name", "QID", "Min Offset", "Max Offset", "Last Updated"), rows),
    )


def _update_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    topic_option(parser)
    parser.add_argument("-r", "--readQueueNums", dest="reads", metavar="N", type=checked(natural), default=_QUEUE_NUMS)
    parser.add_argument(
        "-w", "--writeQueueNums", dest="writes", metavar="N", type=checked(natural), default=_QUEUE_NUMS
    )
    _perm_option(parser, required=False)
    parser.add_argument(
        "-o", "--order", action=OutputOr, default=False, metavar="true|false", help="messages of a key keep their queue"
    )
    parser.add_argument("-u", "--unit", type=checked(truth), default=False, metavar="true|false", help="unit topic")
    parser.add_argument(
        "-s", "--hasUnitSub", dest="unit_subscribed", type=checked(truth), default=False, metavar="true|false"
    )
    parser.add_argument("-a", "--attributes", metavar="CHANGES", help="such as +message.type=FIFO,-cleanup.policy")


async def _update(client: Client, options: argparse.Namespace) -> Answer:
    fault = topic_name_fault(options.topic)
    if fault is not None:
        return Answer(data={"error": fault}, lines=[], notes=[fault], status=Exit.FAILED)
    config = TopicConfig(
        topic_name=options.topic,
        read_queue_nums=options.reads,
        write_queue_nums=options.writes,
        perm=options.perm,
        order=options.order,
        topic_sys_flag=(_UNIT if options.unit else 0) | (_UNIT_SUBSCRIBED if options.unit_subscribed else 0),
    )
    outcomes = await update_topic(
        client, config, attributes=options.attributes, address=options.broker, cluster=options.cluster
    )
    return answer_of_outcomes(
        outcomes,
        lambda each: (
            f"create topic to {each.address} success: {config.topic_name} with {config.read_queue_nums} read and "
            f"{config.write_queue_nums} write queues, perm {config.perm}"
        ),
        f"the topic {config.topic_name} was not created",
    )


def _delete_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-c", "--clusterName", dest="cluster", metavar="NAME", required=True, help="on this cluster")


async def _delete(client: Client, options: argparse.Namespace) -> Answer:
    if options.dry_run:
        masters = [broker.address for broker in await cluster_masters(client, options.cluster)]
        having = [each for each in masters if await find_topic(client, each, options.topic) is not None]
        messages = 0
        for each in having:
            queues = await client.brokers.topic_status(each, options.topic)
            messages += sum(queue.max_offset - queue.min_offset for queue in queues)
        what = f"delete the topic {options.topic}, {messages} messages on all masters together,"
        return planned(what, [*having, *client.name_servers.addresses])
    outcomes = await delete_topic(client, options.topic, options.cluster)
    return answer_of_outcomes(
        outcomes,
        lambda each: f"delete topic [{options.topic}] from {each.address} success",
        f"the topic {options.topic} was not deleted",
    )


def _perm_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    topic_option(parser)
    _perm_option(parser, required=True)


async def _perm(client: Client, options: argparse.Namespace) -> Answer:
    changes = await update_topic_perm(
        client, options.topic, options.perm, address=options.broker, cluster=options.cluster
    )
    old_perms = {each.outcome.address: each.old_perm for each in changes}
    return answer_of_outcomes(
        [each.outcome for each in changes],
        lambda each: f"update topic perm from {old_perms[each.address]} to {options.perm} in {each.address} success",
        f"the permission of {options.topic} was not changed",
    )


COMMANDS: Final = {
    "topicList": SubCommand(_list_options, _list),
    "topicRoute": SubCommand(_route_options, _route),
    "topicStatus": SubCommand(topic_option, _status, watched=True),
    "updateTopic": SubCommand(_update_options, _update, takes_o=True),
    "deleteTopic": SubCommand(_delete_options, _delete, dry_run=True),
    "updateTopicPerm": SubCommand(_perm_options, _perm),
}
