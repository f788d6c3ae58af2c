"""mqadmin haStatus (tools command/ha/HAStatusSubCommand)."""

import argparse
from typing import Any, Final

from broker_py.admin.replication import replication_status
from broker_py.cli.commands.render import fields_json, table
from broker_py.cli.commands.subcommand import Answer, SubCommand, add_broker_or_cluster, checked, positive
from broker_py.cli.options import Parser
from broker_py.client.brokers import ReplicationStatus
from broker_py.client.client import Client

_HEADERS: Final = (
    "SlaveAddr",
    "SlaveAckOffset",
    "Diff",
    "TransferSpeed(KB/s)",
    "Status",
    "TransferFromWhere",
)


def _options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    parser.add_argument(
        "-i",
        "--interval",
        "--watch",
        metavar="SECONDS",
        type=checked(positive),
        help="show it again and again, at this interval",
    )


async def _run(client: Client, options: argparse.Namespace) -> Answer:
    found = await replication_status(client, address=options.broker, cluster=options.cluster)
    return Answer(
        data=[_json(address, status) for address, status in found.items()],
        lines=[line for address, status in found.items() for line in _lines(address, status)],
    )


def _lines(address: str, status: ReplicationStatus) -> list[str]:
    fault = [f"#Fault\t{status.fault}"] if status.fault else []
    if not status.is_master:
        return [
            f"#MasterAddr\t{status.master_address}",
            f"#CommitLogMaxOffset\t{status.log_end}",
            f"#TransferSpeed(KB/s)\t{_speed(status.bytes_per_second)}",
            *fault,
            "",
        ]
    rows = [
        (
            slave.address,
            slave.acked,
            slave.diff,
            _speed(slave.bytes_per_second),
            "OK" if slave.in_sync else "Fall Behind",
            slave.sent,
        )
        for slave in status.slaves
    ]
    return [
        f"#MasterAddr\t{address}",
        f"#MasterCommitLogMaxOffset\t{status.log_end}",
        f"#SlaveNum\t{len(status.slaves)}",
        f"#InSyncSlaveNum\t{sum(slave.in_sync for slave in status.slaves)}",
        *fault,
        *table(_HEADERS, rows),
        "",
    ]


def _speed(bytes_per_second: int) -> str:
    return f"{bytes_per_second / 1024:.2f}"


def _json(address: str, status: ReplicationStatus) -> dict[str, Any]:
    return {"address": address, **fields_json(status), "slaves": [fields_json(slave) for slave in status.slaves]}


COMMANDS: Final = {"haStatus": SubCommand(_options, _run)}
