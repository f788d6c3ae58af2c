"""mqadmin queryMsgTraceById (tools command/message/QueryMsgTraceByIdSubCommand)."""

import argparse
from typing import Final

from broker_py.admin.targets import NotKnown
from broker_py.admin.traces import TRACE_TOPIC, Trace, traces_of
from broker_py.cli.commands.render import fields_json, table, time_text
from broker_py.cli.commands.subcommand import Answer, SubCommand
from broker_py.cli.options import Parser
from broker_py.client.client import Client


def _options(parser: Parser) -> None:
    parser.add_argument("-i", "--msgId", dest="message_id", required=True, metavar="ID", help="id of the message")
    parser.add_argument(
        "-t", "--traceTopic", dest="trace_topic", default=TRACE_TOPIC, metavar="TOPIC", help="where records are"
    )


async def _run(client: Client, options: argparse.Namespace) -> Answer:
    found = await traces_of(client, options.message_id, options.trace_topic)
    if not found:
        raise NotKnown(
            f"{options.trace_topic} has no record of the message {options.message_id}: is tracing on at its clients?"
        )
    sent = [each for each in found if each.kind == "Pub"]
    consumed = [each for each in found if each.kind == "Sub"]
    lines: list[str] = []
    if sent:
        headers = ("Type", "ProducerGroup", "ClientHost", "SendTime", "CostTimes", "Status")
        lines += [*table(headers, [_row(each) for each in sent]), ""]
    if consumed:
        headers = ("Type", "ConsumerGroup", "ClientHost", "ConsumerTime", "CostTimes", "Status")
        lines += [*table(headers, [_row(each) for each in consumed]), ""]
    return Answer(data=[fields_json(each) for each in found], lines=lines)


def _row(each: Trace) -> tuple[str, str, str, str, str, str]:
    status = "success" if each.success else "failed"
    return each.kind, each.group, each.host, time_text(each.time_ms), f"{each.cost_ms}ms", status


COMMANDS: Final = {"queryMsgTraceById": SubCommand(_options, _run)}
