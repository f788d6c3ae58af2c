"""mqadmin's commands about clients: who is connected, what it does (tools command/connection, producer, consumer)."""

import argparse
from typing import Any, Final

from broker_py.admin.connections import consumer_connection, member_states, producer_connection, stuck_queues
from broker_py.admin.versions import version_text
from broker_py.cli.commands.render import table, time_text
from broker_py.cli.commands.subcommand import Answer, SubCommand, topic_option
from broker_py.cli.options import Exit, Parser
from broker_py.client.administration import member_of
from broker_py.client.client import Client
from broker_py.model.fields import dict_of, objects_of
from broker_py.model.message_queue import MessageQueue

_MEMBER: Final = ("ClientId", "ClientAddr", "Language", "Version")


def _group_option(parser: Parser, name: str) -> None:
    parser.add_argument("-g", f"--{name}", dest="group", required=True, metavar="GROUP", type=str.strip, help="group")


def _broker_option(parser: Parser) -> None:
    parser.add_argument("-b", "--brokerAddr", dest="broker", metavar="ADDR", help="ask only this broker, by host:port")


def _consumer_options(parser: Parser) -> None:
    _group_option(parser, "consumerGroup")
    _broker_option(parser)


def _member_row(item: dict[str, Any]) -> tuple[str, str, str, str]:
    client_id, address, language, version = member_of(item)
    return client_id, address, language, version_text(version)


async def _consumer(client: Client, options: argparse.Namespace) -> Answer:
    found = await consumer_connection(client, options.group, options.broker)
    subscriptions = dict_of(found, "subscriptionTable").values()
    lines = [
        *table(_MEMBER, [_member_row(each) for each in objects_of(found, "connectionSet")]),
        "",
        "Below is subscription:",
        *table(("Topic", "SubExpression"), [(each.get("topic"), each.get("subString")) for each in subscriptions]),
        "",
        f"ConsumeType: {found.get('consumeType')}",
        f"MessageModel: {found.get('messageModel')}",
        f"ConsumeFromWhere: {found.get('consumeFromWhere')}",
    ]
    return Answer(data=found, lines=lines)


def _producer_options(parser: Parser) -> None:
    _group_option(parser, "producerGroup")
    topic_option(parser)


async def _producer(client: Client, options: argparse.Namespace) -> Answer:
    members = await producer_connection(client, options.group, options.topic)
    rows = [_member_row(each) for each in members]
    lines = [f"{number:04d}  {'  '.join(row)}" for number, row in enumerate(rows, 1)]
    return Answer(data=members, lines=lines)


def _producers_options(parser: Parser) -> None:
    parser.add_argument("-b", "--broker", dest="broker", required=True, metavar="ADDR", help="the broker, by host:port")


async def _producers(client: Client, options: argparse.Namespace) -> Answer:
    found = await client.administration.producers(options.broker)
    lines: list[str] = []
    for group in sorted(found):
        members = [each for each in found[group] or () if isinstance(each, dict)]
        if not members:
            lines.append(f"producer group ({group}) instances are empty")
        for each in members:
            client_id = each.get("clientId")
            rest = (
                f"remoteIP={each.get('remoteIP')}, language={each.get('language')}, version={each.get('version')}, "
                f"lastUpdateTimestamp={each.get('lastUpdateTimestamp')}"
            )
            lines.append(f"producer group ({group}) instance : clientId={client_id}, {rest}")
    return Answer(data=found, lines=lines)


def _status_options(parser: Parser) -> None:
    _consumer_options(parser)
    parser.add_argument("-i", "--clientId", dest="client_id", metavar="ID", help="one member, in full")
    parser.add_argument("-s", "--jstack", dest="stacks", action="store_true", help="with the stacks of its threads")


async def _status(client: Client, options: argparse.Namespace) -> Answer:
    """RocketMQ writes each member to a file of the working directory; here all is in the output."""
    states = await member_states(
        client, options.group, options.broker, client_id=options.client_id, stacks=options.stacks
    )
    if options.client_id is not None:
        state = states[0]
        if state.error is not None:
            raise state.error
        return Answer(data=_info_json(state.info), lines=_info_lines(state.info))
    rows = [(n, state.client_id, version_text(state.version)) for n, state in enumerate(states, 1)]
    subscriptions = [_subscriptions(state.info) for state in states if state.error is None]
    same = all(each == subscriptions[0] for each in subscriptions)
    stuck = [each for state in states for each in stuck_queues(state, client.now_ms())]
    lines = table(("Index", "ClientId", "Version"), rows)
    if subscriptions:
        lines += [
            "",
            "Same subscription in the same group of consumer"
            if same
            else "WARN: Different subscription in the same group of consumer!!!",
            *(["", "Rebalance OK"] if same else []),
            *stuck,
        ]
    failed = [state for state in states if state.error is not None]
    return Answer(
        data={
            "sameSubscription": same,
            "stuckQueues": stuck,
            "members": [
                {"clientId": state.client_id, "version": state.version, "runningInfo": _info_json(state.info)}
                for state in states
            ],
        },
        lines=lines,
        notes=[f"{state.client_id} does not answer: {state.error}" for state in failed],
        status=Exit.FAILED if failed else Exit.DONE,
    )


def _subscriptions(info: dict[str, Any]) -> set[tuple[str, str]]:
    return {(str(each.get("topic")), str(each.get("subString"))) for each in objects_of(info, "subscriptionSet")}


def _info_json(info: dict[str, Any]) -> dict[str, Any]:
    """Return what a member says of itself; tables by queue, which is no key of JSON, become lists."""
    return {
        name: [{**queue.to_json(), **dict_of(value, queue)} for queue in value if isinstance(queue, MessageQueue)]
        if isinstance(value, dict) and any(isinstance(key, MessageQueue) for key in value)
        else value
        for name, value in info.items()
    }


def _info_lines(info: dict[str, Any]) -> list[str]:
    queues = dict_of(info, "mqTable")
    properties = dict_of(info, "properties")
    offsets = [
        (queue.topic, queue.broker_name, queue.queue_id, dict_of(queues, queue).get("commitOffset"))
        for queue in queues
        if isinstance(queue, MessageQueue)
    ]
    rates = dict_of(info, "statusTable")
    lines = ["#Consumer Properties#", *(f"{name:<40}: {properties[name]}" for name in sorted(properties)), ""]
    lines += ["#Consumer Subscription#"]
    for number, each in enumerate(objects_of(info, "subscriptionSet"), 1):
        lines.append(
            f"{number:03d} Topic: {each.get('topic')} ClassFilter: {str(each.get('classFilterMode', False)).lower()} "
            f"SubExpression: {each.get('subString')}"
        )
    lines += ["", "#Consumer Offset#", *table(("Topic", "Broker Name", "QID", "Consumer Offset"), offsets)]
    lines += ["", "#Consumer MQ Detail#", *_queue_lines(queues)]
    lines += ["", "#Consumer Pop Detail#", *_queue_lines(dict_of(info, "mqPopTable"))]
    lines += ["", "#Consumer RT&TPS#"]
    lines += table(
        ("Topic", "Pull RT", "Pull TPS", "Consume RT", "ConsumeOK TPS", "ConsumeFailed TPS", "ConsumeFailedMsgsInHour"),
        [
            (
                topic,
                each.get("pullRT"),
                each.get("pullTPS"),
                each.get("consumeRT"),
                each.get("consumeOKTPS"),
                each.get("consumeFailedTPS"),
                each.get("consumeFailedMsgs"),
            )
            for topic, each in sorted(rates.items())
            if isinstance(each, dict)
        ],
    )
    own = dict_of(info, "userConsumerInfo")
    lines += ["", "#User Consume Info#", *(f"{name:<40}: {own[name]}" for name in sorted(own))]
    stacks = info.get("jstack")
    started = properties.get("PROP_CONSUMER_START_TIMESTAMP")
    if isinstance(started, str) and started.isdecimal():
        lines += ["", f"started at {time_text(int(started))}"]
    return [*lines, "", "#Consumer jstack#", *stacks.splitlines()] if isinstance(stacks, str) and stacks else lines


def _queue_lines(queues: dict[Any, Any]) -> list[str]:
    details = [
        (
            queue.topic,
            queue.broker_name,
            queue.queue_id,
            "; ".join(f"{name}={value}" for name, value in sorted(dict_of(queues, queue).items())),
        )
        for queue in queues
        if isinstance(queue, MessageQueue)
    ]
    return table(("Topic", "Broker Name", "QID", "ProcessQueueInfo"), details)


COMMANDS: Final = {
    "consumerConnection": SubCommand(_consumer_options, _consumer, watched=True),
    "producerConnection": SubCommand(_producer_options, _producer),
    "producer": SubCommand(_producers_options, _producers),
    "consumerStatus": SubCommand(_status_options, _status, watched=True),
}
