"""Looking at messages and sending one (tools command/message)."""

from dataclasses import dataclass
from typing import Any

from broker_py.admin.targets import NotKnown
from broker_py.client.client import Client
from broker_py.client.message_finder import place_in_id
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import SendResult
from broker_py.client.queue_reader import MAX_MESSAGES, TOOLS_GROUP, PullStatus
from broker_py.errors import ProtocolError
from broker_py.model.message_queue import MessageQueue


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which messages of a topic, at most `count`: of all queues or one, from an offset on, stored within two times."""

    topic: str
    broker_name: str | None = None
    queue_id: int | None = None
    queue_offset: int = 0
    begin_ms: int | None = None
    end_ms: int | None = None
    count: int = 128


async def message_at(client: Client, queue: MessageQueue, queue_offset: int) -> ReceivedMessage:
    """Return the message at a place; NotKnown when there is none."""
    result = await client.queues.pull(queue, queue_offset, max_messages=1)
    if result.status is not PullStatus.FOUND:
        raise NotKnown(
            f"{queue.broker_name} has no message {queue_offset} in queue {queue.queue_id} of {queue.topic}; "
            f"it keeps {result.min_offset} up to {result.max_offset} (exclusive)"
        )
    return result.messages[0]


async def messages_by_key(client: Client, topic: str, key: str) -> list[ReceivedMessage]:
    """Return the newest messages of a topic that have a key, by their store time; NotKnown when there is none."""
    return _some(await client.finder.by_key(topic, key), f"no message of {topic} has the key {key}")


async def messages_by_unique_id(client: Client, topic: str, message_id: str) -> list[ReceivedMessage]:
    """Return the messages with the id that their producer gave, by their store time; NotKnown when there is none."""
    found = await client.finder.by_key(topic, message_id, unique=True)
    return _some(found, f"no message of {topic} has the id {message_id}")


def _some(messages: list[ReceivedMessage], none: str) -> list[ReceivedMessage]:
    if not messages:
        raise NotKnown(none)
    return messages


async def message_by_offset_id(client: Client, message_id: str) -> ReceivedMessage:
    """Return the message with the id that its broker gave; NotKnown when the text is no such id."""
    try:
        return await client.finder.by_offset_id(message_id)
    except ProtocolError as error:
        raise NotKnown(str(error)) from None


async def read_messages(client: Client, selection: Selection, group: str = TOOLS_GROUP) -> list[ReceivedMessage]:
    """Return the selected messages, queue by queue, without moving any group's offsets."""
    queues = [
        queue
        for queue in await client.queues.queues(selection.topic)
        if selection.broker_name in {None, queue.broker_name} and selection.queue_id in {None, queue.queue_id}
    ]
    if not queues:
        raise NotKnown(f"the topic {selection.topic} has no such queue that can be read")
    messages: list[ReceivedMessage] = []
    for queue in queues:
        if len(messages) < selection.count:
            messages += await _read_queue(client, queue, selection, selection.count - len(messages), group)
    return messages


async def _read_queue(
    client: Client, queue: MessageQueue, selection: Selection, count: int, group: str
) -> list[ReceivedMessage]:
    position = max(selection.queue_offset, await client.queues.min_offset(queue))
    end = await client.queues.max_offset(queue)
    if selection.begin_ms is not None:
        position = max(position, await client.queues.offset_at(queue, selection.begin_ms))
    if selection.end_ms is not None:
        end = min(end, await client.queues.offset_at(queue, selection.end_ms + 1))
    messages: list[ReceivedMessage] = []
    while position < end and len(messages) < count:
        wanted = min(MAX_MESSAGES, end - position, count - len(messages))
        result = await client.queues.pull(queue, position, group=group, max_messages=wanted)
        messages += result.messages
        if result.next_offset <= position:
            break
        position = result.next_offset
    return messages


async def send_message(
    client: Client, message: OutgoingMessage, group: str, *, broker_name: str | None = None, queue_id: int | None = None
) -> SendResult:
    """Send one message, to any queue, to any queue of a broker or to one queue."""
    producer = client.producer(group)
    if broker_name is not None and queue_id is not None:
        return await producer.send_to(message, MessageQueue(message.topic, broker_name, queue_id))
    return await producer.send(message, broker_name)


async def send_again(client: Client, message: ReceivedMessage, group: str) -> SendResult:
    """Send a message once more to its topic, as a new one with the same body, tag and keys."""
    copy = OutgoingMessage(topic=message.topic, body=message.body, tags=message.tags, keys=message.keys)
    return await client.producer(group).send(copy)


async def consume_directly(
    client: Client, message_id: str, message: ReceivedMessage, group: str, client_id: str
) -> dict[str, Any]:
    """Have a member of a group consume the message with an offset id; return what its consumer says came of it."""
    address, _ = place_in_id(message_id)
    return await client.administration.consume_directly(
        address, group, client_id, message_id=message_id, topic=message.topic
    )
