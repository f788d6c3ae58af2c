"""mqquickstart: RocketMQ's first test, a producer and a consumer (example quickstart/Producer and Consumer)."""

import argparse
import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from broker_py.cli.commands.render import body_text
from broker_py.cli.commands.subcommand import checked, positive
from broker_py.cli.options import Exit, Parser, print_error, print_json, print_progress, run
from broker_py.cli.session import open_client
from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import SendResult
from broker_py.errors import BrokerPyError, ConfigError, Unreachable

PROG: Final = "mqquickstart"
TOPIC: Final = "TopicTest"
TAG: Final = "TagA"
PRODUCER_GROUP: Final = "please_rename_unique_group_name"
CONSUMER_GROUP: Final = "please_rename_unique_group_name_4"
PRODUCER_COUNT: Final = 1000
PAUSE_SECONDS: Final = 1.0  # after a message that could not be sent
MAX_FAILURES_IN_A_ROW: Final = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run mqquickstart with `argv` (the process's own when None) and return its exit status."""
    parser = Parser(PROG, "RocketMQ's quickstart: send messages to a topic, or receive them.")
    parser.add_argument("role", choices=("producer", "consumer"), help="what to be")
    parser.add_namesrv()
    parser.add_argument("--topic", default=TOPIC, help=f"topic (default: {TOPIC})")
    parser.add_argument("--group", help="producer or consumer group (default: the quickstart's)")
    parser.add_argument(
        "--count",
        type=checked(positive),
        metavar="N",
        help=f"messages to send (default: {PRODUCER_COUNT}) or to receive (default: until interrupted)",
    )
    parser.add_argument(
        "--timeout", type=checked(positive), metavar="SECONDS", help="end after this time at the latest"
    )
    parser.add_output()
    return run(parser, lambda options: _run(parser, options), argv)


def _run(parser: Parser, options: argparse.Namespace) -> int:
    try:
        return asyncio.run((_produce if options.role == "producer" else _consume)(options))
    except ConfigError as error:
        parser.error(str(error))


@dataclass
class _Sent:
    """What a producer did."""

    failed: int = 0
    failures_in_a_row: int = 0
    reached_anyone: bool = False
    brokers: Counter[str] = field(default_factory=Counter)


async def _produce(options: argparse.Namespace) -> int:
    count = options.count or PRODUCER_COUNT
    sent = _Sent()
    async with open_client(options.namesrv) as client:
        try:
            await asyncio.wait_for(_send_all(client, options, count, sent), options.timeout)
        except asyncio.TimeoutError:
            print_error(PROG, f"stopped after {options.timeout} s")
    stored = sent.brokers.total()
    if options.output == "json":
        print_json({"topic": options.topic, "sent": stored, "failed": count - stored, "brokers": dict(sent.brokers)})
    else:
        print_progress(f"{stored} of {count} messages sent{_by_broker(sent.brokers)}")
    if stored == count:
        return Exit.DONE
    return Exit.FAILED if sent.reached_anyone else Exit.UNREACHABLE


async def _send_all(client: Client, options: argparse.Namespace, count: int, sent: _Sent) -> None:
    """Send until all messages had their turn, or until too many in a row failed to be worth going on."""
    producer = client.producer(options.group or PRODUCER_GROUP)
    for number in range(count):
        message = OutgoingMessage(topic=options.topic, body=f"Hello RocketMQ {number}".encode(), tags=TAG)
        try:
            result = await producer.send(message)
        except BrokerPyError as error:
            if isinstance(error, ConfigError):
                raise
            print_error(PROG, f"message {number} is not sent: {error}")
            sent.reached_anyone |= not isinstance(error, Unreachable)
            sent.failures_in_a_row += 1
            if sent.failures_in_a_row == MAX_FAILURES_IN_A_ROW or not (sent.reached_anyone or sent.brokers):
                return
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        sent.reached_anyone = True
        sent.failures_in_a_row = 0
        sent.brokers[result.broker_name] += 1
        if options.output == "text":
            print(_send_line(result))


def _send_line(result: SendResult) -> str:
    queue = f"MessageQueue [topic={result.topic}, brokerName={result.broker_name}, queueId={result.queue_id}]"
    return (
        f"SendResult [sendStatus={result.status.value}, msgId={result.message_id}, offsetMsgId={result.offset_id}, "
        f"messageQueue={queue}, queueOffset={result.queue_offset}]"
    )


@dataclass
class _Received:
    """What a consumer got; `ids` tells messages that came twice."""

    count: int = 0
    ids: set[str] = field(default_factory=set)
    brokers: Counter[str] = field(default_factory=Counter)


async def _consume(options: argparse.Namespace) -> int:
    received = _Received()

    def on_message(message: ReceivedMessage) -> None:
        received.count += 1
        received.ids.add(message.message_id)
        received.brokers[message.broker_name] += 1
        if options.output == "text":
            print(_receive_line(message), flush=True)
        if received.count == options.count:
            consumer.stop()

    async with open_client(options.namesrv) as client:
        consumer = client.group_consumer(options.group or CONSUMER_GROUP, options.topic, on_message)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, consumer.stop)
        if options.timeout is not None:
            loop.call_later(options.timeout, consumer.stop)
        print_progress(f"Consumer Started. Topic {options.topic}, group {options.group or CONSUMER_GROUP}")
        await consumer.run()
    if options.output == "json":
        summary = {"topic": options.topic, "received": received.count, "distinct": len(received.ids)}
        print_json(summary | {"brokers": dict(received.brokers)})
    else:
        print_progress(f"{received.count} messages received{_by_broker(received.brokers)}")
    return Exit.DONE if received.count >= (options.count or 0) else Exit.FAILED


def _receive_line(message: ReceivedMessage) -> str:
    return (
        f"Receive New Messages: [brokerName={message.broker_name}, queueId={message.queue_id}, "
        f"queueOffset={message.queue_offset}, tags={message.tags}, msgId={message.message_id}, "
        f"body={body_text(message.body)}]"
    )


def _by_broker(brokers: Counter[str]) -> str:
    return ": " + ", ".join(f"{name} {number}" for name, number in sorted(brokers.items())) if brokers else ""


if __name__ == "__main__":
    sys.exit(main())
