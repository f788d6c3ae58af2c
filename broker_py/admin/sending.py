"""How long sends take (tools command/message/CheckMsgSendRTCommand, broker/SendMsgStatusCommand, cluster/...RT)."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from broker_py.admin.targets import NotKnown
from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage
from broker_py.client.producer import SendResult
from broker_py.client.queues import writable_queues
from broker_py.errors import BrokerPyError
from broker_py.model.message_queue import MessageQueue

_GROUP: Final = "TOOLS_PRODUCER"


@dataclass(frozen=True, kw_only=True)
class TimedSend:
    """A send, how long it took, and its result, or the error."""

    queue: MessageQueue
    milliseconds: float
    result: SendResult | None = None
    error: BrokerPyError | None = None


async def timed_sends(
    client: Client, topic: str, count: int, size: int, seconds: Callable[[], float] = time.monotonic
) -> AsyncIterator[TimedSend]:
    """Send so many messages to the queues of a topic in turn; NotKnown when none of them can be written."""
    queues = writable_queues(topic, await client.name_servers.route(topic))
    if not queues:
        raise NotKnown(f"the topic {topic} has no queue that can be written")
    producer = client.producer(_GROUP)
    message = OutgoingMessage(topic=topic, body=b"a" * size)
    for number in range(count):
        queue = queues[number % len(queues)]
        began = seconds()
        try:
            result = await producer.send_to(message, queue)
        except BrokerPyError as error:
            yield TimedSend(queue=queue, milliseconds=(seconds() - began) * 1000, error=error)
        else:
            yield TimedSend(queue=queue, milliseconds=(seconds() - began) * 1000, result=result)


def average_ms(sends: list[TimedSend]) -> float:
    """Return how long sends took but for the first, which opens the connection."""
    counted = sends[1:] or sends
    return sum(each.milliseconds for each in counted) / max(1, len(counted))
