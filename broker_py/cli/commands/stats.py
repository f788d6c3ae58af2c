"""mqadmin statsAll, brokerConsumeStats (tools command/stats/StatsAllSubCommand, broker/BrokerConsumeStatsSubCommad)."""

import argparse
from typing import Any, Final

from broker_py.admin.statistics import topic_statistics
from broker_py.cli.commands.render import table, time_text
from broker_py.cli.commands.subcommand import Answer, OutputOr, SubCommand, checked, natural, positive
from broker_py.cli.options import Parser
from broker_py.client.client import Client
from broker_py.model.fields import dict_of, int_of, objects_of
from broker_py.model.message_queue import MessageQueue

_HEADERS: Final = ("Topic", "Consumer Group", "Accumulation", "InTPS", "OutTPS", "InMsg24Hour", "OutMsg24Hour")
_QUEUE_HEADERS: Final = ("Topic", "Group", "Broker Name", "QID", "Broker Offset", "Consumer Offset", "Diff", "LastTime")


def _all_options(parser: Parser) -> None:
    parser.add_argument("-a", "--activeTopic", dest="active", action="store_true", help="only topics that are used")
    parser.add_argument("-t", "--topic", metavar="TOPIC", help="only this topic")


async def _all(client: Client, options: argparse.Namespace) -> Answer:
    found = [each for each in await topic_statistics(client, options.topic) if each.is_active or not options.active]
    rows = [
        (
            each.topic,
            each.group,
            each.left,
            f"{each.written.per_second:.2f}",
            "" if each.read is None else f"{each.read.per_second:.2f}",
            each.written.last_day,
            "NO_CONSUMER" if each.read is None else each.read.last_day,
        )
        for each in found
    ]
    data = [
        {
            "topic": each.topic,
            "group": each.group or None,
            "accumulation": each.left,
            "inTps": each.written.per_second,
            "outTps": None if each.read is None else each.read.per_second,
            "inMessages24Hours": each.written.last_day,
            "outMessages24Hours": None if each.read is None else each.read.last_day,
        }
        for each in found
    ]
    return Answer(data=data, lines=table(_HEADERS, rows))


def _broker_options(parser: Parser) -> None:
    parser.add_argument("-b", "--brokerAddr", dest="broker", required=True, metavar="ADDR", help="broker, by host:port")
    parser.add_argument("-t", "--timeoutMillis", type=checked(positive), default=50_000, metavar="MS", help="patience")
    parser.add_argument("-l", "--level", type=checked(natural), default=0, metavar="N", help="only from this lag on")
    parser.add_argument(
        "-o", "--order", action=OutputOr, default=False, metavar="true|false", help="groups that consume in order"
    )


async def _broker(client: Client, options: argparse.Namespace) -> Answer:
    found = await client.administration.consume_stats(
        options.broker, ordered=options.order, timeout_seconds=options.timeoutMillis / 1000
    )
    rows: list[tuple[Any, ...]] = []
    for groups in objects_of(found, "consumeStatsList"):
        for group in groups:
            for stats in objects_of(groups, group):
                rows += _queue_rows(str(group), stats, options.level)
    rows.sort(key=lambda row: (row[0], row[1], row[2], row[3]))
    keys = ("topic", "group", "brokerName", "queueId", "brokerOffset", "consumerOffset", "diff", "lastTimestamp")
    total = int_of(found, "totalDiff")
    return Answer(
        data={"totalDiff": total, "queues": [dict(zip(keys, row, strict=True)) for row in rows]},
        lines=[
            *table(_QUEUE_HEADERS, [(*row[:-1], time_text(row[-1]) or "-") for row in rows]),
            "",
            f"Diff Total: {total}",
        ],
    )


def _queue_rows(group: str, stats: dict[str, Any], level: int) -> list[tuple[Any, ...]]:
    offsets = dict_of(stats, "offsetTable")
    rows: list[tuple[Any, ...]] = []
    for queue in offsets:
        if not isinstance(queue, MessageQueue):
            continue
        item = dict_of(offsets, queue)
        end, consumed = int_of(item, "brokerOffset"), int_of(item, "consumerOffset")
        last_ms = int_of(item, "lastTimestamp")
        if end - consumed >= level and last_ms > 0:
            rows.append((queue.topic, group, queue.broker_name, queue.queue_id, end, consumed, end - consumed, last_ms))
    return rows


COMMANDS: Final = {
    "statsAll": SubCommand(_all_options, _all, watched=True),
    "brokerConsumeStats": SubCommand(_broker_options, _broker, takes_o=True, watched=True),
}
