"""mqadmin's commands about messages (tools command/message)."""

import argparse
from typing import Final

from broker_py.admin.messages import (
    Selection,
    consume_directly,
    message_at,
    message_by_offset_id,
    messages_by_key,
    messages_by_unique_id,
    read_messages,
    send_again,
    send_message,
)
from broker_py.admin.traces import trace_send
from broker_py.admin.tracks import tracks_of
from broker_py.cli.commands.render import body_text, fields_json, message_json, table, time_text
from broker_py.cli.commands.subcommand import (
    Answer,
    OutputOr,
    SubCommand,
    charset,
    checked,
    natural,
    positive,
    time_ms,
    topic_option,
    truth,
)
from broker_py.cli.options import Exit, Parser
from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.queue_reader import TOOLS_GROUP
from broker_py.client.sending import SendResult
from broker_py.errors import BrokerPyError, ConfigError
from broker_py.model.message_queue import MessageQueue

_PRODUCER_GROUP: Final = "TOOLS_PRODUCER"


def _query_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-b", "--brokerName", dest="broker_name", required=True, metavar="NAME", help="the broker")
    parser.add_argument("-i", "--queueId", dest="queue_id", required=True, metavar="N", type=checked(natural))
    parser.add_argument("-o", "--offset", action=OutputOr, metavar="N", help="queue offset")
    _charset_option(parser)


def _charset_option(parser: Parser) -> None:
    parser.add_argument(
        "-f",
        "--bodyFormat",
        dest="charset",
        type=checked(charset),
        default="utf-8",
        metavar="CHARSET",
        help="how to print the body",
    )


async def _query(client: Client, options: argparse.Namespace) -> Answer:
    if options.offset is None:
        raise ConfigError("the queue offset is missing: -o N")
    queue = MessageQueue(options.topic, options.broker_name, options.queue_id)
    message = await message_at(client, queue, options.offset)
    return await _found(client, message, options.charset)


async def _found(client: Client, message: ReceivedMessage, charset: str) -> Answer:
    """Show a message, and which groups have consumed it."""
    tracks = await tracks_of(client, message)
    lines = _message_lines(message, charset)
    if tracks:
        lines += ["", ""]
    for each in tracks:
        fields = f"consumerGroup={each.consumer_group}, trackType={each.track_type}"
        lines.append(f"MessageTrack [{fields}, exceptionDesc={each.error or 'null'}]")
    return Answer(data=message_json(message) | {"tracks": [fields_json(each) for each in tracks]}, lines=lines)


def _message_lines(message: ReceivedMessage, charset: str) -> list[str]:
    pairs: list[tuple[str, object]] = [
        ("MessageID:", message.message_id),
        ("OffsetID:", message.offset_id),
        ("Topic:", message.topic),
        ("Tags:", f"[{message.tags or ''}]"),
        ("Keys:", f"[{message.keys or ''}]"),
        ("Queue ID:", message.queue_id),
        ("Queue Offset:", message.queue_offset),
        ("CommitLog Offset:", message.log_offset),
        ("Reconsume Times:", message.reconsume_times),
        ("Born Timestamp:", time_text(message.born_ms)),
        ("Store Timestamp:", time_text(message.stored_ms)),
        ("Born Host:", message.born_host),
        ("Store Host:", message.store_host),
        ("System Flag:", message.sys_flag),
        ("Properties:", _braced(message.properties)),
        ("Message Body:", body_text(message.body, charset)),
    ]
    return [f"{name:<20} {value}" for name, value in pairs]


def _braced(properties: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in properties.items()) + "}"


def _by_key_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-k", "--msgKey", dest="key", required=True, metavar="KEY", help="one of the message's keys")


async def _by_key(client: Client, options: argparse.Namespace) -> Answer:
    messages = await messages_by_key(client, options.topic, options.key)
    rows = [(message.message_id, message.queue_id, message.queue_offset) for message in messages]
    return Answer(
        data=[message_json(message) for message in messages], lines=table(("Message ID", "QID", "Offset"), rows)
    )


def _by_unique_id_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-i", "--msgId", dest="message_id", required=True, metavar="ID", help="id of the message")
    parser.add_argument(
        "-a", "--showAll", dest="all", action="store_true", help="all with this id, not the oldest alone"
    )
    _member_options(parser)
    _charset_option(parser)


async def _by_unique_id(client: Client, options: argparse.Namespace) -> Answer:
    _check_member(options)
    messages = await messages_by_unique_id(client, options.topic, options.message_id)
    shown = messages if options.all else messages[:1]
    if options.client_id is not None:
        return await _consume_now(client, shown[0].offset_id, shown[0], options)
    answers = [await _found(client, message, options.charset) for message in shown]
    return Answer(data=[each.data for each in answers], lines=[line for each in answers for line in each.lines])


def _by_offset_id_options(parser: Parser) -> None:
    parser.add_argument(
        "-i", "--msgId", dest="message_id", required=True, metavar="ID", help="offset id of the message"
    )
    _member_options(parser)
    parser.add_argument(
        "-s", "--sendMessage", dest="resend", type=checked(truth), default=False, metavar="true|false", help="once more"
    )
    parser.add_argument("-u", "--unitName", dest="unit", metavar="NAME", help="has no meaning any more")
    _charset_option(parser)


def _member_options(parser: Parser) -> None:
    parser.add_argument("-g", "--consumerGroup", dest="group", metavar="GROUP", help="with -d: a consumer group")
    parser.add_argument("-d", "--clientId", dest="client_id", metavar="ID", help="have this member consume it now")


def _check_member(options: argparse.Namespace) -> None:
    if (options.group is None) != (options.client_id is None):
        raise ConfigError("a member of a group is named by both: -g GROUP -d ID")


async def _consume_now(client: Client, offset_id: str, message: ReceivedMessage, options: argparse.Namespace) -> Answer:
    result = await consume_directly(client, offset_id, message, options.group, options.client_id)
    fault = None if result.get("consumeResult") == "CR_SUCCESS" else f"{options.client_id} did not consume it"
    return Answer(
        data=result,
        lines=[f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in result.items()],
        notes=[] if fault is None else [fault],
        status=Exit.DONE if fault is None else Exit.FAILED,
    )


async def _by_offset_id(client: Client, options: argparse.Namespace) -> Answer:
    _check_member(options)
    message = await message_by_offset_id(client, options.message_id)
    if options.client_id is not None:
        return await _consume_now(client, options.message_id, message, options)
    if options.resend:
        sent = await send_again(client, message, _PRODUCER_GROUP)
        place = f"{sent.broker_name} queue {sent.queue_id} offset {sent.queue_offset}"
        return Answer(data=fields_json(sent), lines=[f"{sent.status.value} {sent.message_id} {place}"])
    return await _found(client, message, options.charset)


def _send_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-p", "--body", required=True, metavar="TEXT", help="body of the message")
    parser.add_argument("-k", "--key", dest="keys", metavar="KEYS", help="keys, separated by blanks")
    parser.add_argument("-c", "--tags", metavar="TAG", help="tag")
    parser.add_argument("-b", "--broker", dest="broker_name", metavar="NAME", help="to this broker")
    parser.add_argument("-i", "--qid", dest="queue_id", metavar="N", type=checked(natural), help="to this queue of it")
    parser.add_argument(
        "-m",
        "--msgTraceEnable",
        dest="trace",
        type=checked(truth),
        default=False,
        metavar="true|false",
        help="record that it was sent (queryMsgTraceById)",
    )


async def _send(client: Client, options: argparse.Namespace) -> Answer:
    if options.queue_id is not None and options.broker_name is None:
        raise ConfigError("a queue (-i) needs its broker: -b NAME")
    message = OutgoingMessage(topic=options.topic, body=options.body.encode(), tags=options.tags, keys=options.keys)
    began_ms = client.now_ms()
    result = await send_message(
        client, message, _PRODUCER_GROUP, broker_name=options.broker_name, queue_id=options.queue_id
    )
    row = (result.broker_name, result.queue_id, result.status.value, result.message_id)
    notes: list[str] = []
    status = Exit.DONE
    if options.trace:
        notes, status = await _record(client, message, result, began_ms)
    lines = table(("Broker Name", "QID", "Send Result", "MsgId"), [row])
    return Answer(data=fields_json(result), lines=lines, notes=notes, status=status)


async def _record(client: Client, message: OutgoingMessage, result: SendResult, began_ms: int) -> tuple[list[str], int]:
    """Record that a message was sent. It was, whatever becomes of its record."""
    cost_ms = client.now_ms() - began_ms
    try:
        if await trace_send(client, message, result, _PRODUCER_GROUP, began_ms, cost_ms):
            return [], Exit.DONE
    except BrokerPyError as error:
        return [f"the message is sent, and that is not recorded: {error}"], Exit.FAILED
    return [f"{result.broker_name} wants no traces: its traceOn is false"], Exit.DONE


def _consume_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-b", "--brokerName", dest="broker_name", metavar="NAME", help="only of this broker")
    parser.add_argument("-i", "--queueId", dest="queue_id", metavar="N", type=checked(natural), help="one queue of it")
    parser.add_argument("-o", "--offset", action=OutputOr, metavar="N", help="from this queue offset on")
    parser.add_argument("-g", "--consumerGroup", dest="group", metavar="GROUP", default=TOOLS_GROUP)
    parser.add_argument(
        "-s",
        "--beginTimestamp",
        dest="begin_ms",
        metavar="TIME",
        type=checked(time_ms),
        help="stored at or after: milliseconds or yyyy-MM-dd#HH:mm:ss:SSS",
    )
    parser.add_argument(
        "-e", "--endTimestamp", dest="end_ms", metavar="TIME", type=checked(time_ms), help="stored at or before"
    )
    parser.add_argument(
        "-c", "--MessageNumber", dest="count", metavar="N", type=checked(positive), default=128, help="at most (128)"
    )


async def _consume(client: Client, options: argparse.Namespace) -> Answer:
    if options.queue_id is not None and options.broker_name is None:
        raise ConfigError("a queue (-i) needs its broker: -b NAME")
    if options.offset is not None and options.queue_id is None:
        raise ConfigError("a queue offset (-o) needs its queue: -i N")
    if options.begin_ms is not None and options.end_ms is not None and options.begin_ms > options.end_ms:
        raise ConfigError("the begin (-s) is after the end (-e)")
    selection = Selection(
        topic=options.topic,
        broker_name=options.broker_name,
        queue_id=options.queue_id,
        queue_offset=options.offset or 0,
        begin_ms=options.begin_ms,
        end_ms=options.end_ms,
        count=options.count,
    )
    messages = await read_messages(client, selection, options.group)
    return Answer(
        data=[message_json(message) for message in messages],
        lines=[_consumed_line(message) for message in messages],
        notes=[f"{len(messages)} messages of {options.topic}"],
    )


def _consumed_line(message: ReceivedMessage) -> str:
    place = f"{message.broker_name} queue {message.queue_id} offset {message.queue_offset}"
    tags = f" TAGS: {message.tags}" if message.tags else ""
    return f"MSGID: {message.message_id} {place}{tags} BODY: {body_text(message.body)}"


COMMANDS: Final = {
    "queryMsgByOffset": SubCommand(_query_options, _query, takes_o=True),
    "queryMsgByKey": SubCommand(_by_key_options, _by_key),
    "queryMsgByUniqueKey": SubCommand(_by_unique_id_options, _by_unique_id),
    "queryMsgById": SubCommand(_by_offset_id_options, _by_offset_id),
    "sendMessage": SubCommand(_send_options, _send),
    "consumeMessage": SubCommand(_consume_options, _consume, takes_o=True),
}
