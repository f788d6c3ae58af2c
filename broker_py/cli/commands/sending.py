"""mqadmin checkMsgSendRT, sendMsgStatus and clusterRT: how long sends take (tools command/message, broker, cluster)."""

import argparse
from typing import Any, Final

from broker_py.admin.sending import TimedSend, average_ms, timed_sends
from broker_py.admin.targets import cluster_brokers
from broker_py.cli.commands.render import table, time_text
from broker_py.cli.commands.subcommand import Answer, SubCommand, checked, natural, positive, topic_option, truth
from broker_py.cli.options import Exit, Parser, print_progress, progress_wanted
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError

_PROGRESS: Final = 100


async def _sends(client: Client, topic: str, count: int, size: int) -> list[TimedSend]:
    sends: list[TimedSend] = []
    async for each in timed_sends(client, topic, count, size):
        sends.append(each)
        if progress_wanted() and len(sends) % _PROGRESS == 0:
            print_progress(f"{len(sends)} of {count} messages sent to {topic}")
    return sends


def _json(each: TimedSend) -> dict[str, Any]:
    return {
        "brokerName": each.queue.broker_name,
        "queueId": each.queue.queue_id,
        "sent": each.error is None,
        "milliseconds": round(each.milliseconds, 3),
        "messageId": each.result.message_id if each.result else None,
        "error": None if each.error is None else str(each.error),
    }


def _failures(sends: list[TimedSend]) -> tuple[list[str], int]:
    errors = sorted({str(each.error) for each in sends if each.error is not None})
    return errors, Exit.FAILED if errors else Exit.DONE


def _topic_options(parser: Parser) -> None:
    topic_option(parser)
    parser.add_argument("-a", "--amount", type=checked(positive), default=100, metavar="N", help="messages (100)")
    parser.add_argument("-s", "--size", type=checked(natural), default=128, metavar="BYTES", help="size of each (128)")


async def _topic(client: Client, options: argparse.Namespace) -> Answer:
    sends = await _sends(client, options.topic, options.amount, options.size)
    rows = [
        (each.queue.broker_name, each.queue.queue_id, str(each.error is None).lower(), round(each.milliseconds))
        for each in sends
    ]
    notes, status = _failures(sends)
    return Answer(
        data={"averageMilliseconds": round(average_ms(sends), 3), "sends": [_json(each) for each in sends]},
        lines=[*table(("Broker Name", "QID", "Send Result", "RT"), rows), f"Avg RT: {average_ms(sends):.2f}"],
        notes=notes,
        status=status,
    )


def _broker_options(parser: Parser) -> None:
    parser.add_argument("-b", "--brokerName", dest="broker_name", required=True, metavar="NAME", help="the broker")
    parser.add_argument("-s", "--messageSize", dest="size", type=checked(natural), default=128, metavar="BYTES")
    parser.add_argument("-c", "--count", type=checked(positive), default=50, metavar="N", help="messages (50)")


async def _broker(client: Client, options: argparse.Namespace) -> Answer:
    """Each broker has a topic of its own name, where nobody consumes."""
    sends = await _sends(client, options.broker_name, options.count, options.size)
    notes, status = _failures(sends)
    lines = [f"rt={round(each.milliseconds)}ms, SendResult={_result(each)}" for each in sends]
    return Answer(data=[_json(each) for each in sends], lines=lines, notes=notes, status=status)


def _result(each: TimedSend) -> str:
    result = each.result
    if result is None:
        return str(each.error)
    queue = f"topic={result.topic}, brokerName={result.broker_name}, queueId={result.queue_id}"
    return (
        f"SendResult [sendStatus={result.status.value}, msgId={result.message_id}, "
        f"offsetMsgId={result.offset_id}, messageQueue=MessageQueue [{queue}], queueOffset={result.queue_offset}]"
    )


def _cluster_options(parser: Parser) -> None:
    add = parser.add_argument
    add("-a", "--amount", type=checked(positive), default=100, metavar="N", help="messages to each broker (100)")
    add("-s", "--size", type=checked(natural), default=128, metavar="BYTES", help="size of each (128)")
    add("-c", "--cluster", metavar="NAME", help="only this cluster")
    add("-p", "--printAsTlog", dest="bare", type=checked(truth), default=False, metavar="true|false", help="with bars")
    add("-m", "--machineRoom", dest="room", default="noname", metavar="NAME", help="with -p: written in each line")
    add(
        "-i",
        "--interval",
        type=checked(positive),
        metavar="SECONDS",
        help="again and again at this interval",
    )


async def _cluster(client: Client, options: argparse.Namespace) -> Answer:
    brokers = await cluster_brokers(client, options.cluster)
    names = sorted({(broker.cluster, broker.broker_name) for broker in brokers})
    rows: list[tuple[Any, ...]] = []
    notes: list[str] = []
    for cluster, name in names:
        try:
            sends = await _sends(client, name, options.amount, options.size)
        except BrokerPyError as error:
            rows.append((cluster, name, 0.0, 0, options.amount))
            notes.append(f"{name}: {error}")
            continue
        failed = sum(each.error is not None for each in sends)
        rows.append((cluster, name, average_ms(sends), len(sends) - failed, failed))
        notes += [f"{name}: {each}" for each in _failures(sends)[0]]
    keys = ("clusterName", "brokerName", "averageMilliseconds", "successCount", "failCount")
    shown = [(cluster, name, f"{ms:.2f}", done, failed) for cluster, name, ms, done, failed in rows]
    lines = table(("Cluster Name", "Broker Name", "RT", "successCount", "failCount"), shown)
    if options.bare:
        now = time_text(client.now_ms())[:19]
        lines = [f"{now}|{options.room}|{cluster}|{name}|{round(ms)}" for cluster, name, ms, _, _ in rows]
    return Answer(
        data=[dict(zip(keys, row, strict=True)) for row in rows],
        lines=lines,
        notes=notes,
        status=Exit.FAILED if notes else Exit.DONE,
    )


COMMANDS: Final = {
    "checkMsgSendRT": SubCommand(_topic_options, _topic),
    "sendMsgStatus": SubCommand(_broker_options, _broker),
    "clusterRT": SubCommand(_cluster_options, _cluster),
}
