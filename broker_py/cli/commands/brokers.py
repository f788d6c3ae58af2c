"""mqadmin's commands about brokers, and their write permission at name servers (tools command/broker, namesrv)."""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any, Final

from broker_py.admin.brokers import (
    BrokerProperties,
    add_write_perm,
    broker_addresses,
    broker_config,
    broker_status,
    cluster_config,
    update_broker_config,
    wipe_write_perm,
)
from broker_py.admin.targets import NotKnown, Outcome
from broker_py.cli.commands.subcommand import (
    Answer,
    SubCommand,
    add_broker_or_cluster,
    answer_of_outcomes,
    planned,
)
from broker_py.cli.options import Parser
from broker_py.client.client import Client


async def _status(client: Client, options: argparse.Namespace) -> Answer:
    if options.broker is not None:
        values = (await broker_status(client, [options.broker]))[options.broker]
        return Answer(data=values, lines=[f"{key:<32}: {values[key]}" for key in sorted(values)])
    of_all = await broker_status(client, await broker_addresses(client, options.cluster))
    lines = [f"{address:<24} {key:<32}: {values[key]}" for address, values in of_all.items() for key in sorted(values)]
    return Answer(data=of_all, lines=lines)


async def _get_config(client: Client, options: argparse.Namespace) -> Answer:
    if options.broker is not None:
        found = [await broker_config(client, options.broker)]
    else:
        found = await cluster_config(client, options.cluster)
    lines: list[str] = []
    for each in found:
        lines.append(f"============{_title(each)}============")
        lines += [f"{name:<50}=  {value}" for name, value in sorted(each.properties.items())]
        lines.append("")
    data: Any = {each.address: each.properties for each in found}
    return Answer(data=data[options.broker] if options.broker is not None else data, lines=lines)


def _title(each: BrokerProperties) -> str:
    broker = each.broker
    if broker is None:
        return each.address
    role = "Master" if broker.broker_id == 0 else f"Slave {broker.broker_id}"
    return f"{role} of {broker.broker_name}: {each.address}"


def _update_config_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    parser.add_argument(
        "-a",
        "--updateAllBroker",
        dest="slaves_too",
        nargs="?",
        const="true",
        metavar="true",
        help="with -c: also the slaves",
    )
    parser.add_argument("-k", "--key", required=True, type=str.strip, help="name of the property")
    parser.add_argument("-v", "--value", required=True, type=str.strip, help="its new value")


async def _update_config(client: Client, options: argparse.Namespace) -> Answer:
    outcomes = await update_broker_config(
        client,
        {options.key: options.value},
        address=options.broker,
        cluster=options.cluster,
        slaves_too=options.slaves_too is not None,
    )
    return answer_of_outcomes(
        outcomes,
        lambda each: f"update broker config success, {each.address}",
        f"{options.key} was not changed",
    )


def _broker_name_option(parser: Parser) -> None:
    parser.add_argument("-b", "--brokerName", dest="broker_name", required=True, metavar="NAME", help="the broker")


def _write_perm(
    change: Callable[[Client, str], Awaitable[list[Outcome]]], verb: str
) -> Callable[[Client, argparse.Namespace], Awaitable[Answer]]:
    async def run(client: Client, options: argparse.Namespace) -> Answer:
        name = options.broker_name
        if getattr(options, "dry_run", False):
            return planned(f"{verb} the write permission of {name}", client.name_servers.addresses)
        outcomes = await change(client, name)
        unknown = [each.error for each in outcomes if isinstance(each.error, NotKnown)]
        if unknown and len(unknown) == len(outcomes):
            raise unknown[0]
        return answer_of_outcomes(
            outcomes,
            lambda each: f"{verb} write perm of broker[{name}] in name server[{each.address}] OK, {each.count}",
            f"{verb} write perm of broker[{name}] failed",
        )

    return run


COMMANDS: Final = {
    "brokerStatus": SubCommand(add_broker_or_cluster, _status, watched=True),
    "getBrokerConfig": SubCommand(add_broker_or_cluster, _get_config),
    "updateBrokerConfig": SubCommand(_update_config_options, _update_config),
    "wipeWritePerm": SubCommand(_broker_name_option, _write_perm(wipe_write_perm, "wipe"), dry_run=True),
    "addWritePerm": SubCommand(_broker_name_option, _write_perm(add_write_perm, "add")),
}
