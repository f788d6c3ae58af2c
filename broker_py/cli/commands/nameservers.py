"""mqadmin's commands about name servers: their properties and their key-value store (tools command/namesrv)."""

import argparse
from typing import Final

from broker_py.admin.targets import at_each
from broker_py.cli.commands.subcommand import Answer, SubCommand, answer_of_outcomes, planned
from broker_py.cli.options import Parser
from broker_py.client.client import Client
from broker_py.errors import ConfigError


def _no_options(_parser: Parser) -> None:
    """Name servers are all that is asked for."""


def _addresses(client: Client) -> list[str]:
    if not client.name_servers.addresses:
        raise ConfigError("no name server is given (option -n, or NAMESRV_ADDR in the environment)")
    return list(client.name_servers.addresses)


async def _get(client: Client, _options: argparse.Namespace) -> Answer:
    found = {address: await client.name_servers.config(address) for address in _addresses(client)}
    lines: list[str] = []
    for address, properties in found.items():
        lines.append(f"============{address}============")
        lines += [f"{name:<50}=  {value}" for name, value in sorted(properties.items())]
    return Answer(data=found, lines=lines)


def _update_options(parser: Parser) -> None:
    parser.add_argument("-k", "--key", required=True, type=str.strip, help="name of the property")
    parser.add_argument("-v", "--value", required=True, type=str.strip, help="its new value")


async def _update(client: Client, options: argparse.Namespace) -> Answer:
    async def change(address: str) -> None:
        await client.name_servers.update_config(address, {options.key: options.value})

    return answer_of_outcomes(
        await at_each(_addresses(client), change),
        lambda each: f"update name server config success! {each.address} {options.key} : {options.value}",
        f"{options.key} was not changed",
    )


def _key_options(parser: Parser) -> None:
    parser.add_argument("-s", "--namespace", required=True, type=str.strip, metavar="NAME", help="where the key is")
    parser.add_argument("-k", "--key", required=True, type=str.strip, help="the key")


def _put_options(parser: Parser) -> None:
    _key_options(parser)
    parser.add_argument("-v", "--value", required=True, type=str.strip, help="its value")


async def _put(client: Client, options: argparse.Namespace) -> Answer:
    async def change(address: str) -> None:
        await client.name_servers.put_kv_config(address, options.namespace, options.key, options.value)

    return answer_of_outcomes(
        await at_each(_addresses(client), change),
        lambda each: f"create or update kv config to namespace success. {each.address}",
        f"{options.key} was not put",
    )


async def _delete(client: Client, options: argparse.Namespace) -> Answer:
    if options.dry_run:
        value = await client.name_servers.kv_config(options.namespace, options.key)
        shown = "which is not there" if value is None else f"whose value is {value}"
        return planned(f"delete {options.key} of {options.namespace}, {shown},", _addresses(client))

    async def change(address: str) -> None:
        await client.name_servers.delete_kv_config(address, options.namespace, options.key)

    return answer_of_outcomes(
        await at_each(_addresses(client), change),
        lambda each: f"delete kv config from namespace success. {each.address}",
        f"{options.key} was not deleted",
    )


COMMANDS: Final = {
    "getNamesrvConfig": SubCommand(_no_options, _get),
    "updateNamesrvConfig": SubCommand(_update_options, _update),
    "updateKvConfig": SubCommand(_put_options, _put),
    "deleteKvConfig": SubCommand(_key_options, _delete, dry_run=True),
}
