"""Which clients are connected, and what consumers say of themselves (tools command/connection, consumer)."""

from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.admin.groups import broker_addresses_of
from broker_py.admin.targets import NotKnown, lowest_addresses
from broker_py.client.administration import member_of
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.fields import bool_of, dict_of, int_of, objects_of, text_of
from broker_py.model.message_queue import MessageQueue

_NOT_ONLINE: Final = 206
_BLOCKED_MS: Final = 60_000


@dataclass(frozen=True, kw_only=True)
class MemberState:
    """What a member of a consumer group says of itself; `error` says why it said nothing."""

    client_id: str
    version: int = 0
    info: dict[str, Any] = field(default_factory=dict)
    error: BrokerPyError | None = None


async def consumer_connection(client: Client, group: str, address: str | None = None) -> dict[str, Any]:
    """Return a group's members and subscriptions as the first of its brokers tells that knows any.

    NotKnown when no broker knows the group, RequestFailed with code 206 when it has no members.
    """
    addresses = [address] if address is not None else await broker_addresses_of(client, group)
    refused: RequestFailed | None = None
    for each in addresses:
        try:
            return await client.administration.consumer_connection(each, group)
        except RequestFailed as error:
            if error.code != _NOT_ONLINE:
                raise
            refused = error
    raise refused or NotKnown(f"no broker has the consumer group {group} now")


async def producer_connection(client: Client, group: str, topic: str) -> list[dict[str, Any]]:
    """Return a producer group's members on the brokers of a topic; NotKnown when there are none."""
    route = await client.name_servers.route(topic)
    members: dict[str, dict[str, Any]] = {}
    for address in lowest_addresses(route.broker_datas):
        try:
            found = await client.administration.producer_connection(address, group)
        except RequestFailed:
            continue  # a broker that the group has not sent to
        members.update({member_of(each)[0]: each for each in objects_of(found, "connectionSet")})
    if not members:
        raise NotKnown(f"no producer of the group {group} is connected to the brokers of {topic}")
    return [members[client_id] for client_id in sorted(members)]


async def member_states(
    client: Client, group: str, address: str | None = None, *, client_id: str | None = None, stacks: bool = False
) -> list[MemberState]:
    """Return what the members of a consumer group say, or the one with an id; NotKnown where it is no member."""
    addresses = [address] if address is not None else await broker_addresses_of(client, group)
    connections = await consumer_connection(client, group, address)
    members = {item[0]: item[3] for item in map(member_of, objects_of(connections, "connectionSet"))}
    if client_id is not None and client_id not in members:
        raise NotKnown(f"{client_id} is no member of {group} (members: {', '.join(sorted(members)) or 'none'})")
    wanted = [client_id] if client_id is not None else sorted(members)
    return [await _state(client, addresses, group, each, members[each], stacks=stacks) for each in wanted]


def stuck_queues(state: MemberState, now_ms: int) -> list[str]:
    """Return what a push consumer does not get on with, by what it says of itself (ConsumerRunningInfo).

    In order: queues that it can't lock, or give back. Else: those with messages that it did not consume for a minute.
    """
    properties = dict_of(state.info, "properties")
    if text_of(properties, "PROP_CONSUME_TYPE") != "CONSUME_PASSIVELY":
        return []
    in_order = text_of(properties, "PROP_CONSUMEORDERLY").lower() == "true"
    found: list[str] = []
    for queue, each in dict_of(state.info, "mqTable").items():
        if not isinstance(queue, MessageQueue) or not isinstance(each, dict):
            continue
        place = (
            f"{state.client_id} MessageQueue [topic={queue.topic}, brokerName={queue.broker_name}, "
            f"queueId={queue.queue_id}]"
        )
        idle_ms = now_ms - int_of(each, "lastConsumeTimestamp")
        if in_order and not bool_of(each, "locked"):
            found.append(f"{place} can't lock for a while, {now_ms - int_of(each, 'lastLockTimestamp')}ms")
        elif in_order and bool_of(each, "droped") and int_of(each, "tryUnlockTimes") > 0:
            found.append(f"{place} unlock {int_of(each, 'tryUnlockTimes')} times, still failed")
        elif not in_order and idle_ms > _BLOCKED_MS and int_of(each, "cachedMsgCount") > 0:
            found.append(f"{place} can't consume for a while, maybe blocked, {idle_ms}ms")
    return found


async def _state(
    client: Client, addresses: list[str], group: str, client_id: str, version: int, *, stacks: bool
) -> MemberState:
    failure: BrokerPyError = NotKnown(f"no broker has the consumer group {group} now")
    for address in addresses:
        try:
            info = await client.administration.running_info(address, group, client_id, stacks=stacks)
        except BrokerPyError as error:
            failure = error
            continue
        return MemberState(client_id=client_id, version=version, info=info)
    return MemberState(client_id=client_id, version=version, error=failure)
