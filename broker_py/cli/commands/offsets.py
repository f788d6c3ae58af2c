"""mqadmin's commands that move consumer groups in their topics (tools command/offset)."""

import argparse
import time
from typing import Final

from broker_py.admin.offsets import TO_END, OffsetMove, apply_moves, plan_clone, plan_reset, reset_offsets
from broker_py.cli.commands.render import table
from broker_py.cli.commands.subcommand import (
    Answer,
    OutputOr,
    SubCommand,
    checked,
    natural,
    time_ms,
    topic_option,
    truth,
)
from broker_py.cli.options import Parser
from broker_py.client.client import Client
from broker_py.errors import ConfigError

_HEADERS: Final = ("brokerName", "queueId", "from", "offset")
_UNCHANGED: Final = "nothing was changed (--dry-run)"


def _answer(moves: list[OffsetMove], title: str, *, dry_run: bool) -> Answer:
    rows = [
        (each.queue.broker_name, each.queue.queue_id, "-" if each.before is None else each.before, each.after)
        for each in moves
    ]
    return Answer(
        data=[
            {
                "topic": each.queue.topic,
                "brokerName": each.queue.broker_name,
                "queueId": each.queue.queue_id,
                "from": each.before,
                "to": each.after,
            }
            for each in moves
        ],
        lines=[title, *table(_HEADERS, rows)],
        notes=[_UNCHANGED] if dry_run else [],
    )


def _group_option(parser: Parser) -> None:
    parser.add_argument("-g", "--group", required=True, metavar="GROUP", type=str.strip, help="the consumer group")


def _force_option(parser: Parser) -> None:
    parser.add_argument(
        "-f", "--force", type=checked(truth), default=True, metavar="true|false", help="also forward, not only back"
    )


def _time(text: str) -> int:
    return time.time_ns() // 1_000_000 if text == "now" else time_ms(text)


def _reset_options(parser: Parser) -> None:
    _group_option(parser)
    topic_option(parser)
    parser.add_argument(
        "-s",
        "--timestamp",
        required=True,
        metavar="TIME",
        type=checked(_time),
        help="now, milliseconds, or yyyy-MM-dd#HH:mm:ss:SSS",
    )
    _force_option(parser)
    parser.add_argument("-c", "--cplus", action="store_true", help="has no meaning any more")
    parser.add_argument("-b", "--broker", metavar="ADDR", help="with -q: the broker of one queue, by host:port")
    parser.add_argument("-q", "--queue", type=checked(natural), metavar="N", help="with -b: only this queue")
    parser.add_argument("-o", "--offset", action=OutputOr, metavar="N", help="with -b and -q: to this offset, not time")


async def _reset(client: Client, options: argparse.Namespace) -> Answer:
    group, topic = options.group, options.topic
    if (options.broker is None) != (options.queue is None) or (options.offset is not None and options.queue is None):
        raise ConfigError("one queue is named by its broker and its number: -b ADDR -q N, and -o N where to")
    if options.queue is not None:
        return await _reset_queue(client, options)
    title = (
        f"start reset consumer offset by specified, group[{group}], topic[{topic}], "
        f"force[{str(options.force).lower()}], timestamp[{options.timestamp}]"
    )
    act = plan_reset if options.dry_run else reset_offsets
    moves = await act(client, group, topic, options.timestamp, force=options.force)
    answer = _answer(moves, title, dry_run=options.dry_run)
    if moves and all(each.before is None for each in moves):
        answer.notes.append(f"the group {group} had no offset in {topic} before")
    return answer


async def _reset_queue(client: Client, options: argparse.Namespace) -> Answer:
    """Java leaves an offset 0 undone without a word; here the group goes there."""
    offset = options.offset
    if offset is None:
        offset = await client.administration.offset_at(options.broker, options.topic, options.queue, options.timestamp)
    known = await client.brokers.consumer_offsets(options.broker)
    before = known.get((options.topic, options.group), {}).get(options.queue)
    if not options.dry_run:
        await client.administration.commit_offset(options.broker, options.group, options.topic, options.queue, offset)
    where = f"group[{options.group}], topic[{options.topic}], queueId[{options.queue}], broker[{options.broker}]"
    data = {"topic": options.topic, "broker": options.broker, "queueId": options.queue, "from": before, "to": offset}
    return Answer(
        data=data,
        lines=[
            f"start reset consumer offset by specified, {where}",
            f"reset consumer offset from {'-' if before is None else before} to {offset}",
        ],
        notes=[_UNCHANGED] if options.dry_run else [],
    )


def _skip_options(parser: Parser) -> None:
    _group_option(parser)
    topic_option(parser)
    _force_option(parser)


async def _skip(client: Client, options: argparse.Namespace) -> Answer:
    act = plan_reset if options.dry_run else reset_offsets
    moves = await act(client, options.group, options.topic, TO_END, force=options.force)
    skipped = sum(max(0, each.after - (each.before or 0)) for each in moves)
    title = f"skip accumulated messages, group[{options.group}], topic[{options.topic}], messages[{skipped}]"
    return _answer(moves, title, dry_run=options.dry_run)


def _clone_options(parser: Parser) -> None:
    parser.add_argument("-s", "--srcGroup", dest="source", required=True, metavar="GROUP", help="the group to copy")
    parser.add_argument("-d", "--destGroup", dest="target", required=True, metavar="GROUP", help="the group to move")
    topic_option(parser)
    parser.add_argument("-o", "--offline", action=OutputOr, metavar="true|false", help="has no meaning any more")


async def _clone(client: Client, options: argparse.Namespace) -> Answer:
    """Java takes the offsets of all topics of the group for those of the one; here the topic alone counts."""
    moves = await plan_clone(client, options.source, options.target, options.topic)
    if not options.dry_run:
        await apply_moves(client, options.target, moves)
    done = "would clone group offset." if options.dry_run else "clone group offset success."
    title = f"{done} srcGroup[{options.source}], destGroup=[{options.target}], topic[{options.topic}]"
    return _answer(moves, title, dry_run=options.dry_run)


COMMANDS: Final = {
    "resetOffsetByTime": SubCommand(_reset_options, _reset, takes_o=True, dry_run=True),
    "skipAccumulatedMessage": SubCommand(_skip_options, _skip, dry_run=True),
    "cloneGroupOffset": SubCommand(_clone_options, _clone, takes_o=True, dry_run=True),
}
