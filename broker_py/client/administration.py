"""Requests to brokers that only tools make (client impl/MQClientAPIImpl); what is just shown stays a JSON object."""

from dataclasses import dataclass
from typing import Any

from broker_py.client.by_address import RELAY_TIMEOUT_SECONDS, ByAddress
from broker_py.client.replies import header_of, object_of
from broker_py.errors import ProtocolError
from broker_py.model.fields import dict_of, int_of, text_of
from broker_py.model.message_queue import MessageQueue
from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.admin import (
    AccessAccountRequest,
    BrokerConsumeStatsRequest,
    DeleteAccountRequest,
    FlushOffsetRequest,
    GlobalWhiteAddressesRequest,
    QueryConsumeQueueRequest,
    StatsRequest,
)
from broker_py.wire.headers.clients import ClientRequest, ConsumerGroupRequest, ProducerGroupRequest
from broker_py.wire.headers.offsets import OffsetReply, ResetOffsetRequest, SearchOffsetRequest, UpdateOffsetRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """One statistic of a broker: messages (or bytes) a second over a minute, and how many in the last 24 hours."""

    per_second: float
    last_day: int


class Administration(ByAddress):
    """Requests to a broker by its address; each raises Unreachable or RequestFailed."""

    # Clients

    async def consumer_connection(self, address: str, group: str) -> dict[str, Any]:
        """Return a group's members, what they subscribe to and how; RequestFailed with code 206 when it has none."""
        header = ConsumerGroupRequest(consumer_group=group)
        return object_of(await self._ask(address, RequestCode.GET_CONSUMER_CONNECTION_LIST, header))

    async def producer_connection(self, address: str, group: str) -> dict[str, Any]:
        """Return a producer group's members."""
        header = ProducerGroupRequest(producer_group=group)
        return object_of(await self._ask(address, RequestCode.GET_PRODUCER_CONNECTION_LIST, header))

    async def producers(self, address: str) -> dict[str, Any]:
        """Return all producers of a broker: group → its members."""
        return dict_of(object_of(await self._ask(address, RequestCode.GET_ALL_PRODUCER_INFO)), "data")

    async def running_info(self, address: str, group: str, client_id: str, *, stacks: bool = False) -> dict[str, Any]:
        """Return what a consumer says of itself, with the stacks of its threads on demand; the broker asks it."""
        header = ClientRequest(consumer_group=group, client_id=client_id, jstack_enable=stacks)
        return object_of(
            await self._ask(
                address, RequestCode.GET_CONSUMER_RUNNING_INFO, header, timeout_seconds=RELAY_TIMEOUT_SECONDS
            )
        )

    async def consume_directly(
        self, address: str, group: str, client_id: str, *, message_id: str, topic: str
    ) -> dict[str, Any]:
        """Have a consumer consume the message with an offset id now; return what came of it."""
        header = ClientRequest(consumer_group=group, client_id=client_id, msg_id=message_id, topic=topic)
        return object_of(
            await self._ask(
                address, RequestCode.CONSUME_MESSAGE_DIRECTLY, header, timeout_seconds=RELAY_TIMEOUT_SECONDS
            )
        )

    async def set_consume_mode(self, address: str, topic: str, group: str, mode: str, pop_share_queues: int) -> None:
        """Say whether a group pulls a topic (`PULL`) or pops it (`POP`), and how many of its queues members share."""
        body = {"topic": topic, "consumerGroup": group, "mode": mode, "popShareQueueNum": pop_share_queues}
        await self._ask(address, RequestCode.SET_MESSAGE_REQUEST_MODE, body=dumps(body))

    # Offsets

    async def reset_offset(
        self, address: str, topic: str, group: str, time_ms: int, *, force: bool
    ) -> dict[MessageQueue, int]:
        """Set the group's members to a time, -1 for the end; RequestFailed with code 206 when there are none."""
        header = ResetOffsetRequest(topic=topic, group=group, timestamp=time_ms, is_force=force)
        fields = object_of(await self._ask(address, RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, header))
        table = dict_of(fields, "offsetTable")
        for queue in table:
            if not isinstance(queue, MessageQueue):
                raise ProtocolError(f"an answer can't be read: {str(queue)[:32]!r} stands where a queue belongs")
        return {queue: int_of(table, queue) for queue in table}

    async def offset_at(self, address: str, topic: str, queue_id: int, time_ms: int) -> int:
        """Return the queue offset of the first message stored at or after a time."""
        header = SearchOffsetRequest(topic=topic, queue_id=queue_id, timestamp=time_ms)
        return header_of(OffsetReply, await self._ask(address, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, header)).offset

    async def commit_offset(self, address: str, group: str, topic: str, queue_id: int, queue_offset: int) -> None:
        """Set where a group stands in a queue, which its members that run don't learn of."""
        header = UpdateOffsetRequest(consumer_group=group, topic=topic, queue_id=queue_id, commit_offset=queue_offset)
        await self._ask(address, RequestCode.UPDATE_CONSUMER_OFFSET, header)

    # State and upkeep

    async def rate(self, address: str, name: str, key: str) -> Rate:
        """Return a statistic; RequestFailed when nothing of it was counted lately."""
        fields = object_of(
            await self._ask(address, RequestCode.VIEW_BROKER_STATS_DATA, StatsRequest(stats_name=name, stats_key=key))
        )
        tps = dict_of(fields, "statsMinute").get("tps")
        sums = [int_of(dict_of(fields, span), "sum") for span in ("statsDay", "statsHour", "statsMinute")]
        return Rate(
            per_second=float(tps) if isinstance(tps, (int, float)) else 0.0,
            last_day=next((each for each in sums if each), 0),
        )

    async def consume_stats(self, address: str, *, ordered: bool, timeout_seconds: float) -> dict[str, Any]:
        """Return how far all groups of a broker are."""
        header = BrokerConsumeStatsRequest(is_order=ordered)
        return object_of(
            await self._ask(address, RequestCode.GET_BROKER_CONSUME_STATS, header, timeout_seconds=timeout_seconds)
        )

    async def queue_units(self, address: str, header: QueryConsumeQueueRequest) -> dict[str, Any]:
        """Return raw units of a consume queue."""
        return object_of(await self._ask(address, RequestCode.QUERY_CONSUME_QUEUE, header))

    async def clean_queues(self, address: str) -> None:
        """Have a broker remove files of queues that point only at deleted parts of the log."""
        await self._ask(address, RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE)

    async def delete_expired_log(self, address: str) -> None:
        """Have a broker delete expired files of its log now."""
        await self._ask(address, RequestCode.DELETE_EXPIRED_COMMITLOG)

    async def clean_unused_topics(self, address: str) -> None:
        """Have a broker delete the queues of topics that it has no settings of."""
        await self._ask(address, RequestCode.CLEAN_UNUSED_TOPIC)

    async def reset_flush_offset(self, address: str, log_offset: int) -> None:
        """Tell a slave up to where its master has flushed."""
        header = FlushOffsetRequest(master_flush_offset=log_offset)
        await self._ask(address, RequestCode.RESET_MASTER_FLUSH_OFFSET, header)

    # Accounts

    async def put_account(self, address: str, account: AccessAccountRequest) -> None:
        """Make an account or change it."""
        await self._ask(address, RequestCode.UPDATE_AND_CREATE_ACL_CONFIG, account)

    async def delete_account(self, address: str, access_key: str) -> None:
        """Delete an account."""
        await self._ask(address, RequestCode.DELETE_ACL_CONFIG, DeleteAccountRequest(access_key=access_key))

    async def put_white_addresses(self, address: str, header: GlobalWhiteAddressesRequest) -> None:
        """Replace the addresses that need no account."""
        await self._ask(address, RequestCode.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG, header)

    async def account_versions(self, address: str) -> dict[str, str]:
        """Return whose accounts these are and the versions of their files, as the reply's header has them."""
        return dict((await self._ask(address, RequestCode.GET_BROKER_CLUSTER_ACL_INFO)).ext)

    async def accounts(self, address: str) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the addresses that need no account, and the accounts."""
        fields = object_of(await self._ask(address, RequestCode.GET_BROKER_CLUSTER_ACL_CONFIG))
        addresses, accounts = fields.get("globalWhiteAddrs"), fields.get("plainAccessConfigs")
        return (
            [str(each) for each in addresses] if isinstance(addresses, list) else [],
            [each for each in accounts if isinstance(each, dict)] if isinstance(accounts, list) else [],
        )


def member_of(item: dict[str, Any]) -> tuple[str, str, str, int]:
    """Return a connected client's id, address, language and version."""
    return (
        text_of(item, "clientId"),
        text_of(item, "clientAddr"),
        str(item.get("language") or "OTHER"),
        int_of(item, "version"),
    )
