"""mqadmin's commands about the accounts of brokers (tools command/acl)."""

import argparse
import json
from typing import Any, Final

from broker_py.admin.targets import at_each, cluster_brokers, cluster_masters
from broker_py.cli.commands.render import table, time_text
from broker_py.cli.commands.subcommand import (
    Answer,
    SubCommand,
    add_broker_or_cluster,
    answer_of_outcomes,
    checked,
    planned,
    truth,
)
from broker_py.cli.options import Parser
from broker_py.client.client import Client
from broker_py.errors import ProtocolError
from broker_py.model.fields import int_of
from broker_py.wire.headers.admin import AccessAccountRequest, GlobalWhiteAddressesRequest

_FIELDS: Final = (
    "accessKey",
    "secretKey",
    "whiteRemoteAddress",
    "admin",
    "defaultTopicPerm",
    "defaultGroupPerm",
    "topicPerms",
    "groupPerms",
)


async def _replicas(client: Client, options: argparse.Namespace) -> list[str]:
    """Each broker has accounts of its own, slaves too."""
    if options.broker is not None:
        return [options.broker]
    return [broker.address for broker in await cluster_brokers(client, options.cluster)]


async def _masters(client: Client, options: argparse.Namespace) -> list[str]:
    if options.broker is not None:
        return [options.broker]
    return [broker.address for broker in await cluster_masters(client, options.cluster)]


def _update_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    add = parser.add_argument
    add("-a", "--accessKey", dest="access_key", required=True, metavar="KEY", type=str.strip, help="its name")
    add("-s", "--secretKey", dest="secret_key", required=True, metavar="SECRET", type=str.strip, help="its secret")
    add("-w", "--whiteRemoteAddress", dest="white", metavar="ADDRESS", help="from where it needs no signature")
    add("-i", "--defaultTopicPerm", dest="topic_perm", metavar="PERM", help="for topics not named: DENY, PUB|SUB")
    add("-u", "--defaultGroupPerm", dest="group_perm", metavar="PERM", help="for groups not named: DENY, SUB")
    add("-t", "--topicPerms", dest="topic_perms", metavar="TOPIC=PERM,...", help="for topics by name")
    add("-g", "--groupPerms", dest="group_perms", metavar="GROUP=PERM,...", help="for groups by name")
    add("-m", "--admin", type=checked(truth), default=False, metavar="true|false", help="may it administrate")


async def _update(client: Client, options: argparse.Namespace) -> Answer:
    account = AccessAccountRequest(
        access_key=options.access_key,
        secret_key=options.secret_key,
        white_remote_address=options.white,
        admin=options.admin,
        default_topic_perm=options.topic_perm,
        default_group_perm=options.group_perm,
        topic_perms=options.topic_perms,
        group_perms=options.group_perms,
    )

    async def change(address: str) -> None:
        await client.administration.put_account(address, account)

    return answer_of_outcomes(
        await at_each(await _replicas(client, options), change),
        lambda each: f"create or update plain access config to {each.address} success.",
        f"the account {options.access_key} was not changed",
    )


def _delete_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    parser.add_argument(
        "-a", "--accessKey", dest="access_key", required=True, metavar="KEY", type=str.strip, help="the account"
    )


async def _delete(client: Client, options: argparse.Namespace) -> Answer:
    targets = await _replicas(client, options)
    if options.dry_run:
        return planned(f"delete the account {options.access_key}", targets)

    async def change(address: str) -> None:
        await client.administration.delete_account(address, options.access_key)

    return answer_of_outcomes(
        await at_each(targets, change),
        lambda each: f"delete plain access config account from {each.address} success.",
        f"the account {options.access_key} was not deleted",
    )


def _white_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    parser.add_argument(
        "-g", "--globalWhiteRemoteAddresses", dest="white", required=True, metavar="ADDRESS,...", help="the addresses"
    )
    parser.add_argument("-p", "--aclFileFullPath", dest="path", metavar="FILE", help="in this file of the broker")


async def _white(client: Client, options: argparse.Namespace) -> Answer:
    header = GlobalWhiteAddressesRequest(global_white_addrs=options.white.strip(), acl_file_full_path=options.path)

    async def change(address: str) -> None:
        await client.administration.put_white_addresses(address, header)

    return answer_of_outcomes(
        await at_each(await _replicas(client, options), change),
        lambda each: f"update global white remote addresses to {each.address} success.",
        "the addresses were not changed",
    )


async def _versions(client: Client, options: argparse.Namespace) -> Answer:
    rows: list[tuple[Any, ...]] = []
    for address in await _masters(client, options):
        fields = await client.administration.account_versions(address)
        owner = tuple(fields.get(name, "") for name in ("clusterName", "brokerName", "brokerAddr"))
        for path, version in sorted(_files(fields).items()):
            rows.append((*owner, path, int_of(version, "counter"), int_of(version, "timestamp")))
    keys = ("clusterName", "brokerName", "brokerAddr", "aclFilePath", "counter", "timestamp")
    return Answer(
        data=[dict(zip(keys, row, strict=True)) for row in rows],
        lines=table(
            ("Cluster Name", "Broker Name", "Broker Addr", "AclFilePath", "AclConfigVersionNum", "AclLastUpdateTime"),
            [(*row[:-1], time_text(row[-1])) for row in rows],
        ),
    )


def _files(fields: dict[str, str]) -> dict[str, Any]:
    try:
        found = json.loads(fields.get("allAclFileVersion") or "{}")
    except ValueError:
        raise ProtocolError("an answer can't be read: the field allAclFileVersion is not JSON") from None
    return {str(path): each for path, each in found.items() if isinstance(each, dict)}


async def _get(client: Client, options: argparse.Namespace) -> Answer:
    data: list[dict[str, Any]] = []
    lines: list[str] = []
    for address in await _masters(client, options):
        white, accounts = await client.administration.accounts(address)
        data.append({"address": address, "globalWhiteRemoteAddresses": white, "accounts": accounts})
        lines += [f"{'globalWhiteRemoteAddresses':<20}: [{', '.join(white)}]", "", "accounts:"]
        for account in accounts:
            lines += [f"  {name:<18}: {_shown(account.get(name))}" for name in _FIELDS]
            lines.append("")
    return Answer(data=data, lines=lines)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


COMMANDS: Final = {
    "updateAclConfig": SubCommand(_update_options, _update),
    "deleteAclConfig": SubCommand(_delete_options, _delete, dry_run=True),
    "updateGlobalWhiteAddr": SubCommand(_white_options, _white),
    "clusterAclConfigVersion": SubCommand(add_broker_or_cluster, _versions),
    "getAclConfig": SubCommand(add_broker_or_cluster, _get),
}
