"""Which consumer groups have consumed a message (tools admin/DefaultMQAdminExtImpl.messageTrackDetail)."""

from dataclasses import dataclass
from typing import Final

from broker_py.admin.connections import consumer_connection
from broker_py.admin.groups import consumer_progress
from broker_py.admin.targets import TOPIC_NOT_EXIST, lowest_addresses
from broker_py.client.client import Client
from broker_py.client.messages import ReceivedMessage
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.fields import dict_of, list_of, text_of

_NOT_ONLINE: Final = 206


@dataclass(frozen=True, kw_only=True)
class MessageTrack:
    """What a group did with a message.

    CONSUMED, CONSUMED_BUT_FILTERED, NOT_CONSUME_YET, NOT_ONLINE, CONSUME_BROADCASTING, PULL or UNKNOWN. `error` says
    why it can't be told.
    """

    consumer_group: str
    track_type: str
    error: str | None = None


async def tracks_of(client: Client, message: ReceivedMessage) -> list[MessageTrack]:
    """Return what each group of the message's topic did with it, by what its offsets say."""
    try:
        route = await client.name_servers.route(message.topic)
    except RequestFailed as error:
        if error.code != TOPIC_NOT_EXIST:
            raise
        return []
    groups: set[str] = set()
    for address in lowest_addresses(route.broker_datas):
        groups.update(await client.brokers.consumers_of(address, message.topic))
    at = {each.broker_name for each in route.broker_datas if message.store_host in each.broker_addrs.values()}
    return [await _track(client, message, at or {message.broker_name}, group) for group in sorted(groups)]


async def _track(client: Client, message: ReceivedMessage, broker_names: set[str], group: str) -> MessageTrack:
    try:
        connection = await consumer_connection(client, group)
        kind = text_of(connection, "consumeType")
        if kind == "CONSUME_ACTIVELY":
            return MessageTrack(consumer_group=group, track_type="PULL")
        if kind != "CONSUME_PASSIVELY":
            return MessageTrack(consumer_group=group, track_type="UNKNOWN")
        queues = (await consumer_progress(client, group)).queues
    except RequestFailed as error:
        what = "NOT_ONLINE" if error.code == _NOT_ONLINE else "UNKNOWN"
        return MessageTrack(consumer_group=group, track_type=what, error=f"CODE:{error.code} DESC:{error.remark}")
    except BrokerPyError as error:
        return MessageTrack(consumer_group=group, track_type="UNKNOWN", error=str(error))
    if not queues and text_of(connection, "messageModel") == "BROADCASTING":
        return MessageTrack(consumer_group=group, track_type="CONSUME_BROADCASTING")
    place = message.topic, message.queue_id
    consumed = any(
        (each.topic, each.queue_id) == place
        and each.broker_name in broker_names
        and each.consumer_offset > message.queue_offset
        for each in queues
    )
    if not consumed:
        return MessageTrack(consumer_group=group, track_type="NOT_CONSUME_YET")
    subscription = dict_of(dict_of(connection, "subscriptionTable"), message.topic)
    tags = list_of(subscription, "tagsSet")
    wanted = not tags or "*" in tags or message.tags in tags
    return MessageTrack(consumer_group=group, track_type="CONSUMED" if wanted else "CONSUMED_BUT_FILTERED")
