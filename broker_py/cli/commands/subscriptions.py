"""mqadmin's commands about the settings of consumer groups (tools command/consumer)."""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from broker_py.admin.subscriptions import delete_group, delete_group_at, group_configs, group_topics, update_group
from broker_py.admin.targets import at_each, cluster_masters
from broker_py.cli.commands.render import fields_json
from broker_py.cli.commands.subcommand import (
    Answer,
    OutputOr,
    SubCommand,
    add_broker_or_cluster,
    answer_of_outcomes,
    checked,
    natural,
    planned,
    truth,
    whole,
)
from broker_py.cli.options import Exit, Parser
from broker_py.client.client import Client
from broker_py.model.group import GroupConfig

_RULE: Final = "=" * 29
# Field → (options, conversion, what it is). One that isn't given is the default of a group, but for these two, which
# RocketMQ's command sets to false.
_FALSE_UNLESS_GIVEN: Final = ("consume_from_min_enable", "consume_broadcast_enable")
_SETTINGS: Final[dict[str, tuple[tuple[str, str], Callable[[str], Any], str]]] = {
    "consume_enable": (("-s", "--consumeEnable"), truth, "may the group consume at all"),
    "consume_from_min_enable": (("-m", "--consumeFromMinEnable"), truth, "may it begin with the oldest message"),
    "consume_broadcast_enable": (("-d", "--consumeBroadcastEnable"), truth, "may each member get all messages"),
    "retry_queue_nums": (("-q", "--retryQueueNums"), natural, "queues of its retry topic"),
    "retry_max_times": (("-r", "--retryMaxTimes"), natural, "retries until a message is a dead letter"),
    "broker_id": (("-i", "--brokerId"), natural, "broker of a set to read from"),
    "which_broker_when_consume_slowly": (("-w", "--whichBrokerWhenConsumeSlowly"), natural, "the same when far behind"),
    "notify_consumer_ids_changed_enable": (("-a", "--notifyConsumerIdsChanged"), truth, "are members told of members"),
}


def _group_option(parser: Parser) -> None:
    parser.add_argument("-g", "--groupName", dest="group", required=True, metavar="GROUP", type=str.strip, help="group")


async def _get(client: Client, options: argparse.Namespace) -> Answer:
    found = await group_configs(client, options.group)
    lines: list[str] = []
    for broker, config in found:
        lines.append(f"{_RULE}{broker.cluster}:{broker.broker_name}{_RULE}")
        lines += [f"{name:<40}=  {_shown(value)}" for name, value in fields_json(config).items()]
    data = [
        {"clusterName": broker.cluster, "brokerName": broker.broker_name, **fields_json(config)}
        for broker, config in found
    ]
    if not found:
        note = f"no broker knows the consumer group {options.group}"
        return Answer(data=data, lines=[], notes=[note], status=Exit.FAILED)
    return Answer(data=data, lines=lines)


def _shown(value: object) -> object:
    """Return a value as properties and JSON have it."""
    return json.dumps(value) if isinstance(value, bool | dict) else value


def _update_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    _group_option(parser)
    for name, (flags, convert, summary) in _SETTINGS.items():
        metavar = "true|false" if convert is truth else "N"
        parser.add_argument(*flags, dest=name, type=checked(convert), metavar=metavar, help=summary)
    parser.add_argument(
        "-o", "--consumeMessageOrderly", dest="order", action=OutputOr, metavar="true|false", help="in their order"
    )
    parser.add_argument("-p", "--groupRetryPolicy", dest="policy", type=checked(_object), metavar="JSON", help="pauses")


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"'{text}' is not a JSON object")
    return value


async def _update(client: Client, options: argparse.Namespace) -> Answer:
    given: dict[str, Any] = dict.fromkeys(_FALSE_UNLESS_GIVEN, False)
    given |= {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    config = replace(GroupConfig(group_name=options.group), **given)
    if options.order is not None:
        config = replace(config, consume_message_orderly=options.order)
    if options.policy is not None:
        config = replace(config, group_retry_policy=options.policy)
    return answer_of_outcomes(
        await update_group(client, config, address=options.broker, cluster=options.cluster),
        lambda each: f"create subscription group to {each.address} success.",
        f"the consumer group {options.group} was not created",
    )


def _delete_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    _group_option(parser)
    parser.add_argument(
        "-r",
        "--removeOffset",
        dest="clean_offsets",
        type=checked(truth),
        default=False,
        metavar="true|false",
        help="also where it stands in its topics",
    )


async def _delete(client: Client, options: argparse.Namespace) -> Answer:
    if options.dry_run:
        return await _would_delete(client, options)
    if options.broker is not None:
        outcomes = await delete_group_at(client, options.group, options.broker, clean_offsets=options.clean_offsets)
    else:
        outcomes = await delete_group(client, options.group, options.cluster, clean_offsets=options.clean_offsets)
    return answer_of_outcomes(
        outcomes,
        lambda each: (
            f"delete subscription group [{options.group}] from broker [{each.address}] success."
            if each.topic is None
            else f"delete topic [{each.topic}] from {each.address} success"
        ),
        f"the consumer group {options.group} was not deleted",
    )


async def _would_delete(client: Client, options: argparse.Namespace) -> Answer:
    offsets = " and its offsets" if options.clean_offsets else ""
    if options.broker is not None:
        return planned(f"delete the group {options.group}{offsets}", [options.broker])
    masters = [broker.address for broker in await cluster_masters(client, options.cluster)]
    topics = " and ".join(group_topics(options.group))
    return planned(f"delete the group {options.group}{offsets} and the topics {topics}", masters)


def _mode_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    parser.add_argument("-t", "--topicName", dest="topic", required=True, metavar="TOPIC", type=str.strip, help="topic")
    _group_option(parser)
    parser.add_argument("-m", "--mode", required=True, choices=("PULL", "POP"), help="how its members consume")
    parser.add_argument(
        "-q",
        "--popShareQueueNum",
        dest="shared",
        type=checked(whole),
        default=0,
        metavar="N",
        help="how many queues of others a member may pop (0: of all)",
    )


async def _mode(client: Client, options: argparse.Namespace) -> Answer:
    if options.broker is not None:
        addresses = [options.broker]
    else:
        addresses = [broker.address for broker in await cluster_masters(client, options.cluster)]

    async def change(address: str) -> None:
        await client.administration.set_consume_mode(
            address, options.topic, options.group, options.mode, options.shared
        )

    answer = answer_of_outcomes(
        await at_each(addresses, change),
        lambda each: f"set consume mode to {each.address} success.",
        f"the consume mode of {options.group} was not changed",
    )
    if answer.lines:
        place = f"topic[{options.topic}] group[{options.group}]"
        answer.lines.append(f"{place} consume mode[{options.mode}] popShareQueueNum[{options.shared}]")
    return answer


COMMANDS: Final = {
    "getConsumerConfig": SubCommand(_group_option, _get),
    "updateSubGroup": SubCommand(_update_options, _update, takes_o=True),
    "deleteSubGroup": SubCommand(_delete_options, _delete, dry_run=True),
    "setConsumeMode": SubCommand(_mode_options, _mode),
}
