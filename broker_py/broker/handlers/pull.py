"""Fetching messages: requests 11, 361 and 33 (broker processor/PullMessageProcessor, QueryMessageProcessor)."""

from collections.abc import Callable
from typing import Final

from broker_py.broker.clients import ConsumerTable
from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.groups import GroupTable
from broker_py.broker.long_polling import ParkedPull, ParkedPulls, may_park
from broker_py.broker.message_filter import MessageFilter, MessageFilters
from broker_py.broker.statistics import Statistics
from broker_py.broker.tag_filter import parse_subscription
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused, StoreError
from broker_py.model.group import GroupConfig
from broker_py.model.subscription import BROADCASTING
from broker_py.model.topic import PERM_READ
from broker_py.remoting.peer import Peer
from broker_py.seams import Clock
from broker_py.store.reading import GetResult, GetStatus
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.header import decode_header
from broker_py.wire.headers.pull import (
    PULL_COMMIT_OFFSET,
    PULL_SUBSCRIPTION,
    PULL_SUSPEND,
    PullRequest,
    ViewMessageRequest,
)

_DEFAULT_MAX_BYTES: Final = 256 * 1024
_CODES: Final[dict[GetStatus, int]] = {
    GetStatus.FOUND: ResponseCode.SUCCESS,
    GetStatus.NO_MATCHED_MESSAGE: ResponseCode.PULL_RETRY_IMMEDIATELY,
    GetStatus.MESSAGE_WAS_REMOVING: ResponseCode.PULL_RETRY_IMMEDIATELY,
    GetStatus.OFFSET_FOUND_NULL: ResponseCode.PULL_NOT_FOUND,
    GetStatus.OFFSET_OVERFLOW_ONE: ResponseCode.PULL_NOT_FOUND,
    GetStatus.OFFSET_OVERFLOW_BADLY: ResponseCode.PULL_OFFSET_MOVED,
    GetStatus.OFFSET_TOO_SMALL: ResponseCode.PULL_OFFSET_MOVED,
    GetStatus.NO_MATCHED_LOGIC_QUEUE: ResponseCode.PULL_NOT_FOUND,
    GetStatus.NO_MESSAGE_IN_QUEUE: ResponseCode.PULL_NOT_FOUND,
}
_EMPTY_QUEUE: Final = (GetStatus.NO_MATCHED_LOGIC_QUEUE, GetStatus.NO_MESSAGE_IN_QUEUE)
_SKIPPED_SILENTLY: Final = 1000
"""So many messages that a waiting pull doesn't want it is not told of; its group's progress stands still meanwhile."""
_BEYOND_QUEUE: Final = (*_EMPTY_QUEUE, GetStatus.OFFSET_OVERFLOW_BADLY, GetStatus.OFFSET_TOO_SMALL)


class PullHandler:
    """Answers pulls with what a queue has, or parks them until it has something.

    `master_alive` tells a slave whether its master is registered: then readers are sent back to it.
    """

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        topics: TopicTable,
        groups: GroupTable,
        offsets: ConsumerOffsetTable,
        consumers: ConsumerTable,
        parked: ParkedPulls,
        filters: MessageFilters,
        statistics: Statistics,
        clock: Clock,
        master_alive: Callable[[], bool],
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._consumers = consumers
        self._parked = parked
        self._filters = filters
        self._statistics = statistics
        self._clock = clock
        self._master_alive = master_alive

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def handle(self, command: Command, peer: Peer) -> Reply | None:
        """Answer a pull, or park it."""
        request = decode_header(PullRequest, command.ext)
        group = self._check(request, command.code)
        wanted = self._filter(request, group)
        if request.sys_flag & PULL_COMMIT_OFFSET and request.commit_offset >= 0 and not self._config.is_slave:
            self._offsets.commit(request.consumer_group, request.topic, request.queue_id, request.commit_offset)
        result = self._get(request, wanted, request.queue_offset)
        if self._may_wait(request, result) and not self._parked.full and may_park(command):
            self._park(request, wanted, group, command, peer)
            return None
        return self._reply(request, group, result)

    # Checks

    def _check(self, request: PullRequest, code: int) -> GroupConfig:
        config = self._config
        if config.is_slave and not config.slave_read_enable:
            raise RequestRefused(
                ResponseCode.SYSTEM_BUSY, "[REJECTREQUEST]this slave does not serve pulls (slaveReadEnable=false)"
            )
        if not config.broker_permission & PERM_READ:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"the broker[{config.broker_ip1}] pulling message is forbidden"
            )
        if code == RequestCode.LITE_PULL_MESSAGE and not config.lite_pull_message_enable:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"the broker[{config.broker_ip1}] for lite pull consumer is forbidden"
            )
        group = self._groups.require(request.consumer_group)
        if not group.consume_enable:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"subscription group no permission, {request.consumer_group}"
            )
        topic = self._topics.require(request.topic)
        if not topic.readable:
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"the topic[{request.topic}] pulling message is forbidden")
        if not 0 <= request.queue_id < topic.read_queue_nums:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"queueId[{request.queue_id}] is illegal, topic:[{request.topic}] "
                f"topicConfig.readQueueNums:[{topic.read_queue_nums}]",
            )
        return group

    def _filter(self, request: PullRequest, group: GroupConfig) -> MessageFilter:
        """Return what the puller wants: as it says itself, or as its group's heartbeats did."""
        if request.sys_flag & PULL_SUBSCRIPTION:
            return self._filters.of_request(
                parse_subscription(request.topic, request.subscription, request.expression_type)
            )
        members = self._consumers.get(request.consumer_group)
        if members is None:
            raise RequestRefused(
                ResponseCode.SUBSCRIPTION_NOT_EXIST, f"the consumer's group info not exist: {request.consumer_group}"
            )
        if not group.consume_broadcast_enable and members.message_model == BROADCASTING:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION,
                f"the consumer group[{request.consumer_group}] can not consume by broadcast way",
            )
        if not self._groups.may_read(request.consumer_group, request.topic):
            raise RequestRefused(
                ResponseCode.NO_PERMISSION,
                f"the consumer group[{request.consumer_group}] is forbidden for topic[{request.topic}]",
            )
        subscription = members.subscriptions.get(request.topic)
        if subscription is None:
            raise RequestRefused(
                ResponseCode.SUBSCRIPTION_NOT_EXIST,
                f"the consumer's subscription not exist: {request.consumer_group} to {request.topic}",
            )
        if subscription.sub_version < request.sub_version:
            raise RequestRefused(
                ResponseCode.SUBSCRIPTION_NOT_LATEST,
                f"the broker's subscription is not latest: {request.consumer_group} {subscription.sub_string}",
            )
        return self._filters.of_heartbeat(subscription)

    # Reading

    def _get(self, request: PullRequest, wanted: MessageFilter, queue_offset: int) -> GetResult:
        max_bytes = request.max_msg_bytes
        began = self._clock.monotonic()
        try:
            result = self._store.get(
                request.topic,
                request.queue_id,
                queue_offset,
                max(1, request.max_msg_nums),
                max_bytes if max_bytes is not None and max_bytes > 0 else _DEFAULT_MAX_BYTES,
                *wanted,
            )
        except StoreError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, str(error)) from error
        if result.status is GetStatus.FOUND:
            milliseconds = int((self._clock.monotonic() - began) * 1000)
            self._statistics.read(request.topic, request.queue_id, request.consumer_group, milliseconds)
        return result

    def _code(self, request: PullRequest, status: GetStatus) -> int:
        if status in _EMPTY_QUEUE and request.queue_offset != 0:
            code = ResponseCode.PULL_OFFSET_MOVED
        else:
            code = _CODES[status]
        if self._config.is_slave and status is not GetStatus.FOUND:
            if self._master_alive():
                return ResponseCode.PULL_RETRY_IMMEDIATELY  # from the master, which has what there is
            if code == ResponseCode.PULL_OFFSET_MOVED:
                return ResponseCode.PULL_NOT_FOUND  # a slave may lag: what it lacks is no reason for a group to move
        return code

    def _may_wait(self, request: PullRequest, result: GetResult) -> bool:
        return (
            request.sys_flag & PULL_SUSPEND != 0
            and self._code(request, result.status) == ResponseCode.PULL_NOT_FOUND
            and request.suspend_timeout_millis > 0
        )

    def _park(
        self,
        request: PullRequest,
        wanted: MessageFilter,
        group: GroupConfig,
        command: Command,
        peer: Peer,
    ) -> None:
        config = self._config
        selecting = wanted.selection is not None
        queue = request.topic, request.queue_id
        seen = request.queue_offset  # what lies before it was looked at and is not wanted
        timeout_ms = request.suspend_timeout_millis if config.long_polling_enable else config.short_polling_time_mills

        def resume(timed_out: bool) -> bool:
            nonlocal seen
            if not peer.is_open:
                return True
            if not peer.is_writable:  # its time is up, and nothing is read for it that it would not take
                ends = self._store.min_offset(*queue), self._store.max_offset(*queue)
                kept = GetResult(GetStatus.NO_MATCHED_MESSAGE, seen, *ends)
                peer.reply(command, self._reply(request, group, kept))
                return True
            try:
                result = self._get(request, wanted, seen)
            except RequestRefused as error:
                peer.reply(command, Reply(error.code, error.remark))
                return True
            if not timed_out and self._code(request, result.status) == ResponseCode.PULL_NOT_FOUND:
                return False
            if selecting and result.status in (GetStatus.NO_MATCHED_MESSAGE, GetStatus.OFFSET_OVERFLOW_ONE):
                seen = result.next_offset
                if not timed_out and seen - request.queue_offset < _SKIPPED_SILENTLY:
                    return False
                if seen > request.queue_offset:
                    result.status = GetStatus.NO_MATCHED_MESSAGE
            peer.reply(command, self._reply(request, group, result))
            return True

        command.strip()
        deadline = self._clock.monotonic() + timeout_ms / 1000
        self._parked.park(ParkedPull(queue, deadline, wanted.wanted, peer, resume))

    def _reply(self, request: PullRequest, group: GroupConfig, result: GetResult) -> Reply:
        code = self._code(request, result.status)
        statistics = self._statistics
        if result.status is GetStatus.FOUND:
            statistics.found(request.topic, request.consumer_group, result.count, result.size)
            self._offsets.pulled(request.consumer_group, request.topic, request.queue_id, result.next_offset)
        else:
            statistics.get_missed += 1
        next_offset = result.next_offset
        if self._config.is_slave and result.status in _BEYOND_QUEUE:
            next_offset = max(0, request.queue_offset)
        ext = {
            "suggestWhichBrokerId": str(self._suggested_broker(group, result)),
            "nextBeginOffset": str(next_offset),
            "minOffset": str(result.min_offset),
            "maxOffset": str(result.max_offset),
        }
        return Reply(code, result.status.name, ext, result.chunks)

    def _suggested_broker(self, group: GroupConfig, result: GetResult) -> int:
        """The broker id that the reader should ask next: a slave for one that lags, else the master."""
        config = self._config
        if config.is_slave:
            return 0 if self._master_alive() and not result.lagging else config.broker_id
        if not config.slave_read_enable:
            return 0
        return group.which_broker_when_consume_slowly if result.lagging else group.broker_id

    # One message

    def view(self, request: ViewMessageRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        """Return the message at a byte position of the log: request 33."""
        record = self._store.record(request.offset)
        if record is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"can not find message by the offset, {request.offset}")
        return Reply(body=record)
