"""mqadmin consumerProgress (tools command/consumer/ConsumerProgressSubCommand)."""

import argparse
from typing import Any, Final

from broker_py.admin.groups import GroupProgress, GroupSummary, consumer_progress, group_list
from broker_py.admin.versions import version_text
from broker_py.cli.commands.render import fields_json, table, time_text
from broker_py.cli.commands.subcommand import Answer, SubCommand, checked, truth
from broker_py.cli.options import Parser
from broker_py.client.client import Client

_SUMMARY_HEADERS: Final = ("Group", "Count", "Version", "Type", "Model", "TPS", "Diff Total")
_TYPES: Final = {"CONSUME_ACTIVELY": "PULL", "CONSUME_PASSIVELY": "PUSH", "CONSUME_POP": "POP"}


def _options(parser: Parser) -> None:
    parser.add_argument("-g", "--groupName", dest="group", metavar="GROUP", help="one consumer group; all without it")
    parser.add_argument("-t", "--topicName", dest="topic", metavar="TOPIC", help="only this topic of the group")
    parser.add_argument(
        "-s",
        "--showClientIP",
        dest="clients",
        type=checked(truth),
        default=False,
        metavar="true|false",
        help="ask the group's clients which of them pulls which queue",
    )


async def _run(client: Client, options: argparse.Namespace) -> Answer:
    if options.group is None:
        groups = await group_list(client)
        rows = [_summary_row(group) for group in groups]
        return Answer(data=[_summary_json(group) for group in groups], lines=table(_SUMMARY_HEADERS, rows))
    progress = await consumer_progress(client, options.group, options.topic, with_clients=options.clients)
    return Answer(data=_progress_json(progress, options.clients), lines=_progress_lines(progress, options.clients))


def _progress_lines(progress: GroupProgress, with_clients: bool) -> list[str]:
    headers = ["Topic", "Broker Name", "QID", "Broker Offset", "Consumer Offset", "Diff", "Inflight", "LastTime"]
    rows: list[list[object]] = [
        [
            each.topic,
            each.broker_name,
            each.queue_id,
            each.broker_offset,
            each.consumer_offset,
            each.diff,
            each.inflight,
            time_text(each.last_ms) or "N/A",
        ]
        for each in progress.queues
    ]
    if with_clients:
        headers.insert(5, "Client IP")
        for row, each in zip(rows, progress.queues, strict=True):
            row.insert(5, progress.clients.get(each.queue, "N/A"))
    return [
        *table(headers, rows),
        "",
        f"Consume TPS: {progress.consume_tps:.2f}",
        f"Consume Diff Total: {progress.diff_total}",
        f"Consume Inflight Total: {progress.inflight_total}",
    ]


def _progress_json(progress: GroupProgress, with_clients: bool) -> dict[str, Any]:
    queues = []
    for each in progress.queues:
        fields = fields_json(each) | {"diff": each.diff, "inflight": each.inflight}
        if with_clients:
            fields["client"] = progress.clients.get(each.queue)
        queues.append(fields)
    return {
        "group": progress.group,
        "consumeTps": progress.consume_tps,
        "diffTotal": progress.diff_total,
        "inflightTotal": progress.inflight_total,
        "queues": queues,
    }


def _summary_row(group: GroupSummary) -> list[object]:
    there = group.connections
    if there is None or not there.clients:
        return [group.group, 0, "OFFLINE", "", "", int(group.consume_tps), group.diff_total]
    return [
        group.group,
        len(there.clients),
        version_text(min(each.version for each in there.clients)),
        _TYPES.get(there.consume_type, there.consume_type),
        there.message_model,
        int(group.consume_tps),
        group.diff_total,
    ]


def _summary_json(group: GroupSummary) -> dict[str, Any]:
    there = group.connections
    return {
        "group": group.group,
        "count": len(there.clients) if there else 0,
        "consumeType": there.consume_type if there else None,
        "messageModel": there.message_model if there else None,
        "consumeTps": group.consume_tps,
        "diffTotal": group.diff_total,
        "clients": [fields_json(each) for each in there.clients] if there else [],
    }


COMMANDS: Final = {"consumerProgress": SubCommand(_options, _run, watched=True)}
