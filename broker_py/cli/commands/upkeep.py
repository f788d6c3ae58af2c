"""mqadmin's commands for the upkeep of brokers' files (tools command/broker, queue)."""

import argparse
import json
from collections.abc import Awaitable, Callable
from typing import Final

from broker_py.admin.targets import NotKnown, Outcome, at_each, cluster_brokers
from broker_py.cli.commands.subcommand import (
    Answer,
    OutputOr,
    SubCommand,
    answer_of_outcomes,
    checked,
    natural,
    planned,
    positive,
    topic_option,
)
from broker_py.cli.options import Parser
from broker_py.client.client import Client
from broker_py.errors import ConfigError
from broker_py.model.fields import int_of, objects_of
from broker_py.model.route import MASTER_ID
from broker_py.wire.headers.admin import QueryConsumeQueueRequest


def _options(parser: Parser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-b", "--brokerAddr", dest="broker", metavar="ADDR", help="one broker, by host:port")
    group.add_argument("-c", "--cluster", metavar="NAME", help="all masters of a cluster (default: of all clusters)")


async def _targets(client: Client, options: argparse.Namespace) -> list[str]:
    if options.broker is not None:
        return [options.broker]
    brokers = await cluster_brokers(client, options.cluster)
    return [broker.address for broker in brokers if broker.broker_id == MASTER_ID]


def _upkeep(
    act: Callable[[Client, str], Awaitable[None]], what: str
) -> Callable[[Client, argparse.Namespace], Awaitable[Answer]]:
    async def run(client: Client, options: argparse.Namespace) -> Answer:
        targets = await _targets(client, options)
        if options.dry_run:
            return planned(what, targets)

        async def change(address: str) -> None:
            await act(client, address)

        answer = answer_of_outcomes(await at_each(targets, change), _done, f"could not {what}")
        answer.lines.insert(0, "success" if answer.status == 0 else "false")
        return answer

    return run


def _done(outcome: Outcome) -> str:
    return f"done at {outcome.address}"


async def _clean_queues(client: Client, address: str) -> None:
    await client.administration.clean_queues(address)


async def _delete_log(client: Client, address: str) -> None:
    await client.administration.delete_expired_log(address)


async def _clean_topics(client: Client, address: str) -> None:
    await client.administration.clean_unused_topics(address)


def _flush_options(parser: Parser) -> None:
    parser.add_argument("-b", "--brokerAddr", dest="broker", required=True, metavar="ADDR", help="slave, by host:port")
    parser.add_argument("-o", "--offset", action=OutputOr, metavar="N", help="offset of the log")


async def _reset_flush(client: Client, options: argparse.Namespace) -> Answer:
    if options.offset is None:
        raise ConfigError("the offset is missing: -o N")
    if options.dry_run:
        return planned(f"reset master flush offset to {options.offset}", [options.broker])
    await client.administration.reset_flush_offset(options.broker, options.offset)
    line = f"reset master flush offset to {options.offset} success"
    return Answer(data={"address": options.broker, "offset": options.offset}, lines=[line])


def _units_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-q", "--queue", required=True, type=checked(natural), metavar="N", help="the queue")
    parser.add_argument("-i", "--index", required=True, type=checked(natural), metavar="N", help="the first unit")
    parser.add_argument("-c", "--count", type=checked(positive), default=10, metavar="N", help="how many units (10)")
    parser.add_argument("-b", "--broker", metavar="ADDR", help="the broker, by host:port (default: one of the topic)")
    parser.add_argument("-g", "--consumer", dest="group", metavar="GROUP", help="say which the group's filter takes")


async def _units(client: Client, options: argparse.Namespace) -> Answer:
    address = options.broker
    if address is None:
        brokers = (await client.name_servers.route(options.topic)).broker_datas
        if not brokers:
            raise NotKnown(f"no broker has the topic {options.topic} now")
        address = brokers[0].any_address
    header = QueryConsumeQueueRequest(
        topic=options.topic,
        queue_id=options.queue,
        index=options.index,
        count=options.count,
        consumer_group=options.group,
    )
    found = await client.administration.queue_units(address, header)
    rule = "======================================"
    lines: list[str] = []
    if found.get("subscriptionData"):
        lines += ["Subscription data: ", json.dumps(found["subscriptionData"], indent=2), rule]
    lines += ["Queue data: ", f"max: {found.get('maxQueueIndex')}, min: {found.get('minQueueIndex')}", rule]
    # A broker begins with the oldest unit that there is.
    first = max(options.index, int_of(found, "minQueueIndex"))
    for number, unit in enumerate(objects_of(found, "queueData"), first):
        lines += [
            f"idx: {number}",
            f"ConsumeQueueData{{physicOffset={unit.get('physicOffset')}, physicSize={unit.get('physicSize')}, "
            f"tagsCode={unit.get('tagsCode')}, eval={str(bool(unit.get('eval'))).lower()}}}",
            rule,
        ]
    return Answer(data=found, lines=lines)


COMMANDS: Final = {
    "cleanExpiredCQ": SubCommand(
        _options, _upkeep(_clean_queues, "remove queue files that point at deleted parts of the log"), dry_run=True
    ),
    "deleteExpiredCommitLog": SubCommand(
        _options, _upkeep(_delete_log, "delete expired files of the log"), dry_run=True
    ),
    "cleanUnusedTopic": SubCommand(
        _options, _upkeep(_clean_topics, "delete the queues of topics that are no more"), dry_run=True
    ),
    "resetMasterFlushOffset": SubCommand(_flush_options, _reset_flush, takes_o=True, dry_run=True),
    "queryCq": SubCommand(_units_options, _units),
}
