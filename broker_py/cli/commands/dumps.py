"""mqadmin printMsg and printMsgByQueue (tools command/message/PrintMessageSubCommand, PrintMessageByQueueCommand)."""

import argparse
from collections import Counter
from typing import Any, Final

from broker_py.cli.commands.render import body_text, message_json
from broker_py.cli.commands.subcommand import (
    Answer,
    SubCommand,
    charset,
    checked,
    natural,
    positive,
    time_ms,
    topic_option,
    truth,
)
from broker_py.cli.options import Parser, print_progress, progress_wanted
from broker_py.client.client import Client
from broker_py.client.messages import ReceivedMessage
from broker_py.client.queue_reader import PullStatus
from broker_py.model.message_queue import MessageQueue

_LIMIT: Final = 100_000
"""Messages that are held to be printed; more need a span of time or a queue."""
_PROGRESS: Final = 5_000


def _common_options(parser: Parser) -> None:
    topic_option(parser)
    add = parser.add_argument
    add("-c", "--charsetName", dest="charset", type=checked(charset), default="utf-8", metavar="CHARSET")
    add(
        "-s", "--subExpression", dest="expression", default="*", metavar="TAGS", help="only these, such as TagA || TagB"
    )
    add("-b", "--beginTimestamp", dest="begin_ms", type=checked(time_ms), metavar="TIME", help="stored at or after")
    add("-e", "--endTimestamp", dest="end_ms", type=checked(time_ms), metavar="TIME", help="stored before")
    add("-l", "--limit", type=checked(positive), default=_LIMIT, metavar="N", help=f"at most ({_LIMIT})")


def _topic_options(parser: Parser) -> None:
    _common_options(parser)
    parser.add_argument("-d", "--printBody", dest="bodies", type=checked(truth), default=True, metavar="true|false")


async def _bounds(client: Client, queue: MessageQueue, options: argparse.Namespace) -> tuple[int, int]:
    begin = await client.queues.min_offset(queue)
    end = await client.queues.max_offset(queue)
    if options.begin_ms is not None:
        begin = max(begin, await client.queues.offset_at(queue, options.begin_ms))
    if options.end_ms is not None:
        end = min(end, await client.queues.offset_at(queue, options.end_ms))
    return begin, end


async def _read(
    client: Client, queue: MessageQueue, begin: int, end: int, expression: str, limit: int
) -> list[ReceivedMessage]:
    messages: list[ReceivedMessage] = []
    position = begin
    while position < end and len(messages) < limit:
        result = await client.queues.pull(queue, position, expression=expression)
        messages += [each for each in result.messages if each.queue_offset < end]
        if result.status in {PullStatus.NO_NEW_MESSAGE, PullStatus.OFFSET_MOVED} or result.next_offset <= position:
            break
        if progress_wanted() and result.next_offset // _PROGRESS > position // _PROGRESS:
            where = f"{queue.broker_name} queue {queue.queue_id}"
            print_progress(f"{where}: {result.next_offset - begin} of {end - begin} messages read")
        position = result.next_offset
    return messages[:limit]


def _line(message: ReceivedMessage, encoding: str, *, bodies: bool) -> str:
    body = body_text(message.body, encoding) if bodies else "NOT PRINT BODY"
    place = f"brokerName={message.broker_name}, queueId={message.queue_id}, queueOffset={message.queue_offset}"
    properties = ", ".join(f"{name}={value}" for name, value in message.properties.items())
    return f"MSGID: {message.message_id} MessageExt [{place}, properties={{{properties}}}] BODY: {body}"


async def _topic(client: Client, options: argparse.Namespace) -> Answer:
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for queue in await client.queues.queues(options.topic):
        begin, end = await _bounds(client, queue, options)
        name = f"MessageQueue [topic={queue.topic}, brokerName={queue.broker_name}, queueId={queue.queue_id}]"
        lines.append(f"minOffset={begin}, maxOffset={end}, {name}")
        found = await _read(client, queue, begin, end, options.expression, options.limit - len(data))
        lines += [_line(each, options.charset, bodies=options.bodies) for each in found]
        lines.append("--------------------------------------------------------")
        data += [message_json(each) for each in found]
    return Answer(data=data, lines=lines, notes=_cut(len(data), options.limit))


def _cut(found: int, limit: int) -> list[str]:
    return [f"these are the first {limit} messages: there may be more (-l)"] if found >= limit else []


def _queue_options(parser: Parser) -> None:
    _common_options(parser)
    add = parser.add_argument
    add("-a", "--brokerName", dest="broker_name", required=True, metavar="NAME", help="the broker")
    add("-i", "--queueId", dest="queue_id", required=True, type=checked(natural), metavar="N", help="the queue")
    add("-p", "--printMsg", dest="messages", type=checked(truth), default=False, metavar="true|false")
    add("-d", "--printBody", dest="bodies", type=checked(truth), default=False, metavar="true|false")
    add("-f", "--calculate", dest="tags", type=checked(truth), default=False, metavar="true|false", help="count tags")


async def _queue(client: Client, options: argparse.Namespace) -> Answer:
    queue = MessageQueue(options.topic, options.broker_name, options.queue_id)
    begin, end = await _bounds(client, queue, options)
    found = await _read(client, queue, begin, end, options.expression, options.limit)
    lines: list[str] = []
    if options.messages:
        lines = [_line(each, options.charset, bodies=options.bodies) for each in found]
    if options.tags:
        counts = Counter(each.tags or "null" for each in found)
        lines += [f"Tag: {tag:<30} Count: {count}" for tag, count in counts.most_common()]
    notes = [f"{len(found)} messages", *_cut(len(found), options.limit)]
    return Answer(data=[message_json(each) for each in found], lines=lines, notes=notes)


COMMANDS: Final = {
    "printMsg": SubCommand(_topic_options, _topic),
    "printMsgByQueue": SubCommand(_queue_options, _queue),
}
